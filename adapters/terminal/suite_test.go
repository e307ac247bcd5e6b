package terminal_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/adapters/adaptertest"
	"latchkey/adapters/terminal"
	"latchkey/bot"
)

// TestPlainContract holds lines in and lines out to the contract.
func TestPlainContract(t *testing.T) {
	t.Parallel()
	adaptertest.Run(t, adaptertest.Harness{
		Name: "terminal, plain",
		Open: func(t testing.TB, house *adaptertest.House) adaptertest.Platform {
			return &pipes{house: house, dir: filepath.Join(t.TempDir(), "pictures")}
		},
		Lacks: map[adaptertest.Ability]string{
			adaptertest.Opening:  "whoever sits at a terminal has opened it; nobody is written to there",
			adaptertest.Rooms:    "one person sits at a terminal",
			adaptertest.Editing:  "what was read stands further up; a change is said as a new line",
			adaptertest.Presses:  "a choice is typed, as its number or its label",
			adaptertest.People:   "one person sits at a terminal",
			adaptertest.Repeats:  "a line is read once; who typed it is told when it got lost",
			adaptertest.Lookups:  "who sits at the terminal is known from the start",
			adaptertest.Bare:     "nothing lies between the adapter and the screen",
			adaptertest.Language: "text in a terminal has no language",
			adaptertest.Pictures: "drawings are only told in words; the QR is drawn, and kept as a file",
			adaptertest.Erasing:  "what was written stays; the picture's file goes",
			adaptertest.Once:     "what was written is written again",
			adaptertest.Finding:  "what stands on a screen cannot be read back",
			adaptertest.Throttle: "nothing lies between the adapter and the screen",
			adaptertest.Refuse:   "nothing lies between the adapter and the screen",
			adaptertest.Leave:    "who leaves a terminal comes back to it",
			adaptertest.Doubt:    "a write that failed was not shown",
		},
	})
}

// pipes are the two ends of a plain terminal, and the person there.
type pipes struct {
	house *adaptertest.House
	dir   string

	mu     sync.Mutex
	blocks []string // what was written, one Write each
	broken bool
	keys   *typed
}

// typed is what was typed and not yet read. It never holds up who types.
type typed struct {
	mu   sync.Mutex
	more sync.Cond
	buf  []byte
	end  bool
}

func newTyped() *typed {
	k := &typed{}
	k.more.L = &k.mu
	return k
}

func (k *typed) Read(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.buf) == 0 && !k.end {
		k.more.Wait()
	}
	if len(k.buf) == 0 {
		return 0, io.EOF
	}
	n := copy(p, k.buf)
	k.buf = k.buf[n:]
	return n, nil
}

func (k *typed) line(s string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.buf = append(append(k.buf, s...), '\n')
	k.more.Broadcast()
}

func (k *typed) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.end = true
	k.more.Broadcast()
}

// Write is the terminal's screen.
func (p *pipes) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken {
		return 0, errors.New("broken pipe")
	}
	p.blocks = append(p.blocks, string(b))
	return len(b), nil
}

