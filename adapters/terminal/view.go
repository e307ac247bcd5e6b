package terminal

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"

	"latchkey/bot"
)

const asciiProfile = termenv.Ascii

// Sizes of the layout, in cells.
const (
	twoColumns = 76 // narrower windows show one column
	leastSide  = 30 // width of the phone
	mostSide   = 52
	mostText   = 76  // longer lines of text are hard to read
	mostWidth  = 140 // wider windows get margins
)

// styles use the sixteen colours of the terminal's own theme, so that they fit
// dark and light screens. Nothing is told by colour alone.
type styles struct {
	r                                                *lipgloss.Renderer
	bot, person, dim, bold, mark, pill, rule, qr, on lipgloss.Style
}

func newStyles(r *lipgloss.Renderer) styles {
	s := r.NewStyle
	return styles{
		r:      r,
		bot:    s().Bold(true).Foreground(lipgloss.Color("6")),
		person: s().Bold(true).Foreground(lipgloss.Color("5")),
		dim:    s().Faint(true),
		bold:   s().Bold(true),
		mark:   s().Reverse(true),
		pill:   s().Foreground(lipgloss.Color("6")),
		rule:   s().Faint(true),
		on:     s().Bold(true),
		qr:     s().Foreground(lipgloss.Color("#000000")).Background(lipgloss.Color("#ffffff")),
	}
}

// spot is where a choice can be clicked.
type spot struct {
	x, y, w int
	choice  int // -1: the form's button
}

func (m *model) narrow() bool { return m.w < twoColumns || m.o.Device == nil }

func (m *model) sideWidth() int {
	if m.narrow() {
		return m.w
	}
	return min(mostSide, max(leastSide, m.w*38/100))
}

func (m *model) leftWidth() int {
	if m.narrow() {
		return m.w
	}
	return m.w - m.sideWidth() - 1
}

// bodyHeight is what the headings, the choices and the input leave.
func (m *model) bodyHeight() int {
	lines, _ := m.choiceLines()
	return max(1, m.h-5-len(lines))
}

// inline reports whether a picture fits into the conversation as a whole.
func (m *model) inline(q *qrEntry) bool {
	return len(q.rows) > 0 && runes(q.rows[0])+2 <= m.leftWidth() && len(q.rows) <= m.bodyHeight()
}

// fits reports whether it fits into the window at all.
func (m *model) fits(q *qrEntry) bool {
	rows := m.cropped(q)
	return len(rows) > 0 && runes(rows[0]) <= m.full && len(rows) <= m.h
}

// cropped leaves half of the quiet zone out where that makes a picture fit.
// Cameras read it with two modules of white around it.
func (m *model) cropped(q *qrEntry) []string {
	rows := q.rows
	if len(rows) > m.h && len(rows) > 4 && blankRow(rows[0]) && blankRow(rows[1]) {
		rows = rows[1 : len(rows)-1]
	}
	return rows
}

func blankRow(s string) bool { return strings.Trim(s, " ") == "" }

// View implements tea.Model.
func (m *model) View() string {
	if m.w == 0 || m.h == 0 {
		return ""
	}
	switch {
	case m.over == qrOverlay && m.qr() != nil:
		return m.viewQR(m.qr())
	case m.over == helpOverlay:
		return m.place(m.viewHelp())
	case m.box != nil:
		return m.place(m.viewBox())
	}
	if m.margin > 0 {
		return indent(m.viewPanes(), m.margin)
	}
	return m.viewPanes()
}

