package discord

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"latchkey/bot"
)

// What Discord takes. Sources: Create Message; Component Reference.
const (
	maxContent = 2000 // characters; counted here as UTF-16, so that it is never more
	maxLabel   = 80
	maxID      = 100
	maxTitle   = 45
	maxAlt     = 1024
	inRow      = 5
)

// limits are what outbox.Degrade gets. Escaped, a text has at most twice its
// runes: 900 of them leave room for a picture in words. Four rows of buttons
// leave the fifth for what opens a form or a page.
var limits = bot.Limits{Text: 900, Choices: 4 * inRow, Label: maxLabel}

// A rendered message is ready to be sent.
type rendered struct {
	Message message
	File    []byte // a picture, or nil
}

// attach adds a picture, under a name that says nothing.
func (r *rendered) attach(png []byte, alt string) {
	r.File, r.Message.Attachments = png, []attachment{{Filename: rand.Text() + ".png", Description: cut(alt, maxAlt)}}
}

// render makes the wire form of a delivery. It fails when the message is beyond
// limits, and never builds anything that Discord refuses for its size. lang is
// for a message that does not say its own, picture gives a picture as PNG.
func render(d *bot.Delivery, phrases bot.Phrases, lang string, picture func(string) ([]byte, bool)) (*rendered, error) {
	m := &d.Message
	if m.Lang != "" {
		lang = m.Lang
	}
	if n := utf8.RuneCountInString(m.Text); n > limits.Text {
		return nil, fmt.Errorf("a text of %d runes, at most %d", n, limits.Text)
	}
	out := &rendered{}
	var parts []string
	if m.Progress != "" {
		parts = append(parts, escape(oneLine(m.Progress)))
	}
	if t := escape(m.Text); strings.TrimSpace(t) != "" {
		parts = append(parts, t)
	}
	page := string(d.Page)
	switch {
	case webLink(page): // of a form, or of a key that is not shown in the chat
		parts = append(parts, escape(phrases.Phrase(lang, "chat.open_page")))
	case m.Form != nil:
		parts = append(parts, escape(phrases.Phrase(lang, "chat.no_page")))
	}
	if r := d.Revealed; r != nil && m.Form == nil {
		parts = append(parts, secret(r, lang, phrases))
		if len(r.PNG) > 0 {
			alt := phrases.Phrase(lang, "chat.picture.alt")
			if m.Picture != nil && m.Picture.Alt != "" {
				alt = oneLine(m.Picture.Alt)
			}
			out.attach(r.PNG, alt)
		}
	}
	content := strings.Join(parts, "\n\n")
	if length(content) > maxContent {
		return nil, fmt.Errorf("a content of %d characters, at most %d", length(content), maxContent)
	}
	if p := m.Picture; p != nil && out.File == nil && p.Name != "" {
		if png, ok := picture(p.Name); ok {
			out.attach(png, oneLine(p.Alt))
		}
	}
	// A picture that cannot be shown is told; what has no room is less than the
	// text.
	if m.Picture != nil && out.File == nil {
		if room := maxContent - length(content) - 2; room > 0 {
			content = strings.TrimPrefix(content+"\n\n"+cut(escape("("+oneLine(m.Picture.Alt)+")"), room), "\n\n")
		}
	}
	if strings.TrimSpace(content) == "" && out.File == nil {
		return nil, errors.New("an empty message")
	}
	out.Message.Content = content
	var err error
	out.Message.Components, err = buttons(m, page, oneLine(bot.PageLabel(phrases, lang, m, maxLabel)))
	out.Message.Nonce, out.Message.Enforce = nonce(d.Key), true
	return out, err
}

// plain is a message that is one text, of our own or the desk's.
func plain(text string) message {
	return message{Content: cut(escape(text), maxContent), Components: []row{}}
}

