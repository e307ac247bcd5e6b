package slacktest

import (
	"crypto/rand"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// addresses are what Slack makes a reference of in what a person types: web
// addresses, mail addresses, telephone numbers.
var addresses = regexp.MustCompile(`https?://[^\s<>|)\]]+|[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}`)

// shortcodes are the names that Slack gives to some emoji
// (https://docs.slack.dev/reference/block-kit/block-elements/emoji-element).
var shortcodes = map[string]string{"👍": "+1", "👍🏼": "+1::skin-tone-3", "👎": "-1", "✅": "white_check_mark", "1️⃣": "one", "2️⃣": "two", "😭": "sob", "🙏🏿": "pray::skin-tone-6"}

// emojiSent are these in a text, those with a tone of skin first.
var emojiSent = regexp.MustCompile("👍🏼|🙏🏿|👍|👎|✅|1️⃣|2️⃣|😭")

// RichText is what Slack's program sends of typed text: the text with emoji by
// their names, and blocks that tell which these are.
func RichText(text string) (named string, blocks []any) {
	elements := []any{}
	add := func(s string) {
		if s != "" {
			elements = append(elements, map[string]any{"type": "text", "text": s})
			named += s
		}
	}
	last := 0
	for _, at := range emojiSent.FindAllStringIndex(text, -1) {
		add(text[last:at[0]])
		last = at[1]
		sign := text[at[0]:at[1]]
		var points []string
		for _, r := range sign {
			points = append(points, fmt.Sprintf("%x", r))
		}
		e := map[string]any{"type": "emoji", "unicode": strings.Join(points, "-")}
		name, tone, toned := strings.Cut(shortcodes[sign], "::skin-tone-")
		e["name"] = name
		if toned {
			e["skin_tone"], _ = strconv.Atoi(tone)
		}
		elements = append(elements, e)
		named += ":" + shortcodes[sign] + ":"
	}
	add(text[last:])
	section := map[string]any{"type": "rich_text_section", "elements": elements}
	return named, []any{map[string]any{"type": "rich_text", "block_id": rand.Text()[:5], "elements": []any{section}}}
}

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
