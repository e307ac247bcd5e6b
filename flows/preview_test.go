package flows_test

import (
	"strings"
	"testing"

	"latchkey/bot"
	"latchkey/flows"
	"latchkey/flows/library"
)

// TestPreview: every step that people can rest at is there, in every language,
// with nothing left open and everything that its kind has.
func TestPreview(t *testing.T) {
	set, err := flows.Load(library.FS, nil, lintCatalogue())
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range set.Languages() {
		n, entries, forms, reveals, pictures := 0, 0, 0, 0, 0
		set.Preview(lang, func(flow, step string, m bot.Message) {
			n++
			if m.Text == "" || m.Lang != lang || m.Prompt == 0 || strings.ContainsAny(m.Text, "{}<>") {
				t.Errorf("%s.%s in %s: %+v", flow, step, lang, m)
			}
			if len(m.Choices) == 0 && m.Form == nil && m.Entry == nil {
				t.Errorf("%s.%s: nothing can be done", flow, step)
			}
			if m.Entry != nil {
				entries++
			}
			if m.Form != nil {
				forms++
			}
			if m.Reveal != nil {
				reveals++
			}
			if m.Picture != nil {
				pictures++
			}
		})
		if n < 50 || entries < 3 || forms < 3 || reveals < 1 || pictures < 3 {
			t.Errorf("%s: %d steps, %d entries, %d forms, %d keys, %d pictures", lang, n, entries, forms, reveals, pictures)
		}
	}
}
