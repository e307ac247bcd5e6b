package bot_test

import (
	"testing"
	"unicode"

	"latchkey/bot"
)

func TestDigits6(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"123456", "123456"},
		{"005924", "005924"},
		{" 123 456 ", "123456"},
		{"123-456", "123456"},
		{"12 34 56", "123456"},
		{"1 2 3 4 5 6", "123456"},
		{"123\u00a0456", "123456"},       // no-break space
		{"123\u2011456", "123456"},       // non-breaking hyphen
		{"123\u2013456", "123456"},       // en dash
		{"123\u200b456", "123456"},       // zero-width space
		{"\u202a123456\u202c", "123456"}, // direction marks
		{"１２３４５６", "123456"},             // full-width
		{"١٢٣٤٥٦", "123456"},             // Arabic-Indic
		{"۱۲۳۴۵۶", "123456"},             // Persian
		{"१२३४५६", "123456"},             // Devanagari
		{"\U0001d7ce𝟏𝟐𝟑𝟒𝟓", "012345"},    // mathematical, above the 16-bit range
		{"123456\r\n", "123456"},         // pasted line
		{"my code is 493028", "493028"},  //
		{"493028.", "493028"},            //
		{"Contoso: 493028 is your code. It works for 10 minutes. Never share it.", "493028"},
		{"Call (704) 296-3143. Code 493028", "493028"},
		{"G-493028", "493028"},
		{"code 493 028", "493028"},
		{"code 493-028, 10 min", "493028"},
		{"", ""},
		{"   ", ""},
		{"12345", ""},
		{"1234567", ""},
		{"123456 123456", ""},
		{"codes 123456 and 654321", ""},
		{"codes 123 456 and 654 321", ""},
		{"abcdef", ""},
		{"12a456", ""},
		{"one two three", ""},
		{"card 4111111111111111", ""},
		{"🙂🙂🙂", ""},
		{"½¼¾²³¹", ""}, // numbers, but no decimal digits
	} {
		got, ok := bot.Digits6(c.text)
		if !ok {
			got = ""
		}
		if got != c.want || ok != (c.want != "") {
			t.Errorf("Digits6(%q) = %q, %v; want %q", c.text, got, ok, c.want)
		}
	}
}

func FuzzDigits6(f *testing.F) {
	for _, s := range []string{"123456", "code 123 456", "１２３４５６", "\xff\xfe123456"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		code, ok := bot.Digits6(s)
		if !ok {
			return
		}
		if len(code) != 6 {
			t.Fatalf("Digits6(%q) = %q", s, code)
		}
		for _, c := range code {
			if c > unicode.MaxASCII || !unicode.IsDigit(c) {
				t.Fatalf("Digits6(%q) = %q", s, code)
			}
		}
	})
}
