package slack

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"latchkey/adapters/chat"
	"latchkey/bot"
)

// limits are what Limits says. Slack's own are higher where it has any
// (https://docs.slack.dev/reference/block-kit): a section takes 3,000
// characters, and so much is asked of a rich text, too, which names no limit; a
// row of actions takes 25 elements, but more than ten buttons are a wall; a
// button takes 75 characters.
var limits = bot.Limits{Text: 3000, Choices: 10, Label: 75}

// Slack's limits that a message could meet otherwise.
const (
	maxAlt   = 2000 // alt_text of an image
	maxURL   = 3000 // url of a button
	maxValue = 2000 // value of a button
	maxSays  = 75   // accessibility_label of a button
	maxTitle = 24   // title, submit and close of a modal
)

// Action ids of our buttons. The choices of a message have an id each, since
// Slack wants them to differ.
const (
	actionChoice = "choice" // choice:<number>; value "<prompt> <id>"
	actionLink   = "link"   // opens an address; sends nothing that matters
	actionPage   = "page"   // opens a one-time page
	actionEntry  = "entry"  // opens a modal; value "<prompt> <kind>|<title>|<label>"
	actionHome   = "home"   // home:<what>, of App Home
)

// Extras are what a message comes with that is not in it.
type Extras struct {
	Page     bot.Secret    // address of its one-time page, or empty
	File     string        // Slack's id of the uploaded picture, or empty
	Revealed *bot.Revealed // nil: nothing is shown
	Lang     string        // of our own words, where the message says none
}

// Wire is a message as Slack takes it (chat.postMessage).
type Wire struct {
	Text   string        `json:"text"`
	Blocks []slack.Block `json:"blocks"`
}

// ErrLimit is wrapped by the error of a message that is larger than Slack
// shows. outbox.Degrade makes none that is.
var ErrLimit = errors.New("beyond Slack's limits")

// Render makes of a message what Slack shows. It is pure. Whatever it returns is
// within Slack's limits; what cannot be is refused with ErrLimit, never cut.
func Render(m *bot.Message, x Extras, ps bot.Phrases) (Wire, error) {
	head := bot.Harmless(chat.Heading(m))
	body := bot.Harmless(m.Text)
	if n := utf8.RuneCountInString(head) + utf8.RuneCountInString(body); n > limits.Text+2 {
		return Wire{}, fmt.Errorf("%w: text of %d runes", ErrLimit, n)
	}
	if len(m.Choices) > limits.Choices {
		return Wire{}, fmt.Errorf("%w: %d choices", ErrLimit, len(m.Choices))
	}
	if m.Lang != "" {
		x.Lang = m.Lang
	}
	say := func(key string, kv ...string) string { return ps.Phrase(x.Lang, key, kv...) }
	var w Wire
	var says []string // what is read out, in order

	var words []slack.RichTextSectionElement
	add := func(text string, style *slack.RichTextSectionTextStyle) {
		if text == "" {
			return
		}
		if len(words) > 0 {
			words = append(words, slack.NewRichTextSectionTextElement("\n\n", nil))
		}
		words = append(words, slack.NewRichTextSectionTextElement(text, style))
		says = append(says, text)
	}
	if head != "" {
		words = append(words, slack.NewRichTextSectionTextElement(head, &slack.RichTextSectionTextStyle{Bold: true}))
		if body != "" {
			words = append(words, slack.NewRichTextSectionTextElement("\n", nil))
		}
		if body != "" {
			words = append(words, slack.NewRichTextSectionTextElement(body, nil))
		}
		says = append(says, strings.TrimSpace(head+"\n"+body))
	} else {
		add(body, nil)
	}
	picture := m.Picture
	if r := x.Revealed; r != nil {
		// The key stands in the message and not in its text: notifications on
		// locked phones and mails about missed messages are made of that. The
		// link is for a phone; Slack takes no such address for a button.
		told := len(says)
		add(bot.Harmless(say("chat.key", "key", string(r.Key))), nil)
		add(bot.Harmless(say("chat.same_phone", "link", string(r.URI))), nil)
		if says = says[:told]; picture == nil {
			picture = &bot.Picture{}
		}
	}
	alt := ""
	if picture != nil {
		if alt = bot.Harmless(picture.Alt); alt == "" && x.File != "" {
			alt = bot.Harmless(say("chat.picture.alt"))
		}
		alt = chat.Cut(alt, maxAlt)
	}
	if alt != "" && x.File == "" { // Slack shows no SVG: told in words
		add(alt, &slack.RichTextSectionTextStyle{Italic: true})
	} else if alt != "" {
		says = append(says, alt)
	}
	if m.Form != nil && x.Page == "" {
		add(bot.Harmless(say("chat.no_page")), nil)
	}
	if len(words) > 0 {
		w.Blocks = append(w.Blocks, slack.NewRichTextBlock("text", slack.NewRichTextSection(words...)))
	}
	if x.File != "" {
		w.Blocks = append(w.Blocks, &slack.ImageBlock{Type: slack.MBTImage, BlockID: "picture", AltText: alt, SlackFile: &slack.SlackFileObject{ID: x.File}})
	}

	buttons, told, err := buttonsOf(m, x, ps, say)
	if err != nil {
		return Wire{}, err
	}
	if x.Page != "" {
		note := bot.Harmless(say("chat.open_page"))
		w.Blocks = append(w.Blocks, slack.NewContextBlock("note", plain(note, limits.Text)))
		says = append(says, note)
	}
	if len(buttons) > 0 {
		w.Blocks = append(w.Blocks, slack.NewActionBlock("choices-"+x.Lang, buttons...))
		says = append(says, strings.Join(told, "\n"))
	}
	w.Text = escaped(strings.Join(says, "\n\n"))
	if len(w.Blocks) == 0 {
		return Wire{}, errors.New("slack: a message with nothing to show")
	}
	return w, nil
}

