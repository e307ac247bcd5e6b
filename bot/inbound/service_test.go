package inbound_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/inbound"
	"latchkey/bot/vault"
	"latchkey/store"
)

// life is how long a process lives that does not say so.
const life = 3 * time.Second

// A platform looks people up as the test wants it.
type platform struct {
	mu    sync.Mutex
	tries []string                   // "conversation id", in order
	look  func(d bot.Deferred) error // nil: everybody is found
	what  func(d bot.Deferred, ev *bot.Event) *bot.Event
	after int
}

func (p *platform) Resume(_ context.Context, d bot.Deferred) (bot.Arrival, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tries = append(p.tries, string(d.Conversation)+" "+d.ID)
	if p.look != nil {
		if err := p.look(d); err != nil {
			return bot.Arrival{}, err
		}
	}
	ev := &bot.Event{ID: d.ID, Channel: d.Channel, Conversation: d.Conversation, From: "U-" + string(d.Conversation), Kind: bot.Text, Text: string(d.Body)}
	if p.what != nil {
		ev = p.what(d, ev)
	}
	return bot.Arrival{Event: ev, Vouch: &bot.Vouch{Email: "ada@contoso.example", Evidence: "test"}, After: func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.after++
	}}, nil
}

// A house takes events in, with a store behind it.
type house struct {
	bot.Store
	mu    sync.Mutex
	took  []string // "conversation text", committed
	level bot.Level
	fail  error  // of the next turns
	all   *house // gets what was taken, too; nil: nobody
	then  func() // after each turn that was committed
}

func (h *house) AcceptWith(ctx context.Context, ev bot.Event, with func(bot.Tx, *bot.Conversation) error) (done bool, err error) {
	err = h.Turn(ctx, &ev, func(tx bot.Tx, c *bot.Conversation) error {
		done = true
		if err := with(tx, c); err != nil {
			return err
		}
		h.level = c.Level
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.fail != nil {
			return h.fail
		}
		c.OutSeq++
		return tx.SaveConversation(c)
	})
	for at := h; err == nil && done && at != nil; at = at.all {
		at.mu.Lock()
		at.took = append(at.took, string(ev.Conversation)+" "+ev.Text)
		at.mu.Unlock()
	}
	if err == nil && done && h.then != nil {
		h.then()
	}
	return done && err == nil, err
}

var ring = sync.OnceValue(func() *vault.Ring {
	r, err := vault.New()
	if err != nil {
		panic(err)
	}
	return r
})

// options are those of a process that has just started.
func options(h *house, p *platform) inbound.Options {
	restart(h)
	return inbound.Options{
		Store: h, Vault: ring(), Turns: h, Adapters: map[bot.ChannelID]bot.Resumer{"slack": p},
		Vouch: func(bot.Tx, bot.ChannelID, string, bot.Vouch) (bot.Level, error) { return bot.L0, bot.ErrNotFound },
	}
}

// restart gives the process a new id, as a start does.
func restart(h *house) {
	if _, err := h.Store.(bot.MailStore).NewWorker(context.Background(), life, nil); err != nil {
		panic(err)
	}
}

func deferred(conv bot.ConversationID, id string) bot.Deferred {
	return bot.Deferred{Channel: "slack", ID: id, Conversation: conv, Body: bot.Secret("says " + id)}
}

func put(t *testing.T, r *inbound.Service, conv bot.ConversationID, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := r.Defer(t.Context(), deferred(conv, id)); err != nil {
			t.Fatal(err)
		}
	}
}

// runs runs a service until stop is called, which returns when it has ended.
func runs(t *testing.T, r *inbound.Service) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- r.Run(ctx) }()
	return func() {
		cancel()
		if err := <-over; err != nil {
			t.Error(err)
		}
	}
}

func (h *house) want(t *testing.T, what string, took ...string) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Equal(h.took, took) {
		t.Errorf("%s: took %q, want %q", what, h.took, took)
	}
}

func waiting(t *testing.T, r *inbound.Service, n int) []bot.InboundRow {
	t.Helper()
	rows, err := r.List(t.Context(), 100)
	if err != nil || len(rows) != n {
		t.Errorf("%d rows wait, want %d: %v", len(rows), n, err)
	}
	return rows
}

