package bot

import (
	"slices"
	"strings"
	"unicode"
)

// Harmless is text as it may be shown. Names and other words come from
// directories and people: a mark that overrides the direction of writing would
// rearrange the sentence that it stands in, what has no width hides what is
// really there, and a control character is nothing to read (security policy,
// threat 27). Line breaks and tabs stay, and so do the joiners, single marks
// and isolates that languages and emoji need; they reach no further than the
// paragraph.
func Harmless(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), r == '\u2028', r == '\u2029', r == unicode.ReplacementChar, unicode.Is(unicode.Cf, r) && !unicode.Is(needed, r):
			return -1
		}
		return r
	}, s)
}

// needed are the format characters without which writing or emoji break:
// Arabic number signs and the letter mark, joiners and single marks of
// direction, isolates, and the tags in flags of regions.
var needed = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x0600, Hi: 0x0605, Stride: 1}, {Lo: 0x061c, Hi: 0x061c, Stride: 1}, {Lo: 0x06dd, Hi: 0x06dd, Stride: 1},
		{Lo: 0x200c, Hi: 0x200f, Stride: 1}, {Lo: 0x2066, Hi: 0x2069, Stride: 1},
	},
	R32: []unicode.Range32{{Lo: 0xe0020, Hi: 0xe007f, Stride: 1}},
}

// Plain reports whether s is 1 to most letters and digits of ASCII and signs of
// also: an id or a code of an outside system that may be kept, logged and sent back.
func Plain(s string, most int, also string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && strings.IndexByte(also, c) < 0 {
			return false
		}
	}
	return s != "" && len(s) <= most
}

// Harmless is the message with all its words as they may be shown. What m points
// to is left as it is.
func (m *Message) Harmless() *Message {
	t := *m
	t.Text, t.Progress, t.Ref, t.Heard = Harmless(m.Text), Harmless(m.Progress), Harmless(m.Ref), Harmless(m.Heard)
	for i, c := range m.Choices {
		if l := Harmless(c.Label); l != c.Label {
			if &t.Choices[0] == &m.Choices[0] {
				t.Choices = slices.Clone(m.Choices)
			}
			t.Choices[i].Label = l
		}
	}
	if p := m.Picture; p != nil {
		t.Picture = &Picture{Name: p.Name, Alt: Harmless(p.Alt)}
	}
	if f := m.Form; f != nil {
		g := *f
		g.Title, g.Button, g.Fields = Harmless(f.Title), Harmless(f.Button), slices.Clone(f.Fields)
		for i := range g.Fields {
			g.Fields[i].Label = Harmless(g.Fields[i].Label)
		}
		t.Form = &g
	}
	if e := m.Entry; e != nil {
		t.Entry = &Entry{Kind: e.Kind, Title: Harmless(e.Title), Label: Harmless(e.Label), Button: Harmless(e.Button)}
	}
	return &t
}
