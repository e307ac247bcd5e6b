package terminal

import (
	"bufio"
	"context"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// maxLine is the number of bytes of one line that are kept; the rest of a
// longer line is thrown away.
const maxLine = 64 << 10

// lines reads one line when it is asked to, never ahead, so that a private
// line can be read without echo. At most one read is on its way.
type lines struct {
	in    *bufio.Reader
	file  *os.File // the input when it is a terminal, else nil
	state *term.State
	res   chan line
	busy  bool // a read is on its way
}

type line struct {
	text string
	err  error
}

func newLines(in io.Reader) *lines {
	l := &lines{in: bufio.NewReader(in), res: make(chan line, 1)}
	if IsTerminal(in) {
		l.file = in.(*os.File)
	}
	return l
}

// next returns the next line without its end, or ctx's error. A read that ctx
// interrupted goes on and its line is returned by the following call.
func (l *lines) next(ctx context.Context, masked bool) (string, error) {
	if !l.busy {
		l.busy = true
		if masked && l.file != nil {
			l.state, _ = term.GetState(int(l.file.Fd()))
			go func() {
				b, err := term.ReadPassword(int(l.file.Fd()))
				l.res <- line{strings.ToValidUTF8(string(b), "�"), err}
			}()
		} else {
			go func() { l.res <- l.read() }()
		}
	}
	select {
	case got := <-l.res:
		l.busy = false
		return got.text, got.err
	case <-ctx.Done():
		if l.state != nil {
			// ReadPassword still waits with the echo off.
			term.Restore(int(l.file.Fd()), l.state)
		}
		return "", ctx.Err()
	}
}

// read reads one line of any length and keeps its first maxLine bytes. A last
// line without an end counts.
func (l *lines) read() line {
	var b []byte
	for {
		part, more, err := l.in.ReadLine()
		if err != nil {
			return line{err: err}
		}
		if n := maxLine - len(b); n > 0 {
			b = append(b, part[:min(n, len(part))]...)
		}
		if !more {
			return line{text: strings.ToValidUTF8(string(b), "�")}
		}
	}
}
