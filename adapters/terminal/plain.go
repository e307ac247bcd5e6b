package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"latchkey/bot"
)

// plain shows the conversation as lines. Nothing it writes moves a cursor or
// sets a colour, and every message is one Write.
type plain struct {
	a     *Adapter
	in    *lines
	tty   bool // somebody sits here: prompts, and no echo of private values
	heard chan struct{}

	mu     sync.Mutex // guards everything below, and Out
	lang   string
	form   *bot.Form // asked for now, or nil
	prompt uint32    // of form
	picks  []string  // labels of the choices beside the form
	said   uint64    // messages shown
	uri    bot.Secret
	rows   []string // the QR shown last
	from   string   // receipt of the message with it
}

func newPlain(a *Adapter) *plain {
	return &plain{
		a: a, in: newLines(a.o.In), tty: IsTerminal(a.o.In) && IsTerminal(a.o.Out),
		heard: make(chan struct{}, 1), lang: a.o.Lang,
	}
}

// word is a phrase in the language that the bot spoke last.
func (p *plain) word(key string, kv ...string) string {
	return oneLine(p.a.o.Phrases.Phrase(p.lang, key, kv...))
}

// write puts out a block of lines. The caller holds mu.
func (p *plain) write(s string) error {
	if p.tty {
		s += "> "
	}
	_, err := io.WriteString(p.a.o.Out, s)
	return err
}

// tell writes a line of the adapter's own.
func (p *plain) tell(key string, kv ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.write("(" + p.word(key, kv...) + ")\n")
}

