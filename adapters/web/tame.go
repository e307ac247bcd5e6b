package web

import (
	"slices"
	"strings"
	"unicode"

	"latchkey/bot"
)

// tame gives a message as it may be shown. Names and other words in it come
// from directories and people: a mark that turns the direction of writing would
// rearrange the sentence that it stands in (security 1.2, threat 27), and a
// control character is nothing to read.
func tame(m *bot.Message) *bot.Message {
	t := *m
	t.Text, t.Progress, t.Ref, t.Heard = harmless(m.Text), harmless(m.Progress), harmless(m.Ref), harmless(m.Heard)
	for i, c := range m.Choices {
		if l := harmless(c.Label); l != c.Label {
			if &t.Choices[0] == &m.Choices[0] {
				t.Choices = slices.Clone(m.Choices)
			}
			t.Choices[i].Label = l
		}
	}
	if p := m.Picture; p != nil {
		t.Picture = &bot.Picture{Name: p.Name, Alt: harmless(p.Alt)}
	}
	if f := m.Form; f != nil {
		g := *f
		g.Title, g.Button, g.Fields = harmless(f.Title), harmless(f.Button), slices.Clone(f.Fields)
		for i := range g.Fields {
			g.Fields[i].Label = harmless(g.Fields[i].Label)
		}
		t.Form = &g
	}
	return &t
}

// harmless drops control characters and what overrides the direction of
// writing. Isolates and single marks stay: right-to-left languages need them,
// and they reach no further than the paragraph.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), r >= 0x202a && r <= 0x202e:
			return -1
		}
		return r
	}, s)
}
