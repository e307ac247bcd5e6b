//go:build unix

package campaign_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/outbox"
	"latchkey/flows"
	"latchkey/flows/library"
	"latchkey/store"
	"latchkey/store/storetest"
)

// childStore is the environment variable that makes this program a process of
// TestSimulationOfProcesses.
const childStore = "LATCHKEY_TEST_CHILD_STORE"

// TestSimulationOfProcesses is TestSimulation with two processes on PostgreSQL that are
// killed (SIGKILL) while they send. LATCHKEY_PEOPLE says how many people there are, and
// LATCHKEY_KILLS how often one is killed: 10000 and 50 take two minutes.
func TestSimulationOfProcesses(t *testing.T) {
	people, kills := 600/slow, 12/slow+1
	for name, n := range map[string]*int{"LATCHKEY_PEOPLE": &people, "LATCHKEY_KILLS": &kills} {
		if s := os.Getenv(name); s != "" {
			var err error
			if *n, err = strconv.Atoi(s); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	if testing.Short() {
		people, kills = 200, 3
	}
	dsn := storetest.Postgres(t)
	// Everybody gets at least one message.
	simulate(t, prooftest.NewOn(t, dsn), people, &pair{dsn: dsn, most: kills, every: max(1, people/(kills+1))})
}

// pair is a crew of two processes. One is killed after each so many messages, in the
// moment in which the platform takes one.
type pair struct {
	*stage
	dsn         string
	most, every int

	mu     sync.Mutex
	taken  int
	killed int
	all    [2]*child
}

// A child is one of the processes.
type child struct {
	cmd   *exec.Cmd
	to    io.WriteCloser
	acks  chan string
	dead  bool
	ended chan struct{}
}

func (p *pair) begin(s *stage) {
	p.stage = s
	for i := range p.all {
		p.all[i] = p.start()
	}
	s.Cleanup(p.stop)
}

func (p *pair) start() *child {
	c := &child{acks: make(chan string, 10), ended: make(chan struct{})}
	c.cmd = exec.Command(os.Args[0], "-test.run", "^TestCampaignChild$", "-test.timeout", "60m")
	c.cmd.Env = append(os.Environ(), childStore+"="+p.dsn)
	c.cmd.Stderr = os.Stderr
	from, err := c.cmd.StdoutPipe()
	if err == nil {
		c.to, err = c.cmd.StdinPipe()
	}
	if err = errors.Join(err, c.cmd.Start()); err != nil {
		p.Fatal(err)
	}
	go func() {
		defer close(c.ended)
		defer close(c.acks)
		for lines := bufio.NewScanner(from); lines.Scan(); {
			if word, rest, _ := strings.Cut(lines.Text(), " "); word == "sent" {
				conv, at, _ := strings.Cut(rest, " ")
				ms, _ := strconv.ParseInt(at, 10, 64)
				p.seen(bot.ConversationID(conv), time.UnixMilli(ms))
				p.took(c)
			} else {
				c.acks <- lines.Text()
			}
		}
		c.cmd.Wait()
	}()
	fmt.Fprintln(c.to, p.Clock.Now().UnixMilli())
	if ack, ok := <-c.acks; ack != "ready" {
		p.Fatalf("a process says %q, %v", ack, ok)
	}
	return c
}

// took kills c when it is time, and the other one lives.
func (p *pair) took(c *child) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken++
	other := p.all[0]
	if other == c {
		other = p.all[1]
	} else if p.all[1] != c { // it starts
		return
	}
	if c.dead || other == nil || other.dead || p.killed >= p.most || p.taken < (p.killed+1)*p.every {
		return
	}
	p.killed++
	c.dead = true
	c.cmd.Process.Kill()
}

// work has both look at once, and starts those again that were killed.
func (p *pair) work() error {
	for i, c := range p.all {
		p.mu.Lock()
		dead := c.dead
		p.mu.Unlock()
		if dead {
			<-c.ended
			c = p.start()
			p.mu.Lock()
			p.all[i] = c
			p.mu.Unlock()
		}
		fmt.Fprintln(c.to, p.Clock.Now().UnixMilli()) // one that is killed now is seen below
	}
	for _, c := range p.all {
		if ack, ok := <-c.acks; ok && ack != "done" {
			return errors.New(ack)
		}
	}
	p.mu.Lock()
	p.kills = p.killed
	p.mu.Unlock()
	return nil
}

func (p *pair) stop() {
	for _, c := range p.all {
		if c != nil {
			c.to.Close()
			<-c.ended
		}
	}
}

// TestCampaignChild is such a process. For each time that it reads it looks at the
// campaigns; it says what the platform takes, and from when on.
func TestCampaignChild(t *testing.T) {
	dsn := os.Getenv(childStore)
	if dsn == "" {
		t.Skip("only TestSimulationOfProcesses runs it")
	}
	var now atomic.Int64
	in := bufio.NewScanner(os.Stdin)
	reads := func() bool {
		ok := in.Scan()
		if ms, err := strconv.ParseInt(in.Text(), 10, 64); err == nil {
			now.Store(ms)
		}
		return ok
	}
	reads()
	clock := func() time.Time { return time.UnixMilli(now.Load()).UTC() }
	db, err := store.Open(context.Background(), store.Options{DSN: dsn, Clock: clock, Monotonic: func() time.Duration { return time.Duration(now.Load()) * time.Millisecond }})
	if err != nil {
		t.Fatal(err)
	}
	set, _ := flows.Inspect(library.FS, nil, bot.Catalogue{Facts: prooftest.Facts}) // for its phrases
	camps := (&stage{set: set}).service(db)
	chat := bottest.NewAdapter("test")
	chat.Observe(func(d bot.Delivery) { fmt.Printf("sent %s %d\n", d.Conversation, now.Load()) })
	box := outbox.New(outbox.Options{Store: db, Adapters: map[bot.ChannelID]bot.Adapter{"test": chat}, Clock: clock, Hold: camps.Hold, Look: 5 * time.Millisecond, Beat: 100 * time.Millisecond})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { box.Run(ctx); close(done) }()
	<-box.Ready()
	fmt.Println("ready")
	for reads() {
		if err := camps.Tick(ctx); err != nil {
			fmt.Println(strings.ReplaceAll(err.Error(), "\n", "; "))
			continue
		}
		fmt.Println("done")
	}
	stop()
	<-done
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
