package terminal

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/charmbracelet/bubbles/textinput"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"

	"latchkey/bot"
)

// maxEntries is how much of the conversation stays on the screen's memory.
const maxEntries = 400

// speaker of an entry.
type speaker uint8

const (
	theBot speaker = iota
	thePerson
	theScreen // a remark of the terminal itself
)

// entry is one thing said.
type entry struct {
	by      speaker
	text    string
	head    string // progress and reference
	alt     string
	button  string     // of the page
	page    bot.Secret // address of a one-time page
	noPage  bool       // there should have been one
	receipt string
	qr      *qrEntry
	gone    bool // its picture was taken back
}

// qrEntry is a QR in the conversation.
type qrEntry struct {
	rows []string
	uri  bot.Secret
	key  bot.Secret
	file string
}

// overlay covers the whole window.
type overlay uint8

const (
	noOverlay overlay = iota
	helpOverlay
	qrOverlay
)

// model is what the full screen shows. Only the program's goroutine touches it.
type model struct {
	ctx   context.Context
	r     *rich
	o     *Options
	st    styles
	early []tea.Msg

	w, h    int // of the layout
	full    int // width of the window
	margin  int // on its left
	lang    string
	entries []entry
	items   []bot.PhoneItem
	codes   []bot.PhoneCode
	scroll  int  // lines of the conversation below the window
	fit     bool // scroll to the beginning of the newest message at the next layout
	down    int  // lines of the phone above the window
	phone   bool // one column: the phone is shown
	waits   bool // an answer is coming
	over    overlay
	swapped bool // QR with dark and light swapped

	input   textinput.Model
	choices []bot.Choice
	prompt  uint32
	mark    int // choice that Enter presses, or -1
	spots   []spot
	form    *bot.Form
	box     *formBox
}

func newModel(ctx context.Context, r *rich, style *lipgloss.Renderer) *model {
	m := &model{ctx: ctx, r: r, o: &r.a.o, st: newStyles(style), lang: r.a.o.Lang, mark: -1, waits: true}
	m.input = textinput.New()
	m.input.Prompt = "> "
	m.input.CharLimit = bot.MaxText + 1
	m.input.Cursor.SetMode(0)
	m.input.Focus()
	m.swapped = style.ColorProfile() == asciiProfile && style.HasDarkBackground()
	if d := r.a.o.Device; d != nil {
		m.items = d.Items()
		m.codes = d.Codes(m.o.Now())
	}
	if s := r.a.o.Intro; s != "" {
		m.add(entry{by: theScreen, text: clean(strings.TrimSpace(s))})
	}
	return m
}

// word is a phrase in the language that the bot spoke last.
func (m *model) word(key string, kv ...string) string {
	return oneLine(m.o.Phrases.Phrase(m.lang, key, kv...))
}

// Init implements tea.Model.
func (m *model) Init() tea.Cmd {
	cmds := []tea.Cmd{textinput.Blink, tick()}
	for _, msg := range m.early {
		cmds = append(cmds, func() tea.Msg { return msg })
	}
	m.early = nil
	return tea.Sequence(cmds...)
}

func tick() tea.Cmd { return tea.Tick(time.Second, func(time.Time) tea.Msg { return tickMsg{} }) }

// Update implements tea.Model.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.full, m.h = msg.Width, msg.Height
		m.w = min(m.full, mostWidth)
		m.margin = (m.full - m.w) / 2
	case tickMsg:
		if m.o.Device != nil {
			m.codes = m.o.Device.Codes(m.o.Now())
		}
		return m, tick()
	case shownMsg:
		m.shown(msg.m)
	case retractMsg:
		m.retract(msg.receipt)
	case itemMsg:
		m.items = append(m.items, msg.it)
		m.down = 0
	case failedMsg:
		m.waits = false
		m.remark(m.word(wordFailed))
	case revealedMsg:
		if m.box != nil && m.box.form == msg.form {
			if msg.failed {
				m.box = nil
				m.remark(m.word(wordNoShow))
			} else {
				m.box.revealed(msg.shown)
			}
		}
	case tea.MouseMsg:
		return m, m.mouse(msg)
	case tea.KeyMsg:
		return m, m.key(msg)
	default:
		var cmd tea.Cmd
		if m.box != nil {
			m.box.input, cmd = m.box.input.Update(msg)
		} else {
			m.input, cmd = m.input.Update(msg)
		}
		return m, cmd
	}
	return m, nil
}

