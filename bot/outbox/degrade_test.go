package outbox_test

import (
	"io"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"latchkey/bot"
	"latchkey/bot/outbox"
)

func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

func choices(labels ...string) []bot.Choice {
	cs := make([]bot.Choice, len(labels))
	for i, l := range labels {
		cs[i] = bot.Choice{ID: strings.ToLower(l), Label: l}
	}
	return cs
}

func TestDegrade(t *testing.T) {
	for _, tc := range []struct {
		name   string
		in     bot.Message
		limits bot.Limits
		texts  []string
		labels []string // of the last part
	}{
		{"no limits", bot.Message{Text: strings.Repeat("x", 9000), Choices: choices("A", "B")}, bot.Limits{}, []string{strings.Repeat("x", 9000)}, []string{"A", "B"}},
		{"fits", bot.Message{Text: "hello", Choices: choices("A")}, bot.Limits{Text: 5, Choices: 1, Label: 1}, []string{"hello"}, []string{"A"}},
		{"paragraphs", bot.Message{Text: "one two\n\nthree four\n\nfive"}, bot.Limits{Text: 12}, []string{"one two", "three four", "five"}, nil},
		{"several paragraphs in a part", bot.Message{Text: "one\n\ntwo\n\nthree four five six"}, bot.Limits{Text: 20}, []string{"one\n\ntwo", "three four five six"}, nil},
		{"lines", bot.Message{Text: "- first\n- second\n- third"}, bot.Limits{Text: 16}, []string{"- first\n- second", "- third"}, nil},
		{"sentences", bot.Message{Text: "First one. Second one. Third."}, bot.Limits{Text: 24}, []string{"First one. Second one.", "Third."}, nil},
		{"words", bot.Message{Text: "aaa bbb ccc ddd"}, bot.Limits{Text: 8}, []string{"aaa bbb", "ccc ddd"}, nil},
		{"a long word", bot.Message{Text: "aaaabbbbcc"}, bot.Limits{Text: 4}, []string{"aaaa", "bbbb", "cc"}, nil},
		{"runes, not bytes", bot.Message{Text: "ñññ ééé"}, bot.Limits{Text: 3}, []string{"ñññ", "ééé"}, nil},
		{"choices beyond the limit", bot.Message{Text: "Pick.", Choices: choices("Red", "Green", "Blue")}, bot.Limits{Choices: 1}, []string{"Pick.\n\n2. Green\n3. Blue"}, []string{"Red"}},
		{"no buttons at all", bot.Message{Text: "Pick.", Choices: choices("Red", "Green")}, bot.Limits{Choices: -1}, []string{"Pick.\n\n1. Red\n2. Green"}, nil},
		{"links keep their address", bot.Message{Text: "Go.", Choices: []bot.Choice{{ID: "a", Label: "Shop", Link: "https://example.org/a"}}}, bot.Limits{Choices: -1}, []string{"Go.\n\n1. Shop: https://example.org/a"}, nil},
		{"labels", bot.Message{Text: "Pick.", Choices: choices("Text me a code", "Call")}, bot.Limits{Label: 8}, []string{"Pick."}, []string{"Text me…", "Call"}},
		{"labels that look the same", bot.Message{Text: "Pick.", Choices: choices("Phone ending 48", "Phone ending 99")}, bot.Limits{Label: 9}, []string{"Pick."}, []string{"1. Phone…", "2. Phone…"}},
		{"progress counts", bot.Message{Progress: "Step 2 of 4", Text: "aaaa bbbb cccc dddd eeee"}, bot.Limits{Text: 30}, []string{"aaaa bbbb cccc", "dddd eeee"}, nil},
		{"only space", bot.Message{Text: "   "}, bot.Limits{Text: 2}, []string{""}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			parts := outbox.Degrade(tc.in, tc.limits)
			var texts, labels []string
			for i, p := range parts {
				texts = append(texts, p.Text)
				if i < len(parts)-1 && len(p.Choices) > 0 {
					t.Errorf("part %d has buttons", i)
				}
				if tc.limits.Text > 0 && utf8.RuneCountInString(p.Text) > tc.limits.Text {
					t.Errorf("part %d has %d runes, limit %d", i, utf8.RuneCountInString(p.Text), tc.limits.Text)
				}
			}
			for _, c := range parts[len(parts)-1].Choices {
				labels = append(labels, c.Label)
			}
			if !reflect.DeepEqual(texts, tc.texts) || !reflect.DeepEqual(labels, tc.labels) {
				t.Errorf("got %q %q\nwant %q %q", texts, labels, tc.texts, tc.labels)
			}
		})
	}
}

func TestDegradeKeepsTheMessage(t *testing.T) {
	m := bot.Message{
		Text: "one two three four", Progress: "", Lang: "es", Prompt: 7, Fleeting: true,
		Picture: &bot.Picture{Name: "p"}, Form: &bot.Form{Name: "f"}, Reveal: &bot.Reveal{Method: "m"}, Choices: choices("A"),
	}
	orig := m
	orig.Choices = choices("A")
	parts := outbox.Degrade(m, bot.Limits{Text: 9, Label: 3})
	if len(parts) < 2 {
		t.Fatalf("%d parts", len(parts))
	}
	last := parts[len(parts)-1]
	if last.Picture == nil || last.Form == nil || last.Reveal == nil || last.Prompt != 7 || len(last.Choices) != 1 {
		t.Errorf("last part %+v", last)
	}
	for i, p := range parts {
		if p.Lang != "es" || !p.Fleeting {
			t.Errorf("part %d: %+v", i, p)
		}
	}
	if !reflect.DeepEqual(m, orig) {
		t.Error("the message itself was changed")
	}
}

func FuzzDegrade(f *testing.F) {
	f.Add("one two\n\nthree. four! five? \tsix", 7)
	f.Add("ñandú\n\n\n\n  x", 2)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		if limit < 1 || limit > 200 || !utf8.ValidString(text) {
			t.Skip()
		}
		parts := outbox.Degrade(bot.Message{Text: text}, bot.Limits{Text: limit})
		var all strings.Builder
		for _, p := range parts {
			if utf8.RuneCountInString(p.Text) > limit {
				t.Fatalf("part of %d runes, limit %d", utf8.RuneCountInString(p.Text), limit)
			}
			all.WriteString(p.Text)
		}
		if strip(all.String()) != strip(text) {
			t.Fatalf("lost something: %q -> %q", text, all.String())
		}
	})
}

func strip(s string) string { return strings.Join(strings.Fields(s), "") }
