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
// The client sends one line of JSON (order), and then its input in frames where
// the command reads any. The service answers with frames: one byte for the
// stream, four for the length (big endian), the bytes.

// order is a command line for the running service.
type order struct {
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

// ordered are the commands that may be run for somebody else.
var ordered = []string{"people", "audit", "inbox", "outbox", "requests", "tripwire", "backup", "keys", "doctor", "status"}

// maxOrder is the size of an order in bytes.
const maxOrder = 64 << 10

// socketPath is where the service of an SQLite store listens.
func socketPath(cfg *config.Config) string {
	if cfg.Store.Path == "" {
		return ""
	}
	return cfg.Store.Path + ".sock"
}

// listenOrders opens the socket; nil when there is none. It comes before the
// service says that it is ready, so that a command which comes at once finds it.
func listenOrders(h *program.Program) (net.Listener, error) {
	path := socketPath(h.Config)
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
		h.Log.Warn("operators' commands need the service to be stopped", "err", err)
		return nil, nil
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// runWithOrders runs the program and answers operators' commands beside it.
func runWithOrders(ctx context.Context, h *program.Program) error {
	l, err := listenOrders(h)
	if err != nil {
		return err
	}
	if l != nil {
		defer l.Close()
	}
	return h.Run(ctx, program.Task{Name: "operators", Run: func(ctx context.Context) error { return takeOrders(ctx, h, l) }})
}

// takeOrders answers on the socket until ctx ends.
func takeOrders(ctx context.Context, h *program.Program, l net.Listener) error {
	var all sync.WaitGroup
	defer all.Wait()
	for l != nil {
		err := acceptOrders(ctx, h, l, &all)
		if !errors.Is(err, errNoSocket) {
			return err
		}
		h.Log.Warn("the socket for operators' commands was deleted, and is made anew", "socket", socketPath(h.Config))
		if l, err = listenOrders(h); err != nil {
			return err
		}
	}
	return nil
}

var errNoSocket = errors.New("the socket is not there any more")

// socketLook is how often the service looks whether its socket is still there.
const socketLook = 2 * time.Second

// acceptOrders answers on one socket, until ctx ends or somebody deletes it, and
// closes it.
func acceptOrders(ctx context.Context, h *program.Program, l net.Listener, all *sync.WaitGroup) error {
	defer l.Close()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	for {
		l.(*net.UnixListener).SetDeadline(time.Now().Add(socketLook))
		c, err := l.Accept()
		switch {
		case err == nil:
			all.Go(func() { obey(ctx, h, c) })
			continue
		case ctx.Err() != nil:
			return nil
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		}
		if _, err := os.Lstat(socketPath(h.Config)); errors.Is(err, os.ErrNotExist) {
			return errNoSocket
		}
	}
}

// obey runs one order.
func obey(ctx context.Context, h *program.Program, c net.Conn) {
	defer c.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	var o order
	line := json.NewDecoder(io.LimitReader(c, maxOrder))
	if err := line.Decode(&o); err != nil {
		return
	}
	c.SetReadDeadline(time.Time{})
	in, feed := io.Pipe()
	defer in.Close()
	go func() {
		defer cancel() // whoever gave the order went away
		if o.In {
			feed.CloseWithError(takeInput(io.MultiReader(line.Buffered(), c), feed))
		} else {
			feed.Close()
		}
		io.Copy(io.Discard, c)
	}()
	f := &frames{w: c}
	code := exitError
	if len(o.Args) == 0 || !slices.Contains(ordered, o.Args[0]) {
		fmt.Fprintf(f.stream(frameErr), "latchkey: the running service (version %s) does not know this command: it is of another version than the program that sends it; start the service anew with that program, and give the command again\n", version)
	} else {
		h.Log.Info("operator's command", "command", commandName(o.Args), "user", o.User)
		code = run(ctx, std{in: in, out: f.stream(frameOut), err: f.stream(frameErr), dir: o.Dir, user: o.User, house: h}, o.Args)
		if err := h.NoteHead(context.WithoutCancel(ctx)); err != nil {
			h.Log.Error(err.Error())
		}
	}
	f.write(frameExit, []byte{byte(code)})
}

// takeInput copies the input that a client sends, to its end. Input that ends
// without saying so has broken off.
func takeInput(from io.Reader, to io.Writer) error {
	r := bufio.NewReader(from)
	if b, err := r.Peek(1); err == nil && b[0] == '\n' { // of the order's line
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

// giveOrder lets the running service run this command line. It reports false
// when no service runs.
func giveOrder(ctx context.Context, s std, cfg *config.Config) (bool, error) {
	path := socketPath(cfg)
	if path == "" || s.house != nil {
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
	if err := json.NewEncoder(c).Encode(order{s.args, dir, s.feeds, accountName(s)}); err != nil {
		return true, fmt.Errorf("the running service does not answer: %w", err)
	}
	if s.feeds {
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
			if ctx.Err() != nil && s.goesOn != "" {
				return true, errors.New("interrupted; " + s.goesOn)
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

// commandName is the command in its arguments, and nothing of what it is given:
// whoever is erased must not stay in the log. "people sync", "doctor".
func commandName(args []string) string {
	name := args[:min(2, len(args))]
	if len(name) == 2 && strings.HasPrefix(name[1], "-") {
		name = name[:1]
	}
	return strings.Join(name, " ")
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

// withHouse gives fn what a command of the operator needs: of the running
// service when this is its process, else opened for this command alone.
func withHouse(cmd *cobra.Command, s std, file string, fn func(*program.Program) error) error {
	if s.house != nil {
		return remedied(fn(s.house))
	}
	cfg, err := loadConfig(cmd, s, file)
	if err != nil {
		return err
	}
	if done, err := giveOrder(cmd.Context(), s, cfg); done {
		return err
	}
	h, err := program.Open(cmd.Context(), cfg, newLog(s.err, cfg.Log))
	if err != nil {
		return remedied(err)
	}
	defer h.Close()
	return remedied(fn(h))
}

// remedied says what to do about a store that takes no writes, too.
func remedied(err error) error {
	if fix := store.Remedy(err); fix != "" {
		return fmt.Errorf("%w; %s", err, fix)
	}
	return err
}
