package discord

import (
	"regexp"
	"strings"

	"latchkey/adapters/chat"
	"latchkey/bot"
)

// harmless is text that may be shown, with blanks for tabs.
func harmless(s string) string { return strings.ReplaceAll(bot.Harmless(s), "\t", " ") }

// oneLine is harmless for a place that has one line: a button, a title.
func oneLine(s string) string { return chat.OneLine(s) }

// webAddress matches an address that Discord makes a link of and in which nothing
// else can be markup. Discord takes everything up to the next blank for the
// address, backslashes too, so nothing in it can be escaped.
var webAddress = regexp.MustCompile(`^https?://[A-Za-z0-9][A-Za-z0-9._~:/?#!$&',;=%+-]*$`)

// escape makes Discord show a text as it is: nobody is mentioned, nothing is
// bold, no link leads elsewhere than it says. A backslash before any sign makes
// it a plain one (Discord's Markdown). At most every rune becomes two.
func escape(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i, line := range strings.Split(harmless(s), "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		escapeLine(&b, line)
	}
	return b.String()
}

// escapeLine escapes one line, word by word.
func escapeLine(b *strings.Builder, line string) {
	begin := true // nothing but blanks so far
	for line != "" {
		n := strings.IndexByte(line, ' ')
		switch {
		case n == 0:
			b.WriteByte(' ')
			line = line[1:]
			continue
		case n < 0:
			n = len(line)
		}
		if word := line[:n]; webAddress.MatchString(word) {
			b.WriteString(word)
		} else {
			escapeWord(b, word, begin)
		}
		line, begin = line[n:], false
	}
}

// escapeWord escapes what is no address. begin: it is the first of its line,
// where some signs make headings, quotes and lists.
func escapeWord(b *strings.Builder, word string, begin bool) {
	for i, r := range word {
		switch {
		case strings.ContainsRune("\\*_~`|<[@", r):
			b.WriteByte('\\')
		case r == ':' && strings.HasPrefix(word[i:], "://"): // no address begins here
			b.WriteByte('\\')
		case begin && i == 0 && strings.ContainsRune("#>-+", r):
			b.WriteByte('\\')
		case begin && r == '.' && i > 0 && strings.Trim(word[:i], "0123456789") == "":
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
}
