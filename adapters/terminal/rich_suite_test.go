package terminal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/adapters/adaptertest"
	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/terminal"
	"latchkey/bot"
)

// TestRichContract holds the full screen to the contract. The person sits at a
// terminal that we did not write: a pane of tmux, whose other end the adapter
// under test reads and writes.
func TestRichContract(t *testing.T) {
	t.Parallel()
	adaptertest.Run(t, adaptertest.Harness{
		Name:    "terminal, full screen",
		Open:    openPane,
		Mangled: 150, // each takes a start of tmux; the plain terminal takes all
		Lacks: map[adaptertest.Ability]string{
			adaptertest.Opening:  "whoever sits at a terminal has opened it; nobody is written to there",
			adaptertest.Rooms:    "one person sits at a terminal",
			adaptertest.Editing:  "what was read stands further up; a change is said as a new line",
			adaptertest.People:   "one person sits at a terminal",
			adaptertest.Repeats:  "a key is read once; who typed is told when it got lost",
			adaptertest.Lookups:  "who sits at the terminal is known from the start",
			adaptertest.Bare:     "nothing lies between the adapter and the screen",
			adaptertest.Language: "text in a terminal has no language",
			adaptertest.Pictures: "drawings are only told in words; the QR is drawn, and kept as a file",
			adaptertest.Once:     "what was shown is shown again",
			adaptertest.Finding:  "what stands on a screen cannot be read back",
			adaptertest.Throttle: "nothing lies between the adapter and the screen",
			adaptertest.Refuse:   "nothing lies between the adapter and the screen",
			adaptertest.Leave:    "who leaves a terminal comes back to it",
			adaptertest.Break:    "nothing lies between the adapter and the screen",
			adaptertest.Doubt:    "nothing lies between the adapter and the screen",
		},
	})
}

// The pane is high enough for a whole conversation.
const (
	paneWidth  = 110
	paneHeight = 420
)

// pane is a window of tmux and the person before it.
type pane struct {
	t     testing.TB
	house *adaptertest.House
	tmux  string
	sock  string
	dir   string
	ttys  []*os.File

	mu    sync.Mutex
	typed string              // how the input looked while private values were typed
	known []adaptertest.Shown // what stood behind the form that is open
	open  bool                // known is of now
}

// stayOpen are terminals of tests that are over. The full screen asks for their
// size in a goroutine that nothing waits for, so nothing closes them before the
// tests end.
var stayOpen struct {
	sync.Mutex
	ttys []*os.File
}

func openPane(t testing.TB, house *adaptertest.House) adaptertest.Platform {
	t.Helper()
	dir, err := os.MkdirTemp("", "lk") // a socket's path is short; a test's folder may not be
	if err != nil {
		t.Fatal(err)
	}
	p := &pane{t: t, house: house, tmux: rigs.Tool(t, "", "tmux"), sock: filepath.Join(dir, "s"), dir: dir}
	t.Cleanup(func() {
		stayOpen.Lock()
		stayOpen.ttys = append(stayOpen.ttys, p.ttys...)
		stayOpen.Unlock()
		exec.Command(p.tmux, "-S", p.sock, "kill-server").Run()
		os.RemoveAll(dir)
	})
	p.run(nil, "-f", "/dev/null", "new-session", "-d", "-x", strconv.Itoa(paneWidth), "-y", strconv.Itoa(paneHeight), "sleep 100000")
	return p
}

func (p *pane) run(in []byte, args ...string) string {
	p.t.Helper()
	cmd := exec.Command(p.tmux, append([]string{"-S", p.sock}, args...)...)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("tmux %q: %v %s", args, err, out)
	}
	return string(out)
}

// enter types text as a paste, and keys after it.
func (p *pane) enter(text string, keys ...string) {
	p.t.Helper()
	args := []string{"load-buffer", "-", ";", "paste-buffer", "-p", "-r", "-d"}
	if text == "" {
		args = nil
	}
	if len(keys) > 0 {
		if args != nil {
			args = append(args, ";")
		}
		args = append(append(args, "send-keys"), keys...)
	}
	p.run([]byte(text), args...)
}

func (p *pane) capture() string { return p.run(nil, "capture-pane", "-p") }

// until waits for the screen to be as it should be.
func (p *pane) until(what string, ok func(screen string) bool) (string, error) {
	for limit := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		s := p.capture()
		if ok(s) {
			return s, nil
		}
		if time.Now().After(limit) {
			return s, fmt.Errorf("waited for %s", what)
		}
	}
}

