package slack

import (
	"cmp"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

// An emoji that a person sends stands in the text by its name between colons,
// with the tone of its skin behind it (":+1::skin-tone-3:"). What it is, the
// blocks of the message tell, of each one that is Unicode's and no picture of the
// workspace (https://docs.slack.dev/reference/block-kit/block-elements/emoji-element).
var (
	shortcode = regexp.MustCompile(`\B:([a-z0-9_+-]+):(?::skin-tone-[2-6]:)?`)
	skinTone  = regexp.MustCompile(`^:skin-tone-[2-6]:`)
)

// names are the names of emoji that people answer with, for texts that come
// without blocks: commands and forms. Slack's are those of
// https://github.com/iamcal/emoji-data.
var names = map[string]string{
	"+1": "👍", "thumbsup": "👍", "-1": "👎", "thumbsdown": "👎", "ok_hand": "👌", "ok": "🆗", "white_check_mark": "✅", "heavy_check_mark": "✔", "ballot_box_with_check": "☑",
	"x": "❌", "heavy_multiplication_x": "✖", "negative_squared_cross_mark": "❎", "question": "❓", "grey_question": "❔",
	"zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9", "keycap_ten": "10",
	"wave": "👋", "pray": "🙏", "clap": "👏", "raised_hands": "🙌", "muscle": "💪", "handshake": "🤝", "call_me_hand": "🤙", "v": "✌", "tada": "🎉", "trophy": "🏆", "100": "💯",
	"star": "⭐", "star2": "🌟", "sparkles": "✨", "fire": "🔥", "rocket": "🚀", "heart": "❤", "orange_heart": "🧡", "yellow_heart": "💛", "green_heart": "💚", "blue_heart": "💙", "purple_heart": "💜",
	"bouquet": "💐", "rose": "🌹", "cherry_blossom": "🌸", "tulip": "🌷", "slightly_smiling_face": "🙂", "grinning": "😀", "smiley": "😃", "smile": "😄", "grin": "😁", "blush": "😊", "wink": "😉",
	"sunglasses": "😎", "heart_eyes": "😍", "star-struck": "🤩", "joy": "😂", "rolling_on_the_floor_laughing": "🤣", "laughing": "😆", "satisfied": "😆", "innocent": "😇", "relaxed": "☺", "yum": "😋",
	"hugging_face": "🤗", "smiling_face_with_3_hearts": "🥰", "kissing_heart": "😘", "partying_face": "🥳", "sweat_smile": "😅",
}

// emoji puts emoji in the place of their names. blocks are the message's; empty:
// it has none.
func emoji(text string, blocks json.RawMessage) string {
	if strings.Count(text, ":") < 2 {
		return text
	}
	if !present(blocks) {
		return shortcode.ReplaceAllStringFunc(text, func(s string) string {
			if sign := names[shortcode.FindStringSubmatch(s)[1]]; sign != "" {
				return sign
			}
			return s
		})
	}
	var b strings.Builder
	for _, e := range emojiOf(blocks, nil, maxNested) {
		before, after, ok := strings.Cut(text, ":"+e.name+":")
		if !ok {
			continue
		}
		b.WriteString(before + e.sign)
		text = after[len(skinTone.FindString(after)):]
	}
	return b.String() + text
}

type namedEmoji struct{ name, sign string }

// maxNested is how deep emoji stand: in a section of a list of a block.
const maxNested = 4

// emojiOf adds the emoji of blocks, in the order in which they stand there.
func emojiOf(raw json.RawMessage, all []namedEmoji, depth int) []namedEmoji {
	var inside []json.RawMessage
	if depth == 0 || json.Unmarshal(raw, &inside) != nil {
		return all
	}
	for _, part := range inside {
		var e struct {
			Type, Name, Unicode string
			Elements            json.RawMessage
		}
		if json.Unmarshal(part, &e) != nil {
			continue
		}
		if e.Type == "emoji" {
			name, _, _ := strings.Cut(e.Name, "::")
			if sign := cmp.Or(signOf(e.Unicode), names[name]); sign != "" {
				all = append(all, namedEmoji{e.Name, sign})
			}
		}
		all = emojiOf(e.Elements, all, depth-1)
	}
	return all
}

// signOf reads code points such as "1f44d-1f3fc"; empty: these are none.
func signOf(unicode string) string {
	var b strings.Builder
	for point := range strings.SplitSeq(unicode, "-") {
		n, err := strconv.ParseUint(point, 16, 21)
		if err != nil {
			return ""
		}
		b.WriteRune(rune(n))
	}
	return b.String()
}
