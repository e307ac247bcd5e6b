package turn_test

import (
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/outbox"
	"latchkey/bot/turn"
	"latchkey/store"
	"latchkey/store/storetest"
)

func openSQLite(t testing.TB, path string) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), store.Options{DSN: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// TestFrozenComesFirst: for somebody whose account is frozen, from the very next
// turn on, no check runs that is not marked for it, and the gate of changes is
// not even asked.
func TestFrozenComesFirst(t *testing.T) {
	db := openSQLite(t, filepath.Join(t.TempDir(), "a.db"))
	asked := 0
	h := newHouseOver(t, db, func(o *turn.Options) {
		c := o.Catalogue.Checks
		change, harmless := c["count"], c["count"]
		change.Changes, harmless.Frozen = bot.Change, true
		c["change"], c["harmless"] = change, harmless
		o.Gate = func(bot.Tx, *bot.Call) (bot.Outcome, error) { asked++; return bot.Outcome{}, nil }
	})
	storetest.Seed(t, db, bot.Person{ID: "p1", Username: "ann"})
	frozen := func(at time.Time) {
		t.Helper()
		if err := db.Update(t.Context(), func(tx bot.Tx) error { return tx.SetFrozen("p1", at) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Update(t.Context(), func(tx bot.Tx) error {
		return tx.Link(bot.Identity{Channel: ch, User: "user-a", Person: "p1", Level: bot.L2})
	}); err != nil {
		t.Fatal(err)
	}
	c, stranger := h.talk("a"), h.talk("b")
	runs := func(want string, n int64, gates int) {
		t.Helper()
		h.ran.Store(0)
		asked = 0
		for _, check := range []string{"count", "change"} {
			c.Say("check " + check).Expect("outcome " + want)
		}
		if h.ran.Load() != n || asked != gates {
			t.Errorf("%d checks ran, and the gate was asked %d times; want %d and %d", h.ran.Load(), asked, n, gates)
		}
	}
	runs("ok", 2, 1)
	frozen(time.Now())
	runs(bot.OutcomeFrozen, 0, 0)
	c.Say("check harmless").Expect("outcome ok")
	stranger.Say("check count").Expect("outcome ok")
	frozen(time.Time{})
	runs("ok", 2, 1)
}

// The same house over the real store: turns, repeats, faults, a crash between
// the commit and the send, and the process after it.
func TestSQLite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	db := openSQLite(t, path)
	h := newHouseOver(t, db, nil)
	c := h.talk("a")
	c.Say("hi").Repeat().Expect("1: hi")
	c.Press("go").Expect("pressed go")
	c.Say("check count").Expect("outcome ok")
	c.Say("check fails").Expect("outcome error")
	c.Say("panic").Expect("went wrong")
	c.Say("fleet").Expect("2: fleet")
	c.Say("retract").Expect("3: retract")
	h.chat.WaitDeleted(t, 1)
	if err := h.service.Signal(t.Context(), "a", bot.Signal{Name: "lapsed", Ref: "1"}); err != nil {
		t.Fatal(err)
	}
	c.Await().Expect("signal lapsed 1")
	want := h.session("a")

	// A turn whose process dies before anything is sent.
	lost := turn.New(turn.Options{Store: db, Engine: toy{}, Outbox: sink{}})
	ev := bot.Event{ID: "dying", Channel: ch, Conversation: "a", From: "user-a", Text: "are you there"}
	if err := lost.Accept(t.Context(), ev); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), bottest.Patience)
	defer cancel()
	if err := h.box.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	db = openSQLite(t, path)
	h2 := newHouseOver(t, db, nil)
	got := h2.chat.Wait(t, 1)
	if len(got) != 1 || got[0].Message.Text != "4: are you there" || got[0].Attempt != 2 || got[0].User != "user-a" {
		t.Errorf("after the crash: %+v", got)
	}
	if err := h2.service.Accept(t.Context(), ev); err != nil { // the platform's repeat
		t.Fatal(err)
	}
	s := h2.session("a")
	if s.Prompt != want.Prompt+1 || s.Slot("texts") != "4" {
		t.Errorf("session %+v, before %+v", s, want)
	}
	h2.talk("a2").Say("x").Expect("1: x")
	if err := h2.box.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if lost, rows, err := h2.box.List(t.Context(), 10); err != nil || len(rows)+len(lost) != 0 {
		t.Errorf("waiting: %v %+v, given up: %+v", err, rows, lost)
	}
}

// Conversations do not disturb each other, and their answers come in order.
func TestSQLiteManyAtOnce(t *testing.T) {
	db := openSQLite(t, filepath.Join(t.TempDir(), "a.db"))
	h := newHouseOver(t, db, nil)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for n := range 10 {
				id := bot.ConversationID(fmt.Sprint("c", i))
				text := fmt.Sprint("t", n)
				if n == 5 && i%10 == 0 {
					text = "check fails" // undone, while others share its commit
				}
				for range 2 {
					if err := h.service.Accept(context.Background(), bot.Event{ID: fmt.Sprint(id, n), Channel: ch, Conversation: id, From: string(id), Text: text}); err != nil {
						t.Error(err)
					}
				}
			}
		}()
	}
	wg.Wait()
	h.chat.Wait(t, 500)
	for i := range 50 {
		var want []string
		count := 0
		for n := range 10 {
			if n == 5 && i%10 == 0 {
				want = append(want, "outcome error")
				continue
			}
			count++
			want = append(want, fmt.Sprint(count, ": t", n))
		}
		if got := h.chat.Texts(bot.ConversationID(fmt.Sprint("c", i))); !reflect.DeepEqual(got, want) {
			t.Errorf("conversation %d: %q, want %q", i, got, want)
		}
	}
}

