package typed_test

import (
	"testing"

	"latchkey/bot/typed"
)

// What asks for a secret is found however it is written, and who warns is not.
func TestAsksSecret(t *testing.T) {
	for _, text := range []string{
		"Please write me your password", "Reply with your six digits code", "read them your code", "Please reply with your password.", "Answer with the code",
		"Tell me your p a s s w o r d", "send us the c.o.d.e now", "Send me your p-a-s-s-w-o-r-d", "give me your p a s s  w o r d", "Tell me your pass\u200bword", "Ｔｅｌｌ ｍｅ ｙｏｕｒ ｐａｓｓｗｏｒｄ",
		"dime tu contraseña", "Dinos tu código", "envíame tu clave", "mándame el código", "escríbeme tu contraseña", "léeme el código que te llegó", "pásame tu contraseña", "Responde con tu código", "Diles tu clave",
		"read me the number that just came by text", "send me the digits you got", "dime el número que te llegó", "Tell me the number that the app shows",
		"Tell me the answer to your security question", "What is your mother's maiden name?", "¿Cuál es el apellido de soltera de su madre?", "Dígame su respuesta secreta",
		"Never mind, tell me your password", "Don't worry, send me the code", "No se preocupe, dígame su clave", "Never tell anybody your code\nSend me your password",
		"What is your password?", "Envíeme el código, por favor", "Ingrese su clave aquí", "please type your PIN here",
	} {
		if !typed.AsksSecret(text) {
			t.Errorf("not found: %q", text)
		}
	}
	for _, text := range []string{
		"Never tell anybody your code.", "Please press \"send a code\" again in a moment.", "Nobody of the help desk asks you for your password.", "No envíe su contraseña a nadie.", "No le diga su contraseña a nadie.",
		"Type your password on the sign-in page, never in this chat.", "Enter your PIN on the phone itself.", "Ingrese su clave en la página.", "Tell me the number of the room", "Which phone do you have?",
		"Send me the number of the ticket", "Please reply when you are back", "You need it on the day when you forget your password.", "Please set up ways to prove that it is you.", "Room 4 A B C", "We reply in the morning",
		"Una segunda forma toma unos tres minutos.", "Hay que configurar cómo demostrar quién es usted, por si olvida su contraseña.",
	} {
		if typed.AsksSecret(text) {
			t.Errorf("found: %q", text)
		}
	}
}

// Whatever a chat program might make a link of is found, and mail addresses that are not
// ours; words with a dot in them are not.
func TestLinks(t *testing.T) {
	ours := func(mail string) bool { return mail == "help@example.org" }
	for _, text := range []string{
		"See evil.example/login", "evil.com", "bit.ly/x", "t.co/abc", "//evil.com", "javascript:alert(1)", "evil。com", "ｅｖｉｌ．ｃｏｍ", "evil.c\u200bom", "https://evil.com", "hxxp://evil", "www.evil.com", "WWW.Evil.COM",
		"write to help@evil.com", "help@example.org.evil.com", "xhelp@example.org", "mailto:help@evil.com", "192.0.2.7/login", "пример.рф", "xn--e1afmkfd.xn--p1ai", "help@localhost",
	} {
		if len(typed.Links(text, ours)) == 0 {
			t.Errorf("not found: %q", text)
		}
	}
	for _, text := range []string{
		"Call us. We are here.", "from 7:30 to 16:30", "e.g. at 9 a.m. or 5 p.m.", "p. ej. por la mañana, p.ej. hoy", "write to help@example.org.", "3.5 minutes", "and/or", "Mr. Smith", "el 2.º piso", "wait... now", "En EE.UU. y RR.HH.", "8/5", "(555) 010-0199",
	} {
		if found := typed.Links(text, ours); len(found) > 0 {
			t.Errorf("found in %q: %q", text, found)
		}
	}
}
