package outbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/outbox"
)

const ch = bot.ChannelID("test")

// rig is an outbox over a store in memory, inside a synctest bubble.
type rig struct {
	t     *testing.T
	store *bottest.Store
	chat  *bottest.Adapter
	box   *outbox.Outbox
	convs map[bot.ConversationID]*bot.Conversation
	n     int
	stop  func()
}

func newRig(t *testing.T, o outbox.Options) *rig {
	r := &rig{t: t, store: bottest.NewStore(), chat: bottest.NewAdapter(ch), convs: map[bot.ConversationID]*bot.Conversation{}}
	r.open(o)
	return r
}

// open starts an outbox over the rig's store, as a process does.
func (r *rig) open(o outbox.Options) {
	o.Store = r.store
	if o.Adapters == nil {
		o.Adapters = map[bot.ChannelID]bot.Adapter{ch: r.chat}
	}
	time.Sleep(time.Millisecond) // no process starts in the millisecond in which another ends
	r.box = outbox.New(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.box.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Errorf("Run: %v", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := r.box.Close(ctx); err != nil {
			r.t.Errorf("Close: %v", err)
		}
	})
	r.t.Cleanup(r.stop)
	synctest.Wait()
}

// storeOnly stores messages without handing them over, as a crash between commit
// and send leaves them.
func (r *rig) storeOnly(conv bot.ConversationID, ms ...bot.Message) (*bot.Conversation, []bot.OutboxRow) {
	r.t.Helper()
	var c *bot.Conversation
	var rows []bot.OutboxRow
	r.n++
	ev := &bot.Event{ID: fmt.Sprint("e", r.n), Channel: ch, Conversation: conv, From: "u"}
	err := r.store.Turn(context.Background(), ev, func(tx bot.Tx, got *bot.Conversation) error {
		c, rows = got, nil
		for _, m := range ms {
			row := bot.OutboxRow{Conversation: conv, Message: m}
			if err := tx.Say(&row); err != nil {
				return err
			}
			rows = append(rows, row)
		}
		return tx.SaveConversation(c)
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return c, rows
}

func (r *rig) say(conv bot.ConversationID, texts ...string) {
	r.t.Helper()
	var ms []bot.Message
	for _, s := range texts {
		ms = append(ms, bot.Message{Text: s})
	}
	c, rows := r.storeOnly(conv, ms...)
	r.box.Committed(c, rows, false)
}

func (r *rig) row(conv bot.ConversationID, seq int64) bot.OutboxRow {
	r.t.Helper()
	for _, row := range r.store.Rows() {
		if row.Conversation == conv && row.Seq == seq {
			return row
		}
	}
	r.t.Fatalf("no row %s/%d", conv, seq)
	return bot.OutboxRow{}
}

func (r *rig) wantTexts(conv bot.ConversationID, want ...string) {
	r.t.Helper()
	if got := r.chat.Texts(conv); !reflect.DeepEqual(got, want) {
		r.t.Fatalf("delivered in %q: %q, want %q", conv, got, want)
	}
}

func TestSendsAtOnceInOrderAndMarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{})
		r.say("a", "1", "2")
		r.say("b", "x")
		r.say("a", "3")
		synctest.Wait() // no time passes: nothing waits for a timer
		r.wantTexts("a", "1", "2", "3")
		r.wantTexts("b", "x")
		time.Sleep(100 * time.Millisecond)
		for _, row := range r.store.Rows() {
			if row.State != bot.OutboxSent || row.Receipt == "" || row.Attempts != 1 {
				t.Errorf("row %s/%d: %+v", row.Conversation, row.Seq, row)
			}
		}
		if n := r.box.Busy(); n != 0 {
			t.Errorf("%d conversations busy, want 0", n)
		}
		r.stop()
	})
}

func TestMarksAreBatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{})
		for i := range 200 {
			r.say(bot.ConversationID(fmt.Sprint("c", i)), "hello")
		}
		before := r.store.Commits()
		time.Sleep(time.Second)
		if n := r.store.Commits() - before; n != 1 {
			t.Errorf("%d transactions to mark 200 messages, want 1", n)
		}
		if n := len(r.chat.Deliveries()); n != 200 {
			t.Errorf("%d delivered", n)
		}
		r.stop()
	})
}

func TestTurnStoresMarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{})
		r.say("a", "1")
		synctest.Wait()
		marks := r.box.Unmarked(nil, "a")
		if len(marks) != 1 || marks[0].State != bot.OutboxSent {
			t.Fatalf("unmarked: %+v", marks)
		}
		if err := r.store.Update(t.Context(), func(tx bot.Tx) error { return tx.MarkOutbox(&marks[0]) }); err != nil {
			t.Fatal(err)
		}
		r.box.Marked("a", marks)
		before := r.store.Commits()
		time.Sleep(time.Second)
		if n := r.store.Commits() - before; n != 0 {
			t.Errorf("%d transactions although the turn had stored the mark", n)
		}
		if n := r.box.Busy(); n != 0 {
			t.Errorf("%d conversations busy", n)
		}
		r.stop()
	})
}

