package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/outbox"
	"latchkey/store"
	"latchkey/store/storetest"
)

// beat makes the processes of these tests die and be missed quickly.
const beat = 100 * time.Millisecond

// A world is the platform that several processes send to, and what they share.
type world struct {
	t   testing.TB
	dsn string

	mu      sync.Mutex
	got     map[bot.ConversationID][]string // what was delivered, in order, repeats included
	arrived chan struct{}                   // closed and replaced at every delivery
	slow    time.Duration                   // how long a delivery takes
	tell    func(bot.Delivery)              // hears of each; nil: nobody
	more    map[bot.ChannelID]*office       // other channels
}

func newWorld(t testing.TB, dsn string) *world {
	return &world{t: t, dsn: dsn, got: map[bot.ConversationID][]string{}, arrived: make(chan struct{})}
}

func (w *world) deliver(d bot.Delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.got[d.Conversation] = append(w.got[d.Conversation], d.Message.Text)
	if w.tell != nil {
		w.tell(d)
	}
	close(w.arrived)
	w.arrived = make(chan struct{})
}

func (w *world) texts(conv bot.ConversationID) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.got[conv]...)
}

// until waits for something to become true of what was delivered.
func (w *world) until(what string, cond func() bool) {
	w.t.Helper()
	for end := time.After(bottest.Patience); ; {
		w.mu.Lock()
		next := w.arrived
		w.mu.Unlock()
		if cond() {
			return
		}
		select {
		case <-next:
		case <-time.After(50 * time.Millisecond):
		case <-end:
			w.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// A process is a store, an outbox and an adapter. It is a bot.MailStore that can
// be killed and frozen.
type process struct {
	*store.DB
	w       *world
	box     *outbox.Outbox
	stop    context.CancelFunc
	ran     chan error
	dead    atomic.Bool
	mute    atomic.Bool // it cannot beat
	said    chan bot.ConversationID
	holding atomic.Pointer[chan struct{}] // deliveries wait here after they arrived
	reborn  atomic.Int64
	read    atomic.Int64 // rows of messages
}

var errDead = errors.New("this process is dead")

func (w *world) start(o outbox.Options, change ...func(*process)) *process {
	w.t.Helper()
	p := &process{w: w, ran: make(chan error, 1), said: make(chan bot.ConversationID, 1000)}
	log := slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	var err error
	if p.DB, err = store.Open(context.Background(), store.Options{DSN: w.dsn, Logger: log}); err != nil {
		w.t.Fatal(err)
	}
	o.Store, o.Beat, o.Clock = p, beat, p.DB.Now
	o.Adapters = map[bot.ChannelID]bot.Adapter{ch: wire{p}}
	for id, m := range w.more {
		o.Adapters[id] = m.of(p)
	}
	for _, f := range change {
		f(p)
	}
	p.box = outbox.New(o)
	var ctx context.Context
	ctx, p.stop = context.WithCancel(context.Background())
	go func() { p.ran <- p.box.Run(ctx) }()
	select {
	case <-p.box.Ready():
	case err := <-p.ran:
		w.t.Fatalf("the outbox does not run: %v", err)
	case <-time.After(bottest.Patience):
		w.t.Fatal("the outbox does not get ready")
	}
	w.t.Cleanup(p.leave)
	return p
}

// leave ends the process in order, unless it is dead.
func (p *process) leave() {
	p.stop()
	<-p.ran
	p.ran <- nil
	ctx, cancel := context.WithTimeout(context.Background(), bottest.Patience)
	defer cancel()
	if p.dead.Load() {
		cancel() // it only lets its goroutines go
	}
	if err := p.box.Close(ctx); err != nil && !p.dead.Load() {
		p.w.t.Errorf("Close: %v", err)
	}
	if err := p.DB.Close(); err != nil && !errors.Is(err, store.ErrClosed) {
		p.w.t.Error(err)
	}
}

// kill is what SIGKILL does: from now on the process neither writes nor sends.
func (p *process) kill() { p.dead.Store(true) }

func (p *process) Turn(ctx context.Context, ev *bot.Event, fn func(bot.Tx, *bot.Conversation) error) error {
	if p.dead.Load() {
		return errDead
	}
	return p.DB.Turn(ctx, ev, fn)
}

func (p *process) Update(ctx context.Context, fn func(bot.Tx) error) error {
	if p.dead.Load() {
		return errDead
	}
	return p.DB.Update(ctx, func(tx bot.Tx) error {
		if p.dead.Load() {
			return errDead
		}
		return fn(counting{tx, &p.read})
	})
}

func (p *process) View(ctx context.Context, fn func(bot.Tx) error) error {
	if p.dead.Load() {
		return errDead
	}
	return p.DB.View(ctx, func(tx bot.Tx) error { return fn(counting{tx, &p.read}) })
}

func (p *process) NewWorker(ctx context.Context, life time.Duration, heard func([]bot.News)) (bot.Worker, error) {
	if p.dead.Load() {
		return bot.Worker{}, errDead
	}
	p.reborn.Add(1)
	return p.DB.NewWorker(ctx, life, heard)
}

func (p *process) Beat(ctx context.Context, id bot.WorkerID, life time.Duration, bury bool) (int, error) {
	if p.dead.Load() || p.mute.Load() {
		return 0, errDead
	}
	return p.DB.Beat(ctx, id, life, bury)
}

func (p *process) EndWorker(ctx context.Context, id bot.WorkerID) error {
	if p.dead.Load() {
		return errDead
	}
	return p.DB.EndWorker(ctx, id)
}

// wire is the process's adapter.
type wire struct{ p *process }

func (wire) Channel() bot.ChannelID                     { return ch }
func (wire) Limits() bot.Limits                         { return bot.Limits{} }
func (wire) Run(ctx context.Context, _ bot.Inbox) error { <-ctx.Done(); return nil }
func (a wire) Said(conv bot.ConversationID) {
	select {
	case a.p.said <- conv:
	default:
	}
}

func (a wire) Send(ctx context.Context, d bot.Delivery) (bot.Receipt, error) {
	if a.p.w.slow > 0 {
		time.Sleep(a.p.w.slow)
	}
	if a.p.dead.Load() {
		return bot.Receipt{}, &bot.SendError{Kind: bot.SendRetry, Err: errDead}
	}
	a.p.w.deliver(d)
	if hold := a.p.holding.Load(); hold != nil {
		select {
		case <-*hold:
		case <-ctx.Done():
		}
	}
	return bot.Receipt{ID: d.Key}, nil
}

// say is a turn of a conversation: the answer is its text.
func (p *process) say(conv bot.ConversationID, id, text string, keep bool) error {
	var c *bot.Conversation
	var rows []bot.OutboxRow
	err := p.Turn(context.Background(), &bot.Event{ID: id, Channel: ch, Conversation: conv, From: "u-" + string(conv)}, func(tx bot.Tx, got *bot.Conversation) error {
		c, rows = got, p.box.Unmarked(nil, conv)
		if p.dead.Load() {
			return errDead // what it cannot send any more is no failure to be marked
		}
		for i := range rows {
			if err := tx.MarkOutbox(&rows[i]); err != nil {
				return err
			}
		}
		rows = []bot.OutboxRow{{Conversation: conv, Message: bot.Message{Text: text}, Keep: keep}}
		if err := tx.Say(&rows[0]); err != nil {
			return err
		}
		return tx.SaveConversation(c)
	})
	if err != nil || c == nil {
		return err
	}
	if p.dead.Load() {
		return errDead // after the commit, before anything is sent
	}
	p.box.Committed(c, rows, false)
	return nil
}

// ordered wants the numbers 1 to n to have arrived in order; a repeat may only be
// of the one that came last, and there may be at most repeats of them.
func (w *world) ordered(conv bot.ConversationID, n int) (repeats int) {
	w.t.Helper()
	last := 0
	for i, s := range w.texts(conv) {
		k, err := strconv.Atoi(s)
		switch {
		case err != nil:
			w.t.Errorf("%s: text %q", conv, s)
		case k == last:
			repeats++
		case k == last+1:
			last = k
		default:
			w.t.Errorf("%s: %d came after %d (place %d of %v)", conv, k, last, i, w.texts(conv))
			return repeats
		}
	}
	if last != n {
		w.t.Errorf("%s: %d of %d messages arrived", conv, last, n)
	}
	return repeats
}

// The messages of a process that is killed go on from another one, and a start
// takes up what one has left.
func TestKilledOwner(t *testing.T) {
	w := newWorld(t, storetest.Postgres(t))
	a := w.start(outbox.Options{})
	hold := make(chan struct{})
	a.holding.Store(&hold)
	for k := 1; k <= 3; k++ {
		if err := a.say("c", fmt.Sprint(k), fmt.Sprint(k), false); err != nil {
			t.Fatal(err)
		}
	}
	w.until("the first message", func() bool { return len(w.texts("c")) == 1 })
	a.kill()
	killed := time.Now()
	b := w.start(outbox.Options{})
	w.until("the others", func() bool { return len(w.texts("c")) == 4 })
	t.Logf("everything was there %v after the kill", time.Since(killed))
	if n := w.ordered("c", 3); n != 1 {
		t.Errorf("%d repeats, want the one that was in flight", n)
	}
	close(hold)
	if err := b.say("c", "4", "4", false); err != nil {
		t.Fatal(err)
	}
	w.until("the next", func() bool { return len(w.texts("c")) == 5 })
	w.ordered("c", 4)
}

// A process that cannot beat is taken for dead: it sends nothing, what it marks
// changes nothing, and it goes on under a new id.
func TestFrozenOwner(t *testing.T) {
	w := newWorld(t, storetest.Postgres(t))
	a, b := w.start(outbox.Options{}), w.start(outbox.Options{})
	hold := make(chan struct{})
	a.holding.Store(&hold)
	if err := errors.Join(a.say("c", "1", "1", false), a.say("c", "2", "2", false)); err != nil {
		t.Fatal(err)
	}
	w.until("the first message", func() bool { return len(w.texts("c")) == 1 })
	a.mute.Store(true)
	w.until("the other process to send both", func() bool { return len(w.texts("c")) == 3 })
	// What it is told while it is frozen waits for whoever lives.
	if err := a.say("c", "3", "3", false); err != nil {
		t.Fatal(err)
	}
	w.until("what was said to the frozen process", func() bool { return len(w.texts("c")) == 4 })
	close(hold) // its send succeeds, and it marks it
	a.mute.Store(false)
	w.until("a new id", func() bool { return a.reborn.Load() == 2 })
	if err := a.say("d", "d1", "1", false); err != nil {
		t.Fatal(err)
	}
	w.until("its own message", func() bool { return len(w.texts("d")) == 1 })
	w.ordered("c", 3)
	w.ordered("d", 1)
	settled(t, b)
}

// settled waits until nothing is left to deliver.
func settled(t *testing.T, p *process) {
	t.Helper()
	var rows []bot.OutboxRow
	for end := time.Now().Add(bottest.Patience); ; time.Sleep(20 * time.Millisecond) {
		err := p.View(t.Context(), func(tx bot.Tx) (err error) { rows, err = tx.Pending(10); return err })
		if err == nil && len(rows) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("still pending: %+v %v", rows, err)
		}
	}
}

// Two processes behave as one: what is said on both in one conversation arrives
// in the order of the commits, and whoever watches hears of it everywhere.
func TestTwoProcessesAreOne(t *testing.T) {
	w := newWorld(t, storetest.Postgres(t))
	ps := []*process{w.start(outbox.Options{}), w.start(outbox.Options{})}
	const convs, n = 20, 30
	var wg sync.WaitGroup
	for i := range convs {
		wg.Go(func() {
			conv := bot.ConversationID(fmt.Sprint("c", i))
			for k := 1; k <= n; k++ {
				if err := ps[rand.IntN(2)].say(conv, fmt.Sprint(conv, "-", k), fmt.Sprint(k), false); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	settled(t, ps[0])
	for i := range convs {
		if r := w.ordered(bot.ConversationID(fmt.Sprint("c", i)), n); r != 0 {
			t.Errorf("%d repeats", r)
		}
	}
	hears := func(i int) (time.Duration, bool) {
		start := time.Now()
		if err := ps[0].say("watched", fmt.Sprint("w", i), "hello", true); err != nil {
			t.Fatal(err)
		}
		select {
		case conv := <-ps[1].said:
			if conv != "watched" {
				t.Errorf("heard of %s", conv)
			}
			return time.Since(start), true
		case <-time.After(5 * time.Second):
			return 0, false
		}
	}
	heard := 0
	for i := 0; heard < 5; i++ {
		took, ok := hears(i)
		if ok {
			t.Logf("the other process hears after %v", took)
			heard++
		} else if heard > 0 || i > 10 { // at first it may not know of the other one yet
			t.Fatal("the other process does not hear of it")
		}
	}
}

// Processes are killed and started at random while people talk: nothing is lost,
// nothing comes out of order, and at most what was in flight is repeated.
// LATCHKEY_KILLS says how often, 100 when it is not set.
func TestRandomKills(t *testing.T) {
	kills := 100
	if s := os.Getenv("LATCHKEY_KILLS"); s != "" {
		var err error
		if kills, err = strconv.Atoi(s); err != nil {
			t.Fatalf("LATCHKEY_KILLS: %v", err)
		}
	} else if testing.Short() {
		kills = 10
	}
	t.Run("postgres", func(t *testing.T) { randomKills(t, storetest.Postgres(t), 2, kills) })
	t.Run("sqlite", func(t *testing.T) { randomKills(t, filepath.Join(t.TempDir(), "a.db"), 1, kills) })
}

func randomKills(t *testing.T, dsn string, processes, kills int) {
	w := newWorld(t, dsn)
	w.slow = time.Millisecond
	var mu sync.RWMutex
	ps := make([]*process, processes)
	for i := range ps {
		ps[i] = w.start(outbox.Options{})
	}
	const people = 12
	said := make([]int, people)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range people {
		wg.Go(func() {
			conv := bot.ConversationID(fmt.Sprint("c", i))
			for k := 1; ; k++ {
				for { // a platform repeats an event until it is acknowledged
					mu.RLock()
					p := ps[rand.IntN(len(ps))]
					err := p.say(conv, fmt.Sprint(conv, "-", k), fmt.Sprint(k), false)
					mu.RUnlock()
					if err == nil {
						break
					}
					time.Sleep(time.Millisecond)
				}
				said[i] = k
				select {
				case <-stop:
					return
				case <-time.After(time.Duration(rand.IntN(20)) * time.Millisecond):
				}
			}
		})
	}
	born, workers := 0, int64(0)
	for range kills {
		time.Sleep(time.Duration(rand.IntN(int(beat))))
		i := rand.IntN(len(ps))
		ps[i].kill()
		mu.Lock()
		old := ps[i]
		old.leave() // SQLite's file is free again
		ps[i] = w.start(outbox.Options{})
		born++
		workers += old.reborn.Load()
		mu.Unlock()
	}
	close(stop)
	wg.Wait()
	settled(t, ps[0])
	repeats, messages := 0, 0
	for i := range people {
		repeats += w.ordered(bot.ConversationID(fmt.Sprint("c", i)), said[i])
		messages += said[i]
	}
	for _, p := range ps {
		workers += p.reborn.Load()
	}
	t.Logf("%d messages, %d kills, %d workers, %d repeats", messages, born, workers, repeats)
	// One for each conversation and death, and being taken for dead is one.
	if most := people * int(workers); repeats > most {
		t.Errorf("%d repeats, at most %d", repeats, most)
	}
}

// campaignRows is how many messages of a campaign wait in the stores of campaigns.
const campaignRows = 100_000

// campaigns makes a store of each kind in which a campaign waits.
func campaigns(t testing.TB, each func(name, dsn string)) {
	const fill = `INSERT INTO conversation (id, channel, user_id, out_seq, version, updated) SELECT 'n' || i, 'test', 'u' || i, 0, 0, 1 FROM %[1]s;
		INSERT INTO outbox (conversation, seq, message, fleeting, live, state, attempts, due, receipt, error, created_at, account, lane, expires)
		SELECT 'n' || i, 0, CAST('{"t":"nudge"}' AS %[2]s), 0, 1, 0, 0, 1, '', '', 1, 'test', 3, 4000000000000 FROM %[1]s;`
	dsn := filepath.Join(t.TempDir(), "a.db")
	db, err := store.Open(t.Context(), store.Options{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	storetest.SQLite(t, dsn, fmt.Sprintf(fill, fmt.Sprintf("(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT i FROM n)", campaignRows), "BLOB"))
	each("sqlite", dsn)
	dsn = storetest.Postgres(t)
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if _, err := c.Exec(t.Context(), fmt.Sprintf(fill, fmt.Sprintf("generate_series(1, %d) i", campaignRows), "BYTEA")+" ANALYZE;"); err != nil {
		t.Fatal(err)
	}
	each("postgres", dsn)
}

// counting counts the rows of messages that a process reads.
type counting struct {
	bot.Tx
	n *atomic.Int64
}

func (c counting) Claim(w bot.WorkerID, id bot.ChannelID, lane bot.Lane, limit int) ([]bot.Claimed, error) {
	rows, err := c.Tx.Claim(w, id, lane, limit)
	c.n.Add(int64(len(rows)))
	return rows, err
}

func (c counting) Owned(w bot.WorkerID, said time.Time, limit int) ([]bot.OutboxRow, error) {
	rows, err := c.Tx.Owned(w, said, limit)
	c.n.Add(int64(len(rows)))
	return rows, err
}

func (c counting) Pending(limit int) ([]bot.OutboxRow, error) {
	rows, err := c.Tx.Pending(limit)
	c.n.Add(int64(len(rows)))
	return rows, err
}

func (c counting) Fleeting(conv bot.ConversationID, before time.Time) ([]bot.OutboxRow, error) {
	rows, err := c.Tx.Fleeting(conv, before)
	c.n.Add(int64(len(rows)))
	return rows, err
}

// A reply leaves at once beside a hundred thousand messages of a campaign, and
// these are not read into memory: a start reads no more than it sends.
func TestReplyBeforeCampaign(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 100,000 rows")
	}
	campaigns(t, func(name, dsn string) {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, dsn)
			w.slow = 5 * time.Millisecond
			nudges := func() (n int) {
				w.mu.Lock()
				defer w.mu.Unlock()
				for conv, texts := range w.got {
					if strings.HasPrefix(string(conv), "n") {
						n += len(texts)
					}
				}
				return n
			}
			hold := make(chan struct{})
			p := w.start(outbox.Options{}, func(p *process) { p.holding.Store(&hold) })
			w.until("the campaign to begin", func() bool { return nudges() > 0 })
			if n := p.read.Load(); n > 500 {
				t.Errorf("the start has read %d rows", n)
			}
			p.holding.Store(nil)
			close(hold)
			w.until("the campaign to be under way", func() bool { return nudges() > 20 })
			for k := 1; k <= 10; k++ {
				before := nudges()
				if err := p.say("c", fmt.Sprint(k), fmt.Sprint(k), false); err != nil {
					t.Fatal(err)
				}
				w.until("the reply", func() bool { return len(w.texts("c")) == k })
				if n := p.box.Busy(); n > 64 {
					t.Errorf("%d conversations in memory", n)
				}
				t.Logf("%d nudges went out while the reply was said and sent", nudges()-before)
			}
			if read, sent := p.read.Load(), int64(nudges()); read > sent+500 {
				t.Errorf("%d rows were read, and %d messages sent", read, sent)
			}
		})
	})
}

// BenchmarkHeard is how long after a turn began on one process another one has
// heard of what it said.
func BenchmarkHeard(b *testing.B) {
	w := newWorld(b, storetest.Postgres(b))
	here, there := w.start(outbox.Options{}), w.start(outbox.Options{})
	hears := func(i int) time.Duration {
		began := time.Now()
		if err := here.say("watched", fmt.Sprint("w", i), "hello", true); err != nil {
			b.Fatal(err)
		}
		select {
		case <-there.said:
			return time.Since(began)
		case <-time.After(bottest.Patience):
			b.Fatal("the other process does not hear of it")
			return 0
		}
	}
	for i := range 10 { // until each knows of the other
		_ = here.say("before", fmt.Sprint("b", i), "hello", true)
		time.Sleep(2 * beat)
	}
	for len(there.said) > 0 {
		<-there.said
	}
	var took []time.Duration
	for i := range b.N {
		took = append(took, hears(i))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkClaim claims 500 messages beside a hundred thousand that wait.
func BenchmarkClaim(b *testing.B) {
	campaigns(b, func(name, dsn string) {
		b.Run(name, func(b *testing.B) {
			db, err := store.Open(b.Context(), store.Options{DSN: dsn})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			w, err := db.NewWorker(b.Context(), time.Hour, func([]bot.News) {})
			if err != nil {
				b.Fatal(err)
			}
			claimed := 0
			b.ResetTimer()
			for range b.N {
				err := db.Update(b.Context(), func(tx bot.Tx) error {
					rows, err := tx.Claim(w.ID, ch, bot.LaneCampaign, 500)
					claimed += len(rows)
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(claimed)/float64(b.N), "rows/op")
		})
	})
}