// secret shows a key to type, and the address for an app on the same phone: a
// button cannot have it, Discord takes web addresses only.
func secret(r *bot.Revealed, lang string, phrases bot.Phrases) string {
	const here = "\ue000"
	line := func(phrase, name string, v bot.Secret) string {
		code := "`" + strings.ReplaceAll(harmless(string(v)), "`", "") + "`" // neither has a backtick in it
		return strings.Replace(escape(phrases.Phrase(lang, phrase, name, here)), here, code, 1)
	}
	s := line("chat.key", "key", r.Key)
	if r.URI != "" {
		s += "\n" + line("chat.same_phone", "link", r.URI)
	}
	return s
}

// buttons makes the rows: the choices, then what opens a form or a page.
func buttons(m *bot.Message, page, pageLabel string) ([]row, error) {
	rows := []row{}
	add := func(b button) {
		b.Type = 2
		if n := len(rows); n == 0 || len(rows[n-1].Components) == inRow {
			rows = append(rows, row{Type: 1})
		}
		last := &rows[len(rows)-1]
		last.Components = append(last.Components, b)
	}
	if len(m.Choices) > limits.Choices {
		return nil, fmt.Errorf("%d choices, at most %d", len(m.Choices), limits.Choices)
	}
	seen := map[string]bool{}
	for _, c := range m.Choices {
		b := button{Style: styleSecondary, Label: oneLine(c.Label)}
		if n := utf8.RuneCountInString(c.Label); n > maxLabel || b.Label == "" {
			return nil, fmt.Errorf("a label of %d runes, at most %d, at least one", n, maxLabel)
		}
		switch {
		case c.Link != "":
			if !webLink(c.Link) || len(c.Link) > 512 {
				return nil, errors.New("a link that is no web address of at most 512 characters")
			}
			b.Style, b.URL = styleLink, c.Link
		default:
			b.CustomID = choiceID(m.Prompt, c.ID)
			if len(b.CustomID) > maxID || seen[b.CustomID] {
				return nil, errors.New("the id of a choice is too long, or there twice")
			}
			seen[b.CustomID] = true
			if c.Primary { // colour is not all that marks it
				b.Style, b.Emoji = stylePrimary, &emoji{"➡️"}
			}
		}
		add(b)
	}
	if e := m.Entry; e != nil {
		id := entryID(m.Prompt, e)
		if len([]rune(id)) > maxID {
			return nil, errors.New("the words of a form are too long")
		}
		add(button{Style: styleSecondary, Label: cut(oneLine(e.Button), maxLabel), CustomID: id, Emoji: &emoji{"✏️"}})
	}
	if webLink(page) {
		if len(page) > 512 {
			return nil, errors.New("the address of a page is longer than 512 characters")
		}
		add(button{Style: styleLink, Label: cut(pageLabel, maxLabel), URL: page})
	}
	return rows, nil
}

// The custom ids of buttons and forms tell all that an answer needs, so that
// they work after a restart:
//
//	c|<prompt>|<choice>                  a choice
//	e|<prompt>|<kind>|<title>|<label>    opens the form of an entry
//	m|<prompt>|<kind>                    the form
//	t|<lists>|<choice>                   the form of a ticket's card
func choiceID(prompt uint32, choice string) string {
	return "c|" + strconv.FormatUint(uint64(prompt), 10) + "|" + choice
}

// kinds are the kinds of entries by their letter.
var kinds = map[string]bot.EntryKind{"c": bot.EntryCode, "p": bot.EntryPhone, "e": bot.EntryEmail}

// letter is the letter of a kind.
func letter(kind bot.EntryKind) string {
	for l, k := range kinds {
		if k == kind {
			return l
		}
	}
	return ""
}

func entryID(prompt uint32, e *bot.Entry) string {
	bar := strings.NewReplacer("|", "/")
	return "e|" + strconv.FormatUint(uint64(prompt), 10) + "|" + letter(e.Kind) + "|" + bar.Replace(oneLine(e.Title)) + "|" + bar.Replace(oneLine(e.Label))
}

// A pressed is what a custom id says.
type pressed struct {
	what   byte // 'c', 'e', 'm' or 't'
	prompt uint32
	choice string        // of a choice
	kind   bot.EntryKind // of an entry
	title  string
	label  string
}

