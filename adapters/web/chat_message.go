package web

import (
	"cmp"
	"context"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/bot"
)

// panel is the chat as its template needs it, alone on a page or beside
// something else.
type panel struct {
	hidden
	Session  bool   // there is one; otherwise the panel offers to begin
	Name     string // who is signed in, or empty
	Rows     []*said
	Last     int64 // Seq of the newest row
	Inner    bool  // beside something else
	Framed   bool  // inside another site's page
	Provider string
	Lapsed   bool // there was a session, and it has ended
	Unused   bool // it has, because nothing happened
	Done     bool // it has ended on a computer that others use, too
	Idle     int  // seconds without use after which it ends there; 0: not shared
	NoCookie bool // the browser did not keep the cookie
}

// hidden is what every form carries.
type hidden struct {
	CSRF string
	Next string
	Q    string // "?framed=1" or empty, for every address
	Lang string // of the words around the conversation
	Ask  bool   // whether a sign-in asks if the computer is shared
}

// ID is a new id for one form: a form that is sent twice counts once.
func (hidden) ID() string { return newID() }

func (a *Adapter) hidden(r *http.Request, token bot.Secret, next string) hidden {
	h := hidden{Next: next, Lang: a.language(r), Ask: !a.o.Kiosk}
	if token != "" {
		h.CSRF = a.csrf(token)
	}
	if framed(r) {
		h.Q = "?framed=1"
	}
	return h
}

// panel makes the chat of a session, or of none: err is what session said.
func (a *Adapter) panel(r *http.Request, s *bot.WebSession, token bot.Secret, err error, next string) (*panel, error) {
	p := &panel{hidden: a.hidden(r, token, next), Inner: next == "/", Framed: framed(r)}
	if a.o.Provider != nil && !p.Framed { // providers refuse to be framed
		p.Provider = a.o.Provider.Name()
	}
	if err != nil {
		if !lost(err) {
			return nil, err
		}
		had := a.cookie(r, sessionCookie(p.Framed)) != ""
		p.Done = r.URL.Query().Get("done") != ""
		p.Lapsed, p.Unused = had && !p.Done, errors.Is(err, bot.ErrExpired)
		p.NoCookie = !had && r.URL.Query().Get("begun") != ""
		return p, nil
	}
	p.Session, p.Name = true, bot.Harmless(s.Name)
	if s.Shared {
		p.Idle = int(a.o.Policy.SharedIdle / time.Second)
	}
	rows, err := a.o.House.Said(r.Context(), s.Conversation, 0, pageRows)
	if err != nil {
		return nil, err
	}
	if n := len(rows); n > 0 {
		p.Last = rows[n-1].Seq
		p.Lang = a.rowLang(&rows[n-1], p.Lang)
	}
	p.Rows, err = a.saidAll(r.Context(), rows, p.hidden)
	return p, err
}

// said is one message with what it answers, ready for its template.
type said struct {
	hidden
	Seq    int64
	Prompt uint32
	UI     string // language of the words around the text
	Tongue string // language of the text
	Dir    string

	Heard   string
	Private bool // Heard is dots
	Text    []block

	Progress string
	At, Of   int // of Progress, when it says two numbers
	Ref      string

	Active  bool // the newest prompt: its buttons and form work
	Choices []bot.Choice
	Form    *formView
	Page    string // label of a button that opens a one-time page, or empty

	Picture  string // address, or empty
	Alt      string
	QR       bool
	Link     template.URL // otpauth, for an app on the same phone
	Key      []string     // in groups
	Gone     bool         // what it showed was taken away
	Desk     bool         // it is a line of the help desk
	Campaign bool         // of a campaign: the question before it stays open
}

// formView is a form as the template needs it.
type formView struct {
	*bot.Form
	SignInHere bool // the sign-in opens in this window
	Window     bool // it opens in a window of its own, which this chat has no part in
}

// Autocomplete is what a browser may fill into a field.
func (f *formView) Autocomplete(fd bot.Field) string {
	if fd.Mask && f.Name == "sign_in" {
		return "current-password"
	}
	return "off"
}

// codes is a form that shows something once, opened.
type codes struct {
	*said
	Codes []string
}