// buttonsOf makes the row of buttons, and what is read out of it.
func buttonsOf(m *bot.Message, x Extras, ps bot.Phrases, say func(string, ...string) string) (row []slack.BlockElement, told []string, err error) {
	if x.Page != "" {
		label := bot.PageLabel(ps, x.Lang, m, limits.Label)
		b, err := button(actionPage, "", label)
		if err != nil {
			return nil, nil, err
		}
		if len(x.Page) > maxURL {
			return nil, nil, fmt.Errorf("%w: the address of a page", ErrLimit)
		}
		b.URL, b.Style = string(x.Page), slack.StylePrimary
		row, told = append(row, b), append(told, label)
	}
	if e := m.Entry; e != nil {
		label := bot.Harmless(e.Button)
		value := entryValue(m.Prompt, x.Lang, e)
		b, err := button(actionEntry, value, label)
		if err != nil {
			return nil, nil, err
		}
		b.Style = slack.StylePrimary
		row, told = append(row, b), append(told, label)
	}
	for i, c := range m.Choices {
		label := bot.Harmless(c.Label)
		b, err := button(actionChoice+":"+strconv.Itoa(i+1), strconv.FormatUint(uint64(m.Prompt), 10)+" "+c.ID, label)
		if err != nil {
			return nil, nil, err
		}
		line := strconv.Itoa(i+1) + ". " + label
		if c.Link != "" {
			if u, err := url.Parse(c.Link); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || len(c.Link) > maxURL {
				return nil, nil, fmt.Errorf("%w: the address of a choice", ErrLimit)
			}
			b.ActionID, b.Value, b.URL = actionLink+":"+strconv.Itoa(i+1), "", c.Link
			line += ": " + c.Link
		}
		if c.Primary {
			b.Style = slack.StylePrimary
			b.AccessibilityLabel = chat.Cut(label+", "+bot.Harmless(say("choice.recommended")), maxSays)
			line += " (" + bot.Harmless(say("choice.recommended")) + ")"
		}
		row, told = append(row, b), append(told, line)
	}
	return row, told, nil
}

// button makes one.
func button(action, value, label string) (*slack.ButtonBlockElement, error) {
	if strings.TrimSpace(label) == "" {
		return nil, errors.New("slack: a button without a label")
	}
	if n := utf8.RuneCountInString(label); n > limits.Label {
		return nil, fmt.Errorf("%w: a label of %d runes", ErrLimit, n)
	}
	if len(value) > maxValue {
		return nil, fmt.Errorf("%w: the value of a button", ErrLimit)
	}
	return slack.NewButtonBlockElement(action, value, plain(label, limits.Label)), nil
}

// plain is a text object of at most n characters, without markup and emoji.
// Slack decodes its three escapes in it, too. Text that the escapes would make
// too long goes as it is, which shows the same but for what looks like an escape
// itself.
func plain(s string, n int) *slack.TextBlockObject {
	s = chat.Cut(s, n)
	if e := escaped(s); utf8.RuneCountInString(e) <= n {
		s = e
	}
	return slack.NewTextBlockObject(slack.PlainTextType, s, false, false)
}