// readID reads a custom id of ours.
func readID(id string) (p pressed, ok bool) {
	f := strings.SplitN(id, "|", 3)
	if len(f) != 3 || len(f[0]) != 1 || len(id) > 4*maxID || !utf8.ValidString(id) {
		return p, false
	}
	n, err := strconv.ParseUint(f[1], 10, 32)
	if err != nil || strconv.FormatUint(n, 10) != f[1] {
		return p, false
	}
	p.what, p.prompt = f[0][0], uint32(n)
	switch p.what {
	case 'c', 't':
		p.choice = f[2]
		return p, p.choice != "" && harmless(p.choice) == p.choice
	case 'm':
		p.kind, ok = kinds[f[2]]
		return p, ok
	case 'e':
		g := strings.SplitN(f[2], "|", 3)
		if len(g) != 3 || g[1] == "" || g[2] == "" {
			return p, false
		}
		p.kind, ok = kinds[g[0]]
		p.title, p.label = g[1], g[2]
		return p, ok
	}
	return p, false
}

// field is the custom id of the only field of a form.
const field = "v"

// form makes the form that an entry's button opens.
func form(p pressed) modal {
	in := input{Type: componentText, CustomID: field, Style: styleShort, MinLength: 1, Required: true, MaxLength: 254}
	switch p.kind {
	case bot.EntryCode:
		in.MaxLength = 40
	case bot.EntryPhone:
		in.MaxLength = 60
	}
	return modal{
		CustomID: "m|" + strconv.FormatUint(uint64(p.prompt), 10) + "|" + letter(p.kind), Title: cut(p.title, maxTitle),
		Components: []label{{Type: componentLabel, Label: cut(p.label, maxTitle), Component: in}},
	}
}

// ticketForm makes the form of a ticket's card.
func ticketForm(f *bot.TicketForm) modal {
	m := modal{CustomID: "t|" + strconv.Itoa(len(f.Lists)) + "|" + f.Choice, Title: cut(oneLine(f.Title), maxTitle)}
	add := func(words string, in input) {
		m.Components = append(m.Components, label{Type: componentLabel, Label: cut(oneLine(words), maxTitle), Component: in})
	}
	for n, l := range f.Lists {
		in := input{Type: componentSelect, CustomID: field + strconv.Itoa(n), Required: true}
		for _, o := range l.Options {
			in.Options = append(in.Options, selectOption{Label: cut(oneLine(o.Label), 100), Value: o.ID})
		}
		add(l.Label, in)
	}
	if f.Label != "" {
		in := input{Type: componentText, CustomID: field, Style: styleParagraph, Required: !f.Optional, MaxLength: bot.MaxTicketText}
		if !f.Optional {
			in.MinLength = 1
		}
		add(f.Label, in)
	}
	return m
}

// settled is a message whose button was pressed: the buttons go, and in their
// place stands which one it was, unless there is no room for it.
func settled(content, pressed string, phrases bot.Phrases, lang string) message {
	m := message{Content: content, Components: []row{}}
	if pressed != "" {
		mark := escape(phrases.Phrase(lang, "chat.pressed", "label", pressed))
		if with := strings.TrimPrefix(content+"\n\n"+mark, "\n\n"); length(with) <= maxContent {
			m.Content = with
		}
	}
	return m
}

// nonce makes of the key of a delivery what Discord takes, at most 25 characters.
func nonce(key string) string {
	sum := sha256.Sum256([]byte(key))
	return base64.RawURLEncoding.EncodeToString(sum[:18])
}

// webLink reports whether Discord takes an address for a button.
func webLink(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

// length counts characters as UTF-16.
func length(s string) int { return len(utf16.Encode([]rune(s))) }

// cut shortens s to n characters, the last of them "…".
func cut(s string, n int) string {
	if length(s) <= n {
		return s
	}
	r := []rune(s)
	for len(r) > 0 && length(string(r))+1 > n {
		r = r[:len(r)-1]
	}
	return strings.TrimRight(string(r), "\\ ") + "…"
}

// encode is the JSON of a body.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("discord: a body that cannot be written: " + err.Error()) // our own types, without maps or floats
	}
	return b
}