// Connect implements adaptertest.Platform.
func (p *pane) Connect(t testing.TB) bot.Adapter {
	p.run(nil, "respawn-pane", "-k", "sleep 100000")
	tty, err := os.OpenFile(strings.TrimSpace(p.run(nil, "display-message", "-p", "#{pane_tty}")), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	p.ttys = append(p.ttys, tty)
	a, err := terminal.New(terminal.Options{
		Channel: "terminal", User: "ada", Locale: p.Locale(), In: tty, Out: tty, Dir: filepath.Join(p.dir, "p"), Phrases: keys{},
		Reveal: p.house.RevealForm, Log: p.house.Log,
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Person implements adaptertest.Platform.
func (p *pane) Person(int) adaptertest.Person { return p }

// Mangle pastes a line that nobody would type.
func (p *pane) Mangle(rng *rand.Rand, word string) (int, error) {
	line := []byte("x" + word)
	for range rng.IntN(300) {
		switch rng.IntN(4) {
		case 0:
			line = append(line, byte(rng.IntN(256)))
		case 1:
			line = append(line, "\x1b["+strconv.Itoa(rng.IntN(100))+string(rune('A'+rng.IntN(50)))...)
		case 2:
			line = append(line, []string{"\u202e", "e\u0301\u0302", "\xff\xc0", "\x1b]0;x\x07", "\x1b[<0;9999;9999M", "\x9b"}[rng.IntN(6)]...)
		case 3:
			line = append(line, "\x00\x08\x7f\r\n\t"[rng.IntN(6)])
		}
	}
	// One after the other: what is typed at once comes in pieces of any size.
	before := p.house.Taken()
	p.enter(string(bytes.ReplaceAll(line, []byte("\x1b[201~"), nil)), "Enter")
	for limit := time.Now().Add(time.Minute); p.house.Taken() == before; time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			return 0, errors.New("the line never arrived")
		}
	}
	return 1, nil
}

// ID implements adaptertest.Person, as all below.
func (p *pane) ID() string     { return "ada" }
func (p *pane) Locale() string { return "es-MX" }

// Arrive waits for the screen: a person types when they see where.
func (p *pane) Arrive() error {
	_, err := p.until("the input line", func(s string) bool { return strings.Contains(s, "terminal.keys") })
	return err
}

func (p *pane) Say(text string) error {
	if err := p.aside(); err != nil {
		return err
	}
	p.enter(text, "Enter")
	return nil
}

// aside leaves the form that is open, if one is.
func (p *pane) aside() error {
	if !isBox(p.capture()) {
		return nil
	}
	p.enter("", "Escape")
	_, err := p.until("the form to close", func(s string) bool { return !isBox(s) })
	return err
}

func (p *pane) Press(label string) error {
	if err := p.aside(); err != nil {
		return err
	}
	bs := chooses(p.capture())
	i := slices.IndexFunc(bs, func(b adaptertest.Button) bool { return b.Label == label })
	switch {
	case i < 0:
		return fmt.Errorf("no choice %q", label)
	case i < 9:
		p.enter("", "M-"+strconv.Itoa(i+1))
		return nil
	}
	for mark := ""; ; { // no key for it: walk there
		p.enter("", "Down")
		s, err := p.until("the mark to move", func(s string) bool { m := marked.FindString(s); return m != "" && m != mark })
		if err != nil {
			return err
		}
		if mark = marked.FindString(s); mark == fmt.Sprintf("▸%d ", i+1) {
			p.enter("", "Enter")
			return nil
		}
	}
}

var marked = regexp.MustCompile(`▸\d+ `)

func (p *pane) Open() error {
	p.enter("", "Enter")
	return nil
}

func (p *pane) Fill(values ...string) error {
	for _, v := range values {
		before := p.capture()
		if !isBox(before) {
			return errors.New("no form is open")
		}
		p.enter(v)
		// Only when it is there can one see how it looks.
		after, err := p.until("the value to be taken", func(s string) bool { return s != before })
		if err != nil {
			return err
		}
		p.mu.Lock()
		for l := range strings.SplitSeq(after, "\n") {
			if strings.Contains(l, "│ > ") {
				p.typed += l + "\n"
			}
		}
		p.mu.Unlock()
		p.enter("", "Enter")
		if _, err := p.until("the next field", func(s string) bool { return s != after }); err != nil {
			return err
		}
	}
	return nil
}

func isBox(screen string) bool { return strings.Contains(screen, "form.private_box") }

func (p *pane) Sees() ([]adaptertest.Shown, error) {
	s := p.capture()
	if !isBox(s) {
		p.mu.Lock()
		p.open = false
		p.mu.Unlock()
		return readScreen(s), nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.open {
		// A new form covers the conversation: look behind it, and come back.
		p.enter("", "Escape")
		s, err := p.until("the form to close", func(s string) bool { return !isBox(s) && strings.Contains(s, "form.left") })
		if err != nil {
			return nil, err
		}
		p.known, p.open = readScreen(s), true
		p.enter("", "Enter")
		if _, err := p.until("the form to open again", isBox); err != nil {
			return nil, err
		}
	}
	ms := slices.Clone(p.known)
	if len(ms) > 0 {
		ms[len(ms)-1].Form = readBox(s)
	}
	return ms, nil
}

func (p *pane) Screen() (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.typed + p.capture(), nil
}

// readScreen reads the conversation as a person does.
func readScreen(screen string) (out []adaptertest.Shown) {
	var opened []adaptertest.Link // what a pressed link has told
	lines := strings.Split(screen, "\n")
	var m *adaptertest.Shown
	end := func() {
		if m != nil {
			m.Text = strings.TrimSpace(m.Text)
			m.Pictures, m.Links = readPicture(m.Text)
			out = append(out, *m)
		}
		m = nil
	}
	foot := len(lines)
	for i, l := range lines {
		if i < 2 {
			continue
		}
		if strings.HasPrefix(l, "─") {
			foot = i
			break
		}
		switch {
		case strings.HasPrefix(l, "  ■ Latchkey"):
			end()
			m = &adaptertest.Shown{Text: strings.TrimPrefix(l, "  ■ Latchkey") + "\n"}
		case strings.HasPrefix(l, "  ") && !strings.HasPrefix(l, "   "):
			end() // what the person said, or a remark
			if label, to, ok := strings.Cut(strings.TrimSpace(l), ": https://"); ok {
				opened = append(opened, adaptertest.Link{Label: label, To: "https://" + to})
			}
		case m != nil:
			m.Text += strings.TrimSpace(l) + "\n"
		}
	}
	end()
	if n := len(out); n > 0 && foot < len(lines) {
		out[n-1].Buttons = chooses(screen)
		out[n-1].Links = append(out[n-1].Links, opened...)
	}
	return out
}

var (
	pillGap  = regexp.MustCompile(` {2,}`)
	onScreen = regexp.MustCompile(`reveal\.link:(\S+?)reveal\.picture:(\S+?\.png)`)
	pageLine = regexp.MustCompile(`([^\n]+)\. terminal\.page:\n(\S+)`)
)

// chooses reads the choices, below the conversation.
func chooses(screen string) (bs []adaptertest.Button) {
	lines := strings.Split(strings.TrimRight(screen, "\n"), "\n")
	from := 2
	for from < len(lines) && !strings.HasPrefix(lines[from], "─") {
		from++
	}
	for _, l := range lines[min(from+1, len(lines)):max(from+1, len(lines)-2)] {
		for _, pill := range pillGap.Split(strings.TrimSpace(l), -1) {
			pill = strings.TrimPrefix(pill, "▸")
			_, label, ok := strings.Cut(pill, " ")
			if !ok || strings.HasPrefix(pill, "[Enter] ") { // the form's button
				continue
			}
			label, primary := strings.CutSuffix(label, " (choice.recommended)")
			bs = append(bs, adaptertest.Button{Label: label, Primary: primary})
		}
	}
	return bs
}

// readPicture finds the QR and the links of a message.
func readPicture(text string) (ps []adaptertest.Picture, ls []adaptertest.Link) {
	if m := pageLine.FindStringSubmatch(text); m != nil {
		ls = append(ls, adaptertest.Link{Label: m[1], To: m[2]})
	}
	flat := strings.Join(strings.Fields(text), "")
	if m := onScreen.FindStringSubmatch(flat); m != nil {
		ls = append(ls, adaptertest.Link{To: m[1]})
		ps = append(ps, adaptertest.Picture{Name: filepath.Base(m[2]), Fetch: func() ([]byte, error) {
			raw, err := os.ReadFile(m[2])
			if errors.Is(err, fs.ErrNotExist) {
				return nil, nil
			}
			return raw, err
		}})
	}
	return ps, ls
}

// readBox reads the form that covers the screen.
func readBox(screen string) *adaptertest.Form {
	f := &adaptertest.Form{OneByOne: true}
	label := ""
	for l := range strings.SplitSeq(screen, "\n") {
		l = strings.TrimSpace(l)
		if !strings.HasPrefix(l, "│") {
			continue
		}
		l = strings.TrimSpace(strings.Trim(l, "│"))
		switch {
		case f.Title == "":
			f.Title = l
		case l == "":
			label = ""
		case strings.HasPrefix(l, ">"):
			f.Fields = []adaptertest.FormField{{Label: label, Masked: true}}
		default:
			label += " " + l
		}
	}
	return f
}

// A screen that cannot be used is an error that says what to do, and no silence.
func TestRichCannotBegin(t *testing.T) {
	t.Parallel()
	house := adaptertest.NewHouse()
	p := openPane(t, house).(*pane)
	a := p.Connect(t)
	p.ttys[0].Close()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	if err := a.Run(ctx, house); err == nil || !strings.Contains(err.Error(), "--plain") {
		t.Errorf("Run on a closed terminal: %v", err)
	}
}