// viewPanes is the conversation, the phone and the input.
func (m *model) viewPanes() string {
	height := m.bodyHeight()
	left := m.window(m.chatLines(m.leftWidth()), height)
	var b strings.Builder
	if m.narrow() {
		lines, title := left, m.word(wordChatPane)
		if m.phone && m.o.Device != nil {
			lines, title = m.phoneWindow(m.w, height), m.word(wordPhonePane)
		}
		b.WriteString(m.heading(title, m.w) + "\n" + m.ruleLine(m.w, -1) + "\n")
		for _, l := range lines {
			b.WriteString(l + "\n") // not padded: a letter that is wider than counted must not break the line
		}
	} else {
		lw, sw := m.leftWidth(), m.sideWidth()
		side := m.phoneWindow(sw, height)
		b.WriteString(m.heading(m.o.Title+" · "+m.word(wordChatPane), lw) + m.st.rule.Render("│") + m.heading(m.word(wordPhonePane), sw) + "\n")
		b.WriteString(m.ruleLine(m.w, lw) + "\n")
		for i := range height {
			b.WriteString(fill(left[i], lw) + m.st.rule.Render("│") + side[i] + "\n")
		}
	}
	b.WriteString(m.footRule() + "\n")
	lines, spots := m.choiceLines()
	for i := range spots {
		spots[i].y += height + 3
	}
	m.spots = spots
	for _, l := range lines {
		b.WriteString(l + "\n")
	}
	m.input.Width = max(8, m.w-4)
	m.input.Placeholder = m.word(wordHintText)
	if len(m.choices) > 0 {
		m.input.Placeholder = m.word(wordHint)
	}
	b.WriteString(" " + seen(m.input.View()) + "\n")
	b.WriteString(m.st.dim.Render(cut(" "+m.word(wordKeys), m.w)))
	return b.String()
}

func (m *model) heading(title string, w int) string {
	return fill(" "+m.st.on.Render(cut(oneLine(title), max(0, w-2))), w)
}

// ruleLine is a line across, with a joint at column x.
func (m *model) ruleLine(w, x int) string {
	r := strings.Repeat("─", w)
	if x >= 0 && x < w {
		r = strings.Repeat("─", x) + "┼" + strings.Repeat("─", w-x-1)
	}
	return m.st.rule.Render(r)
}

// footRule closes the panes and tells when there is more below.
func (m *model) footRule() string {
	if m.scroll > 0 && !(m.narrow() && m.phone) {
		note := " ↓ PgDn "
		return m.st.rule.Render("──") + note + m.st.rule.Render(strings.Repeat("─", max(0, m.w-2-runes(note))))
	}
	if m.narrow() {
		return m.ruleLine(m.w, -1)
	}
	lw := m.leftWidth()
	return m.st.rule.Render(strings.Repeat("─", lw) + "┴" + strings.Repeat("─", m.w-lw-1))
}

// chatLines is the whole conversation as lines of width w.
func (m *model) chatLines(w int) []string {
	var lines []string
	text := min(w-4, mostText)
	put := func(indent string, s string, st lipgloss.Style) {
		for _, l := range wrap(s, text) {
			lines = append(lines, indent+st.Render(l))
		}
	}
	plain := m.st.r.NewStyle()
	start := 0
	for i := range m.entries {
		e := &m.entries[i]
		if i > 0 {
			lines = append(lines, "")
		}
		start = len(lines)
		switch e.by {
		case thePerson:
			lines = append(lines, "  "+m.st.person.Render("› "+m.word(wordYou)))
			put("    ", e.text, plain)
		case theScreen:
			put("  ", e.text, m.st.dim)
		default:
			head := m.st.bot.Render("■ " + m.o.Title)
			if e.head != "" {
				head += "  " + m.st.dim.Render(e.head)
			}
			lines = append(lines, "  "+head)
			put("    ", e.text, plain)
			m.putPicture(e, w, put, &lines)
			m.putPage(e, put, &lines)
		}
	}
	if m.waits {
		lines = append(lines, "", "  "+m.st.dim.Render("…"))
	}
	if m.fit {
		m.fit = false
		// A long message is read from its beginning; a picture is seen whole.
		if n := len(lines) - start; n > m.bodyHeight() && m.entries[len(m.entries)-1].qr == nil {
			m.scroll = n - m.bodyHeight()
		}
	}
	return lines
}

// putPicture adds what a message shows beside its text.
func (m *model) putPicture(e *entry, w int, put func(string, string, lipgloss.Style), lines *[]string) {
	if e.gone {
		put("    ", m.word(wordGone), m.st.dim)
		return
	}
	if e.alt != "" {
		put("    ", m.word(wordPictureOf, "alt", e.alt), m.st.dim)
	}
	q := e.qr
	if q == nil {
		return
	}
	*lines = append(*lines, "")
	put("    ", m.word(wordKey)+": "+oneLine(string(q.key)), m.st.r.NewStyle())
	put("    ", m.word(wordLink)+": "+oneLine(string(q.uri)), m.st.dim)
	if q.file != "" {
		put("    ", m.word(wordPicture)+": "+oneLine(q.file), m.st.dim)
	}
	*lines = append(*lines, "")
	switch {
	case m.inline(q):
		for _, row := range m.qrRows(q.rows) {
			*lines = append(*lines, "  "+row)
		}
	case m.fits(q):
		put("    ", m.word(wordOpen), m.st.bold)
	default:
		put("    ", m.word(wordTooSmall), m.st.bold)
	}
}

