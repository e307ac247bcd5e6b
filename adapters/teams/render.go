package teams

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"latchkey/adapters/chat"
	"latchkey/bot"
)

// What a card may hold. Teams takes about 28 KB (newer pages: 100 KB), shows
// six buttons in a row of them, and pictures of data only when they are small;
// the first two are facts of the platform, the others are what is left on a
// phone's screen.
const (
	maxCard    = 24 << 10 // bytes of a card's JSON
	maxPicture = 10 << 10 // bytes of a picture inside a card
	maxText    = 1500     // runes
	maxChoices = 6        // buttons
	maxLabel   = 80       // runes of a button
	maxLines   = 80       // of a card; what follows stands in its last one
	maxEntry   = 254      // runes that a field takes
)

var limits = bot.Limits{Text: maxText, Choices: maxChoices, Label: maxLabel}

// errLimits says that a message is more than a card can show. The outbox has
// cut it to the limits, so this is a mistake of ours.
var errLimits = errors.New("the message is beyond the limits of a card")

// A frame is what a card is made of besides its message.
type frame struct {
	phrases  bot.Phrases
	lang     string // when the message has none
	revealed *bot.Revealed
	page     bot.Secret
	inline   bool                                    // the client has no dialogs: the field of an Entry stands in the card
	picture  func(name string) (png []byte, ok bool) // may be nil
}

// langOf is the language of a message.
func (f *frame) langOf(m *bot.Message) string { return cmp.Or(m.Lang, f.lang) }

func (f *frame) say(lang, key string, kv ...string) string {
	if lang == "" {
		lang = f.lang
	}
	return f.phrases.Phrase(lang, key, kv...)
}

// render makes the card of a message. It looks at nothing else than what it is
// given, and what it makes is always within the limits of Teams.
func render(m *bot.Message, f frame) (*outgoing, error) {
	t := m.Harmless()
	switch n := utf8.RuneCountInString(t.Text); {
	case n > maxText:
		return nil, fmt.Errorf("%w: text of %d runes, at most %d", errLimits, n, maxText)
	case len(t.Choices) > maxChoices:
		return nil, fmt.Errorf("%w: %d choices, at most %d", errLimits, len(t.Choices), maxChoices)
	}
	for _, c := range t.Choices {
		if n := utf8.RuneCountInString(c.Label); n > maxLabel {
			return nil, fmt.Errorf("%w: label of %d runes, at most %d", errLimits, n, maxLabel)
		}
	}
	for spare := range 3 { // what can be spared: the text in the buttons, then the picture
		if spare == 2 {
			f.picture = nil
		}
		c := compose(t, f, spare == 0)
		if f.small(t, spare == 0) {
			return c.activity(summary(t.Text)), nil
		}
		b, err := encode(c)
		if err != nil {
			return nil, err
		}
		if len(b) <= maxCard {
			return c.activity(summary(t.Text)), nil
		}
	}
	return nil, fmt.Errorf("%w: more than %d bytes", errLimits, maxCard)
}

// small reports whether a card is so small that nobody needs to measure it: each
// byte of a text becomes at most two, and what is around a line or a button is
// known.
func (f *frame) small(m *bot.Message, keep bool) bool {
	if m.Picture != nil || f.revealed != nil || f.page != "" || m.Form != nil {
		return false
	}
	text := len(m.Text) + len(m.Progress) + len(m.Ref)
	n, copies := 1000+100*strings.Count(m.Text, "\n"), 2
	if keep {
		copies += len(m.Choices) + 1
	}
	n += 2 * copies * (text + 50)
	for _, c := range m.Choices {
		n += 300 + 6*len(c.Label) + 2*len(c.ID) + 4*len(c.Link)
	}
	if e := m.Entry; e != nil {
		n += 1000 + 6*(len(e.Title)+len(e.Label)+len(e.Button))
	}
	return n < maxCard
}