// link is the page that leads from the embedded chat to a one-time page.
type link struct{ Address, Next string }

// newest finds the row whose buttons and form are open: the last one that asks,
// unless it was answered and nothing was asked again.
func newest(rows []bot.OutboxRow) int {
	for i := len(rows) - 1; i >= 0; i-- {
		m := &rows[i].Message
		if m.Prompt != 0 || len(m.Choices) > 0 || m.Form != nil {
			return i
		}
		if m.Heard != "" && !unheard(m.Heard) {
			break
		}
	}
	return -1
}

// question finds the row that waits for an answer: a campaign's message does not close
// the question before it.
func question(rows []bot.OutboxRow) int {
	i := newest(rows)
	for i >= 0 && rows[i].Campaign != "" {
		i = newest(rows[:i])
	}
	return i
}

// unheard reports whether a person's words were left out.
func unheard(heard string) bool { return heard != "" && strings.Trim(heard, "•") == "" }

// saidAll makes the views of rows that follow each other.
func (a *Adapter) saidAll(ctx context.Context, rows []bot.OutboxRow, h hidden) ([]*said, error) {
	list := make([]*said, 0, len(rows))
	open := newest(rows)
	asks := question(rows)
	shown := map[bot.Reveal]bool{} // each secret is shown once, by the newest message that has it
	for i := len(rows) - 1; i >= 0; i-- {
		s, err := a.view(ctx, &rows[i], h, i == open || i == asks, shown)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	slices.Reverse(list)
	return list, nil
}

// view makes the view of one row.
func (a *Adapter) view(ctx context.Context, row *bot.OutboxRow, h hidden, active bool, shown map[bot.Reveal]bool) (*said, error) {
	m := row.Message.Harmless()
	s := a.saidForm(row, h)
	s.Active = active
	if m.Echo != nil && active {
		x, err := a.o.House.Reveal(ctx, *m.Echo)
		if err != nil && !errors.Is(err, bot.ErrNotFound) {
			return nil, err
		}
		m.Text = x.Echoed(m.Text)
	}
	s.Heard, s.Desk, s.Campaign = m.Heard, row.Author != "", row.Campaign != ""
	s.Private = unheard(m.Heard)
	s.Text = blocks(m.Text)
	s.Progress, s.Ref = m.Progress, m.Ref
	s.At, s.Of = twoNumbers(m.Progress)
	if active {
		s.Choices = m.Choices
	} else {
		s.Form, s.Page = nil, ""
	}
	if m.Picture != nil {
		s.Alt = m.Picture.Alt
		if m.Picture.Name != "" {
			s.Picture = "/pictures/" + url.PathEscape(m.Picture.Name) + ".svg"
		}
	}
	if row.State == bot.OutboxRetracted {
		if s.Desk {
			s.Text, s.Choices = blocks(a.words.in(s.UI)("chat.taken_back")), nil
			return s, nil
		}
		s.Gone = true
		return s, nil
	}
	if m.Reveal == nil || shown[*m.Reveal] {
		return s, nil
	}
	shown[*m.Reveal] = true
	x, err := a.o.House.Reveal(ctx, *m.Reveal)
	switch {
	case errors.Is(err, bot.ErrNotFound) || err == nil && x == nil:
		s.Gone = true
	case err != nil:
		return nil, err
	case a.o.QRPage:
		s.Page = a.words.in(s.UI)("chat.page.qr")
	default:
		s.QR = len(x.PNG) > 0
		s.Key = strings.Fields(string(x.Key))
		// html/template knows no otpauth; this is ours alone, and it is
		// escaped as every address is.
		if u := string(x.URI); strings.HasPrefix(u, "otpauth://totp/") {
			s.Link = template.URL(u) //nolint:gosec // see above
		}
	}
	return s, nil
}

// saidForm makes a view with the form only.
func (a *Adapter) saidForm(row *bot.OutboxRow, h hidden) *said {
	m := row.Message.Harmless()
	s := &said{hidden: h, Seq: row.Seq, Prompt: m.Prompt, UI: a.rowLang(row, h.Lang), Tongue: m.Lang}
	s.Lang = s.UI
	s.Tongue = cmp.Or(s.Tongue, s.UI)
	s.Dir = direction(s.Tongue)
	switch f := m.Form; {
	case f == nil:
	case f.SignIn && h.Q == "":
		s.Form = &formView{Form: f, SignInHere: true}
	case f.SignIn:
		s.Form = &formView{Form: f, Window: true}
	case h.Q != "": // nothing private is typed inside another site's page
		s.Page = a.words.in(s.UI)("chat.page.form", "title", f.Title)
	default:
		s.Form = &formView{Form: f}
	}
	return s
}

// rowLang is the language for the words around a message.
func (a *Adapter) rowLang(row *bot.OutboxRow, otherwise string) string {
	if l, ok := a.known(row.Message.Lang); ok {
		return l
	}
	return otherwise
}

// A span is a piece of text, or an address that stands in it.
type span struct{ Text, Link string }

// A block is a paragraph or a list of a text.
type block struct {
	Tag   string   // "p", "ul" or "ol"
	Start int      // ol: the first number
	Items [][]span // p: one, with its lines
}

// address finds what may be one; what it really is url.Parse says.
var address = regexp.MustCompile(`https?://[^\s<>"'` + "`" + `]+`)

// counted finds the beginning of a line of a numbered list.
var counted = regexp.MustCompile(`^(\d{1,2})\. `)

// blocks takes a text apart: paragraphs, lists of lines that begin with "- " or
// with numbers that go on, and the addresses in them. A screen reader says how
// long a list is, and reads line by line. Which addresses may stand in a text is
// for the scripts to say.
func blocks(text string) (list []block) {
	for p := range strings.SplitSeq(strings.Trim(strings.ReplaceAll(text, "\r\n", "\n"), "\n"), "\n\n") {
		at := len(list) // a blank line ends a list
		var plain []string
		flush := func() {
			if len(plain) > 0 {
				list = append(list, block{Tag: "p", Items: [][]span{spans(strings.Join(plain, "\n"))}})
				plain = nil
			}
		}
		for line := range strings.SplitSeq(strings.Trim(p, "\n"), "\n") {
			b := block{Tag: "p"}
			rest, dash := strings.CutPrefix(line, "- ")
			if dash {
				b = block{Tag: "ul"}
			} else if m := counted.FindStringSubmatch(line); m != nil {
				b.Tag, rest = "ol", line[len(m[0]):]
				b.Start, _ = strconv.Atoi(m[1]) // digits
			}
			if b.Tag == "p" {
				if line != "" || len(plain) > 0 {
					plain = append(plain, line)
				}
				continue
			}
			flush()
			b.Items = [][]span{spans(rest)}
			if n := len(list); n > at && list[n-1].goesOn(&b) {
				list[n-1].Items = append(list[n-1].Items, b.Items...)
				continue
			}
			list = append(list, b)
		}
		flush()
	}
	return list
}

// goesOn reports whether b is the next item of the same list.
func (l *block) goesOn(b *block) bool {
	return l.Tag == b.Tag && (l.Tag == "ul" || b.Start == l.Start+len(l.Items))
}

func spans(text string) []span {
	var list []span
	from := 0
	for _, at := range address.FindAllStringIndex(text, -1) {
		word := strings.TrimRight(text[at[0]:at[1]], ".,;:!?)]}…")
		u, err := url.Parse(word)
		if err != nil || u.Host == "" || u.User != nil {
			continue
		}
		if at[0] > from {
			list = append(list, span{Text: text[from:at[0]]})
		}
		list = append(list, span{word, word})
		from = at[0] + len(word)
	}
	if from < len(text) {
		list = append(list, span{Text: text[from:]})
	}
	return list
}

var number = regexp.MustCompile(`\d+`)

// twoNumbers reads "Step 3 of 7" in any language: 3 and 7, or 0 and 0.
func twoNumbers(s string) (at, of int) {
	n := number.FindAllString(s, 3)
	if len(n) != 2 {
		return 0, 0
	}
	at, _ = strconv.Atoi(n[0])
	of, _ = strconv.Atoi(n[1])
	if at > of || of > 100 {
		return 0, 0
	}
	return at, of
}
