package outbox

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"latchkey/bot"
)

// Degrade cuts a message to what a platform can show, without losing a word of
// its text: one message for each part, in order. Progress and Ref stay with the
// first part; picture, form, entry, reveal and buttons come with the last.
//
//   - Choices beyond l.Choices become numbered lines of the text, with the
//     number that a person may type. A negative l.Choices means no buttons.
//   - Labels longer than l.Label end with "…". Labels that would look the same
//     then get their number in front.
//   - Text longer than l.Text is split at a paragraph, else at a line, a
//     sentence, a space, and only a longer word inside.
func Degrade(m bot.Message, l bot.Limits) []bot.Message {
	if l.Choices != 0 && len(m.Choices) > max(0, l.Choices) {
		m = listChoices(m, max(0, l.Choices))
	}
	if l.Label > 0 && len(m.Choices) > 0 {
		m.Choices = shorten(m.Choices, l.Label)
	}
	head := 0 // runes that an adapter writes above the text of the first part
	if m.Progress != "" {
		head += utf8.RuneCountInString(m.Progress) + 2
	}
	if m.Ref != "" {
		head += utf8.RuneCountInString(m.Ref) + 3
	}
	if l.Text <= 0 || utf8.RuneCountInString(m.Text)+head <= l.Text {
		return []bot.Message{m}
	}
	if head >= l.Text/2 {
		m.Progress, m.Ref, head = "", "", 0 // no room for both
	}
	texts := split(m.Text, l.Text-head, l.Text)
	parts := make([]bot.Message, len(texts))
	for i, t := range texts {
		p := m
		p.Text = t
		if i > 0 {
			p.Progress, p.Ref, p.Heard = "", "", ""
		}
		if i < len(texts)-1 {
			p.Choices, p.Picture, p.Form, p.Entry, p.Reveal, p.Prompt = nil, nil, nil, nil, nil, 0
		}
		parts[i] = p
	}
	return parts
}

// listChoices keeps n buttons and writes the others into the text.
func listChoices(m bot.Message, n int) bot.Message {
	var b strings.Builder
	b.WriteString(m.Text)
	for i, c := range m.Choices[n:] {
		switch {
		case i > 0:
			b.WriteByte('\n')
		case b.Len() > 0:
			b.WriteString("\n\n")
		}
		b.WriteString(strconv.Itoa(n + i + 1))
		b.WriteString(". ")
		b.WriteString(c.Label)
		if c.Link != "" {
			b.WriteString(": ")
			b.WriteString(c.Link)
		}
	}
	m.Text = b.String()
	m.Choices = m.Choices[:n:n]
	return m
}

func shorten(choices []bot.Choice, limit int) []bot.Choice {
	cut := make([]bot.Choice, len(choices))
	seen := make(map[string]int, len(choices))
	for i, c := range choices {
		c.Label = ellipsis(c.Label, limit)
		cut[i] = c
		seen[c.Label]++
	}
	for i := range cut {
		if seen[cut[i].Label] > 1 {
			cut[i].Label = ellipsis(strconv.Itoa(i+1)+". "+choices[i].Label, limit)
		}
	}
	return cut
}

// ellipsis cuts s to limit runes, the last of them "…".
func ellipsis(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	n := 0
	for i := range s {
		if n == limit-1 {
			return strings.TrimRightFunc(s[:i], unicode.IsSpace) + "…"
		}
		n++
	}
	return s
}

// split cuts s into parts of at most limit runes, the first of at most first.
// Space at a cut is dropped; nothing else is.
func split(s string, first, limit int) []string {
	var parts []string
	room := max(1, first)
	for {
		s = strings.TrimLeftFunc(s, unicode.IsSpace)
		end := offset(s, room)
		if end == len(s) {
			if s = strings.TrimRightFunc(s, unicode.IsSpace); s != "" || len(parts) == 0 {
				parts = append(parts, s)
			}
			return parts
		}
		at := border(s, end)
		parts = append(parts, strings.TrimRightFunc(s[:at], unicode.IsSpace))
		s = s[at:]
		room = max(1, limit)
	}
}

// offset is the byte offset of the n-th rune of s, or its length.
func offset(s string, n int) int {
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}

// border finds where to cut so that at most end bytes stand before it.
func border(s string, end int) int {
	head := s[:end]
	for _, b := range []struct {
		sep  string
		keep int // bytes of sep that stay before the cut
		low  int // a cut below this share (percent) of the room wastes too much
	}{{"\n\n", 0, 25}, {"\n", 0, 25}, {". ", 1, 25}, {"! ", 1, 25}, {"? ", 1, 25}, {" ", 0, 0}, {"\n", 0, 0}, {"\t", 0, 0}} {
		// The border may begin right at the end of the room.
		window := s[:min(len(s), end+len(b.sep)-b.keep)]
		if i := strings.LastIndex(window, b.sep); i > 0 && i+b.keep <= end && (i+b.keep)*100 >= end*b.low {
			return i + b.keep
		}
	}
	if i := strings.LastIndexFunc(head, unicode.IsSpace); i > 0 {
		return i
	}
	return len(head)
}