// putPage adds the address of a one-time page, on a line of its own: a terminal
// makes it a link, and it can be copied whole.
func (m *model) putPage(e *entry, put func(string, string, lipgloss.Style), lines *[]string) {
	switch {
	case e.page != "":
		label := m.word(wordPage) + ":"
		if e.button != "" {
			label = e.button + ". " + label
		}
		*lines = append(*lines, "")
		put("    ", label, m.st.bold)
		put("    ", oneLine(string(e.page)), m.st.r.NewStyle())
	case e.noPage:
		*lines = append(*lines, "")
		put("    ", m.word(wordNoPage), m.st.dim)
	}
}

// qrRows paints black on white, or leaves the terminal's own colours where no
// colour is wanted.
func (m *model) qrRows(rows []string) []string {
	out := make([]string, len(rows))
	if m.swapped {
		rows = invert(rows)
	}
	for i, row := range rows {
		out[i] = m.st.qr.Render(row)
	}
	return out
}

// window is the visible part of the conversation, newest at the bottom.
func (m *model) window(lines []string, height int) []string {
	m.scroll = min(m.scroll, max(0, len(lines)-height))
	end := len(lines) - m.scroll
	return pad(lines[max(0, end-height):end], height)
}

// phoneWindow is the visible part of the pretend phone, newest at the top.
func (m *model) phoneWindow(w, height int) []string {
	var lines []string
	text := min(w-2, mostText)
	if len(m.codes) > 0 {
		lines = append(lines, " "+m.st.bot.Render(m.word(wordAuthPane)))
		for _, c := range m.codes {
			for _, l := range wrap(oneLine(c.Name), text) {
				lines = append(lines, " "+l)
			}
			left := int(c.Left.Seconds())
			bar := strings.Repeat("▪", min(10, (left+2)/3))
			lines = append(lines, " "+m.st.bold.Render(spaced(c.Code))+m.st.dim.Render(fmt.Sprintf("   %2d s %s", left, bar)), "")
		}
	}
	for i := len(m.items) - 1; i >= 0; i-- {
		it := m.items[i]
		head := ""
		switch it.Kind {
		case bot.PhoneCall:
			head = m.word(wordCall, "from", oneLine(it.From))
		case bot.PhoneMail:
			head = m.word(wordMail, "from", oneLine(it.From), "subject", oneLine(it.Subject))
		default:
			head = m.word(wordText, "from", oneLine(it.From))
		}
		at := ""
		if !it.At.IsZero() {
			at = it.At.Local().Format("15:04") + "  "
		}
		for j, l := range wrap(at+head, text) {
			if j == 0 {
				lines = append(lines, " "+m.st.dim.Render(at)+m.st.bot.Render(strings.TrimPrefix(l, at)))
			} else {
				lines = append(lines, " "+m.st.bot.Render(l))
			}
		}
		if it.To != "" {
			lines = append(lines, " "+m.st.dim.Render(cut(oneLine(it.To), text)))
		}
		for _, l := range wrap(strings.TrimSpace(clean(it.Text)), text) {
			lines = append(lines, " "+l)
		}
		lines = append(lines, "")
	}
	if len(lines) == 0 {
		lines = []string{" " + m.st.dim.Render(m.word(wordEmpty))}
	}
	m.down = min(m.down, max(0, len(lines)-height))
	return pad(lines[m.down:min(len(lines), m.down+height)], height)
}

// spaced writes 123456 as 123 456.
func spaced(code string) string {
	if len(code) == 6 {
		return code[:3] + " " + code[3:]
	}
	return code
}

