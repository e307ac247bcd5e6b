package discordtest

import (
	"regexp"
	"strings"
)

// The rules of Discord's Markdown, in the order in which its programs try them.
// Each is matched at the place that is read.
var (
	mdEscape = regexp.MustCompile(`^\\([^0-9A-Za-z\s])`)
	mdStart  = regexp.MustCompile(`^(?:#{1,3} +\S|-# +\S|>>> |> | *[*+-] +\S| *\d+\. +\S)`)
	mdCode   = []*regexp.Regexp{
		regexp.MustCompile("(?s)^```(?:[a-z0-9_+.#-]+\n)?(.+?)```"), regexp.MustCompile("(?s)^``(.*?[^`])``"), regexp.MustCompile("(?s)^`([^`]+)`"),
	}
	mdURL    = regexp.MustCompile(`^https?://[^\s<]+[^<.,:;"'\]\s]`)
	mdActive = []*regexp.Regexp{
		regexp.MustCompile(`^<(?:@[!&]?\d+|#\d+|a?:\w+:\d+|t:-?\d+(?::\w)?|/[^>]+:\d+|[^: >]+:/[^ >]+|[^ >]+@[^ >]+)>`),
		regexp.MustCompile(`^@(?:everyone|here)`),
		regexp.MustCompile(`(?s)^\[[^\]]*\]\([^)\s]+\)`),
		regexp.MustCompile(`(?s)^\*\*(?:\\.|[^\\])+?\*\*`), regexp.MustCompile(`(?s)^\*(?:\\.|[^\\*\s])(?:\\.|[^\\*])*?\*`),
		regexp.MustCompile(`(?s)^__(?:\\.|[^\\])+?__`), regexp.MustCompile(`(?s)^_(?:\\.|[^\\_])+?_\b`),
		regexp.MustCompile(`(?s)^~~(?:\\.|[^\\])+?~~`), regexp.MustCompile(`(?s)^\|\|.+?\|\|`),
	}
)

// Markdown is what Discord's program shows of a content: the text, and what
// became more than text. An address that leads where it says, and code, which
// is there to be copied, are text.
func Markdown(content string) (text string, active []string) {
	var b strings.Builder
	begin := true
	for content != "" {
		if begin {
			if m := mdStart.FindString(content); m != "" {
				active = append(active, m)
			}
		}
		begin = false
		take := func(m, shown string) {
			b.WriteString(shown)
			begin = strings.HasSuffix(m, "\n")
			content = content[len(m):]
		}
		if m := mdEscape.FindStringSubmatch(content); m != nil {
			take(m[0], m[1])
			continue
		}
		if m := mdURL.FindString(content); m != "" {
			take(m, m)
			continue
		}
		if m := first(mdCode, content); m != nil {
			take(m[0], m[1])
			continue
		}
		if m := first(mdActive, content); m != nil {
			active = append(active, m[0])
			take(m[0], m[0])
			continue
		}
		n := 1
		for n < len(content) && content[n]&0xc0 == 0x80 {
			n++
		}
		take(content[:n], content[:n])
	}
	return b.String(), active
}

func first(rules []*regexp.Regexp, s string) []string {
	for _, r := range rules {
		if m := r.FindStringSubmatch(s); m != nil {
			return m
		}
	}
	return nil
}
