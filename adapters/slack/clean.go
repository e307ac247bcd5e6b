package slack

import "strings"

// escaped is text for Slack's text objects and for Message.text, in which these
// three characters have a meaning
// (https://docs.slack.dev/messaging/formatting-message-text#escaping).
func escaped(s string) string { return escapes.Replace(s) }

var escapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// typed is what a person typed, of the text that Slack makes of it: Slack
// escapes three characters, and writes what it takes for an address, a number
// or a name as <what|label>. A label is what stood there before.
func typed(s string) string {
	if !strings.ContainsAny(s, "<&") {
		return s
	}
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "<")
		b.WriteString(unescapes.Replace(before))
		if !ok {
			return b.String()
		}
		inside, after, ok := strings.Cut(rest, ">")
		if !ok { // none of Slack's own; take it as it is
			b.WriteString(unescapes.Replace("<" + rest))
			return b.String()
		}
		b.WriteString(unescapes.Replace(reference(inside)))
		s = after
	}
}

var unescapes = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")

// reference is what stands for "what|label" between angle brackets.
func reference(s string) string {
	what, label, labelled := strings.Cut(s, "|")
	switch {
	case what == "":
		return label
	case what[0] == '@', what[0] == '#', what[0] == '!':
		sign := what[:1]
		if sign == "!" {
			sign, what = "@", what[1:]
		} else {
			what = what[1:]
		}
		if labelled && label != "" {
			return sign + strings.TrimPrefix(label, sign)
		}
		return sign + what
	case labelled:
		return label
	}
	for _, scheme := range []string{"mailto:", "tel:"} {
		if to, ok := strings.CutPrefix(what, scheme); ok {
			return to
		}
	}
	return what
}
