package typed_test

import (
	"strings"
	"testing"
	"unicode"

	"latchkey/bot/typed"
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
		got, ok := typed.Digits6(c.text)
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
		code, ok := typed.Digits6(s)
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

func TestCode8(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"7F3K9QXD", "7F3K9QXD"},
		{"7f3k9qxd", "7F3K9QXD"},
		{"7F3K-9QXD", "7F3K9QXD"},
		{" 7f3k 9qxd\r\n", "7F3K9QXD"},
		{"7F 3K 9Q XD", "7F3K9QXD"},
		{"7 F 3 K 9 Q X D", "7F3K9QXD"},
		{"7F3 K9QXD", "7F3K9QXD"},      // groups of another size, but a digit
		{"7F3K\u20139QXD", "7F3K9QXD"}, // en dash
		{"7F3K\u00a09QXD", "7F3K9QXD"}, // no-break space
		{"7F3K\u200b9QXD", "7F3K9QXD"}, // zero-width space
		{"\u202a7F3K9QXD\u202c", "7F3K9QXD"},
		{"\"7F3K-9QXD\".", "7F3K9QXD"}, // as it stands in a sentence
		{"７F３K９QXD", "7F3K9QXD"},       // full-width digits
		{"OoIiLl23", "00111123"},       // letters that are misread for digits
		{"ABCDEFGH", "ABCDEFGH"},
		{"ABCD-EFGH", "ABCDEFGH"},
		{"12345678", "12345678"},
		{"00000000", "00000000"},
		{"ABCD-EFGH-JKMN-PQRS", "ABCDEFGHJKMNPQRS"}, // sixteen
		{"ABCD-EFGH-J2", "ABCDEFGHJ2"},
		{"", ""},
		{"        ", ""},
		{"--------", ""},
		{"7F3K-9QX", ""},          // seven
		{"ABCDEFGHJKMNPQRST", ""}, // seventeen
		{"7F3K-9QXU", ""},         // no U in it
		{"7F3K/9QXD", ""},         //
		{"code 7F3K-9QXD", "7F3K9QXD"},
		{"your code: 7F3K-9QXD", "7F3K9QXD"},
		{"my code is 7f3k 9qxd, thanks", "7F3K9QXD"},
		{"la página muestra 7F3K-9QXD", "7F3K9QXD"},
		{"The page shows me 7F3K-9QXD now", "7F3K9QXD"},
		{"it gave me this: 7F3K9QXD", "7F3K9QXD"},
		{"seven F three K nine Q X D", "7F3K9QXD"},
		{"siete f tres k nueve q x d", "7F3K9QXD"},
		{"7F3K-9QXD or 8F3K-9QXD", ""},
		{"I have a well-known question", ""},
		{"what is this", ""}, // words, of letters that may be in a code
		{"thanks man", ""},
		{"I am locked", ""},
		{"Привет12", ""},
		{"🙂🙂🙂🙂🙂🙂🙂🙂", ""},
	} {
		got, ok := typed.Code8(c.text)
		if !ok {
			got = ""
		}
		if got != c.want || ok != (c.want != "") {
			t.Errorf("Code8(%q) = %q, %v; want %q", c.text, got, ok, c.want)
		}
	}
}

func FuzzCode8(f *testing.F) {
	for _, s := range []string{"7F3K-9QXD", "what is this", "\xff\xfe7F3K9QXD", "ſſſſſſſſ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		code, ok := typed.Code8(s)
		if !ok {
			return
		}
		if len(code) < 8 || len(code) > 16 || strings.Trim(code, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") != "" {
			t.Fatalf("Code8(%q) = %q", s, code)
		}
		if again, ok := typed.Code8(code); !ok || again != code {
			t.Fatalf("Code8(%q) = %q, %v", code, again, ok)
		}
	})
}