// run implements face.
func (p *plain) run(ctx context.Context, in bot.Inbox) error {
	if d := p.a.o.Device; d != nil {
		defer d.Watch(p.arrived)()
	}
	if s := p.a.o.Intro; s != "" {
		p.mu.Lock()
		err := p.write(clean(s) + "\n")
		p.mu.Unlock()
		if err != nil {
			return fmt.Errorf("terminal: write: %w", err)
		}
	}
	p.accept(ctx, in, p.a.event(bot.Open))
	for {
		form, prompt := p.asked()
		var err error
		switch {
		case form != nil && p.tty:
			err = p.fill(ctx, in, form, prompt, nil)
		default:
			var s string
			if s, err = p.in.next(ctx, false); err != nil {
				break
			}
			// A form may have come up while the line was waited for. A
			// program's next line is its value. A person may have begun to
			// type something else in plain sight: only an empty line starts
			// the form then, and anything else is chat as before.
			now, nowPrompt := p.asked()
			switch {
			case now != nil && !p.tty:
				err = p.fill(ctx, in, now, nowPrompt, &s)
			case now != nil && strings.TrimSpace(s) == "":
			case strings.HasPrefix(s, "/"):
				if p.command(strings.Fields(s)[0]) {
					err = io.EOF
				}
			default:
				p.accept(ctx, in, p.a.text(s))
			}
		}
		if errors.Is(err, io.EOF) || ctx.Err() != nil {
			p.tell(wordBye)
			if p.tty {
				io.WriteString(p.a.o.Out, "\n")
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("terminal: read: %w", err)
		}
	}
}

// accept hands an event in and waits until it was answered, so that lines that
// come all at once are answered one by one.
func (p *plain) accept(ctx context.Context, in bot.Inbox, ev bot.Event) {
	p.mu.Lock()
	before := p.said
	p.mu.Unlock()
	if err := in.Accept(ctx, ev); err != nil {
		if ctx.Err() == nil {
			p.a.o.Log.Error("event not accepted", "event", ev.ID, "err", err)
			p.tell(wordFailed)
		}
		return
	}
	t := time.NewTimer(p.a.o.Patience)
	defer t.Stop()
	for {
		p.mu.Lock()
		answered := p.said != before
		p.mu.Unlock()
		if answered {
			return
		}
		select {
		case <-p.heard:
		case <-t.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// asked returns the form that is open now.
func (p *plain) asked() (*bot.Form, uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.form, p.prompt
}

// fill asks for the values of a form, one after the other, and submits them.
// first is a line that was already read. An empty line leaves the form.
func (p *plain) fill(ctx context.Context, in bot.Inbox, f *bot.Form, prompt uint32, first *string) error {
	p.mu.Lock()
	p.form = nil // the answer asks again when it is needed again
	picks := p.picks
	p.mu.Unlock()
	// The first line may pick a choice, by its number or by all of its label:
	// nobody's password or answer is that short or stands on the screen, and
	// help must be there at every step.
	picked := func(s string) bool {
		s = strings.TrimSpace(s)
		n, err := strconv.Atoi(s)
		return err == nil && n >= 1 && n <= len(picks) ||
			slices.ContainsFunc(picks, func(label string) bool { return strings.EqualFold(s, label) })
	}

	next := func(masked bool) (string, error) {
		if first != nil {
			s := *first
			first = nil
			return s, nil
		}
		s, err := p.in.next(ctx, masked)
		if p.tty && masked {
			io.WriteString(p.a.o.Out, "\n")
		}
		return s, err
	}
	if f.Reveals {
		s, err := next(false)
		if err != nil {
			return err
		}
		if strings.TrimSpace(s) == "" {
			p.tell(wordLeft)
			return nil
		}
		if !p.agrees(s) { // not a value: help, back and choices work here
			p.accept(ctx, in, p.a.text(s))
			return nil
		}
		if !p.reveal(ctx, f) {
			return nil
		}
		if len(f.Fields) > 0 {
			p.ask(f.Fields[0].Label)
		}
	}
	values := make([]bot.FormValue, 0, len(f.Fields))
	for i, fd := range f.Fields {
		if i > 0 {
			p.ask(fd.Label)
		}
		s, err := next(fd.Mask)
		if err != nil {
			return err
		}
		if s == "" {
			p.tell(wordLeft)
			return nil
		}
		if i == 0 && !f.Reveals && picked(s) {
			p.accept(ctx, in, p.a.text(s))
			return nil
		}
		values = append(values, bot.FormValue{Name: fd.Name, Value: bot.Secret(s)})
	}
	p.accept(ctx, in, p.a.submit(f, prompt, values))
	return nil
}

// reveal shows what a form shows once.
func (p *plain) reveal(ctx context.Context, f *bot.Form) bool {
	var shown []bot.Secret
	err := errors.New("no way to reveal")
	if p.a.o.Reveal != nil {
		shown, err = p.a.o.Reveal(ctx, p.a.Conversation(), f.Name)
	}
	if err != nil {
		p.a.o.Log.Error("form not revealed", "form", f.Name, "err", err)
		p.tell(wordNoShow)
		return false
	}
	var b strings.Builder
	b.WriteString("\n")
	for i, s := range shown {
		fmt.Fprintf(&b, "%d. %s\n", i+1, oneLine(string(s)))
	}
	b.WriteString("\n")
	io.WriteString(p.a.o.Out, b.String())
	return true
}

// agrees reports whether s is the word that form.show asks for, its last one,
// in any case and with or without accents.
func (p *plain) agrees(s string) bool {
	p.mu.Lock()
	words := strings.Fields(p.word(wordShow, "button", ""))
	p.mu.Unlock()
	return len(words) > 0 && bare(s) == bare(words[len(words)-1])
}

// bare is s in lower case, without accents and punctuation.
func bare(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) {
			return -1 // marks that were taken apart, too
		}
		return unicode.ToLower(r)
	}, norm.NFD.String(s))
}

// private is the line that asks for a private value.
func private(label string) string {
	return "[private] " + strings.TrimRight(oneLine(label), ":") + ":"
}

// ask writes the label of a private field.
func (p *plain) ask(label string) {
	end := "\n"
	if p.tty {
		end = " "
	}
	io.WriteString(p.a.o.Out, private(label)+end)
}

// show implements face.
func (p *plain) show(m *shown) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m.Lang != "" {
		p.lang = m.Lang
	}
	p.form, p.prompt, p.picks = m.Form, m.Prompt, nil
	if pageOnly(&m.Message) {
		p.form = nil // what is typed next is chat
	}
	for _, c := range m.Choices {
		p.picks = append(p.picks, strings.TrimSpace(oneLine(c.Label)))
	}
	if m.revealed != nil {
		p.uri, p.from, p.rows = m.revealed.URI, m.receipt, square(m.revealed.Rows)
	}
	err := p.writeMessage(m)
	p.said++
	select {
	case p.heard <- struct{}{}:
	default:
	}
	return err
}

