package command

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/program"
	"latchkey/store"
)

// Only one process may have an SQLite file. So a running service takes
// operators' commands through a socket beside the file and runs them itself:
// `latchkey people list` works the same whether the service runs or not. The
// socket's mode lets only the service's own user in.
//
// The client sends one line of JSON (remoteCommand), and then its input in frames where
// the command reads any. The service answers with frames: one byte for the
// stream, four for the length (big endian), the bytes.

// remoteCommand is a command line for the running service.
type remoteCommand struct {
	Args []string `json:"args"`
	Dir  string   `json:"dir"`  // where relative paths begin
	In   bool     `json:"in"`   // frames with the command's input follow
	User string   `json:"user"` // who gives it
}

// Streams of a frame.
const (
	frameOut  = 1
	frameErr  = 2
	frameExit = 3 // one byte: the exit code
	frameIn   = 4 // from the client; without bytes: its input has ended
)

// remoteCommands are the commands that may be run for somebody else.
var remoteCommands = []string{"people", "audit", "inbox", "outbox", "tickets", "requests", "desk", "campaign", "tripwire", "backup", "keys", "doctor", "status"}

// maxCommand is the largest remoteCommand, in bytes.
const maxCommand = 64 << 10

// socketPath is where the service of an SQLite store listens.
func socketPath(cfg *config.Config) string {
	if cfg.Store.Path == "" {
		return ""
	}
	return cfg.Store.Path + ".sock"
}

