package flows_test

import (
	"slices"
	"testing"
	"unicode/utf8"

	"latchkey/bot"
	"latchkey/flows"
	"latchkey/flows/library"
)

// TestEntry: a step that waits for six digits offers a form for them; what was
// entered in it is an answer, and what was entered for an earlier prompt is not.
func TestEntry(t *testing.T) {
	set, err := flows.Load(library.FS, nil, lintCatalogue())
	if err != nil {
		t.Fatal(err)
	}
	c := atCode(t, set)
	e, prompt := c.out.Message.Entry, c.out.Message.Prompt
	if e == nil || e.Kind != bot.EntryCode || e.Title == "" || e.Label == "" || e.Button == "" {
		t.Fatalf("entry %+v", e)
	}
	c.checks = nil
	old := c.do(bot.Event{Kind: bot.Text, Text: "123456", Prompt: prompt + 7})
	if slices.Contains(c.checks, "code.check") {
		t.Errorf("a code for another prompt was checked: %v", c.checks)
	}
	pressed := c.do(bot.Event{Kind: bot.Press, Choice: "/none", Prompt: prompt + 7})
	if old != pressed {
		t.Errorf("an old form is answered with\n%s\nand an old button with\n%s", old, pressed)
	}
	now := c.out.Message.Prompt
	c.do(bot.Event{Kind: bot.Text, Text: "123456", Prompt: now})
	if !slices.Contains(c.checks, "code.check") {
		t.Error("a code for this prompt was not checked")
	}
}

// TestEntriesFit: every platform can show the shipped ones.
func TestEntriesFit(t *testing.T) {
	set, err := flows.Load(library.FS, nil, lintCatalogue())
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range set.Languages() {
		for _, kind := range []bot.EntryKind{bot.EntryCode, bot.EntryPhone, bot.EntryEmail} {
			for part, limit := range map[string]int{"title": bot.MaxEntryTitle, "label": bot.MaxEntryLabel, "button": bot.MaxEntryButton} {
				s := set.Phrase(lang, "entry."+string(kind)+"."+part)
				if n := utf8.RuneCountInString(s); s == "" || s[0] == '<' || n > limit {
					t.Errorf("%s of %s in %s: %q has %d characters, at most %d", part, kind, lang, s, n, limit)
				}
			}
		}
	}
}