// Connect implements adaptertest.Platform.
func (p *pipes) Connect(t testing.TB) bot.Adapter {
	k := newTyped()
	t.Cleanup(k.close)
	p.mu.Lock()
	p.keys = k
	p.mu.Unlock()
	a, err := terminal.New(terminal.Options{
		Channel: "terminal", User: "ada", Locale: p.Locale(), In: k, Out: p, Dir: p.dir, Phrases: keys{},
		Reveal: p.house.RevealForm, Patience: time.Nanosecond, Log: p.house.Log,
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Person implements adaptertest.Platform.
func (p *pipes) Person(int) adaptertest.Person { return p }

// Mangle types a line that nobody would. Any line is one, and what it holds is
// for others to judge; only commands stay here.
func (p *pipes) Mangle(rng *rand.Rand, word string) (int, error) {
	var line []byte
	switch n := 1 + rng.IntN(200); rng.IntN(6) {
	case 0:
		for range n {
			line = append(line, byte(rng.IntN(256)))
		}
	case 1:
		line = []byte(strings.Repeat("\x1b[2J\x07\u202e", n))
	case 2:
		line = []byte(strings.Repeat("e\u0301\u0302\u200d", n*20))
	case 3:
		line = []byte(word + "\x00\x08\x7f\u2028\ufeff")
	case 4:
		line = []byte(strings.Repeat("\xff\xc0\xaf\xed\xa0\x80", n))
	case 5:
		p.keyboard().line("/" + word[:rng.IntN(4)] + "\x1b[" + strconv.Itoa(n))
		return 0, nil
	}
	for i, c := range line {
		if c == '\n' || i == 0 && c == '/' {
			line[i] = '?'
		}
	}
	p.keyboard().line(string(line))
	return 1, nil
}

// Fault implements adaptertest.Faulty: the only one there is.
func (p *pipes) Fault(_ adaptertest.Person, what adaptertest.Ability) func() {
	set := func(on bool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.broken = on && what == adaptertest.Break
	}
	set(true)
	return func() { set(false) }
}

// ID implements adaptertest.Person, as all below.
func (p *pipes) ID() string     { return "ada" }
func (p *pipes) Locale() string { return "es-MX" }
func (p *pipes) Arrive() error  { return nil } // whoever starts the program has come

func (p *pipes) Say(text string) error {
	p.keyboard().line(text)
	return nil
}

func (p *pipes) keyboard() *typed {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys
}

func (p *pipes) Press(label string) error {
	ms, err := p.Sees()
	if err != nil {
		return err
	}
	if len(ms) > 0 {
		for i, b := range ms[len(ms)-1].Buttons {
			if b.Label == label {
				return p.Say(strconv.Itoa(i + 1))
			}
		}
	}
	return fmt.Errorf("no choice %q in the last message", label)
}

func (p *pipes) Open() error { return p.Say("si") }

func (p *pipes) Fill(values ...string) error {
	for _, v := range values {
		p.keyboard().line(v)
	}
	return nil
}

var (
	aChoice = regexp.MustCompile(`^\[\d+\] (.+?)( \(choice\.recommended\))?$`)
	aLink   = regexp.MustCompile(`^\[\d+\] (.+): (https?://\S+)$`)
	aPage   = regexp.MustCompile(`^(.+)\. terminal\.page: (\S+)$`)
	aField  = regexp.MustCompile(`^\[private\] (.+):$`)
	aTitle  = regexp.MustCompile(`^(.+) - form\.private$`)
)

func (p *pipes) Sees() ([]adaptertest.Shown, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []adaptertest.Shown
	for _, block := range p.blocks {
		if m := aField.FindStringSubmatch(strings.TrimSpace(block)); m != nil && len(out) > 0 && !strings.HasPrefix(block, "\n") {
			out[len(out)-1].Form = &adaptertest.Form{Title: "", Fields: []adaptertest.FormField{{Label: m[1], Masked: true}}, OneByOne: true}
			continue
		}
		if !strings.HasPrefix(block, "\n") {
			continue // a remark
		}
		if n := len(out); n > 0 {
			out[n-1].Buttons, out[n-1].Form = nil, nil // only the last message is asked
		}
		out = append(out, readBlock(block))
	}
	return out, nil
}

// readBlock reads one message as a person does.
func readBlock(block string) adaptertest.Shown {
	s := adaptertest.Shown{Text: block}
	alt, title := "", ""
	for line := range strings.SplitSeq(block, "\n") {
		if rest, ok := strings.CutPrefix(line, "terminal.picture "); ok {
			alt = rest
		}
		if path, ok := strings.CutPrefix(line, "reveal.picture: "); ok {
			s.Pictures = append(s.Pictures, adaptertest.Picture{Alt: alt, Name: filepath.Base(path), Fetch: func() ([]byte, error) {
				raw, err := os.ReadFile(path)
				if errors.Is(err, fs.ErrNotExist) {
					return nil, nil
				}
				return raw, err
			}})
		}
		if to, ok := strings.CutPrefix(line, "reveal.link: "); ok {
			s.Links = append(s.Links, adaptertest.Link{To: to})
		}
		if m := aPage.FindStringSubmatch(line); m != nil {
			s.Links = append(s.Links, adaptertest.Link{Label: m[1], To: m[2]})
		}
		if m := aTitle.FindStringSubmatch(line); m != nil {
			title = m[1]
		}
		if m := aField.FindStringSubmatch(line); m != nil {
			s.Form = &adaptertest.Form{Title: title, Fields: []adaptertest.FormField{{Label: m[1], Masked: true}}, OneByOne: true}
		}
		switch link, choice := aLink.FindStringSubmatch(line), aChoice.FindStringSubmatch(line); {
		case link != nil:
			s.Links = append(s.Links, adaptertest.Link{Label: link[1], To: link[2]})
		case choice != nil:
			s.Buttons = append(s.Buttons, adaptertest.Button{Label: choice[1], Primary: choice[2] != ""})
		}
	}
	return s
}

func (p *pipes) Screen() (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.blocks, ""), nil
}
