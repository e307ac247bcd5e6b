package slacktest

import (
	"regexp"
	"strings"
)

// addresses are what Slack makes a reference of in what a person types: web
// addresses, mail addresses, telephone numbers.
var addresses = regexp.MustCompile(`https?://[^\s<>|)\]]+|[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}`)

// Encode is what Slack makes of typed text in an event
// (https://docs.slack.dev/messaging/formatting-message-text).
func Encode(text string) string {
	var b strings.Builder
	last := 0
	for _, at := range addresses.FindAllStringIndex(text, -1) {
		b.WriteString(Escape(text[last:at[0]]))
		s := text[at[0]:at[1]]
		if strings.Contains(s, "://") {
			b.WriteString("<" + Escape(s) + ">")
		} else {
			b.WriteString("<mailto:" + Escape(s) + "|" + Escape(s) + ">")
		}
		last = at[1]
	}
	b.WriteString(Escape(text[last:]))
	return b.String()
}