// compose puts the parts together. keep: the buttons carry the text.
func compose(m *bot.Message, f frame, keep bool) *card {
	c := newCard(m.Lang)
	data := pressed{Prompt: m.Prompt, Lang: m.Lang}
	if keep {
		data.Head, data.Text = chat.Heading(m), m.Text
	}
	c.Fallback = fallback(m)
	c.heading(chat.Heading(m))
	c.text(m.Text)
	if p := m.Picture; p != nil || f.revealed != nil {
		c.show(m, f)
	}
	if r := f.revealed; r != nil && f.page == "" {
		c.line("Medium", run{Text: f.say(m.Lang, "chat.key", "key", string(r.Key)), Font: "Monospace"})
		c.line("Medium", run{Text: f.say(m.Lang, "chat.same_phone", "link", string(r.URI)), Size: "Small", Subtle: true})
	}
	set := actionSet{Type: "ActionSet"}
	switch {
	case f.page != "":
		set.Actions = append(set.Actions, openURL{Type: "Action.OpenUrl", Title: bot.PageLabel(f.phrases, f.langOf(m), m, maxLabel), Style: "positive", URL: string(f.page)})
	case m.Form != nil:
		c.line("Medium", run{Text: f.say(m.Lang, "chat.no_page"), Subtle: true})
	case m.Entry != nil:
		e := m.Entry
		data := data
		data.Entry, data.Label = string(e.Kind), e.Button
		s := submit{Type: "Action.Submit", Title: e.Button, Style: "positive", Data: sending{Ours: &data}}
		if f.inline {
			c.Body = append(c.Body, field(e.Kind, e.Label))
		} else {
			data.Title, data.Field = e.Title, e.Label
			s.Data.Teams = &msteams{Type: "task/fetch"}
		}
		set.Actions = append(set.Actions, s)
	}
	if len(set.Actions) > 0 {
		c.Body = append(c.Body, set)
	}
	if f.page != "" {
		c.line("Small", run{Text: f.say(m.Lang, "chat.open_page"), Size: "Small", Subtle: true})
	}
	for _, x := range m.Choices {
		style := ""
		if x.Primary {
			style = "positive"
		}
		if x.Link != "" {
			c.Actions = append(c.Actions, openURL{Type: "Action.OpenUrl", Title: x.Label, Style: style, URL: x.Link})
			continue
		}
		data := data
		data.Choice, data.Label = x.ID, x.Label
		s := submit{Type: "Action.Submit", Title: x.Label, Style: style, Data: sending{Ours: &data}}
		switch { // whoever presses gets the answer, and nobody else
		case bot.TicketAsks(x.ID):
			s.Data.Teams = &msteams{Type: "task/fetch"}
		case strings.HasPrefix(x.ID, bot.ChoiceTicket):
			s.Type, s.Verb = "Action.Execute", "ticket"
		}
		if m.Entry != nil && f.inline {
			s.Inputs = "none" // what stands in the field is not for this button
		}
		c.Actions = append(c.Actions, s)
	}
	return c
}

func (c *card) heading(s string) {
	if s != "" {
		c.line("", run{Text: s, Size: "Small", Weight: "Bolder", Subtle: true})
	}
}

// text writes lines and paragraphs.
func (c *card) text(s string) {
	spacing := ""
	if len(c.Body) > 0 {
		spacing = "Small"
	}
	empty := false
	lines := strings.Split(strings.TrimSpace(s), "\n")
	for i, l := range lines {
		if strings.TrimSpace(l) == "" {
			empty = true
			continue
		}
		if i > 0 {
			spacing = "None"
			if empty {
				spacing = "Medium"
			}
		}
		empty = false
		if len(c.Body) >= maxLines {
			c.line(spacing, run{Text: strings.Join(lines[i:], "\n")})
			return
		}
		c.line(spacing, run{Text: l})
	}
}

// show shows a picture, or tells it in words.
func (c *card) show(m *bot.Message, f frame) {
	alt, png := "", []byte(nil)
	if m.Picture != nil {
		alt = m.Picture.Alt
	}
	width := "240px"
	switch {
	case f.revealed != nil && f.page == "":
		png = f.revealed.PNG
		if alt == "" {
			alt = f.say(m.Lang, "chat.picture.alt")
		}
	case m.Picture != nil && m.Picture.Name != "" && f.picture != nil:
		png, _ = f.picture(m.Picture.Name)
	}
	if len(png) > 0 && len(png) <= maxPicture {
		c.Body = append(c.Body, shownImage{Type: "Image", URL: "data:image/png;base64," + base64.StdEncoding.EncodeToString(png), Alt: alt, Width: width, Back: "#FFFFFF"})
		return
	}
	if alt != "" {
		c.line("Medium", run{Text: alt, Italic: true, Subtle: true})
	}
}

