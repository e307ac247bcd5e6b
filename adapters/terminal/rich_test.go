package terminal_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/terminal"
	"latchkey/bot"
)

// english is a bot.Phrases with the words that the full screen needs.
type english map[string]string

func (e english) Phrase(_, key string, kv ...string) string {
	s, ok := e[key]
	if !ok {
		return "<" + key + ">"
	}
	for i := 0; i+1 < len(kv); i += 2 {
		s = strings.ReplaceAll(s, "{"+kv[i]+"}", kv[i+1])
	}
	return s
}
func (english) Languages() []string { return []string{"en"} }

var words = english{
	"reveal.link": "Link for an app on this phone", "reveal.key": "Key to type", "reveal.picture": "Picture file",
	"reveal.open": "Ctrl+Q shows the picture.", "reveal.close": "Any key: back", "reveal.gone": "(The picture was taken away.)",
	"reveal.too_small":   "The window is too small for the picture. Make it larger, or open the picture file.",
	"choice.recommended": "recommended", "terminal.picture": "Picture: {alt}", "terminal.you": "You",
	"terminal.phone": "Pretend phone and mailbox", "terminal.chat": "Conversation", "terminal.codes": "Authenticator",
	"terminal.hint": "Type here, or a number and Enter", "terminal.hint_text": "Type here",
	"terminal.keys": "F1 keys · Tab other side · Ctrl+C leave", "terminal.keys_more": "Enter   send\nTab     the other side",
	"terminal.empty": "Nothing here yet.", "terminal.scanned": "The pretend phone scanned the picture: {name}",
	"form.private_box": "What you type here does not enter the chat.", "form.keys": "Enter: next · Esc: leave, nothing is sent",
	"terminal.page": "Open this page", "terminal.no_page": "There is no page for this right now.",
	"form.left": "Nothing was sent.", "form.show_key": "Enter shows them",
	"phone.text": "Text from {from}", "phone.call": "Call from {from}", "phone.mail": "Mail from {from}, {subject}",
}

// stage is the program that tmux runs: this test binary once more, with a
// scripted bot behind a real full screen.
const stage = "LATCHKEY_TEST_STAGE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(stage); dir != "" {
		if err := perform(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println("left cleanly")
		return
	}
	os.Exit(m.Run())
}

func perform(dir string) error {
	dev := &device{}
	a, err := terminal.New(terminal.Options{
		Channel: "terminal", User: "ada", In: os.Stdin, Out: os.Stdout, Dir: dir, Phrases: words, Device: dev,
		Reveal: func(context.Context, bot.ConversationID, string) ([]bot.Secret, error) {
			return []bot.Secret{"AAAA-BBBB-CCCC-DDDD", "EEEE-FFFF-GGGG-HHHH"}, nil
		},
	})
	if err != nil {
		return err
	}
	var receipt bot.Receipt
	in := &inbox{}
	in.send = func(d bot.Delivery) {
		r, err := a.Send(context.Background(), d)
		if err == nil && d.Revealed != nil {
			receipt = r
		}
	}
	in.answer = func(ev bot.Event) *bot.Delivery {
		if ev.Text == "2" {
			ev.Choice = "codes"
		}
		switch {
		case ev.Text == "page":
			return signIn(pageAddress)
		case ev.Text == "no page":
			return signIn("")
		case ev.Text == "secret page":
			d := say(bot.Message{Text: "Scan the picture."})
			d.Page = pageAddress + "2"
			return d
		case ev.Kind == bot.Open:
			return say(bot.Message{Text: "Hello, I am the help desk's assistant.\n\nI help you to set up your own password reset, so that you can get back in by yourself. It takes about five minutes.\n\nNobody will ever ask you for a password in this chat.",
				Progress: "Step 1 of 4", Ref: "W1", Prompt: 1, Choices: []bot.Choice{{ID: "start", Label: "Start", Primary: true}, {ID: "later", Label: "Not now"}, {ID: "why", Label: "Why me?"}, {ID: "real", Label: "Is this real?"}}})
		case ev.Kind == bot.Press && ev.Choice == "start" && ev.Prompt == 1, ev.Text == "start":
			return say(bot.Message{Text: "Please sign in once, so that I know it is you.", Prompt: 2, Form: &bot.Form{Name: "sign_in", Title: "Sign in", Button: "Sign in",
				Fields: []bot.Field{{Name: "password", Label: "Password", Mask: true}}}})
		case ev.Kind == bot.Submit && ev.Form.Name == "sign_in":
			dev.arrive(bot.PhoneItem{Kind: bot.PhoneText, From: "Example", To: "+1 555 555 0148", Text: "Your code is 111222. Nobody from the help desk will ask you for it.", At: time.Unix(0, 0)})
			dev.arrive(bot.PhoneItem{Kind: bot.PhoneMail, From: "desk@example.org", Subject: "A method was added", Text: "Hello Ada,\n\nan authenticator app was added.", At: time.Unix(60, 0)})
			got := "wrong"
			if string(ev.Form.Value("password")) == "s3cret word" {
				got = "right"
			}
			return say(bot.Message{Text: "The password is " + got + ". What next?", Prompt: 3, Choices: []bot.Choice{{ID: "qr", Label: "Show the picture"}, {ID: "codes", Label: "Recovery codes"}}})
		case ev.Choice == "qr" || ev.Text == "qr" || ev.Text == "1":
			d := say(bot.Message{Text: "Scan this with your authenticator app.", Progress: "Step 2 of 4", Ref: "A5", Fleeting: true, Prompt: 4, Reveal: &bot.Reveal{Kind: bot.RevealTOTP}, Choices: []bot.Choice{{ID: "done", Label: "Done", Primary: true}, {ID: "cannot", Label: "I cannot scan"}}})
			d.Revealed = rows()
			return d
		case ev.Choice == "codes":
			return say(bot.Message{Text: "Here are your codes.", Prompt: 5, Form: &bot.Form{Name: "recovery", Title: "Recovery codes", Button: "Show the codes", Reveals: true,
				Fields: []bot.Field{{Name: "saved", Label: "Type saved when you have written them down"}}}})
		case ev.Choice == "done":
			a.Delete(context.Background(), bot.Delivery{}, receipt.ID)
			return say(bot.Message{Text: "Very good."})
		}
		return say(bot.Message{Text: "You said: " + ev.Text, Choices: []bot.Choice{{ID: "qr", Label: "Show the picture"}}})
	}
	return a.Run(context.Background(), in)
}

