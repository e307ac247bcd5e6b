//go:build unix

package outbox_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"latchkey/bot"
	"latchkey/bot/outbox"
	"latchkey/store/storetest"
)

// childStore is the environment variable that makes this program the process
// that TestStoppedProcess stops.
const childStore = "LATCHKEY_TEST_CHILD_STORE"

// TestChild is that process. It says "CONVERSATION TEXT" for each line that it
// reads, tells what it sends, and holds its sends until it reads "go".
func TestChild(t *testing.T) {
	dsn := os.Getenv(childStore)
	if dsn == "" {
		t.Skip("only TestStoppedProcess runs it")
	}
	w := newWorld(t, dsn)
	w.tell = func(d bot.Delivery) { fmt.Println("sent", d.Conversation, d.Message.Text) }
	hold := make(chan struct{})
	p := w.start(outbox.Options{}, func(p *process) { p.holding.Store(&hold) })
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for n := 0; in.Scan(); n++ {
		conv, text, _ := strings.Cut(in.Text(), " ")
		if conv == "go" {
			p.holding.Store(nil)
			close(hold)
			continue
		}
		if err := p.say(bot.ConversationID(conv), fmt.Sprint("child-", n), text, false); err != nil {
			fmt.Println("failed", err)
			continue
		}
		fmt.Println("said", in.Text())
	}
}

// A process that the system stops in the middle of a send writes and sends
// nothing of what others have sent since when it goes on, and then works again.
func TestStoppedProcess(t *testing.T) {
	w := newWorld(t, storetest.Postgres(t))
	child := exec.Command(os.Args[0], "-test.run", "^TestChild$", "-test.timeout", "10m")
	child.Env = append(os.Environ(), childStore+"="+w.dsn)
	child.Stderr = os.Stderr
	to, err1 := child.StdinPipe()
	from, err2 := child.StdoutPipe()
	if err := errors.Join(err1, err2, child.Start()); err != nil {
		t.Fatal(err)
	}
	defer child.Process.Kill()
	lines := bufio.NewScanner(from)
	var sent []string // by the child
	hears := func(want string) {
		t.Helper()
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "sent ") {
				sent = append(sent, strings.TrimPrefix(lines.Text(), "sent "))
			}
			if strings.HasPrefix(lines.Text(), "failed") {
				t.Error(lines.Text())
			}
			if lines.Text() == want {
				return
			}
		}
		t.Fatalf("the child ended before %q: %v", want, lines.Err())
	}
	tells := func(line string) {
		t.Helper()
		if _, err := io.WriteString(to, line+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	hears("ready")
	other := w.start(outbox.Options{})
	for _, line := range []string{"c 1", "c 2", "c 3"} {
		tells(line)
	}
	hears("said c 3")
	if len(sent) == 0 {
		hears("sent c 1")
	}
	if err := child.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	w.until("the other process to send all", func() bool { return len(w.texts("c")) == 3 })
	w.ordered("c", 3)
	settled(t, other)
	tells("go")
	if err := child.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	tells("d 1")
	w.until("what the child says then, wherever it is sent", func() bool {
		return len(w.texts("d")) > 0 || errors.Is(other.View(t.Context(), func(tx bot.Tx) error {
			rows, err := tx.PendingOf("d")
			if c, cerr := tx.Conversation("d"); cerr == nil && c.OutSeq > 0 && len(rows) == 0 {
				return errSettled
			}
			return err
		}), errSettled)
	})
	to.Close()
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "sent ") {
			sent = append(sent, strings.TrimPrefix(lines.Text(), "sent "))
		}
	}
	if err := child.Wait(); err != nil {
		t.Errorf("the child: %v", err)
	}
	for _, s := range sent[1:] {
		if strings.HasPrefix(s, "c ") {
			t.Errorf("the process that was stopped sent %q after others had", s)
		}
	}
	if n := len(w.texts("c")); n != 3 {
		t.Errorf("%d messages from the other process, want the three", n)
	}
	settled(t, other)
}

var errSettled = errors.New("nothing waits")