func (m *model) add(e entry) {
	if len(m.entries) >= maxEntries {
		m.entries = append(m.entries[:0], m.entries[1:]...)
	}
	m.entries = append(m.entries, e)
	m.scroll = 0
}

func (m *model) remark(text string) { m.add(entry{by: theScreen, text: text}) }

// shown takes in what the bot says.
func (m *model) shown(s *shown) {
	m.waits = false
	if s.Lang != "" {
		m.lang = s.Lang
	}
	e := entry{by: theBot, text: strings.TrimSpace(clean(s.Text)), receipt: s.receipt, head: oneLine(s.Progress)}
	if s.Ref != "" && e.head != "" {
		e.head += " · " + oneLine(s.Ref)
	}
	if s.Picture != nil {
		e.alt = oneLine(s.Picture.Alt)
	}
	if r := s.revealed; r != nil {
		e.qr = &qrEntry{square(r.Rows), r.URI, r.Key, s.file}
		for i := range m.entries {
			m.entries[i].blank() // one picture at a time; an older one is void
		}
	}
	e.page, e.noPage = s.page, s.page == "" && pageOnly(&s.Message)
	if s.Form != nil {
		e.button = oneLine(s.Form.Button)
	}
	m.add(e)
	m.fit = true
	m.choices, m.prompt, m.mark = s.Choices, s.Prompt, -1
	m.form, m.box = s.Form, nil
	if pageOnly(&s.Message) {
		m.form = nil
	}
	if m.form != nil {
		m.open()
	}
	if e.qr != nil {
		m.phone = false
		if !m.inline(e.qr) && m.fits(e.qr) {
			m.over = qrOverlay
		}
	}
}

// blank removes the secret of an entry.
func (e *entry) blank() {
	if e.qr != nil {
		e.qr, e.gone = nil, true
	}
	e.page = ""
}

func (m *model) retract(receipt string) {
	for i := range m.entries {
		if m.entries[i].receipt == receipt {
			m.entries[i].blank()
		}
	}
	if m.over == qrOverlay && m.qr() == nil {
		m.over = noOverlay
	}
}

// qr is the picture that is shown now, or nil.
func (m *model) qr() *qrEntry {
	for i := len(m.entries) - 1; i >= 0; i-- {
		if m.entries[i].qr != nil {
			return m.entries[i].qr
		}
	}
	return nil
}

// send hands an event over; it never blocks the screen.
func (m *model) send(ev bot.Event) {
	select {
	case m.r.events <- ev:
		m.waits = true
	default:
		m.remark(m.word(wordFailed))
	}
}

// say sends typed text.
func (m *model) say(text string) {
	shown := clean(text)
	if n, err := strconv.Atoi(strings.TrimSpace(text)); err == nil && n >= 1 && n <= len(m.choices) {
		shown += " " + oneLine(m.choices[n-1].Label)
	}
	m.add(entry{by: thePerson, text: shown})
	m.send(m.r.a.text(text))
}

// press sends a pressed choice.
func (m *model) press(i int) {
	if i < 0 || i >= len(m.choices) {
		return
	}
	c := m.choices[i]
	if c.Link != "" {
		m.remark(oneLine(c.Label) + ": " + oneLine(c.Link))
		return
	}
	m.add(entry{by: thePerson, text: oneLine(c.Label)})
	ev := m.r.a.event(bot.Press)
	ev.Choice, ev.Prompt = c.ID, m.prompt
	m.mark = -1
	m.send(ev)
}

// open opens the box of the form.
func (m *model) open() {
	if m.form != nil {
		m.over = noOverlay
		m.box = newFormBox(m.form)
	}
}