// TestOrder: what one person does is taken in in its order, however often their
// look-up fails; nobody else waits for it, and a repeat changes nothing.
func TestOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, fails := &house{Store: bottest.NewStore()}, 3 // p.mu guards it
		p := &platform{look: func(d bot.Deferred) error {
			if d.Conversation == "x" && fails > 0 {
				fails--
				return errors.New("users.info: too many")
			}
			return nil
		}}
		r := inbound.New(options(h, p))
		if !r.Deferred("z") {
			t.Error("before it is known what waits, something may overtake it")
		}
		stop := runs(t, r)
		synctest.Wait()
		if r.Deferred("z") {
			t.Error("waits, and nothing of it was deferred")
		}
		put(t, r, "x", "1", "2", "2", "1")
		put(t, r, "y", "3", "4")
		synctest.Wait()
		h.want(t, "at once", "y says 3", "y says 4")
		if !r.Deferred("x") || r.Deferred("y") {
			t.Error("x waits, y does not")
		}
		time.Sleep(11 * time.Second) // 1, 2 and 5 s, and a quarter
		synctest.Wait()
		h.want(t, "in the end", "y says 3", "y says 4", "x says 1", "x says 2")
		waiting(t, r, 0)
		p.mu.Lock()
		after := p.after
		p.mu.Unlock()
		if after != 4 {
			t.Errorf("what follows was done %d times", after)
		}
		stop()
	})
}

