package load

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"latchkey/bot"
)

// A State is what a running program says of itself.
type State struct {
	Reply      bool    `json:"reply,omitempty"` // the first reply is out
	RSS        float64 `json:"rss_mb"`          // as it is
	Kept       float64 `json:"kept_mb"`         // after the runtime gave back what it does not need
	Heap       float64 `json:"heap_mb"`         // in use after a collection
	Goroutines int     `json:"goroutines"`
	Busy       int     `json:"busy"` // conversations that the outbox holds
}

// Peer is the other end of Start: it says hello to its own program, tells when
// the reply is out, and then does what it reads, line by line: "open N" opens N
// conversations more, "state" tells State. It returns at the end of in. busy
// counts what the outbox still holds.
func Peer(ctx context.Context, in io.Reader, out io.Writer, inbox bot.Inbox, plat *Platform, run string, busy func() int) error {
	enc := json.NewEncoder(out)
	if err := greet(ctx, inbox, plat, name("first"+run, 0)); err != nil {
		return err
	}
	if err := enc.Encode(State{Reply: true}); err != nil {
		return err
	}
	opened := 0
	for sc := bufio.NewScanner(in); sc.Scan(); {
		what, arg, _ := strings.Cut(sc.Text(), " ")
		if what == "open" {
			n, err := strconv.Atoi(arg)
			if err == nil {
				err = open(ctx, inbox, plat, "open"+run, opened, n)
				opened += n
			}
			if err != nil {
				return err
			}
		}
		for end := time.Now().Add(patience); busy() > 0; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				return errors.New("load: the outbox does not come to rest")
			}
		}
		s := State{RSS: RSS(), Busy: busy()}
		debug.FreeOSMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		s.Kept, s.Heap, s.Goroutines = RSS(), float64(m.HeapAlloc)/1e6, runtime.NumGoroutine()
		if err := enc.Encode(s); err != nil {
			return err
		}
	}
	return nil
}

// greet opens one conversation and waits for the reply.
func greet(ctx context.Context, inbox bot.Inbox, plat *Platform, user string) error {
	c := &chat{o: &EnrollOptions{Inbox: inbox}, ctx: ctx, conv: bot.ConversationID(user)}
	c.in = plat.Join(c.conv)
	defer plat.Leave(c.conv)
	return c.say("hi", "Hello!")
}

// open opens n conversations, numbered from from, 64 at a time.
func open(ctx context.Context, inbox bot.Inbox, plat *Platform, prefix string, from, n int) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(64, n) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := greet(ctx, inbox, plat, name(prefix, from+i)); err != nil {
					stop(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// StartOptions of Start.
type StartOptions struct {
	// Command makes the command line of a program that runs Peer over the
	// store in a folder. Start starts and ends it.
	Command func(dir string) *exec.Cmd
	// Dir makes a fresh folder.
	Dir    func() (string, error)
	Rounds int
	Open   int // conversations
}

// A StartReport tells the times from the start of the process to the first
// reply, and what open conversations cost.
type StartReport struct {
	Empty      float64 `json:"empty_ms"` // no database yet: with all migrations; median
	Again      float64 `json:"again_ms"` // the same folder once more
	Full       float64 `json:"full_ms"`  // with Open conversations
	Open       int     `json:"open"`
	Opened     float64 `json:"opened_s"` // conversations opened a second
	Fresh      State   `json:"fresh"`    // after the first reply
	Talked     State   `json:"talked"`   // Open conversations were opened in this process
	Restarted  State   `json:"restarted"`
	PerTalk    float64 `json:"heap_bytes_per_conversation"`
	Goroutines int     `json:"goroutines_for_conversations"`
}

// child is a running Peer.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
	err *strings.Builder
}

// begin starts a program and waits for its first reply.
func begin(cmd *exec.Cmd) (*child, time.Duration, error) {
	c := &child{cmd: cmd, err: &strings.Builder{}}
	cmd.Stderr = c.err
	var err error
	if c.in, err = cmd.StdinPipe(); err != nil {
		return nil, 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, 0, err
	}
	c.out = json.NewDecoder(out)
	t0 := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, 0, fmt.Errorf("load: start the program: %w", err)
	}
	s, err := c.hear()
	took := time.Since(t0)
	if err == nil && !s.Reply {
		err = errors.New("load: the program spoke before its first reply")
	}
	if err != nil {
		c.kill()
		return nil, 0, err
	}
	return c, took, nil
}

func (c *child) hear() (s State, err error) {
	if err = c.out.Decode(&s); err != nil {
		err = fmt.Errorf("load: the program does not answer: %w: %s", err, strings.TrimSpace(c.err.String()))
	}
	return s, err
}

func (c *child) ask(what string) (State, error) {
	if _, err := io.WriteString(c.in, what+"\n"); err != nil {
		return State{}, fmt.Errorf("load: the program is gone: %w", err)
	}
	return c.hear()
}

func (c *child) end() error {
	c.in.Close()
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("load: the program failed: %w: %s", err, strings.TrimSpace(c.err.String()))
	}
	return nil
}

func (c *child) kill() {
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// Start measures the start of the program and the cost of open conversations.
func Start(o StartOptions) (*StartReport, error) {
	r := &StartReport{Open: o.Open}
	var empty, again, full []time.Duration
	once := func(dir string, times *[]time.Duration, then func(*child) error) error {
		c, took, err := begin(o.Command(dir))
		if err != nil {
			return err
		}
		*times = append(*times, took)
		if then != nil {
			if err := then(c); err != nil {
				c.kill()
				return err
			}
		}
		return c.end()
	}
	dir := ""
	for range max(1, o.Rounds) {
		var err error
		if dir, err = o.Dir(); err != nil {
			return nil, err
		}
		if err = once(dir, &empty, nil); err == nil {
			err = once(dir, &again, nil)
		}
		if err != nil {
			return nil, err
		}
	}
	if o.Open > 0 {
		var extra []time.Duration
		err := once(dir, &extra, func(c *child) (err error) {
			if r.Fresh, err = c.ask("state"); err != nil {
				return err
			}
			t0 := time.Now()
			if r.Talked, err = c.ask(fmt.Sprintf("open %d", o.Open)); err != nil {
				return err
			}
			r.Opened = float64(o.Open) / time.Since(t0).Seconds()
			return nil
		})
		for range max(1, o.Rounds) {
			if err == nil {
				err = once(dir, &full, func(c *child) (err error) { r.Restarted, err = c.ask("state"); return err })
			}
		}
		if err != nil {
			return nil, err
		}
		r.PerTalk = (r.Talked.Heap - r.Fresh.Heap) * 1e6 / float64(o.Open)
		r.Goroutines = r.Talked.Goroutines - r.Fresh.Goroutines
	}
	for _, l := range [][]time.Duration{empty, again, full} {
		slices.Sort(l)
	}
	r.Empty, r.Again, r.Full = ms(empty, .5), ms(again, .5), ms(full, .5)
	return r, nil
}