// What is committed while the first look at the table is under way is sent
// once, even in the very millisecond of the start: the store keeps no more.
func TestSaidAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, chat := bottest.NewStore(), bottest.NewAdapter(ch)
		store.Clock = func() time.Time { return time.Now().Truncate(time.Millisecond) } // as the real ones keep it
		time.Sleep(time.Millisecond / 2)
		box := outbox.New(outbox.Options{Store: store, Adapters: map[bot.ChannelID]bot.Adapter{ch: chat}})
		r := &rig{t: t, store: store, chat: chat, box: box}
		c, rows := r.storeOnly("a", bot.Message{Text: "once"})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- box.Run(ctx) }()
		synctest.Wait() // the first look is over, and what it found is sent and marked
		time.Sleep(time.Second)
		box.Committed(c, rows, false)
		synctest.Wait()
		r.wantTexts("a", "once")
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := box.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A crash between the commit and the send, and between the send and the mark.
func TestCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{})
		r.storeOnly("a", bot.Message{Text: "never sent"})
		r.storeOnly("b", bot.Message{Text: "first"}, bot.Message{Text: "second"})
		r.stop()

		// Sent, not marked: marks cannot be stored any more.
		r.open(outbox.Options{})
		synctest.Wait()
		r.wantTexts("a", "never sent")
		r.wantTexts("b", "first", "second")
		time.Sleep(time.Second)
		r.store.Fail(func(what string) error {
			if what == "update" {
				return errors.New("disk gone")
			}
			return nil
		})
		r.say("a", "in flight")
		synctest.Wait()
		c, rows := r.storeOnly("a", bot.Message{Text: "behind it"})
		r.box.Committed(c, rows, false)
		time.Sleep(5 * time.Second)
		r.wantTexts("a", "never sent", "in flight") // the next one waits for the mark
		crashed := r.box
		r.stop = func() {}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := crashed.Close(ctx); err == nil {
			t.Error("Close says that all marks are stored")
		}
		r.store.Fail(nil)

		before := len(r.chat.Attempts())
		r.open(outbox.Options{})
		time.Sleep(5 * time.Second)
		got := r.chat.Attempts()[before:]
		var texts []string
		for _, a := range got {
			texts = append(texts, fmt.Sprintf("%s %s %d", a.Key, a.Message.Text, a.Attempt))
		}
		want := []string{"a/2 in flight 2", "a/3 behind it 2"}
		if !reflect.DeepEqual(texts, want) {
			t.Errorf("after the crash: %q, want %q", texts, want)
		}
		r.stop()
		before = len(r.chat.Attempts())
		r.open(outbox.Options{})
		time.Sleep(time.Minute)
		if n := len(r.chat.Attempts()) - before; n != 0 {
			t.Errorf("%d attempts after a clean stop, want 0", n)
		}
		r.stop()
	})
}

func TestSweepPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{})
		r.stop()
		for i := range 2500 {
			r.storeOnly(bot.ConversationID(fmt.Sprintf("c%04d", i)), bot.Message{Text: "left"})
		}
		r.chat.FailAll(bottest.Fail(bot.SendRetry))
		r.open(outbox.Options{})
		time.Sleep(time.Minute)
		r.chat.FailAll(nil)
		time.Sleep(time.Hour)
		if n := len(r.chat.Deliveries()); n != 2500 {
			t.Errorf("%d delivered, want 2500", n)
		}
		r.stop()
	})
}

// gated is a store whose reads wait for a gate.
type gated struct {
	*bottest.Store
	gate chan struct{}
}

func (g gated) View(ctx context.Context, fn func(bot.Tx) error) error {
	<-g.gate
	return g.Store.View(ctx, fn)
}

// What a crash has left comes before what is said now.
func TestOldBeforeNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{})
		r.stop()
		r.storeOnly("a", bot.Message{Text: "old"})
		time.Sleep(time.Millisecond)
		slow := gated{r.store, make(chan struct{})}
		box := outbox.New(outbox.Options{Store: slow, Adapters: map[bot.ChannelID]bot.Adapter{ch: r.chat}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- box.Run(ctx) }()
		synctest.Wait()
		time.Sleep(time.Millisecond)
		c, rows := r.storeOnly("a", bot.Message{Text: "new"})
		box.Committed(c, rows, false)
		synctest.Wait()
		r.wantTexts("a")
		close(slow.gate)
		time.Sleep(time.Second)
		r.wantTexts("a", "old", "new")
		cancel()
		if err := errors.Join(<-done, box.Close(t.Context())); err != nil {
			t.Error(err)
		}
	})
}