func rows() *bot.Revealed {
	var t testing.T
	return revealed(&t)
}

// window is a tmux window with the stage in it.
type window struct {
	t    *testing.T
	sock string
}

func openWindow(t *testing.T, w, h int, env ...string) *window {
	t.Helper()
	tmux := rigs.Tool(t, "", "tmux")
	// A socket's path is short; a test's folder may not be.
	dir, err := os.MkdirTemp("", "lk")
	if err != nil {
		t.Fatal(err)
	}
	win := &window{t: t, sock: filepath.Join(dir, "s")}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// A program that builds has no colours (termenv looks at CI); a person does.
	cmd := "env -u CI " + strings.Join(env, " ") + " " + stage + "=" + filepath.Join(dir, "pictures") + " " + self + "; sleep 60"
	args := []string{"-S", win.sock, "-f", "/dev/null", "new-session", "-d", "-x", fmt.Sprint(w), "-y", fmt.Sprint(h), cmd}
	if out, err := exec.Command(tmux, args...).CombinedOutput(); err != nil {
		t.Fatalf("tmux: %v %s", err, out)
	}
	t.Cleanup(func() {
		exec.Command("tmux", "-S", win.sock, "kill-server").Run()
		os.RemoveAll(dir)
	})
	return win
}

func (w *window) keys(keys ...string) {
	w.t.Helper()
	if out, err := exec.Command("tmux", append([]string{"-S", w.sock, "send-keys"}, keys...)...).CombinedOutput(); err != nil {
		w.t.Fatalf("send-keys: %v %s", err, out)
	}
}

func (w *window) capture(args ...string) string {
	out, _ := exec.Command("tmux", append([]string{"-S", w.sock, "capture-pane", "-p"}, args...)...).Output()
	return string(out)
}

// gone waits for a text to leave the screen.
func (w *window) gone(text string) {
	w.t.Helper()
	for limit := time.Now().Add(time.Minute); strings.Contains(w.capture(), text); time.Sleep(30 * time.Millisecond) {
		if time.Now().After(limit) {
			w.t.Fatalf("still shown: %q", text)
		}
	}
}

// until waits for a text on the screen.
func (w *window) until(texts ...string) string {
	w.t.Helper()
	limit := time.Now().Add(time.Minute)
	for {
		s := w.capture()
		all := true
		for _, text := range texts {
			all = all && strings.Contains(s, text)
		}
		if all {
			return s
		}
		if time.Now().After(limit) {
			w.t.Fatalf("never shown: %q; the screen:\n%s", texts, s)
		}
		time.Sleep(30 * time.Millisecond)
	}
}

// still is until, of a screen on which nothing is drawn any more.
func (w *window) still(texts ...string) string {
	w.t.Helper()
	for s := w.until(texts...); ; {
		time.Sleep(30 * time.Millisecond)
		now := w.until(texts...)
		if now == s {
			return s
		}
		s = now
	}
}

