package desk_test

import (
	"strings"
	"testing"

	"latchkey/bot"
	"latchkey/bot/desk"
)

// What an agent sees of what people write: secrets as dots, the rest as it is.
func TestHide(t *testing.T) {
	const dots = bot.Unheard
	for in, want := range map[string]string{
		"482913":                                  dots,
		"482 913":                                 dots,
		"48-29-13":                                dots,
		"the code is 482913.":                     "the code is " + dots + ".",
		"it says 482913 or 123456":                "it says " + dots + " or " + dots,
		"four eight two nine one three":           dots,
		"my password is Winter2026!":              "my password is " + dots,
		"password: hunter2":                       "password: " + dots,
		"la contraseña es perro88":                "la contraseña es " + dots,
		"my pin is 4711":                          "my pin is " + dots,
		"pwd Summer!2026 does not work":           "pwd " + dots + " does not work",
		"hunter22 is my password":                 dots + " is my password",
		"pw Sommer2024":                           "pw " + dots,
		"perro88 es mi contraseña":                dots + " es mi contraseña",
		"\"Blue!Sky\" is my new password":         "\"" + dots + "\" is my new password",
		"otpauth://totp/Contoso:ann?secret=JBSW3": dots,
		"the key is JBSW Y3DP EHPK 3PXP":          "the key is " + dots,
		"4F7K-Q2MZ":                               dots,
	} {
		if got, hidden := desk.Hide(in); got != want || !hidden {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
	for _, in := range []string{
		"hello", "my password is wrong", "the password does not work", "I forgot my password, please help", "my password expired", "call me at (704) 296-3143 or 555-0100",
		"+1 704 296 3143", "room 214, building 12", "since 2026", "la contraseña no funciona", "no me llega el código", "ticket K7M-2QP", "it is 3:45 pm on 11/30/2026", "PLEASE HELP THIS DOES NOT WORK",
		"I have an iPhone 15 Pro Max", "extension 4711", "1 2 3", "the PIN pad is broken",
		"this is my password problem", "What is my password?", "so lost is my password", "¿cuál es mi contraseña?", "pw does not work", "la última es mi contraseña", "the pw reset page",
	} {
		if got, hidden := desk.Hide(in); got != in || hidden {
			t.Errorf("%q is shown as %q", in, got)
		}
	}
	if got, _ := desk.Hide(strings.Repeat("482913 ", 500)); strings.Contains(got, "482913") {
		t.Error("a long text hides only some")
	}
}