// field is where a short answer is typed.
func field(kind bot.EntryKind, label string) input {
	style := map[bot.EntryKind]string{bot.EntryCode: "tel", bot.EntryPhone: "tel", bot.EntryEmail: "email"}[kind] // the keys that a phone shows
	return input{Type: "Input.Text", ID: inputName, Label: label, Placeholder: label, Style: style, MaxLength: maxEntry}
}

// fallback is the message for a client that shows no cards: a choice is made by
// typing its number.
func fallback(m *bot.Message) string {
	var b strings.Builder
	if h := chat.Heading(m); h != "" {
		b.WriteString(h + "\n\n")
	}
	b.WriteString(m.Text)
	for i, c := range m.Choices {
		if i == 0 {
			b.WriteByte('\n')
		}
		b.WriteString("\n" + strconv.Itoa(i+1) + ". " + c.Label)
		if c.Link != "" {
			b.WriteString(": " + c.Link)
		}
	}
	return strings.TrimSpace(b.String())
}

// summary is the beginning of a text, for the list of chats.
func summary(s string) string { return chat.Cut(strings.Join(strings.Fields(s), " "), 120) }

// settled is the card of a message whose buttons have done their work: its text
// stays. label is of the button that was pressed, or empty.
func settled(p *pressed, f frame, label string) *outgoing {
	c := newCard(p.Lang)
	t := (&bot.Message{Text: p.Text, Progress: p.Head}).Harmless()
	c.heading(t.Progress)
	c.text(t.Text)
	c.Fallback = t.Text
	if label != "" {
		mark := f.say(p.Lang, "chat.pressed", "label", bot.Harmless(label))
		c.line("Medium", run{Text: mark, Weight: "Bolder"})
		c.Fallback = strings.TrimSpace(c.Fallback + "\n\n" + mark)
	}
	return c.activity(summary(c.Fallback))
}

// dialog is the card inside a dialog: one field and its button.
func dialog(p *pressed, send string) *card {
	c := newCard(p.Lang)
	c.text(bot.Harmless(p.Text))
	c.Body = append(c.Body, field(bot.EntryKind(p.Entry), bot.Harmless(p.Field)))
	c.Actions = []any{submit{Type: "Action.Submit", Title: send, Style: "positive", Data: sending{Ours: p}}}
	return c
}

// ticketDialog is the card inside the dialog of a ticket's card.
func ticketDialog(f *bot.TicketForm, send string) *card {
	c := newCard("")
	for n, l := range f.Lists {
		in := input{Type: "Input.ChoiceSet", ID: pickName(n), Label: bot.Harmless(l.Label), Style: "compact", Required: true, Error: bot.Harmless(l.Label)}
		for _, o := range l.Options {
			in.Choices = append(in.Choices, choiceIn{Title: bot.Harmless(o.Label), Value: o.ID})
		}
		c.Body = append(c.Body, in)
	}
	if f.Label != "" {
		c.Body = append(c.Body, input{Type: "Input.Text", ID: inputName, Label: bot.Harmless(f.Label), Placeholder: bot.Harmless(f.Label), Multiline: true, MaxLength: bot.MaxTicketText})
	}
	c.Actions = []any{submit{Type: "Action.Submit", Title: bot.Harmless(send), Style: "positive", Data: sending{Ours: &pressed{Choice: f.Choice, Lists: len(f.Lists)}}}}
	return c
}

// pickName is the id of a list in a dialog.
func pickName(n int) string { return inputName + strconv.Itoa(n) }

// encode writes JSON as it is read: <, > and & stay.
func encode(v any) ([]byte, error) {
	b := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(b)
	b.Reset()
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.Clone(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}
