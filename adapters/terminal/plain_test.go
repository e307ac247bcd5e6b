package terminal_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	qrcode "github.com/skip2/go-qrcode"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/terminal"
	"latchkey/bot"
)

// keys is a bot.Phrases that answers with the key and its values, so that
// tests read the same in every language.
type keys struct{}

func (keys) Phrase(_, key string, kv ...string) string {
	if key == "form.show" {
		return "form.show " + kv[1] + " sí"
	}
	for i := 0; i+1 < len(kv); i += 2 {
		key += " " + kv[i+1]
	}
	return key
}
func (keys) Languages() []string { return []string{"en"} }

// screen collects output and lets a test wait for it.
type screen struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	read int // what until has consumed
	more chan struct{}
}

func newScreen() *screen { return &screen{more: make(chan struct{}, 1)} }

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf.Write(b)
	select {
	case s.more <- struct{}{}:
	default:
	}
	return len(b), nil
}

func (s *screen) all() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// until waits for text and returns everything since the last call up to its end.
func (s *screen) until(t *testing.T, text string) string {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		s.mu.Lock()
		rest := s.buf.String()[s.read:]
		if i := strings.Index(rest, text); i >= 0 {
			s.read += i + len(text)
			s.mu.Unlock()
			return rest[:i+len(text)]
		}
		s.mu.Unlock()
		select {
		case <-s.more:
		case <-limit:
			t.Fatalf("never printed %q; since the last match:\n%s", text, rest)
		}
	}
}

// inbox is a scripted bot.
type inbox struct {
	mu     sync.Mutex
	events []bot.Event
	answer func(bot.Event) *bot.Delivery
	send   func(bot.Delivery)
	fail   error
}

func (in *inbox) Accept(_ context.Context, ev bot.Event) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.fail != nil {
		err := in.fail
		in.fail = nil
		return err
	}
	in.events = append(in.events, ev)
	if d := in.answer(ev); d != nil {
		go in.send(*d)
	}
	return nil
}

func (in *inbox) got() []bot.Event {
	in.mu.Lock()
	defer in.mu.Unlock()
	return append([]bot.Event(nil), in.events...)
}

// device is a pretend phone with a fixed state.
type device struct {
	mu      sync.Mutex
	watch   func(bot.PhoneItem)
	items   []bot.PhoneItem
	scanned []bot.Secret
}

func (d *device) Items() []bot.PhoneItem {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]bot.PhoneItem(nil), d.items...)
}
func (d *device) Watch(fn func(bot.PhoneItem)) func() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.watch = fn
	return func() {}
}
func (d *device) Codes(time.Time) []bot.PhoneCode {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.scanned) == 0 {
		return nil
	}
	return []bot.PhoneCode{{Name: "Example: ada", Code: "123456", Left: 17 * time.Second}}
}
func (d *device) Scan(uri bot.Secret) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !strings.HasPrefix(string(uri), "otpauth://") {
		return "", errors.New("not an otpauth address")
	}
	d.scanned = append(d.scanned, uri)
	return "Example: ada", nil
}
func (d *device) arrive(it bot.PhoneItem) {
	d.mu.Lock()
	d.items = append(d.items, it)
	fn := d.watch
	d.mu.Unlock()
	fn(it)
}

// table is a person at a plain terminal with a scripted bot on the other side.
type table struct {
	*screen
	a    *terminal.Adapter
	in   *inbox
	dev  *device
	keys *io.PipeWriter
	done chan error
	dir  string
}

