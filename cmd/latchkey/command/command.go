// Package command is the program's command line: one file for each command, with
// its help text, its flags and what it prints.
//
// A command asks package program for what it needs. While the service runs on an
// SQLite store, it is the service that runs the commands of operators: see
// orders.go.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"latchkey/cmd/latchkey/program"
)

// version is that of the program; see Main.
var version = "dev"

// Main runs the program's command line and ends the process with its exit code.
// release is its version.
func Main(release string) {
	version = release
	private()
	unhurried()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, func() {
		stop() // a second signal ends the program at once
		wait := forcedEnd + time.Duration(draining.Load())
		time.Sleep(wait)
		fmt.Fprintf(os.Stderr, "latchkey: not done %v after the signal to stop, and ended all the same; what was committed is kept\n", wait)
		os.Exit(exitError)
	})
	os.Exit(run(ctx, std{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.Environ()}, os.Args[1:]))
}

// smallHeap is how far the heap may grow before it is collected, in bytes.
const smallHeap = 24 << 20

// unhurried has a small heap collected less often. By the usual rule one of four
// megabytes is looked through again at eight, dozens of times a second under load:
// a tenth of all the work. What the start makes, scripts above all, is kept, too.
// A heap of half of smallHeap and more is collected as usual. GOGC goes before.
func unhurried() {
	if os.Getenv("GOGC") != "" {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	last := 0
	type mark struct{ _ [4]*byte } // collected each time
	var adjust func(*mark)
	adjust = func(*mark) { // after each collection
		metrics.Read(live)
		if percent := growth(live[0].Value.Uint64()); percent != last {
			last = percent
			debug.SetGCPercent(percent)
		}
		runtime.SetFinalizer(new(mark), adjust)
	}
	adjust(nil)
}

// growth is by how many percent a heap of so many bytes may grow. Go itself counts
// a smaller one as four megabytes.
func growth(live uint64) int {
	return max(100, int(100*smallHeap/max(4<<20, live))-100)
}

// forcedEnd is how long after a signal to stop the program ends whatever still
// hangs: more than what is under way may take (drainTime). The pause before the
// port is closed comes on top.
const forcedEnd = program.DrainTime + 10*time.Second

// draining is http.drain of the service that this program runs.
var draining atomic.Int64

// std is what a command reads and writes.
type std struct {
	in  io.Reader
	out io.Writer
	err io.Writer
	env []string

	as         *string          // --as
	user       string           // who gave the order, when the running service runs the command
	args       []string         // the command line
	dir        string           // where relative paths begin; empty: the working folder
	running    *program.Program // the service, when it is the service that runs the command: see socket.go
	sendsInput bool             // the command reads in: a running service is sent it, too

	ifInterrupted string // what becomes of the command at a running service when whoever gave it goes away; empty: it ends
}

// getenv returns a variable of env, the last one of its name, or "".
func (s std) getenv(name string) string {
	v := ""
	for _, e := range s.env {
		if k, val, ok := strings.Cut(e, "="); ok && k == name {
			v = val
		}
	}
	return v
}

// Exit codes.
const (
	exitOK    = 0
	exitError = 1 // it did not work; standard error says what, where and how to mend it
	exitUsage = 2 // the command was not understood
)

// run runs one command line and returns the exit code.
func run(ctx context.Context, s std, args []string) int {
	s.args = args
	root := rootCommand(s)
	root.SetArgs(args)
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	err := root.ExecuteContext(ctx)
	var usage usageError
	var code codeError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &usage):
		fmt.Fprintf(s.err, "latchkey: %s\n", flat(usage.Error()))
		return exitUsage
	case strings.HasPrefix(err.Error(), "unknown command"), strings.HasPrefix(err.Error(), "required flag"):
		fmt.Fprintf(s.err, "latchkey: %s; see `latchkey --help`\n", flat(err.Error()))
		return exitUsage
	}
	fmt.Fprintf(s.err, "latchkey: %v\n", err)
	return exitError
}

// flat puts cobra's several lines into one.
func flat(s string) string { return strings.Join(strings.Fields(s), " ") }