func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{})
		start := time.Now()
		for range 4 {
			r.chat.FailNext(bottest.Fail(bot.SendRetry))
		}
		r.say("a", "1", "2")
		synctest.Wait()
		if row := r.row("a", 1); row.Attempts != 1 || row.State != bot.OutboxPending || row.Error != "retry" || !row.Due.After(row.CreatedAt) || row.Owner != bot.Nobody {
			t.Errorf("after the first failure: %+v", row)
		}
		time.Sleep(time.Minute)
		r.wantTexts("a", "1", "2")
		var at []time.Duration
		for _, a := range r.chat.Attempts() {
			at = append(at, a.At.Sub(start))
		}
		want := []time.Duration{0, time.Second, 3 * time.Second, 8 * time.Second, 18 * time.Second, 18 * time.Second}
		if !reflect.DeepEqual(at, want) {
			t.Errorf("attempts at %v, want %v", at, want)
		}
		for i, a := range r.chat.Attempts()[:5] {
			if a.Key != "a/1" || a.Attempt != i+1 {
				t.Errorf("attempt %d: key %s, number %d", i, a.Key, a.Attempt)
			}
		}
		r.stop()
	})
}

func TestGivesUpAfterADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{})
		r.chat.FailAll(bottest.Fail(bot.SendRetry))
		r.say("a", "1")
		time.Sleep(25 * time.Hour)
		row := r.row("a", 1)
		if row.State != bot.OutboxDead || row.Error != "expired:retry" {
			t.Errorf("row %+v", row)
		}
		if n := len(r.chat.Attempts()); n < 40 || n > 70 {
			t.Errorf("%d attempts in a day", n)
		}
		r.chat.FailAll(nil)
		r.say("a", "2")
		synctest.Wait()
		r.wantTexts("a", leftOut+"2")
		r.say("a", "3")
		synctest.Wait()
		r.wantTexts("a", leftOut+"2", "3")
		r.stop()
	})
}

// leftOut is what the message after one that was given up begins with.
const leftOut = "An earlier message could not be delivered here and was left out.\n\n"

func TestThrottledPausesTheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{Parallel: 1})
		start := time.Now()
		r.chat.FailAt(1, bottest.Throttle(7*time.Second))
		r.say("a", "1")
		r.say("b", "x")
		time.Sleep(6 * time.Second)
		if n := len(r.chat.Attempts()); n != 1 {
			t.Fatalf("%d attempts during the pause, want 1", n)
		}
		r.say("c", "y")
		time.Sleep(6 * time.Second)
		r.wantTexts("a", "1")
		r.wantTexts("b", "x")
		r.wantTexts("c", "y")
		for _, a := range r.chat.Attempts()[1:] {
			if d := a.At.Sub(start); d < 7*time.Second {
				t.Errorf("%s was tried after %v", a.Key, d)
			}
		}
		r.stop()
	})
}

// TestThrottledHere: a limit of one conversation holds up no other.
func TestThrottledHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{Parallel: 1})
		start := time.Now()
		r.chat.FailAt(1, &bot.SendError{Kind: bot.SendThrottled, After: 7 * time.Second, Here: true, Err: errors.New("slow down")})
		r.say("a", "1", "2")
		r.say("b", "x")
		time.Sleep(time.Second)
		r.wantTexts("b", "x")
		r.wantTexts("a")
		time.Sleep(9 * time.Second)
		r.wantTexts("a", "1", "2")
		for _, a := range r.chat.Attempts()[2:] {
			if d := a.At.Sub(start); d < 7*time.Second {
				t.Errorf("%s was tried after %v", a.Key, d)
			}
		}
		r.stop()
	})
}