// listenSocket opens the socket; nil when there is none. It comes before the
// service says that it is ready, so that a command which comes at once finds it.
func listenSocket(p *program.Program) (net.Listener, error) {
	path := socketPath(p.Config)
	if path == "" {
		return nil, nil
	}
	// We hold the lock of the store: a socket that is there was left behind.
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		// Paths of sockets are short; the service itself does not need it.
		p.Log.Warn("operators' commands need the service to be stopped", "err", err)
		return nil, nil
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// runProgram runs the program and answers operators' commands beside it.
func runProgram(ctx context.Context, p *program.Program) error {
	l, err := listenSocket(p)
	if err != nil {
		return err
	}
	if l != nil {
		defer l.Close()
	}
	return p.Run(ctx, program.Task{Name: "operators", Run: func(ctx context.Context) error { return serveSocket(ctx, p, l) }})
}

// serveSocket answers on the socket until ctx ends.
func serveSocket(ctx context.Context, p *program.Program, l net.Listener) error {
	var all sync.WaitGroup
	defer all.Wait()
	for l != nil {
		err := acceptCommands(ctx, p, l, &all)
		if !errors.Is(err, errNoSocket) {
			return err
		}
		p.Log.Warn("the socket for operators' commands was deleted, and is made anew", "socket", socketPath(p.Config))
		if l, err = listenSocket(p); err != nil {
			return err
		}
	}
	return nil
}

var errNoSocket = errors.New("the socket is not there any more")

// socketLook is how often the service looks whether its socket is still there.
const socketLook = 2 * time.Second

// acceptCommands answers on one socket, until ctx ends or somebody deletes it, and
// closes it.
func acceptCommands(ctx context.Context, p *program.Program, l net.Listener, all *sync.WaitGroup) error {
	defer l.Close()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	for {
		l.(*net.UnixListener).SetDeadline(time.Now().Add(socketLook))
		c, err := l.Accept()
		switch {
		case err == nil:
			all.Go(func() { runRemote(ctx, p, c) })
			continue
		case ctx.Err() != nil:
			return nil
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		}
		if _, err := os.Lstat(socketPath(p.Config)); errors.Is(err, os.ErrNotExist) {
			return errNoSocket
		}
	}
}

// runRemote runs one command line that a client sent.
func runRemote(ctx context.Context, p *program.Program, c net.Conn) {
	defer c.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	var o remoteCommand
	line := json.NewDecoder(io.LimitReader(c, maxCommand))
	if err := line.Decode(&o); err != nil {
		return
	}
	c.SetReadDeadline(time.Time{})
	in, feed := io.Pipe()
	defer in.Close()
	go func() {
		defer cancel() // whoever gave the command went away
		if o.In {
			feed.CloseWithError(receiveInput(io.MultiReader(line.Buffered(), c), feed))
		} else {
			feed.Close()
		}
		io.Copy(io.Discard, c)
	}()
	f := &frames{w: c}
	code := exitError
	name := commandName(o.Args)
	if first, _, _ := strings.Cut(name, " "); !slices.Contains(remoteCommands, first) {
		fmt.Fprintf(f.stream(frameErr), "latchkey: the running service (version %s) does not know this command: it is of another version than the program that sends it; start the service anew with that program, and give the command again\n", version)
	} else {
		p.Log.Info("operator's command", "command", name, "user", o.User)
		code = run(ctx, std{in: in, out: f.stream(frameOut), err: f.stream(frameErr), dir: o.Dir, user: o.User, running: p}, o.Args)
		if err := p.NoteHead(context.WithoutCancel(ctx)); err != nil {
			p.Log.Error(err.Error())
		}
	}
	f.write(frameExit, []byte{byte(code)})
}

// receiveInput copies the input that a client sends, to its end. Input that ends
// without saying so has broken off.
func receiveInput(from io.Reader, to io.Writer) error {
	r := bufio.NewReader(from)
	if b, err := r.Peek(1); err == nil && b[0] == '\n' { // of the line of JSON
		r.Discard(1)
	}
	for {
		var head [5]byte
		if _, err := io.ReadFull(r, head[:]); err != nil || head[0] != frameIn {
			return io.ErrUnexpectedEOF
		}
		n := int64(binary.BigEndian.Uint32(head[1:]))
		if n == 0 {
			return nil
		}
		if _, err := io.CopyN(to, r, n); err != nil {
			return io.ErrUnexpectedEOF
		}
	}
}

// frames writes streams to one connection.
type frames struct {
	mu sync.Mutex
	w  io.Writer
}

func (f *frames) write(kind byte, b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	head := append([]byte{kind}, binary.BigEndian.AppendUint32(nil, uint32(len(b)))...)
	if _, err := f.w.Write(append(head, b...)); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (f *frames) stream(kind byte) io.Writer {
	return writerFunc(func(b []byte) (int, error) { return f.write(kind, b) })
}

type writerFunc func([]byte) (int, error)

func (w writerFunc) Write(b []byte) (int, error) { return w(b) }

// sendCommand lets the running service run this command line. It reports false
// when no service runs.
func sendCommand(ctx context.Context, s std, cfg *config.Config) (bool, error) {
	path := socketPath(cfg)
	if path == "" || s.running != nil {
		return false, nil
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		return false, nil // nobody there; the store will say so if that is wrong
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	dir, err := os.Getwd()
	if err != nil {
		return true, err
	}
	if err := json.NewEncoder(c).Encode(remoteCommand{s.args, dir, s.sendsInput, accountName(s)}); err != nil {
		return true, fmt.Errorf("the running service does not answer: %w", err)
	}
	if s.sendsInput {
		go func() {
			f := &frames{w: c}
			if _, err := io.Copy(f.stream(frameIn), s.in); err != nil {
				c.Close() // it broke off: the service must not take it for the end
				return
			}
			f.write(frameIn, nil)
		}()
	}
	for {
		var head [5]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			if ctx.Err() != nil && s.ifInterrupted != "" {
				return true, errors.New("interrupted; " + s.ifInterrupted)
			}
			if ctx.Err() != nil {
				return true, errors.New("interrupted; what the service had not finished is not stored")
			}
			return true, fmt.Errorf("the running service broke off: %w; try again when it runs", err)
		}
		n := int64(binary.BigEndian.Uint32(head[1:]))
		switch head[0] {
		case frameOut, frameErr:
			w := s.out
			if head[0] == frameErr {
				w = s.err
			}
			_, err := io.CopyN(w, c, n)
			switch {
			case errors.Is(err, syscall.EPIPE): // whoever read it has enough: `... | head`
				return true, codeError(exitError)
			case err != nil:
				return true, err
			}
		case frameExit:
			code := []byte{exitError}
			if _, err := io.ReadFull(c, code); err != nil {
				return true, err
			}
			if code[0] != exitOK {
				return true, codeError(code[0])
			}
			return true, nil
		default:
			return true, errors.New("the running service is another version; use the same program for both")
		}
	}
}

// commandName is the command in a command line, and nothing of what it is given:
// whoever is erased must not stay in the log. "people sync", "doctor".
func commandName(args []string) string {
	cmd, _, err := rootCommand(std{}).Find(args) // flags may stand before it
	if err != nil {
		return ""
	}
	_, name, _ := strings.Cut(cmd.CommandPath(), " ")
	return name
}

// codeError ends with a code; everything was said already.
type codeError int

func (codeError) Error() string { return "failed" }

// path makes a path absolute from where the command was given.
func (s std) path(p string) string {
	if s.dir == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(s.dir, p)
}

// withProgram gives fn what a command of the operator needs: of the running
// service when this is its process, else opened for this command alone.
func withProgram(cmd *cobra.Command, s std, file string, fn func(*program.Program) error) error {
	if s.running != nil {
		return remedied(fn(s.running))
	}
	cfg, err := loadConfig(cmd, s, file)
	if err != nil {
		return err
	}
	if done, err := sendCommand(cmd.Context(), s, cfg); done {
		return err
	}
	p, err := program.Open(cmd.Context(), cfg, newLogger(s.err, cfg.Log))
	if err != nil {
		return remedied(err)
	}
	defer p.Close()
	return remedied(fn(p))
}

// remedied says what to do about a store that takes no writes, too.
func remedied(err error) error {
	if fix := store.Remedy(err); fix != "" {
		return fmt.Errorf("%w; %s", err, fix)
	}
	return err
}