// TestRepeatRightAfter: an event that is delivered again when it has just been taken
// in, and before the next one is looked at, leaves nothing behind.
func TestRepeatRightAfter(t *testing.T) {
	t.Parallel()
	db, err := store.Open(t.Context(), store.Options{DSN: filepath.Join(t.TempDir(), "a.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	h, p := &house{Store: db}, &platform{}
	r := inbound.New(options(h, p))
	h.then = func() { put(t, r, "x", "1") }
	stop := runs(t, r)
	put(t, r, "x", "1")
	until(t, "all to be gone", func() bool {
		rows, err := r.List(t.Context(), 10)
		h.mu.Lock()
		defer h.mu.Unlock()
		return err == nil && len(rows) == 0 && len(h.took) == 1
	})
	stop()
	h.want(t, "once", "x says 1")
}

// TestCrash: whatever was deferred before a process ended is taken in by the
// next one, before what comes then, and once.
func TestCrash(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &house{Store: bottest.NewStore()}
		p := &platform{look: func(bot.Deferred) error { return errors.New("away") }}
		first := inbound.New(options(h, p))
		put(t, first, "x", "1") // it never ran: killed right after the acknowledgement
		second := inbound.New(options(h, p))
		stop := runs(t, second)
		put(t, second, "x", "2")
		time.Sleep(time.Minute)
		stop() // in the middle of it
		h.want(t, "while nobody can be looked up")
		p.mu.Lock()
		p.look = nil
		p.mu.Unlock()
		h.mu.Lock()
		h.fail = errors.New("disk full")
		h.mu.Unlock()
		third := inbound.New(options(h, p))
		put(t, third, "x", "3") // before it has looked
		stop = runs(t, third)
		time.Sleep(time.Minute)
		h.want(t, "while nothing can be stored")
		waiting(t, third, 3)
		h.mu.Lock()
		h.fail = nil
		h.mu.Unlock()
		time.Sleep(2 * time.Minute)
		h.want(t, "in the end", "x says 1", "x says 2", "x says 3")
		waiting(t, third, 0)
		stop()
	})
}

// TestTwoProcesses: events of a person whom one process still looks up are taken
// in before what another process gets of the same person, whether that one knows
// the person or not. What a dead process had, another one takes over; one that
// was taken for dead and wakes up takes nothing in.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, both := bottest.NewStore(), &house{}
		type process struct {
			*house
			s      *bottest.Store
			p      *platform
			r      *inbound.Service
			id     bot.WorkerID
			away   atomic.Bool // nobody can be looked up
			frozen atomic.Pointer[chan struct{}]
			dead   atomic.Bool // it does not say that it lives
			stop   func()
		}
		start := func(s *bottest.Store) *process {
			x := &process{house: &house{Store: s, all: both}, s: s}
			x.p = &platform{look: func(bot.Deferred) error {
				if frozen := x.frozen.Load(); frozen != nil {
					<-*frozen
				}
				if x.away.Load() {
					return errors.New("away")
				}
				return nil
			}}
			w, err := s.NewWorker(t.Context(), life, nil)
			if err != nil {
				t.Fatal(err)
			}
			x.id = w.ID
			o := inbound.Options{Store: x.house, Vault: ring(), Turns: x.house, Adapters: map[bot.ChannelID]bot.Resumer{"slack": x.p}, Shared: true,
				Vouch: func(bot.Tx, bot.ChannelID, string, bot.Vouch) (bot.Level, error) { return bot.L0, bot.ErrNotFound }}
			x.r = inbound.New(o)
			stop, ctx := runs(t, x.r), t.Context()
			ctx, end := context.WithCancel(ctx)
			var beats sync.WaitGroup
			beats.Go(func() {
				for bot.Sleep(ctx, time.Second) {
					if !x.dead.Load() {
						if _, err := s.Beat(ctx, x.id, life, true); err != nil && ctx.Err() == nil {
							t.Errorf("beat: %v", err)
						}
					}
				}
			})
			x.stop = func() { stop(); end(); beats.Wait() }
			return x
		}
		second := s.Process()
		a, b := start(s), start(second)
		synctest.Wait()
		// b knows the person, and takes events in as they come, unless it must not.
		comes := func(x *process, conv bot.ConversationID, id string) {
			t.Helper()
			_, err := x.AcceptWith(t.Context(), bot.Event{ID: id, Channel: "slack", Conversation: conv, From: "U-" + string(conv), Text: "says " + id}, func(bot.Tx, *bot.Conversation) error { return nil })
			if errors.Is(err, bot.ErrDeferred) {
				put(t, x.r, conv, id)
			} else if err != nil {
				t.Fatal(err)
			}
		}
		a.away.Store(true)
		put(t, a.r, "x", "1")
		comes(b, "x", "2")    // known there
		put(t, b.r, "x", "3") // not known there
		comes(b, "y", "4")
		put(t, a.r, "x", "5")
		time.Sleep(time.Minute)
		both.want(t, "while a looks somebody up", "y says 4")
		a.away.Store(false)
		time.Sleep(2 * time.Minute)
		both.want(t, "then", "y says 4", "x says 1", "x says 2", "x says 3", "x says 5")

		// a dies in the middle.
		a.away.Store(true)
		put(t, a.r, "x", "6")
		comes(b, "x", "7")
		a.dead.Store(true)
		a.stop()
		time.Sleep(6 * time.Second)
		both.want(t, "after a process died", "y says 4", "x says 1", "x says 2", "x says 3", "x says 5", "x says 6", "x says 7")

		// c freezes while it looks somebody up, and b takes over; c wakes up when b
		// has not done it yet.
		c := start(s)
		synctest.Wait()
		thaw := make(chan struct{})
		c.frozen.Store(&thaw)
		put(t, c.r, "z", "8")
		put(t, c.r, "z", "9")
		synctest.Wait()
		b.away.Store(true)
		c.dead.Store(true)
		time.Sleep(10 * time.Second)
		close(thaw)
		time.Sleep(10 * time.Second)
		c.want(t, "a frozen process")
		b.away.Store(false)
		time.Sleep(2 * time.Minute)
		both.want(t, "after a process froze", "y says 4", "x says 1", "x says 2", "x says 3", "x says 5", "x says 6", "x says 7", "z says 8", "z says 9")
		waiting(t, b.r, 0)
		c.stop()
		b.stop()
	})
}

// TestGivenUp: after a day of trying an event is kept for operators, with the
// reason; what came after it goes on, health says what waits, and an operator can
// have it tried again.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &house{Store: bottest.NewStore()}
		var found atomic.Bool
		p := &platform{look: func(d bot.Deferred) error {
			if d.ID == "1" && !found.Load() {
				return errors.New("users.info: fatal_error")
			}
			return nil
		}}
		r := inbound.New(options(h, p))
		stop := runs(t, r)
		synctest.Wait()
		put(t, r, "x", "1", "2")
		time.Sleep(23*time.Hour + 50*time.Minute)
		h.want(t, "nothing overtakes it")
		if hl := r.Health("slack"); hl.OK || !strings.Contains(hl.Text, "fatal_error") {
			t.Errorf("health %+v", hl)
		}
		time.Sleep(20 * time.Minute)
		h.want(t, "after a day", "x says 2")
		rows := waiting(t, r, 1)
		if rows[0].ID != "1" || rows[0].GivenUp.IsZero() || rows[0].Error != "users.info: fatal_error" || rows[0].Body != nil {
			t.Errorf("listed %+v", rows[0])
		}
		if hl := r.Health("slack"); !hl.OK {
			t.Errorf("health %+v", hl)
		}
		if err := r.Retry(t.Context(), "y"); !errors.Is(err, bot.ErrNotFound) {
			t.Errorf("retry of nothing: %v", err)
		}
		found.Store(true)
		if err := r.Retry(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		h.want(t, "tried again", "x says 2", "x says 1")
		stop()
	})
}