// Two failures that say nothing are not success: the message is repeated twice,
// and then it is known that nobody knows.
func TestDoubtIsNotSuccess(t *testing.T) {
	unsure, no := bottest.Fail(bot.SendUncertain), bottest.Fail(bot.SendRetry)
	for _, tc := range []struct {
		name  string
		fails []error
		at    []time.Duration // of the attempts
		told  int
		state bot.OutboxState
		class string
	}{
		{"repeat succeeds", []error{unsure}, []time.Duration{0, 5 * time.Second}, 1, bot.OutboxSent, ""},
		{"second repeat succeeds", []error{unsure, unsure}, []time.Duration{0, 5 * time.Second, 65 * time.Second}, 1, bot.OutboxSent, ""},
		{"no repeat is certain", []error{unsure, unsure, unsure}, []time.Duration{0, 5 * time.Second, 65 * time.Second}, 0, bot.OutboxUnknown, "uncertain"},
		{"repeat was not sent", []error{unsure, no, unsure, unsure}, []time.Duration{0, 5 * time.Second, 7 * time.Second, 67 * time.Second}, 0, bot.OutboxUnknown, "uncertain"},
		{"not classified", []error{errors.New("odd"), errors.New("odd"), errors.New("odd")}, []time.Duration{0, 5 * time.Second, 65 * time.Second}, 0, bot.OutboxUnknown, "uncertain"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log strings.Builder
				r := newRig(t, outbox.Options{Logger: logTo(&log)})
				start := time.Now()
				r.chat.FailNext(tc.fails...)
				r.say("a", "1")
				time.Sleep(time.Hour)
				var at []time.Duration
				for _, a := range r.chat.Attempts() {
					at = append(at, a.At.Sub(start))
					if a.Key != "a/1" {
						t.Errorf("key %s", a.Key)
					}
				}
				if !reflect.DeepEqual(at, tc.at) || len(r.chat.Deliveries()) != tc.told {
					t.Fatalf("attempts at %v, want %v; %d delivered", at, tc.at, len(r.chat.Deliveries()))
				}
				if row := r.row("a", 1); row.State != tc.state || row.Error != tc.class {
					t.Errorf("row %+v", row)
				}
				lost, _, err := r.box.List(t.Context(), 10)
				if err != nil || (len(lost) == 1) != (tc.state == bot.OutboxUnknown) {
					t.Errorf("listed %+v %v", lost, err)
				}
				if tc.state == bot.OutboxUnknown {
					if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "nobody knows") {
						t.Errorf("log: %s", log.String())
					}
					if lost[0].Message.Text != "1" {
						t.Errorf("its text is gone: %+v", lost[0])
					}
				}
				r.say("a", "2") // the conversation goes on, and nothing is said of what may have been seen
				synctest.Wait()
				texts := r.chat.Texts("a")
				if n := len(texts); n == 0 || texts[n-1] != "2" {
					t.Errorf("texts %q", texts)
				}
				r.stop()
			})
		})
	}
}

// finder is a platform that can look for what it was sent.
type finder struct {
	*bottest.Adapter
	find  func(bot.Delivery) (bot.Receipt, error)
	looks *[]string
}

func (f finder) Find(_ context.Context, d bot.Delivery) (bot.Receipt, error) {
	*f.looks = append(*f.looks, d.Key)
	return f.find(d)
}

// Where the platform can tell, it is asked before anything is repeated.
func TestDoubtIsLookedUp(t *testing.T) {
	missing := fmt.Errorf("no such message: %w", bot.ErrNotFound)
	for _, tc := range []struct {
		name     string
		fails    int
		find     []error // nil: found
		attempts int
		looks    int
		state    bot.OutboxState
	}{
		{"it was sent", 1, []error{nil}, 1, 1, bot.OutboxSent},
		{"it was not", 1, []error{missing}, 2, 1, bot.OutboxSent},
		{"ten times in doubt, never sent", 10, []error{missing, missing, missing, missing, missing, missing, missing, missing, missing, missing}, 11, 10, bot.OutboxSent},
		{"it cannot be told at first", 1, []error{errors.New("down"), errors.New("down"), nil}, 1, 3, bot.OutboxSent},
		{"nobody can tell", 3, []error{bottest.Fail(bot.SendPermanent), bottest.Fail(bot.SendPermanent), bottest.Fail(bot.SendPermanent)}, 3, 2, bot.OutboxUnknown},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chat, looks := bottest.NewAdapter(ch), []string{}
				f := finder{chat, func(bot.Delivery) (bot.Receipt, error) {
					err := tc.find[len(looks)-1]
					return bot.Receipt{ID: "found"}, err
				}, &looks}
				r := newRig(t, outbox.Options{Adapters: map[bot.ChannelID]bot.Adapter{ch: f}})
				r.chat = chat
				for range tc.fails {
					chat.FailNext(bottest.Fail(bot.SendUncertain))
				}
				r.say("a", "1")
				time.Sleep(12 * time.Hour)
				synctest.Wait()
				if len(chat.Attempts()) != tc.attempts || len(looks) != tc.looks {
					t.Errorf("%d attempts, %d looks", len(chat.Attempts()), len(looks))
				}
				row := r.row("a", 1)
				if row.State != tc.state {
					t.Errorf("row %+v", row)
				}
				if row.State == bot.OutboxSent && len(chat.Deliveries()) == 0 && row.Receipt != "found" {
					t.Errorf("receipt %q", row.Receipt)
				}
				r.stop()
			})
		})
	}
}

func TestPermanentAndGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{})
		release := r.chat.Hold()
		r.chat.FailAt(1, &bot.SendError{Kind: bot.SendPermanent, Code: "refused", Err: errors.New("no")})
		r.say("a", "bad", "good")
		synctest.Wait()
		release()
		time.Sleep(time.Second)
		r.wantTexts("a", leftOut+"good")
		if row := r.row("a", 1); row.State != bot.OutboxDead || row.Error != "permanent:refused" {
			t.Errorf("row %+v", row)
		}

		r.chat.FailNext(bottest.Fail(bot.SendGone))
		release = r.chat.Hold()
		r.say("b", "1", "2", "3")
		synctest.Wait()
		release()
		time.Sleep(time.Hour)
		r.wantTexts("b")
		for seq := int64(1); seq <= 3; seq++ {
			if row := r.row("b", seq); row.State != bot.OutboxDead || row.Error != "gone" {
				t.Errorf("row %+v", row)
			}
		}
		r.stop()
	})
}

type panicky struct{ *bottest.Plain }

func (panicky) Send(context.Context, bot.Delivery) (bot.Receipt, error) { panic("boom 123456") }

func TestAdapterPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		r := newRig(t, outbox.Options{Adapters: map[bot.ChannelID]bot.Adapter{ch: panicky{bottest.NewPlain(ch)}}, Logger: logTo(&log)})
		r.say("a", "1")
		time.Sleep(time.Hour)
		if row := r.row("a", 1); row.State != bot.OutboxUnknown || row.Error != "uncertain" {
			t.Errorf("row %+v", row)
		}
		if strings.Contains(log.String(), "123456") || !strings.Contains(log.String(), "panicked") {
			t.Errorf("log: %s", log.String())
		}
		r.stop()
	})
}

func TestParallelIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{Parallel: 3})
		release := r.chat.Hold()
		for i := range 50 {
			r.say(bot.ConversationID(fmt.Sprint("c", i)), "1", "2")
		}
		synctest.Wait()
		r.chat.WaitInFlight(t, 3)
		release()
		time.Sleep(time.Second)
		if n := r.chat.MostAtOnce(); n != 3 {
			t.Errorf("%d attempts at once, want 3", n)
		}
		if n := len(r.chat.Deliveries()); n != 100 {
			t.Errorf("%d delivered", n)
		}
		r.stop()
	})
}

func TestSlowConversationHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{})
		r.chat.FailAt(1, bottest.Fail(bot.SendRetry))
		r.say("a", "1", "2")
		synctest.Wait()
		r.say("b", "x")
		synctest.Wait()
		r.wantTexts("b", "x")
		r.wantTexts("a")
		time.Sleep(2 * time.Second)
		r.wantTexts("a", "1", "2")
		r.stop()
	})
}

// goroutines counts those that live. runtime.NumGoroutine also counts one that
// has ended and is not put away yet, which on a busy machine may take a while.
func goroutines() int {
	stacks := make([]byte, 64<<20)
	return bytes.Count(stacks[:runtime.Stack(stacks, true)], []byte("\n\ngoroutine ")) + 1
}

func TestGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{})
		before := goroutines()
		for i := range 10_000 {
			r.say(bot.ConversationID(fmt.Sprint("c", i)), "hello")
		}
		time.Sleep(time.Minute)
		if n := r.box.Busy(); n != 0 {
			t.Errorf("%d conversations busy", n)
		}
		if n := goroutines(); n > before {
			t.Errorf("%d goroutines with 10,000 idle conversations, %d before", n, before)
		}
		// Waiting for a later attempt costs no goroutine either.
		r.chat.FailAll(bottest.Fail(bot.SendRetry))
		for i := range 2_000 {
			r.say(bot.ConversationID(fmt.Sprint("c", i)), "later")
		}
		time.Sleep(100 * time.Second)
		if n := goroutines(); n > before {
			t.Errorf("%d goroutines with 2,000 waiting conversations, %d before", n, before)
		}
		r.chat.FailAll(nil)
		time.Sleep(time.Hour)
		if n := len(r.chat.Deliveries()); n != 12_000 {
			t.Errorf("%d delivered", n)
		}
		r.stop()
	})
}