// key handles a key.
func (m *model) key(k tea.KeyMsg) tea.Cmd {
	name := k.String()
	if name == "ctrl+c" {
		return tea.Quit
	}
	if m.over != noOverlay {
		switch {
		case m.over == qrOverlay && name == "i":
			m.swapped = !m.swapped
		case m.over == qrOverlay && name == "ctrl+s":
			m.over = noOverlay
			m.scan()
		default:
			m.over = noOverlay
		}
		return nil
	}
	if m.box != nil {
		return m.boxKey(k)
	}
	empty := m.input.Value() == ""
	switch name {
	case "f1":
		m.over = helpOverlay
		return nil
	case "?":
		if empty {
			m.over = helpOverlay
			return nil
		}
	case "tab":
		m.phone = !m.phone
		return nil
	case "ctrl+q":
		if m.qr() != nil {
			m.over = qrOverlay
		} else {
			m.remark(m.word(wordNoQR))
		}
		return nil
	case "ctrl+s":
		m.scan()
		return nil
	case "pgup", "pgdown":
		n := m.bodyHeight() - 1
		if name == "pgdown" {
			n = -n
		}
		m.roll(n, m.narrow() && m.phone)
		return nil
	case "up", "down", "left", "right":
		if empty && len(m.choices) > 0 {
			m.walk(name == "down" || name == "right")
			return nil
		}
	case "esc":
		m.input.Reset()
		m.mark = -1
		return nil
	case "enter":
		text := m.input.Value()
		m.input.Reset()
		switch {
		case strings.HasPrefix(text, "/"):
			return m.command(strings.Fields(text)[0])
		case strings.TrimSpace(text) != "":
			m.mark = -1
			m.say(text)
		case m.mark >= 0:
			m.press(m.mark)
		case m.form != nil:
			m.open()
		}
		return nil
	}
	if n, ok := strings.CutPrefix(name, "alt+"); ok && len(n) == 1 && n[0] >= '1' && n[0] <= '9' {
		m.press(int(n[0] - '1'))
		return nil
	}
	var cmd tea.Cmd
	m.input, cmd = m.input.Update(k)
	m.mark = -1
	if n, err := strconv.Atoi(strings.TrimSpace(m.input.Value())); err == nil && n >= 1 && n <= len(m.choices) {
		m.mark = n - 1 // shows what Enter would press
	}
	return cmd
}

// command runs a command of the plain way of showing, for those who know it.
func (m *model) command(name string) tea.Cmd {
	switch name {
	case "/quit", "/exit":
		return tea.Quit
	case "/help":
		m.over = helpOverlay
	case "/phone":
		m.phone = true
	case "/scan":
		m.scan()
	case "/invert":
		m.swapped = !m.swapped
	default:
		m.remark(m.word(wordUnknown, "command", oneLine(name)))
	}
	return nil
}

// walk moves the mark; the first step goes to the recommended choice.
func (m *model) walk(forward bool) {
	switch {
	case m.mark < 0:
		m.mark = 0
		for i, c := range m.choices {
			if c.Primary {
				m.mark = i
			}
		}
	case forward:
		m.mark = (m.mark + 1) % len(m.choices)
	default:
		m.mark = (m.mark + len(m.choices) - 1) % len(m.choices)
	}
}

// roll scrolls by lines, up is positive.
func (m *model) roll(lines int, phone bool) {
	if phone {
		m.down = max(0, m.down-lines)
		return
	}
	m.scroll = max(0, m.scroll+lines)
}

// boxKey handles a key while the form is open.
func (m *model) boxKey(k tea.KeyMsg) tea.Cmd {
	b := m.box
	switch k.String() {
	case "esc":
		m.box = nil
		m.remark(m.word(wordLeft))
		return nil
	case "enter":
		if b.form.Reveals && !b.open {
			if b.asked {
				return nil
			}
			b.asked = true
			return m.reveal(b.form)
		}
		if len(b.form.Fields) > 0 && !b.take() {
			return nil
		}
		if !b.complete() {
			return nil
		}
		m.box = nil
		m.add(entry{by: thePerson, text: "[" + oneLine(b.form.Button) + "]"})
		m.send(m.r.a.submit(b.form, m.prompt, b.values))
		return nil
	}
	var cmd tea.Cmd
	b.input, cmd = b.input.Update(k)
	return cmd
}