// writeMessage puts a message out as one block. The caller holds mu.
func (p *plain) writeMessage(m *shown) error {
	var b strings.Builder
	b.WriteString("\n")
	switch head := oneLine(m.Progress); {
	case head != "" && m.Ref != "":
		fmt.Fprintf(&b, "%s (%s)\n", head, oneLine(m.Ref))
	case head != "":
		b.WriteString(head + "\n")
	}
	b.WriteString(strings.TrimRight(clean(m.Text), "\n") + "\n")
	if m.Picture != nil && m.Picture.Alt != "" {
		b.WriteString("\n" + p.word(wordPictureOf, "alt", oneLine(m.Picture.Alt)) + "\n")
	}
	if r := m.revealed; r != nil {
		b.WriteString("\n")
		for _, row := range p.rows {
			b.WriteString(row + "\n")
		}
		b.WriteString("\n" + p.word(wordInvert) + "\n")
		if m.file != "" {
			b.WriteString(p.word(wordPicture) + ": " + oneLine(m.file) + "\n")
		}
		if r.URI != "" {
			b.WriteString(p.word(wordLink) + ": " + oneLine(string(r.URI)) + "\n")
		}
		if r.Key != "" {
			b.WriteString(p.word(wordKey) + ": " + oneLine(string(r.Key)) + "\n")
		}
	}
	if len(m.Choices) > 0 {
		b.WriteString("\n")
		for i, c := range m.Choices {
			fmt.Fprintf(&b, "[%d] %s", i+1, oneLine(c.Label)) // "1." is a step of a text
			if c.Primary {
				b.WriteString(" (" + p.word(wordRecommended) + ")")
			}
			if c.Link != "" {
				b.WriteString(": " + oneLine(c.Link))
			}
			b.WriteString("\n")
		}
	}
	if m.page != "" {
		b.WriteString("\n")
		if m.Form != nil {
			b.WriteString(oneLine(m.Form.Button) + ". ")
		}
		b.WriteString(p.word(wordPage) + ": " + oneLine(string(m.page)) + "\n")
	} else if pageOnly(&m.Message) {
		b.WriteString("\n(" + p.word(wordNoPage) + ")\n")
	}
	if f := m.Form; f != nil && !pageOnly(&m.Message) {
		b.WriteString("\n" + oneLine(f.Title) + " - " + p.word(wordPrivate) + "\n")
		switch {
		case f.Reveals:
			b.WriteString(private(p.word(wordShow, "button", oneLine(f.Button))))
		case len(f.Fields) > 0:
			b.WriteString(private(f.Fields[0].Label))
		}
		if p.tty {
			_, err := io.WriteString(p.a.o.Out, b.String()+" ")
			return err
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
	return p.write(b.String())
}

// retract implements face.
func (p *plain) retract(receipt string, hadFile bool) {
	p.mu.Lock()
	if p.from == receipt {
		p.uri, p.rows, p.from = "", nil, ""
	}
	p.mu.Unlock()
	if hadFile {
		p.tell(wordDeleted)
	}
}

// arrived shows what came in on the pretend phone.
func (p *plain) arrived(it bot.PhoneItem) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.write(p.item(it))
}

// item is an item as lines.
func (p *plain) item(it bot.PhoneItem) string {
	switch it.Kind {
	case bot.PhoneCall:
		return "(phone) " + p.word(wordCall, "from", oneLine(it.From)) + ": " + oneLine(it.Text) + "\n"
	case bot.PhoneMail:
		return "(mail) " + p.word(wordMail, "from", oneLine(it.From), "subject", oneLine(it.Subject)) + ": " + oneLine(it.Text) + "\n"
	}
	return "(phone) " + p.word(wordText, "from", oneLine(it.From)) + ": " + oneLine(it.Text) + "\n"
}

// command runs a command of the terminal and reports whether to leave.
func (p *plain) command(name string) (leave bool) {
	switch name {
	case "/quit", "/exit":
		return true
	case "/help":
		p.mu.Lock()
		p.write(strings.TrimRight(clean(p.a.o.Phrases.Phrase(p.lang, wordHelp)), "\n") + "\n")
		p.mu.Unlock()
	case "/phone":
		p.phone()
	case "/scan":
		p.scan()
	case "/invert":
		p.invert()
	default:
		p.tell(wordUnknown, "command", oneLine(name))
	}
	return false
}

// phone lists what is on the pretend phone.
func (p *plain) phone() {
	d := p.a.o.Device
	if d == nil {
		p.tell(wordNoPhone)
		return
	}
	items := d.Items()
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	for _, it := range items {
		b.WriteString(p.item(it))
	}
	b.WriteString(p.codes())
	if b.Len() == 0 {
		b.WriteString("(phone) " + p.word(wordEmpty) + "\n")
	}
	p.write(b.String())
}

// codes is what the authenticator shows, as lines.
func (p *plain) codes() string {
	var b strings.Builder
	for _, c := range p.a.o.Device.Codes(p.a.o.Now()) {
		b.WriteString("(phone) " + p.word(wordCode, "name", oneLine(c.Name), "code", oneLine(c.Code),
			"seconds", strconv.Itoa(int(c.Left.Seconds()))) + "\n")
	}
	return b.String()
}

// scan lets the pretend phone scan the QR shown last.
func (p *plain) scan() {
	p.mu.Lock()
	uri := p.uri
	p.mu.Unlock()
	switch {
	case p.a.o.Device == nil:
		p.tell(wordNoPhone)
	case uri == "":
		p.tell(wordNoQR)
	default:
		name, err := p.a.o.Device.Scan(uri)
		if err != nil {
			p.tell(wordScanFailed, "problem", oneLine(err.Error()))
			return
		}
		p.mu.Lock()
		p.write("(" + p.word(wordScanned, "name", oneLine(name)) + ")\n" + p.codes())
		p.mu.Unlock()
	}
}

// invert prints the QR shown last with dark and light swapped.
func (p *plain) invert() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rows == nil {
		p.write("(" + p.word(wordNoQR) + ")\n")
		return
	}
	p.write("\n" + strings.Join(invert(p.rows), "\n") + "\n\n")
}