func TestReveal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var err error
		opened := 0
		r := newRig(t, outbox.Options{Revealer: func(_ context.Context, rv bot.Reveal) (*bot.Revealed, error) {
			opened++
			if err != nil {
				return nil, err
			}
			return &bot.Revealed{Key: bot.Secret("key of " + string(rv.Method))}, nil
		}})
		qr := bot.Message{Text: "scan", Reveal: &bot.Reveal{Kind: bot.RevealTOTP, Method: "m1"}, Picture: &bot.Picture{Alt: "QR"}, Fleeting: true}
		send := func() bot.Delivery {
			c, rows := r.storeOnly("a", qr)
			r.box.Committed(c, rows, false)
			time.Sleep(time.Minute)
			ds := r.chat.Deliveries()
			return ds[len(ds)-1]
		}
		if d := send(); d.Revealed == nil || string(d.Revealed.Key) != "key of m1" || d.Message.Picture == nil {
			t.Errorf("delivery %+v", d)
		}
		err = fmt.Errorf("method m1: %w", bot.ErrNotFound)
		if d := send(); d.Revealed != nil || d.Message.Reveal != nil || d.Message.Picture != nil || d.Message.Text != "scan" {
			t.Errorf("delivery of a lapsed reveal %+v", d)
		}
		err, opened = errors.New("vault"), 0
		if d := send(); d.Revealed != nil || d.Message.Text != "scan" || opened != 4 {
			t.Errorf("delivery after %d tries to reveal %+v", opened, d)
		}
		r.stop()
	})
}

// TestEcho: what stands masked in a text is shown in full where it is sent; the
// stored row and a pending that is gone keep it masked.
func TestEcho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var err error
		r := newRig(t, outbox.Options{Revealer: func(_ context.Context, rv bot.Reveal) (*bot.Revealed, error) {
			if err != nil || rv.Kind != bot.RevealTyped {
				return nil, err
			}
			return &bot.Revealed{Masked: "•••• 48", Full: "(704) 555-0148"}, nil
		}})
		send := func() bot.Delivery {
			c, rows := r.storeOnly("a", bot.Message{Text: "The code goes to •••• 48. Is that right?", Echo: &bot.Reveal{Kind: bot.RevealTyped, Method: "m1"}})
			r.box.Committed(c, rows, false)
			if row := r.row("a", rows[0].Seq); strings.Contains(row.Message.Text, "704") {
				t.Errorf("stored: %q", row.Message.Text)
			}
			time.Sleep(time.Minute)
			ds := r.chat.Deliveries()
			return ds[len(ds)-1]
		}
		if d := send(); d.Message.Text != "The code goes to (704) 555-0148. Is that right?" || d.Revealed != nil {
			t.Errorf("delivery %+v", d)
		}
		for _, err = range []error{fmt.Errorf("method m1: %w", bot.ErrNotFound), errors.New("vault")} {
			if d := send(); d.Message.Text != "The code goes to •••• 48. Is that right?" {
				t.Errorf("%v: delivery %+v", err, d)
			}
		}
		r.stop()
	})
}

func TestRetract(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{})
		c, rows := r.storeOnly("a", bot.Message{Text: "QR", Fleeting: true})
		r.box.Committed(c, rows, false)
		c, rows = r.storeOnly("b", bot.Message{Text: "QR", Fleeting: true})
		r.box.Committed(c, rows, false)
		synctest.Wait()
		c, rows = r.storeOnly("a", bot.Message{Text: "another QR", Fleeting: true})
		r.box.Committed(c, rows, true)
		synctest.Wait()
		if got := r.chat.Deleted(); !reflect.DeepEqual(got, []bottest.Deletion{{Conversation: "a", Receipt: "m:a/1"}}) {
			t.Fatalf("deleted %v", got)
		}
		if row := r.row("a", 1); row.State != bot.OutboxRetracted {
			t.Errorf("row %+v", row)
		}
		// The others after ten minutes.
		r.chat.FailDeletes(bottest.Fail(bot.SendRetry))
		time.Sleep(15 * time.Minute)
		if n := len(r.chat.Deleted()); n != 1 {
			t.Errorf("%d deleted although the platform was down", n)
		}
		r.chat.FailDeletes(nil)
		time.Sleep(2 * time.Minute)
		if n := len(r.chat.Deleted()); n != 3 {
			t.Errorf("%d deleted, want 3", n)
		}
		if err := r.box.Retract(t.Context(), "a"); err != nil {
			t.Error(err)
		}
		if err := r.box.Retract(t.Context(), "nobody"); !errors.Is(err, bot.ErrNotFound) {
			t.Errorf("retract in an unknown conversation: %v", err)
		}
		time.Sleep(time.Hour)
		if n := len(r.chat.Deleted()); n != 3 {
			t.Errorf("%d deleted, want 3: each once", n)
		}
		r.stop()
	})
}

func TestRetractWithoutDeleter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plain := bottest.NewPlain(ch)
		r := newRig(t, outbox.Options{Adapters: map[bot.ChannelID]bot.Adapter{ch: plain}})
		c, rows := r.storeOnly("a", bot.Message{Text: "QR", Fleeting: true})
		r.box.Committed(c, rows, false)
		time.Sleep(time.Hour)
		if row := r.row("a", 1); row.State != bot.OutboxRetracted || row.Error != "not deleted" {
			t.Errorf("row %+v", row)
		}
		r.stop()
	})
}