// reveal opens what the form shows once.
func (m *model) reveal(f *bot.Form) tea.Cmd {
	return func() tea.Msg {
		if m.o.Reveal == nil {
			return revealedMsg{form: f, failed: true}
		}
		shown, err := m.o.Reveal(m.ctx, m.r.a.Conversation(), f.Name)
		if err != nil {
			m.o.Log.Error("form not revealed", "form", f.Name, "err", err)
		}
		return revealedMsg{f, shown, err != nil}
	}
}

// scan lets the pretend phone scan the picture.
func (m *model) scan() {
	q := m.qr()
	switch {
	case m.o.Device == nil:
		m.remark(m.word(wordNoPhone))
	case q == nil:
		m.remark(m.word(wordNoQR))
	default:
		name, err := m.o.Device.Scan(q.uri)
		if err != nil {
			m.remark(m.word(wordScanFailed, "problem", oneLine(err.Error())))
			return
		}
		m.codes = m.o.Device.Codes(m.o.Now())
		m.remark(m.word(wordScanned, "name", oneLine(name)))
	}
}

// mouse handles the wheel and clicks.
func (m *model) mouse(e tea.MouseMsg) tea.Cmd {
	e.X -= m.margin
	overPhone := m.narrow() && m.phone || !m.narrow() && e.X > m.leftWidth()
	switch {
	case e.Button == tea.MouseButtonWheelUp:
		m.roll(3, overPhone)
	case e.Button == tea.MouseButtonWheelDown:
		m.roll(-3, overPhone)
	case e.Action == tea.MouseActionPress && e.Button == tea.MouseButtonLeft:
		if m.over != noOverlay {
			m.over = noOverlay
			return nil
		}
		if m.box != nil {
			return nil
		}
		for _, s := range m.spots {
			if e.Y == s.y && e.X >= s.x && e.X < s.x+s.w {
				if s.choice < 0 {
					m.open()
				} else {
					m.press(s.choice)
				}
				return nil
			}
		}
	}
	return nil
}

// formBox is a private form being filled.
type formBox struct {
	form   *bot.Form
	input  textinput.Model
	values []bot.FormValue
	asked  bool // Reveal was called
	open   bool // it has shown what it reveals
	once   []bot.Secret
}

func newFormBox(f *bot.Form) *formBox {
	b := &formBox{form: f}
	b.next()
	return b
}

// next readies the input for the field that comes next.
func (b *formBox) next() {
	b.input = textinput.New()
	b.input.Prompt = "> "
	b.input.CharLimit = 4096
	b.input.Cursor.SetMode(0)
	if n := len(b.values); n < len(b.form.Fields) && b.form.Fields[n].Mask {
		b.input.EchoMode = textinput.EchoPassword
		b.input.EchoCharacter = '•'
	}
	b.input.Focus()
}

// take keeps the value that was typed and reports whether there was one.
func (b *formBox) take() bool {
	v := b.input.Value()
	if v == "" {
		return false
	}
	b.values = append(b.values, bot.FormValue{Name: b.form.Fields[len(b.values)].Name, Value: bot.Secret(v)})
	b.next()
	return true
}

func (b *formBox) complete() bool { return len(b.values) >= len(b.form.Fields) }

func (b *formBox) revealed(once []bot.Secret) { b.open, b.once = true, once }

// field is the label asked for now.
func (b *formBox) field() (label string, no, of int) {
	n := min(len(b.values), len(b.form.Fields)-1)
	if n < 0 {
		return "", 0, 0
	}
	return b.form.Fields[n].Label, n + 1, len(b.form.Fields)
}

// runes is the width of text that has no wide characters.
func runes(s string) int { return utf8.RuneCountInString(s) }