func sit(t *testing.T, answer func(bot.Event) *bot.Delivery) *table {
	t.Helper()
	r, w := io.Pipe()
	tb := &table{screen: newScreen(), dev: &device{}, keys: w, done: make(chan error, 1), dir: filepath.Join(t.TempDir(), "pictures")}
	a, err := terminal.New(terminal.Options{
		Channel: "terminal", User: "ada", In: r, Out: tb.screen, Dir: tb.dir, Phrases: keys{}, Device: tb.dev,
		Patience: time.Second,
		Reveal: func(_ context.Context, conv bot.ConversationID, form string) ([]bot.Secret, error) {
			if conv != "terminal:ada" || form != "recovery" {
				return nil, errors.New("no such form")
			}
			return []bot.Secret{"AAAA-BBBB", "CCCC-DDDD"}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	tb.a = a
	tb.in = &inbox{answer: answer, send: func(d bot.Delivery) {
		if _, err := a.Send(context.Background(), d); err != nil {
			t.Errorf("send: %v", err)
		}
	}}
	go func() { tb.done <- a.Run(context.Background(), tb.in) }()
	return tb
}

func (tb *table) typed(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(tb.keys, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

func (tb *table) leave(t *testing.T) {
	t.Helper()
	tb.keys.Close()
	select {
	case err := <-tb.done:
		if err != nil {
			t.Errorf("leaving is an error: %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("end of input does not leave")
	}
}

func say(m bot.Message) *bot.Delivery {
	return &bot.Delivery{Key: "k" + m.Text, Conversation: "terminal:ada", Message: m}
}

func TestPlainConversation(t *testing.T) {
	t.Parallel()
	tb := sit(t, func(ev bot.Event) *bot.Delivery {
		switch {
		case ev.Kind == bot.Open:
			return say(bot.Message{Text: "Hello.\n\nI help you.", Progress: "Step 1 of 4", Ref: "W1", Choices: []bot.Choice{
				{ID: "start", Label: "Start", Primary: true}, {ID: "later", Label: "Not now"}, {ID: "store", Label: "App store", Link: "https://example.org/app"}}})
		case ev.Text == "1":
			return say(bot.Message{Text: "Please sign in.", Prompt: 7, Form: &bot.Form{Name: "sign_in", Title: "Sign in", Button: "Sign in",
				Fields: []bot.Field{{Name: "user", Label: "User name"}, {Name: "password", Label: "Password:", Mask: true}}}})
		case ev.Kind == bot.Submit:
			return say(bot.Message{Text: "Welcome \x1b[31mAda\u202e\x07."})
		}
		return say(bot.Message{Text: "You said " + ev.Text})
	})
	got := tb.until(t, "App store: https://example.org/app\n")
	if want := "\nStep 1 of 4 (W1)\nHello.\n\nI help you.\n\n[1] Start (choice.recommended)\n[2] Not now\n[3] App store: https://example.org/app\n"; got != want {
		t.Errorf("message as lines:\n%q\nwant\n%q", got, want)
	}
	tb.typed(t, "1")
	tb.until(t, "Sign in - form.private\n[private] User name:\n")
	tb.typed(t, "ada")
	tb.until(t, "[private] Password:\n")
	tb.typed(t, "/quit is my password")
	if got := tb.until(t, "Welcome"); strings.Contains(got, "quit") {
		t.Errorf("the private value is on the screen: %q", got)
	}
	tb.until(t, " [31mAda.\n") // no escape, no bell, no override
	tb.typed(t, "Not now")
	tb.until(t, "You said Not now\n")
	tb.leave(t)
	tb.until(t, "(terminal.bye)")

	evs := tb.in.got()
	if len(evs) != 4 || evs[0].Kind != bot.Open || evs[1].Text != "1" || evs[3].Text != "Not now" {
		t.Fatalf("events: %+v", evs)
	}
	f := evs[2]
	if f.Kind != bot.Submit || f.Text != "" || f.Prompt != 7 || f.Form.Name != "sign_in" ||
		string(f.Form.Value("user")) != "ada" || string(f.Form.Value("password")) != "/quit is my password" {
		t.Errorf("submit: %+v", f)
	}
	seen := map[string]bool{}
	for _, ev := range evs {
		if seen[ev.ID] || ev.Conversation != "terminal:ada" || ev.Channel != "terminal" || ev.From != "ada" || ev.At.IsZero() {
			t.Errorf("event: %+v", ev)
		}
		seen[ev.ID] = true
	}
	if strings.ContainsAny(tb.all(), "\x1b\r\x07") {
		t.Error("control characters in plain output")
	}
}

// Lines that come all at once are answered one by one, and private values find
// their form.
func TestPlainAllAtOnce(t *testing.T) {
	t.Parallel()
	tb := sit(t, func(ev bot.Event) *bot.Delivery {
		if ev.Text == "form" {
			return say(bot.Message{Text: "Form.", Form: &bot.Form{Name: "answers", Title: "Answers", Fields: []bot.Field{{Name: "a1", Label: "One"}, {Name: "a2", Label: "Two"}}}})
		}
		return say(bot.Message{Text: "ok"})
	})
	go func() {
		io.WriteString(tb.keys, "one\nform\nfirst\nsecond\nform\n\nlast, without an end")
		tb.keys.Close()
	}()
	if err := <-tb.done; err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, ev := range tb.in.got() {
		switch ev.Kind {
		case bot.Text:
			got = append(got, ev.Text)
		case bot.Submit:
			got = append(got, "form:"+string(ev.Form.Value("a1"))+","+string(ev.Form.Value("a2")))
		}
	}
	if s := strings.Join(got, "|"); s != "one|form|form:first,second|form|last, without an end" {
		t.Errorf("events: %s", s)
	}
	if !strings.Contains(tb.all(), "(form.left)") {
		t.Error("an empty line did not leave the form")
	}
}

// Help is there at a private form, too: a number picks a choice and burns no
// attempt. In a later field it is a value.
func TestPlainChoiceAtForm(t *testing.T) {
	t.Parallel()
	tb := sit(t, func(ev bot.Event) *bot.Delivery {
		return say(bot.Message{Text: "Answer.", Choices: []bot.Choice{{ID: "a", Label: "Another"}, {ID: "h", Label: "Help"}},
			Form: &bot.Form{Name: "answers", Title: "Answers", Fields: []bot.Field{{Name: "a1", Label: "One", Mask: true}, {Name: "a2", Label: "Two", Mask: true}}}})
	})
	tb.until(t, "[private] One:\n")
	tb.typed(t, "2")
	tb.until(t, "[private] One:\n")
	tb.typed(t, "3")
	tb.until(t, "[private] Two:\n")
	tb.typed(t, "2")
	tb.until(t, "[private] One:\n")
	tb.leave(t)
	evs := tb.in.got()
	if len(evs) != 3 || evs[1].Kind != bot.Text || evs[1].Text != "2" {
		t.Fatalf("events: %+v", evs)
	}
	if f := evs[2]; f.Kind != bot.Submit || string(f.Form.Value("a1")) != "3" || string(f.Form.Value("a2")) != "2" {
		t.Errorf("submit: %+v", f)
	}
}

func TestPlainReveals(t *testing.T) {
	t.Parallel()
	tb := sit(t, func(ev bot.Event) *bot.Delivery {
		if ev.Kind == bot.Submit {
			return say(bot.Message{Text: "Saved."})
		}
		if ev.Text == "help" {
			return say(bot.Message{Text: "Help is here."})
		}
		return say(bot.Message{Text: "Codes.", Form: &bot.Form{Name: "recovery", Title: "Recovery codes", Button: "Show", Reveals: true, Fields: []bot.Field{{Name: "saved", Label: "Type saved"}}}})
	})
	tb.until(t, "[private] form.show Show sí:\n")
	tb.typed(t, "help") // no value is asked for yet: what is typed is chat
	tb.until(t, "Help is here.")
	tb.typed(t, "repeat")
	tb.until(t, "[private] form.show Show sí:\n")
	tb.typed(t, "SI")
	tb.until(t, "1. AAAA-BBBB\n2. CCCC-DDDD\n")
	tb.until(t, "[private] Type saved:\n")
	tb.typed(t, "saved")
	tb.until(t, "Saved.")
	tb.leave(t)
}

func TestPlainAcceptFails(t *testing.T) {
	t.Parallel()
	tb := sit(t, func(ev bot.Event) *bot.Delivery { return say(bot.Message{Text: "answer to " + ev.Text}) })
	tb.until(t, "answer to ")
	tb.in.mu.Lock()
	tb.in.fail = errors.New("disk full")
	tb.in.mu.Unlock()
	tb.typed(t, "hello")
	tb.until(t, "(terminal.failed)")
	tb.typed(t, "hello")
	tb.until(t, "answer to hello")
	tb.leave(t)
	ids := map[string]bool{}
	for _, ev := range tb.in.got() {
		if ids[ev.ID] {
			t.Errorf("event id %s is used twice", ev.ID)
		}
		ids[ev.ID] = true
	}
}

func TestPlainLongAndOddLines(t *testing.T) {
	t.Parallel()
	tb := sit(t, func(ev bot.Event) *bot.Delivery { return say(bot.Message{Text: "ok"}) })
	tb.until(t, "ok")
	for _, line := range []string{strings.Repeat("x", 300_000), "\xff\xfe", "", "😀"} {
		tb.typed(t, line)
		tb.until(t, "ok")
	}
	tb.leave(t)
	evs := tb.in.got()
	if n := len([]rune(evs[1].Text)); n != bot.MaxText+1 {
		t.Errorf("a huge line has %d runes, want %d: longer than anybody looks at, and no more", n, bot.MaxText+1)
	}
	if !utf8.ValidString(evs[2].Text) {
		t.Errorf("invalid UTF-8 passed on: %q", evs[2].Text)
	}
}

func TestPlainCommands(t *testing.T) {
	t.Parallel()
	tb := sit(t, func(ev bot.Event) *bot.Delivery { return say(bot.Message{Text: "ok " + ev.Text}) })
	tb.until(t, "ok ")
	for _, c := range []struct{ line, want string }{
		{"/help", "terminal.help\n"},
		{"/phone", "(phone) terminal.empty\n"},
		{"/scan", "(terminal.no_qr)\n"},
		{"/invert", "(terminal.no_qr)\n"},
		{"/nonsense x", "(terminal.unknown /nonsense)\n"},
	} {
		tb.typed(t, c.line)
		tb.until(t, c.want)
	}
	tb.dev.arrive(bot.PhoneItem{Kind: bot.PhoneText, From: "Latchkey", Text: "Your code is\n111222"})
	tb.until(t, "(phone) phone.text Latchkey: Your code is 111222\n")
	tb.dev.arrive(bot.PhoneItem{Kind: bot.PhoneCall, From: "Latchkey", Text: "one, one"})
	tb.until(t, "(phone) phone.call Latchkey: one, one\n")
	tb.dev.arrive(bot.PhoneItem{Kind: bot.PhoneMail, From: "desk@example.org", Subject: "Code", Text: "333"})
	tb.until(t, "(mail) phone.mail desk@example.org Code: 333\n")
	tb.typed(t, "/phone")
	tb.until(t, "(mail) phone.mail desk@example.org Code: 333\n")
	tb.typed(t, "/quit")
	if err := <-tb.done; err != nil {
		t.Error(err)
	}
	if n := len(tb.in.got()); n != 1 {
		t.Errorf("%d events, want the opening only: commands stay here", n)
	}
}

const uri = "otpauth://totp/Example:ada?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Example"

// revealed makes what the outbox hands over: half blocks, dark is filled.
func revealed(t *testing.T) *bot.Revealed {
	t.Helper()
	q, err := qrcode.New(uri, qrcode.Medium)
	if err != nil {
		t.Fatal(err)
	}
	pic, err := q.PNG(256)
	if err != nil {
		t.Fatal(err)
	}
	bits := q.Bitmap()
	var rows []string
	for y := 0; y < len(bits); y += 2 {
		var b strings.Builder
		for x := range bits[y] {
			low := y+1 < len(bits) && bits[y+1][x]
			b.WriteString(map[[2]bool]string{{true, true}: "█", {true, false}: "▀", {false, true}: "▄", {false, false}: " "}[[2]bool{bits[y][x], low}])
		}
		rows = append(rows, b.String())
	}
	return &bot.Revealed{URI: uri, Key: "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP", PNG: pic, Rows: rows}
}

// blocks finds the printed picture in plain output.
func blocks(out string) []string {
	var rows []string
	for l := range strings.SplitSeq(out, "\n") {
		if l != "" && strings.Trim(l, " ▀▄█") == "" {
			rows = append(rows, l)
		}
	}
	return rows
}

func TestPlainQR(t *testing.T) {
	t.Parallel()
	r := revealed(t)
	tb := sit(t, func(ev bot.Event) *bot.Delivery {
		d := say(bot.Message{Text: "Scan this.", Fleeting: true, Picture: &bot.Picture{Alt: "A QR picture."}, Reveal: &bot.Reveal{Kind: bot.RevealTOTP}})
		d.Revealed = r
		return d
	})
	out := tb.until(t, "reveal.key: JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP\n")
	if !strings.Contains(out, "terminal.picture A QR picture.\n") || !strings.Contains(out, "reveal.link: "+uri+"\n") {
		t.Errorf("alt text or link is missing:\n%s", out)
	}
	m := regexp.MustCompile(`reveal\.picture: (.*)\n`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no path of the picture:\n%s", out)
	}
	if st, err := os.Stat(m[1]); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("picture file: %v %v, want mode 0600", st, err)
	}
	if !regexp.MustCompile(`^qr-[0-9a-f]{24}\.png$`).MatchString(filepath.Base(m[1])) {
		t.Errorf("the name of the file is not random: %s", m[1])
	}
	if got := rigs.ReadQR(t, rigs.DrawHalfBlocks(t, blocks(out))); got != "QR-Code:"+uri && got != uri {
		t.Errorf("the printed blocks read as %q", got)
	}
	if got := rigs.ReadQR(t, m[1]); got != uri {
		t.Errorf("the file reads as %q", got)
	}

	// Inverted on request: filled where it was light.
	tb.typed(t, "/invert")
	tb.until(t, "\n\n")
	inv := blocks(tb.all()[len(out):])
	if len(inv) != len(blocks(out)) || inv[0] != strings.Repeat("█", len([]rune(inv[0]))) {
		t.Errorf("not inverted:\n%s", strings.Join(inv, "\n"))
	}

	tb.typed(t, "/scan")
	tb.until(t, "(terminal.scanned Example: ada)\n")
	tb.until(t, "(phone) phone.code Example: ada 123456 17\n")

	// Taken back: the file goes, and there is nothing left to scan.
	if err := tb.a.Delete(context.Background(), bot.Delivery{}, filepath.Base(m[1])); err != nil {
		t.Fatal(err)
	}
	tb.until(t, "(reveal.deleted)\n")
	if _, err := os.Stat(m[1]); !os.IsNotExist(err) {
		t.Errorf("the picture is still there: %v", err)
	}
	tb.typed(t, "/scan")
	tb.until(t, "(terminal.no_qr)")
	if err := tb.a.Delete(context.Background(), bot.Delivery{}, filepath.Base(m[1])); err != nil {
		t.Errorf("a second Delete is an error: %v", err)
	}
	tb.leave(t)
}

// A receipt comes out of the database; it must not lead to another file.
func TestDeleteStaysInItsFolder(t *testing.T) {
	t.Parallel()
	tb := sit(t, func(bot.Event) *bot.Delivery { return nil })
	victim := filepath.Join(filepath.Dir(tb.dir), "victim.png")
	if err := os.WriteFile(victim, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, r := range []string{"../victim.png", "qr-../../victim.png", "victim.png", "", ".", "qr-.png"} {
		if err := tb.a.Delete(context.Background(), bot.Delivery{}, r); err != nil {
			t.Errorf("%q: %v", r, err)
		}
	}
	if _, err := os.Stat(victim); err != nil {
		t.Error(err)
	}
	tb.leave(t)
}

// Pictures of a run that was killed are gone after the next start; those of
// this run when it ends.
func TestPicturesDoNotStay(t *testing.T) {
	t.Parallel()
	r := revealed(t)
	tb := sit(t, func(bot.Event) *bot.Delivery {
		d := say(bot.Message{Text: "Scan."})
		d.Revealed = r
		return d
	})
	tb.until(t, "reveal.key")
	old, _ := filepath.Glob(filepath.Join(tb.dir, "*.png"))
	if len(old) != 1 {
		t.Fatalf("pictures: %v", old)
	}
	tb.leave(t)
	d := bot.Delivery{Key: "late", Revealed: r}
	var se *bot.SendError
	if _, err := tb.a.Send(context.Background(), d); !errors.As(err, &se) || se.Kind != bot.SendRetry {
		t.Errorf("a message after the end: %v, want one that is tried again", err)
	}
	if left, _ := filepath.Glob(filepath.Join(tb.dir, "*")); len(left) != 0 {
		t.Errorf("left after the end: %v", left)
	}
	if err := os.WriteFile(old[0], nil, 0o600); err != nil {
		t.Fatal(err)
	}
	sitAgain, err := terminal.New(terminal.Options{Channel: "t", User: "u", In: strings.NewReader(""), Out: io.Discard, Dir: tb.dir, Phrases: keys{}})
	if err != nil || sitAgain == nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(tb.dir, "*")); len(left) != 0 {
		t.Errorf("left of a killed run: %v", left)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := terminal.Options{Channel: "t", User: "u", In: strings.NewReader(""), Out: io.Discard, Dir: t.TempDir(), Phrases: keys{}}
	for name, change := range map[string]func(*terminal.Options){
		"channel": func(o *terminal.Options) { o.Channel = "" },
		"user":    func(o *terminal.Options) { o.User = "" },
		"input":   func(o *terminal.Options) { o.In = nil },
		"phrases": func(o *terminal.Options) { o.Phrases = nil },
		"folder":  func(o *terminal.Options) { o.Dir = "" },
		"file for a folder": func(o *terminal.Options) {
			o.Dir = filepath.Join(good.Dir, "file")
			os.WriteFile(o.Dir, nil, 0o600)
		},
	} {
		o := good
		change(&o)
		if _, err := terminal.New(o); err == nil || !strings.HasPrefix(err.Error(), "terminal: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