// choiceLines lays the choices out in lines and says where each stands, from
// the first line on.
func (m *model) choiceLines() (lines []string, spots []spot) {
	type label struct {
		text   string
		marked bool
		choice int
	}
	var labels []label
	if m.form != nil && m.box == nil {
		labels = append(labels, label{"[Enter] " + oneLine(m.form.Button), false, -1})
	}
	for i, c := range m.choices {
		s := strconv.Itoa(i+1) + " " + oneLine(c.Label)
		if c.Primary {
			s += " (" + m.word(wordRecommended) + ")"
		}
		labels = append(labels, label{s, i == m.mark, i})
	}
	x, line := 1, " "
	for _, l := range labels {
		text := " " + cut(l.text, max(4, m.w-4)) + " "
		if l.marked {
			text = "▸" + text[1:]
		}
		w := lipgloss.Width(text)
		if x > 1 && x+w+1 > m.w {
			lines = append(lines, line)
			x, line = 1, " "
		}
		spots = append(spots, spot{x, len(lines), w, l.choice})
		if l.marked {
			line += m.st.mark.Render(text) + " "
		} else {
			line += m.st.pill.Render(text) + " "
		}
		x += w + 1
	}
	if x > 1 {
		lines = append(lines, line)
	}
	if most := max(1, m.h/3); len(lines) > most {
		lines = lines[:most]
	}
	return lines, spots
}

// viewBox is the private form.
func (m *model) viewBox() string {
	b := m.box
	w := min(64, max(20, m.w-6))
	var s strings.Builder
	s.WriteString(m.st.bold.Render(cut(oneLine(b.form.Title), w)) + "\n\n")
	if b.form.Reveals && !b.open {
		s.WriteString(strings.Join(wrap(m.word(wordShowKey), w), "\n"))
	} else {
		for i, v := range b.once {
			fmt.Fprintf(&s, "%2d  %s\n", i+1, oneLine(string(v)))
		}
		if len(b.once) > 0 {
			s.WriteString("\n")
		}
		if label, no, of := b.field(); of > 0 {
			if of > 1 {
				label = fmt.Sprintf("%d/%d  %s", no, of, label)
			}
			s.WriteString(strings.Join(wrap(oneLine(label), w), "\n") + "\n")
			b.input.Width = w - 4
			s.WriteString(seen(b.input.View()))
		}
	}
	s.WriteString("\n\n" + m.st.dim.Render(strings.Join(wrap(m.word(wordPrivateBox), w), "\n")))
	s.WriteString("\n" + m.st.dim.Render(strings.Join(wrap(m.word(wordEscLeaves), w), "\n")))
	return m.st.r.NewStyle().Border(lipgloss.RoundedBorder()).Padding(0, 1).Width(w + 2).Render(s.String())
}

func (m *model) viewHelp() string {
	text := strings.TrimSpace(clean(m.o.Phrases.Phrase(m.lang, wordKeysMore)))
	return m.st.r.NewStyle().Border(lipgloss.RoundedBorder()).Padding(0, 1).Render(text)
}

// viewQR is the picture alone, with a line below it where there is room.
func (m *model) viewQR(q *qrEntry) string {
	if !m.fits(q) {
		text := m.word(wordTooSmall)
		if q.file != "" {
			text += "\n\n" + m.word(wordPicture) + ": " + oneLine(q.file)
		}
		text += "\n\n" + m.st.dim.Render(m.word(wordClose))
		return m.place(strings.Join(wrap(text, max(10, m.full-2)), "\n"))
	}
	rows := m.qrRows(m.cropped(q))
	if len(rows) < m.h {
		rows = append(rows, m.st.dim.Render(cut(m.word(wordClose), m.full)))
	}
	return m.place(lipgloss.JoinVertical(lipgloss.Center, rows...))
}

// place centres a box in the window.
func (m *model) place(s string) string {
	return m.st.r.Place(m.full, m.h, lipgloss.Center, lipgloss.Center, s)
}

// indent puts a margin before every line.
func indent(s string, n int) string {
	space := strings.Repeat(" ", n)
	return space + strings.ReplaceAll(s, "\n", "\n"+space)
}

// wrap breaks text into lines of at most w cells.
func wrap(s string, w int) []string {
	lines := strings.Split(lipgloss.NewStyle().Width(max(1, w)).Render(s), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return lines
}

// cut shortens one line to w cells.
func cut(s string, w int) string { return ansi.Truncate(s, w, "…") }

// fill pads a line to w cells.
func fill(s string, w int) string {
	return s + strings.Repeat(" ", max(0, w-lipgloss.Width(s)))
}

// pad adds empty lines up to height.
func pad(lines []string, height int) []string {
	out := make([]string, 0, height)
	out = append(out, lines...)
	for len(out) < height {
		out = append(out, "")
	}
	return out
}