func TestOperator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{})
		r.chat.FailAll(bottest.Fail(bot.SendRetry))
		r.say("a", "1", "2", "3")
		time.Sleep(10 * time.Minute)
		_, rows, err := r.box.List(t.Context(), 10)
		if err != nil || len(rows) != 3 || rows[0].Error != "retry" {
			t.Fatalf("List: %v %+v", err, rows)
		}
		if err := r.box.Drop(t.Context(), "a", rows[0].ID); err != nil {
			t.Fatal(err)
		}
		if err := r.box.Drop(t.Context(), "a", rows[2].ID); err != nil {
			t.Fatal(err)
		}
		if err := r.box.Drop(t.Context(), "a", 99); !errors.Is(err, bot.ErrNotFound) {
			t.Errorf("Drop of an unknown row: %v", err)
		}
		if _, err := r.box.Retry(t.Context(), "nobody"); !errors.Is(err, bot.ErrNotFound) {
			t.Errorf("Retry of an unknown conversation: %v", err)
		}
		synctest.Wait()
		before := len(r.chat.Attempts())
		r.chat.FailAll(nil)
		if _, err := r.box.Retry(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		r.wantTexts("a", "2")
		if n := len(r.chat.Attempts()) - before; n != 1 {
			t.Errorf("%d attempts after Retry", n)
		}
		time.Sleep(time.Hour)
		for seq, want := range map[int64]bot.OutboxState{1: bot.OutboxDead, 2: bot.OutboxSent, 3: bot.OutboxDead} {
			if row := r.row("a", seq); row.State != want || row.Listed || row.Message.Text != "" {
				t.Errorf("row %d: %+v", seq, row)
			}
		}
		r.stop()
	})
}

// What was given up is said anew at the end of the conversation: as it was when
// nothing has followed, else without what belongs to a step that is over.
func TestRetryOfWhatWasGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{})
		prompt := func(text string) {
			c, rows := r.storeOnly("a", bot.Message{Text: text, Choices: choices("A"), Prompt: 1})
			r.box.Committed(c, rows, false)
			time.Sleep(time.Second)
		}
		r.chat.FailNext(bottest.Fail(bot.SendPermanent))
		prompt("first")
		if _, err := r.box.Retry(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		ds := r.chat.Deliveries()
		if len(ds) != 1 || ds[0].Message.Text != "first" || len(ds[0].Message.Choices) != 1 {
			t.Fatalf("said anew: %+v", ds)
		}
		r.chat.FailNext(bottest.Fail(bot.SendPermanent))
		prompt("second")
		prompt("third")
		if _, err := r.box.Retry(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		ds = r.chat.Deliveries()
		if last := ds[len(ds)-1]; last.Message.Text != "second" || last.Message.Choices != nil || last.Message.Prompt != 0 {
			t.Errorf("said anew after others: %+v", last)
		}
		if _, err := r.box.Retry(t.Context(), "a"); !errors.Is(err, bot.ErrNotFound) {
			t.Errorf("it stands in the list still: %v", err)
		}
		r.stop()
	})
}

// A question is asked again, with its buttons, as long as the person is at it. One
// that they have gone on from is not: what it asks for is no use any more.
func TestRetryOfAQuestionThatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := uint32(0)
		r := newRig(t, outbox.Options{Prompt: func([]byte) (uint32, error) { return at, nil }})
		say := func(m bot.Message, fail bool) {
			if fail {
				r.chat.FailNext(bottest.Fail(bot.SendPermanent))
			}
			c, rows := r.storeOnly("a", m)
			r.box.Committed(c, rows, false)
			time.Sleep(time.Second)
		}
		retry := func(want int, texts ...string) {
			t.Helper()
			before := len(r.chat.Deliveries())
			over, err := r.box.Retry(t.Context(), "a")
			if err != nil || over != want {
				t.Errorf("%d questions are over (%v), want %d", over, err, want)
			}
			time.Sleep(time.Second)
			var got []string
			for _, d := range r.chat.Deliveries()[before:] {
				got = append(got, fmt.Sprint(d.Message.Text, " ", len(d.Message.Choices)))
			}
			if !reflect.DeepEqual(got, texts) {
				t.Errorf("said anew %q, want %q", got, texts)
			}
			if lost, _, err := r.box.List(t.Context(), 10); err != nil || len(lost) > 0 {
				t.Errorf("still listed: %+v %v", lost, err)
			}
		}
		at = 1
		say(bot.Message{Text: "where are you", Choices: choices("A"), Prompt: 1}, true)
		say(bot.Message{Text: "news"}, false)
		retry(0, "where are you 1")
		say(bot.Message{Text: "type the code", Choices: choices("A"), Prompt: 1}, true)
		say(bot.Message{Text: "by the way", Choices: choices("A")}, true)
		at = 2
		say(bot.Message{Text: "the next", Choices: choices("A"), Prompt: 2}, false)
		retry(1, "by the way 0")
		r.stop()
	})
}

func TestUnknownChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{Adapters: map[bot.ChannelID]bot.Adapter{"other": r0()}})
		r.say("a", "1")
		time.Sleep(time.Hour)
		before := r.store.Commits()
		time.Sleep(time.Hour)
		if n := r.store.Commits() - before; n != 0 {
			t.Errorf("%d writes in an hour for a message that cannot go out", n)
		}
		if row := r.row("a", 1); row.State != bot.OutboxPending {
			t.Errorf("row %+v", row)
		}
		r.stop()
		r.open(outbox.Options{})
		synctest.Wait()
		r.wantTexts("a", "1") // the channel is back
		r.stop()
	})
}

func r0() bot.Adapter { return bottest.NewAdapter("other") }

func TestCloseDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{Parallel: 1})
		release := r.chat.Hold()
		for i := range 20 {
			r.say(bot.ConversationID(fmt.Sprint("c", i)), "1", "2")
		}
		synctest.Wait()
		release()
		r.stop()
		if n := len(r.chat.Deliveries()); n != 40 {
			t.Errorf("%d delivered, want 40", n)
		}
		for _, row := range r.store.Rows() {
			if row.State != bot.OutboxSent {
				t.Errorf("row %+v", row)
			}
		}
		c, rows := r.storeOnly("late", bot.Message{Text: "late"})
		r.box.Committed(c, rows, false)
		synctest.Wait()
		r.wantTexts("late")
		if row := r.row("late", 0); row.State != bot.OutboxPending {
			t.Errorf("row %+v", row)
		}
	})
}

func TestCloseGivesUpOnAHangingPlatform(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{})
		r.chat.Hold()
		r.say("a", "1")
		synctest.Wait()
		box := r.box
		r.stop = func() {}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := box.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v", err)
		}
		if row := r.row("a", 1); row.State != bot.OutboxPending {
			t.Errorf("row %+v", row)
		}
	})
}

// A long message goes out in parts; a failure repeats only what is missing.
func TestParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{})
		r.chat.SetLimits(bot.Limits{Text: 10})
		r.chat.FailAt(2, bottest.Fail(bot.SendRetry))
		c, rows := r.storeOnly("a", bot.Message{Text: "first one\n\nsecond\n\nthird", Fleeting: true, Choices: choices("A")})
		r.box.Committed(c, rows, false)
		time.Sleep(5 * time.Second)
		var got []string
		for _, a := range r.chat.Attempts() {
			got = append(got, fmt.Sprintf("%s %d %s", a.Key, a.Attempt, a.Message.Text))
		}
		want := []string{"a/1 1 first one", "a/1.2 1 second", "a/1.2 2 second", "a/1.3 2 third"}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("attempts %q, want %q", got, want)
		}
		if err := r.box.Retract(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if n := len(r.chat.Deleted()); n != 3 {
			t.Errorf("%d parts taken back, want 3: %v", n, r.chat.Deleted())
		}
		r.stop()
	})
}

// The marks of a broken database are stored when it is back; until then nothing
// is sent that a crash would repeat.
func TestMarksAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{})
		r.say("a", "1")
		synctest.Wait()
		r.store.Fail(func(string) error { return errors.New("down") })
		time.Sleep(time.Minute)
		r.store.Fail(nil)
		time.Sleep(2 * time.Second)
		if row := r.row("a", 1); row.State != bot.OutboxSent {
			t.Errorf("row %+v", row)
		}
		r.say("a", "2")
		synctest.Wait()
		r.wantTexts("a", "1", "2")
		r.stop()
	})
}

func BenchmarkDeliver(b *testing.B) {
	store, chat := bottest.NewStore(), bottest.NewAdapter(ch)
	box := outbox.New(outbox.Options{Store: store, Adapters: map[bot.ChannelID]bot.Adapter{ch: chat}, MarkDelay: time.Hour})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- box.Run(ctx) }()
	<-box.Ready()
	c := &bot.Conversation{ID: "a", Channel: ch}
	rows := []bot.OutboxRow{{Conversation: "a", Owner: 1, Attempts: 1, Message: bot.Message{Text: "hello"}}}
	sent := make(chan struct{})
	chat.Observe(func(bot.Delivery) { sent <- struct{}{} })
	b.ReportAllocs()
	for b.Loop() {
		rows[0].Seq++
		box.Committed(c, rows, false)
		<-sent
		marks := box.Unmarked(nil, "a")
		for len(marks) == 0 {
			runtime.Gosched()
			marks = box.Unmarked(nil, "a")
		}
		box.Marked("a", marks)
	}
	cancel()
	<-done
	if err := box.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}