// Marks ride with turns: the outbox adds hardly a commit of its own under load.
func TestSyncsPerTurn(t *testing.T) {
	db := openSQLite(t, filepath.Join(t.TempDir(), "a.db"))
	per, turns := hammer(t, db, 50, 6000)
	t.Logf("%d turns, %.4f syncs a turn", turns, per)
	if per > 0.06 {
		t.Errorf("%.4f syncs a turn with 50 at once, want at most 0.06 (P2, first stage)", per)
	}
}

// hammer has people talk, each of them waiting for the answer before the next
// word, and returns the syncs a turn.
func hammer(t testing.TB, db *store.DB, people, turns int) (float64, int64) {
	chat := &counter{waits: make([]chan struct{}, people)}
	for i := range chat.waits {
		chat.waits[i] = make(chan struct{}, 4)
	}
	box := outbox.New(outbox.Options{Store: db, Adapters: map[bot.ChannelID]bot.Adapter{ch: chat}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- box.Run(ctx) }()
	<-box.Ready()
	service := turn.New(turn.Options{Store: db, Engine: toy{}, Outbox: box, Catalogue: bot.Catalogue{}})
	before := db.Stats()
	var next atomic.Int64
	var wg sync.WaitGroup
	for i := range people {
		wg.Add(1)
		go func() {
			defer wg.Done()
			conv := bot.ConversationID(fmt.Sprintf("%03d-%x", i, uint32(i)*2654435761))
			for {
				n := next.Add(1)
				if n > int64(turns) {
					return
				}
				if err := service.Accept(ctx, bot.Event{ID: fmt.Sprint("e", n), Channel: ch, Conversation: conv, From: string(conv), Text: "words"}); err != nil {
					t.Error(err)
					return
				}
				<-chat.waits[i]
			}
		}()
	}
	wg.Wait()
	after := db.Stats()
	cancel()
	stop, cancel2 := context.WithTimeout(context.Background(), time.Minute)
	defer cancel2()
	if err := box.Close(stop); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	n := after.Turns - before.Turns
	return float64(after.Syncs-before.Syncs) / float64(n), n
}

// counter is the smallest adapter: it tells the person that the answer came.
type counter struct{ waits []chan struct{} }

func (*counter) Channel() bot.ChannelID                     { return ch }
func (*counter) Limits() bot.Limits                         { return bot.Limits{} }
func (*counter) Run(ctx context.Context, _ bot.Inbox) error { <-ctx.Done(); return nil }
func (c *counter) Send(_ context.Context, d bot.Delivery) (bot.Receipt, error) {
	var i int
	fmt.Sscanf(string(d.Conversation), "%03d", &i)
	c.waits[i] <- struct{}{}
	return bot.Receipt{ID: d.Key}, nil
}

func BenchmarkSQLite(b *testing.B) {
	for _, people := range []int{1, 50, 256} {
		b.Run(fmt.Sprint(people, "-at-once"), func(b *testing.B) {
			db := openSQLite(b, filepath.Join(b.TempDir(), "a.db"))
			b.ReportAllocs()
			b.ResetTimer()
			per, n := hammer(b, db, people, b.N)
			b.ReportMetric(per, "syncs/turn")
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "turns/s")
		})
	}
}