// TestNothingComesOfIt: a stranger's event, a repeat of what was taken in
// otherwise, and one that is not well formed go without a turn.
func TestNothingComesOfIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &house{Store: bottest.NewStore()}
		p := &platform{what: func(d bot.Deferred, ev *bot.Event) *bot.Event {
			if d.ID == "stranger" {
				return nil
			}
			return ev
		}}
		r := inbound.New(options(h, p))
		stop := runs(t, r)
		if _, err := h.AcceptWith(t.Context(), bot.Event{ID: "seen", Channel: "slack", Conversation: "x", Text: "seen"}, func(bot.Tx, *bot.Conversation) error { return nil }); err != nil {
			t.Fatal(err)
		}
		put(t, r, "x", "stranger", "seen", "3")
		synctest.Wait()
		h.want(t, "what is left", "x seen", "x says 3")
		waiting(t, r, 0)
		// The connection broke during a commit, and the platform delivers again.
		unseen := bot.InboundRow{Channel: "slack", ID: "4", Conversation: "x"}
		unseen.Body, _ = ring().Seal([]byte("says 4"), unseen.Place())
		if err := h.Update(t.Context(), func(tx bot.Tx) error { _, err := tx.PutInbound(&unseen); return err }); err != nil {
			t.Fatal(err)
		}
		put(t, r, "x", "4")
		synctest.Wait()
		h.want(t, "whose commit was not seen", "x seen", "x says 3", "x says 4")
		waiting(t, r, 0)
		if err := r.Defer(t.Context(), bot.Deferred{Channel: "slack"}); !errors.Is(err, bot.ErrEvent) {
			t.Errorf("without an id: %v", err)
		}
		stop()
	})
}

// TestOneTransaction, on a real store: what the platform says of the author is
// there when the engine is asked, and is undone with the turn; what waits is
// sealed in the database.
func TestOneTransaction(t *testing.T) {
	t.Parallel()
	db, err := store.Open(t.Context(), store.Options{DSN: filepath.Join(t.TempDir(), "a.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	h, away := &house{Store: db, fail: errors.New("no turn")}, true
	p := &platform{look: func(bot.Deferred) error {
		if away {
			return errors.New("away")
		}
		return nil
	}}
	o := options(h, p)
	o.Vouch = func(tx bot.Tx, ch bot.ChannelID, user string, v bot.Vouch) (bot.Level, error) {
		return bot.L1, tx.Link(bot.Identity{Channel: ch, User: user, Person: "ada", Level: bot.L1, LinkedAt: tx.Now()})
	}
	r := inbound.New(o)
	put(t, r, "x", "1")
	restart(h) // what is claimed was another one's
	err = db.Update(t.Context(), func(tx bot.Tx) error {
		rows, err := tx.ClaimInbound(10)
		if err != nil || len(rows) != 1 {
			return fmt.Errorf("%d rows: %w", len(rows), err)
		}
		if strings.Contains(string(rows[0].Body), "says 1") {
			t.Error("what a person typed stands in the database as it is")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	restart(h)
	linked := func() bool {
		err := db.View(t.Context(), func(tx bot.Tx) error { _, err := tx.Identity("slack", "U-x"); return err })
		if err != nil && !errors.Is(err, bot.ErrNotFound) {
			t.Fatal(err)
		}
		return err == nil
	}
	away = false
	stop := runs(t, r)
	until(t, "a turn to fail", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.tries) > 1 })
	if linked() {
		t.Error("the turn failed, and the account is linked")
	}
	waiting(t, r, 1)
	h.mu.Lock()
	h.fail = nil
	h.mu.Unlock()
	until(t, "the event", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return len(h.took) == 1 })
	if !linked() || h.level != bot.L1 {
		t.Errorf("linked %t, and the turn saw level %v", linked(), h.level)
	}
	waiting(t, r, 0)
	stop()
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(bottest.Patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited for %s", what)
		}
	}
}