func TestRichConversation(t *testing.T) {
	t.Parallel()
	w := openWindow(t, 120, 45)
	w.until("■ Latchkey  Step 1 of 4 · W1", "1 Start (recommended)", "Pretend phone and mailbox", "Nothing here yet.", "F1 keys")
	w.keys("Down", "Enter") // arrows mark the recommended one first
	w.until("Sign in", "Password", "does not enter the chat")
	w.keys("-l", "s3cret word")
	if s := w.until("•••••••••••"); strings.Contains(s, "s3cret") {
		t.Errorf("the password is on the screen:\n%s", s)
	}
	w.keys("Enter")
	w.until("The password is right.", "Text from Example", "Your code is 111222.", "Mail from desk@example.org")
	w.keys("1") // a number marks, Enter presses
	w.until("▸1 Show the picture")
	w.keys("Enter")
	s := w.until("Key to type: JBSW Y3DP", "Done (recommended)")
	if got := rigs.ReadQR(t, rigs.DrawHalfBlocks(t, qrOnScreen(s))); !strings.HasSuffix(got, uri) {
		t.Errorf("the picture reads as %q", got)
	}
	w.keys("C-s") // the pretend phone scans it
	w.until("Authenticator", "123 456", "17 s")
	w.keys("M-1")
	s = w.until("Very good.", "(The picture was taken away.)")
	if strings.Contains(s, "JBSW") {
		t.Error("the key is still on the screen")
	}
	w.keys("-l", "hello there")
	w.keys("Enter")
	w.until("› You", "You said: hello there")
	w.keys("C-c")
	w.until("left cleanly")
}

func TestRichForms(t *testing.T) {
	t.Parallel()
	w := openWindow(t, 100, 30)
	w.until("1 Start")
	w.keys("-l", "start")
	w.keys("Enter")
	w.until("Password")
	w.keys("Escape")
	w.until("Nothing was sent.", "[Enter] Sign in")
	w.keys("Enter") // the form can be opened again
	w.until("does not enter the chat")
	w.keys("-l", "s3cret word")
	w.keys("Enter")
	w.until("The password is right.")
	w.keys("2", "Enter")
	w.until("Enter shows them")
	w.keys("Enter")
	w.until("AAAA-BBBB-CCCC-DDDD", "Type saved")
	w.keys("-l", "saved")
	w.keys("Enter")
	if s := w.until("You said:"); strings.Contains(s, "AAAA-BBBB") {
		t.Error("the recovery codes are still on the screen")
	}
	w.keys("C-c")
	w.until("left cleanly")
}

// A small window has one column, says where the picture is, and grows.
func TestRichSmallWindow(t *testing.T) {
	t.Parallel()
	w := openWindow(t, 60, 20)
	if s := w.until("Conversation", "1 Start"); strings.Contains(s, "│") {
		t.Errorf("two columns in a narrow window:\n%s", s)
	}
	w.keys("Tab")
	w.until("Pretend phone and mailbox")
	w.keys("Tab")
	w.until("1 Start")
	w.keys("-l", "qr")
	w.keys("Enter")
	w.until("too small for the picture")
	w.keys("C-q")
	w.until("too small for the picture", "Picture file")
	w.keys("Escape")
	if out, err := exec.Command("tmux", "-S", w.sock, "resize-window", "-x", "120", "-y", "50").CombinedOutput(); err != nil {
		t.Fatalf("resize: %v %s", err, out)
	}
	s := w.still("│", "Key to type", "█")
	if got := rigs.ReadQR(t, rigs.DrawHalfBlocks(t, qrOnScreen(s))); !strings.HasSuffix(got, uri) {
		t.Errorf("the picture reads as %q", got)
	}
	w.keys("C-c")
	w.until("left cleanly")
}

func TestRichWithoutColour(t *testing.T) {
	t.Parallel()
	w := openWindow(t, 80, 24, "NO_COLOR=1")
	w.until("■ Latchkey", "1 Start")
	if s := w.capture("-e"); strings.Contains(s, "\x1b[3") || strings.Contains(s, "\x1b[4") {
		t.Errorf("colours in spite of NO_COLOR:\n%q", s)
	}
	w.keys("F1")
	w.until("the other side")
	w.keys("Escape")
	w.gone("the other side") // or Escape and the next key are one: Alt
	w.keys("C-c")
	w.until("left cleanly")
}

// qrOnScreen cuts the picture out of a screen, by its widest run of blocks.
func qrOnScreen(s string) []string {
	lines := strings.Split(s, "\n")
	from, to := 1<<20, 0
	var hit []int
	for i, l := range lines {
		first, last := -1, -1
		for x, r := range []rune(l) {
			if strings.ContainsRune("█▀▄", r) {
				if first < 0 {
					first = x
				}
				last = x
			}
		}
		if first >= 0 && last-first > 10 {
			from, to, hit = min(from, first), max(to, last+1), append(hit, i)
		}
	}
	if len(hit) == 0 {
		return []string{" "}
	}
	quiet := strings.Repeat(" ", to-from+8)
	rows := []string{quiet, quiet}
	for _, i := range hit {
		r := []rune(lines[i] + strings.Repeat(" ", to))
		rows = append(rows, "    "+string(r[from:to])+"    ")
	}
	return append(rows, quiet, quiet)
}
