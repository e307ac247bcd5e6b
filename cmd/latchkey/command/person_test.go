package command

import (
	"bytes"
	"context"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// person holds a conversation with a command through pipes.
type person struct {
	t    *testing.T
	keys io.WriteCloser
	done chan int

	mu   sync.Mutex
	buf  bytes.Buffer
	errs bytes.Buffer
	more chan struct{}
	at   int // what was consumed
}

// sit starts a command line and sits down before it.
func sit(t *testing.T, ctx context.Context, env []string, args ...string) *person {
	t.Helper()
	r, w := io.Pipe()
	p := &person{t: t, keys: w, done: make(chan int, 1), more: make(chan struct{}, 1)}
	out := writerFunc(func(b []byte) (int, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		select {
		case p.more <- struct{}{}:
		default:
		}
		return p.buf.Write(b)
	})
	errs := writerFunc(func(b []byte) (int, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.errs.Write(b)
	})
	go func() {
		p.done <- run(ctx, std{in: r, out: out, err: errs, env: env}, args)
		r.Close()
		select {
		case p.more <- struct{}{}:
		default:
		}
	}()
	t.Cleanup(func() { w.Close() })
	return p
}

// hears waits for a text and returns what was said since the last call, up to
// its end.
func (p *person) hears(text string) string {
	p.t.Helper()
	limit := time.After(time.Minute)
	for {
		p.mu.Lock()
		rest := p.buf.String()[p.at:]
		if i := strings.Index(rest, text); i >= 0 {
			p.at += i + len(text)
			p.mu.Unlock()
			return rest[:i+len(text)]
		}
		errs := p.errs.String()
		p.mu.Unlock()
		select {
		case <-p.more:
		case <-limit:
			p.t.Fatalf("never said: %q; since then:\n%s\nstandard error:\n%s", text, rest, errs)
		}
	}
}

// types sends a line.
func (p *person) types(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.keys, line+"\n"); err != nil {
		p.t.Fatalf("nobody reads any more: %v\n%s", err, p.all())
	}
}

// picks chooses by label from the choices shown last.
func (p *person) picks(label string) {
	p.t.Helper()
	seen := p.hears("] " + label)
	n := regexp.MustCompile(`\[(\d+)\] ` + regexp.QuoteMeta(label) + `$`).FindStringSubmatch(seen)
	if n == nil {
		p.t.Fatalf("no number before %q in\n%s", label, seen)
	}
	p.types(n[1])
}

var codeInLine = regexp.MustCompile(`(?:^|[^0-9A-Za-z-])([0-9]{6})(?:[^0-9A-Za-z-]|$)`)

// code waits for a line that contains what and returns the six digits in it.
func (p *person) code(what string) string {
	p.t.Helper()
	p.hears(what)
	line := p.hears("\n")
	m := codeInLine.FindStringSubmatch(line)
	if m == nil {
		p.t.Fatalf("no code in %q", line)
	}
	return m[1]
}

// leaves ends the input and returns the exit code.
func (p *person) leaves() int {
	p.t.Helper()
	p.keys.Close()
	return p.ends()
}

// ends waits for the exit code.
func (p *person) ends() int {
	p.t.Helper()
	select {
	case code := <-p.done:
		p.done <- code
		return code
	case <-time.After(time.Minute):
		p.t.Fatalf("does not end:\n%s", p.all())
		return -1
	}
}

func (p *person) all() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf.String() + p.errs.String()
}

// command runs a command line to its end.
func command(t *testing.T, env []string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	code = run(ctx, std{in: strings.NewReader(""), out: &o, err: &e, env: env}, args)
	return code, o.String(), e.String()
}
