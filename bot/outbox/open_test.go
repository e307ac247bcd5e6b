package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/outbox"
	"latchkey/store/storetest"
)

// An office is a platform on which one can write to people first, and into rooms:
// what stands there, by conversation.
type office struct {
	w  *world
	id bot.ChannelID

	mu      sync.Mutex
	stands  map[bot.ConversationID][]posted
	n       int
	opens   int
	opening func(bot.Recipient) error // what Open fails with
	sending func(bot.Delivery) error  // what Send fails with
	edits   func() error              // what Edit fails with, after it was done
	hold    chan struct{}             // Open waits here
	calls   []string                  // of Edit and Delete
}

type posted struct {
	receipt, text string
	gone          bool
}

// office adds a channel to a world, before anything is started.
func (w *world) office(id bot.ChannelID) *office {
	o := &office{w: w, id: id, stands: map[bot.ConversationID][]posted{}}
	if w.more == nil {
		w.more = map[bot.ChannelID]*office{}
	}
	w.more[id] = o
	return o
}

func (o *office) of(p *process) bot.Adapter { return clerk{o, p} }

// texts are what people see.
func (o *office) texts(conv bot.ConversationID) (s []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.stands[conv] {
		if !m.gone {
			s = append(s, m.text)
		}
	}
	return s
}

// under is the thread under the n-th message of a room.
func (o *office) under(room bot.ConversationID, n int, title string) bot.ConversationID {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.stands[room]) <= n {
		return "none"
	}
	return room + bot.ConversationID("|"+o.stands[room][n].receipt+"|"+title)
}

func (o *office) opened() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.opens
}

func (o *office) set(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f()
}

func (o *office) until(t *testing.T, conv bot.ConversationID, want ...string) {
	t.Helper()
	o.w.until(fmt.Sprintf("%q in %s", want, conv), func() bool { return reflect.DeepEqual(o.texts(conv), want) })
}

// A clerk is the adapter of an office in one process.
type clerk struct {
	*office
	p *process
}

func (c clerk) Channel() bot.ChannelID                   { return c.id }
func (clerk) Limits() bot.Limits                         { return bot.Limits{Text: 100} }
func (clerk) Run(ctx context.Context, _ bot.Inbox) error { <-ctx.Done(); return nil }
func (c clerk) dm(user string) bot.ConversationID {
	return bot.ConversationID(string(c.id) + "|" + user)
}
func (c clerk) Said(bot.ConversationID)              {}
func (c clerk) Typing(context.Context, []byte) error { return nil }
func (c clerk) fail(f func(bot.Delivery) error, d bot.Delivery) error {
	if c.p.dead.Load() {
		return &bot.SendError{Kind: bot.SendRetry, Err: errDead}
	}
	if f != nil {
		return f(d)
	}
	return nil
}

func (c clerk) Send(_ context.Context, d bot.Delivery) (bot.Receipt, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.fail(c.sending, d); err != nil {
		return bot.Receipt{}, err
	}
	if string(d.Conversation) != string(d.Address) {
		c.w.t.Errorf("sent to %q in %s", d.Address, d.Conversation)
	}
	c.n++
	r := strconv.Itoa(c.n)
	c.stands[d.Conversation] = append(c.stands[d.Conversation], posted{receipt: r, text: d.Message.Text})
	c.w.deliver(d)
	return bot.Receipt{ID: r}, nil
}

func (c clerk) Open(ctx context.Context, p bot.Recipient) (bot.Opened, error) {
	c.mu.Lock()
	c.opens++
	opening, hold := c.opening, c.hold
	c.mu.Unlock()
	var err error
	if opening != nil {
		err = opening(p)
	}
	if hold != nil {
		<-hold
	}
	if c.p.dead.Load() {
		err = &bot.SendError{Kind: bot.SendRetry, Err: errDead}
	}
	if err != nil {
		return bot.Opened{}, err
	}
	user := p.User
	if user == "" {
		user, _, _ = strings.Cut(p.Email, "@")
	}
	return bot.Opened{Conversation: c.dm(user), User: user, Address: []byte(c.dm(user))}, nil
}

func (c clerk) Room(id string) (bot.Opened, error) {
	if id == "" {
		return bot.Opened{}, &bot.SendError{Kind: bot.SendPermanent, Err: errors.New("this is no id of a room")}
	}
	conv := c.dm("#" + id)
	return bot.Opened{Conversation: conv, Address: []byte(conv)}, nil
}

func (c clerk) Thread(room []byte, receipt, title string) (bot.Opened, error) {
	conv := bot.ConversationID(string(room) + "|" + receipt + "|" + title)
	return bot.Opened{Conversation: conv, Address: []byte(conv)}, nil
}

// post looks for a message. c.mu is held.
func (c clerk) post(conv bot.ConversationID, receipt string) *posted {
	ms := c.stands[conv]
	i := slices.IndexFunc(ms, func(m posted) bool { return m.receipt == receipt && !m.gone })
	if i < 0 {
		return nil
	}
	return &ms[i]
}

func (c clerk) Edit(_ context.Context, d bot.Delivery, receipt string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, "edit "+receipt)
	m := c.post(d.Conversation, receipt)
	if m == nil {
		return &bot.SendError{Kind: bot.SendPermanent, Err: errors.New("the message is not there any more")}
	}
	m.text = d.Message.Text
	if c.edits != nil {
		return c.edits()
	}
	return nil
}

func (c clerk) Delete(_ context.Context, d bot.Delivery, receipt string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, "delete "+receipt)
	if m := c.post(d.Conversation, receipt); m != nil {
		m.gone = true
	}
	if c.edits != nil {
		return c.edits()
	}
	return nil
}

// onBoth runs a test on a world over each database.
func onBoth(t *testing.T, f func(t *testing.T, w *world)) {
	t.Run("sqlite", func(t *testing.T) { f(t, newWorld(t, filepath.Join(t.TempDir(), "a.db"))) })
	t.Run("postgres", func(t *testing.T) { f(t, newWorld(t, storetest.Postgres(t))) })
}

// serve is a turn of a service: fn says what it wants in the transaction of an
// event in a conversation.
func (p *process) serve(id string, channel bot.ChannelID, conv bot.ConversationID, fn func(tx bot.Tx) error) error {
	var c *bot.Conversation
	var rows []bot.OutboxRow
	user := string(conv)[strings.IndexAny(string(conv), "|")+1:]
	err := p.Turn(context.Background(), &bot.Event{ID: id, Channel: channel, Conversation: conv, From: user, Address: []byte(conv)}, func(tx bot.Tx, got *bot.Conversation) error {
		c, rows = got, []bot.OutboxRow{{Conversation: conv, Message: bot.Message{Text: "answer " + id}}}
		if err := tx.Say(&rows[0]); err != nil {
			return err
		}
		if err := fn(tx); err != nil {
			return err
		}
		more, err := tx.PendingOf(conv)
		for _, r := range more { // as a turn hands them over
			if r.Seq > rows[0].Seq && r.Owner != bot.Nobody {
				rows = append(rows, r)
			}
		}
		return errors.Join(err, tx.SaveConversation(c))
	})
	if err == nil && c != nil {
		p.box.Committed(c, rows, false)
	}
	return err
}

// say1 says a text.
func say1(tx bot.Tx, to bot.ConversationID, err error, text string) (*bot.OutboxRow, error) {
	row := &bot.OutboxRow{Conversation: to, Lane: bot.LaneRelay, Message: bot.Message{Text: text}}
	if err != nil {
		return row, err
	}
	return row, tx.Say(row)
}

// people puts two people into the directory's copy; bob has an account on b.
func (w *world) people(p *process) {
	w.t.Helper()
	storetest.Seed(w.t, p.DB, bot.Person{ID: "p-ann", Username: "ann", Email: "ann@example.org"}, bot.Person{ID: "p-bob", Username: "bob", Email: "bob@example.org"},
		bot.Person{ID: "p-new", Username: "new", Email: "new@example.org"})
	err := p.Update(context.Background(), func(tx bot.Tx) error {
		return tx.Link(bot.Identity{Channel: "b", User: "bob", Person: "p-bob", Level: bot.L2})
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// A service says something to another person on another platform, in a thread of
// a team channel, and to somebody who never wrote, all in the turn of an event.
func TestSayAnywhere(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		a, b := w.office("a"), w.office("b")
		p := w.start(outbox.Options{})
		w.people(p)
		if err := p.serve("1", "b", "b|bob", func(bot.Tx) error { return nil }); err != nil {
			t.Fatal(err)
		}
		var thread bot.ConversationID
		everywhere := func(n string) func(tx bot.Tx) error {
			return func(tx bot.Tx) error {
				to, err := tx.Direct("b", "p-bob")
				_, err = say1(tx, to, err, "to bob "+n)
				if err != nil {
					return err
				}
				to, err = tx.Room("a", "team")
				head, err := say1(tx, to, err, "ticket "+n)
				if err != nil {
					return err
				}
				if thread, err = tx.Thread(head, "#"+n); err != nil {
					return err
				}
				for _, text := range []string{"line 1 of ", "line 2 of "} {
					if _, err = say1(tx, thread, err, text+n); err != nil {
						return err
					}
				}
				to, err = tx.Direct("b", "p-new")
				_, err = say1(tx, to, err, "first to new "+n)
				if err == nil {
					_, err = say1(tx, to, err, "second to new "+n)
				}
				return err
			}
		}
		oops := errors.New("the turn fails")
		err := p.serve("2", "a", "a|ann", func(tx bot.Tx) error { return errors.Join(everywhere("0")(tx), oops) })
		if !errors.Is(err, oops) {
			t.Fatal(err)
		}
		if err := p.serve("3", "a", "a|ann", everywhere("1")); err != nil {
			t.Fatal(err)
		}
		a.until(t, "a|ann", "answer 3")
		b.until(t, "b|bob", "answer 1", "to bob 1")
		a.until(t, "a|#team", "ticket 1")
		a.until(t, a.under("a|#team", 0, "#1"), "line 1 of 1", "line 2 of 1")
		b.until(t, "b|new", "first to new 1", "second to new 1")
		settled(t, p)
		// They are known now: nothing is opened again, and who was written to is
		// linked by nothing.
		opens := b.opened()
		if err := p.serve("4", "b", "b|new", everywhere("2")); err != nil {
			t.Fatal(err)
		}
		b.until(t, "b|new", "first to new 1", "second to new 1", "answer 4", "first to new 2", "second to new 2")
		err = p.Update(t.Context(), func(tx bot.Tx) error {
			_, err := say1(tx, thread, nil, "line 3 of 2")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		a.w.until("the third line", func() bool {
			return len(a.texts(a.under("a|#team", 1, "#2"))) == 3
		})
		settled(t, p)
		if n := b.opened() - opens; n != 0 {
			t.Errorf("opened %d times more", n)
		}
		err = p.View(t.Context(), func(tx bot.Tx) error {
			c, err := tx.Conversation("b|new")
			if err != nil || c.Person != "" || c.User != "new" || c.Kind != bot.Direct {
				t.Errorf("conversation %+v %v", c, err)
			}
			ids, err := tx.IdentitiesOf("p-new")
			if err != nil || len(ids) != 0 {
				t.Errorf("linked by being written to: %+v %v", ids, err)
			}
			th, err := tx.Opening(thread)
			if err != nil {
				return err
			}
			c, err = tx.Conversation(th.Opened)
			if err != nil || c.Kind != bot.Thread || c.Parent != "a|#team" {
				t.Errorf("thread %+v %v", c, err)
			}
			recent, err := tx.Recent("a", 10)
			if err != nil || len(recent) != 1 || recent[0].ID != "a|ann" {
				t.Errorf("direct conversations %+v %v", recent, err)
			}
			if gone, err := tx.GivenUp(10); err != nil || len(gone) > 0 {
				t.Errorf("given up %+v %v", gone, err)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// sayNew says texts to a person by the directory's id.
func (p *process) sayNew(t *testing.T, person bot.PersonID, texts ...string) (to bot.ConversationID) {
	t.Helper()
	err := p.Update(t.Context(), func(tx bot.Tx) (err error) {
		if to, err = tx.Direct("b", person); err != nil {
			return err
		}
		for _, text := range texts {
			if _, err = say1(tx, to, err, text); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// Who cannot be reached is told of with the reason, in the list and of the
// person, and is reached when the reason is gone.
func TestNotReachable(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		b := w.office("b")
		p := w.start(outbox.Options{})
		w.people(p)
		b.opening = func(r bot.Recipient) error {
			if r.Person != "p-new" || r.Email != "new@example.org" || r.User != "" {
				t.Errorf("asked for %+v", r)
			}
			return &bot.SendError{Kind: bot.SendGone, Code: bot.WhyNotInstalled, Err: errors.New("the app is not there; install it")}
		}
		to := p.sayNew(t, "p-new", "one", "two")
		var lost []bot.OutboxRow
		w.until("both given up", func() bool {
			var err error
			lost, _, err = p.box.List(t.Context(), 10)
			return err == nil && len(lost) == 2
		})
		why, remedy := outbox.Explain(&lost[0])
		if lost[1].Message.Text != "one" || lost[1].Error != "unreachable:not_installed" || !strings.Contains(why, "not there for this person") || !strings.Contains(remedy, "people show") || outbox.Gone(&lost[0]) {
			t.Errorf("listed %+v: %s; %s", lost, why, remedy)
		}
		reach := func() (s string) {
			err := p.View(t.Context(), func(tx bot.Tx) error {
				ps, err := tx.OpeningsOf("p-new")
				for _, o := range ps {
					s += fmt.Sprint(o.Channel, " ", o.Opened, " ", o.Why, " ", o.Explained)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
			return s
		}
		if got := reach(); got != "b  not_installed the app is not there; install it" {
			t.Errorf("reachable: %q", got)
		}
		b.set(func() { b.opening = nil })
		if _, err := p.box.Retry(t.Context(), to); err != nil {
			t.Fatal(err)
		}
		p.sayNew(t, "p-new", "three")
		b.until(t, "b|new", "one", "two", "three")
		settled(t, p)
		if got := reach(); got != "b b|new  " {
			t.Errorf("reachable: %q", got)
		}
	})
}

// What cannot be opened now is opened later; who writes meanwhile gets what waits
// in the conversation that they began.
func TestOpenLater(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		b := w.office("b")
		p := w.start(outbox.Options{})
		w.people(p)
		fails := 2
		b.opening = func(bot.Recipient) error {
			if fails--; fails == 1 {
				return errors.New("no answer")
			} else if fails == 0 {
				panic("adapter")
			}
			return nil
		}
		p.sayNew(t, "p-new", "one", "two")
		b.until(t, "b|new", "one", "two")
		// The other one is not found for long, and writes from an account that no
		// address leads to.
		b.set(func() {
			b.opening = func(bot.Recipient) error {
				return &bot.SendError{Kind: bot.SendThrottled, After: 2 * time.Second, Here: true, Err: errors.New("wait")}
			}
		})
		p.sayNew(t, "p-ann", "for ann", "and this")
		w.until("an attempt", func() bool { return b.opened() > 3 })
		if err := p.serve("1", "b", "b|anna", func(tx bot.Tx) error {
			return tx.Link(bot.Identity{Channel: "b", User: "anna", Person: "p-ann", Level: bot.L2})
		}); err != nil {
			t.Fatal(err)
		}
		b.until(t, "b|anna", "answer 1", "for ann", "and this")
		settled(t, p)
	})
}

// An address that has changed hands leads to nobody else.
func TestAddressOfSomebodyElse(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		b := w.office("b")
		p := w.start(outbox.Options{})
		w.people(p)
		if err := p.Update(t.Context(), func(tx bot.Tx) error {
			return tx.Link(bot.Identity{Channel: "b", User: "new", Person: "p-bob", Level: bot.L2})
		}); err != nil {
			t.Fatal(err)
		}
		p.sayNew(t, "p-new", "private")
		w.until("it to be given up", func() bool {
			lost, _, err := p.box.List(t.Context(), 10)
			return err == nil && len(lost) == 1 && lost[0].Error == "unreachable:not_ours"
		})
		// The same of an account that was opened for them once.
		if err := p.Update(t.Context(), func(tx bot.Tx) error { return tx.Unlink("b", "new") }); err != nil {
			t.Fatal(err)
		}
		to := p.sayNew(t, "p-new", "now")
		b.until(t, "b|new", "now")
		settled(t, p)
		err := p.Update(t.Context(), func(tx bot.Tx) error {
			if err := tx.Link(bot.Identity{Channel: "b", User: "new", Person: "p-bob", Level: bot.L2}); err != nil {
				return err
			}
			now, err := tx.Direct("b", "p-new")
			if err != nil || now == "b|new" || !now.IsOpening() {
				t.Errorf("the account of another one: %s %v", now, err)
			}
			row, err := say1(tx, to, err, "still private")
			if row.Conversation == "b|new" && row.Conversation != to {
				t.Error("said to another person's account")
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// A thread waits for its message, and goes with it.
func TestThreadWaitsForItsMessage(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		a := w.office("a")
		p := w.start(outbox.Options{})
		refuse := true
		a.sending = func(d bot.Delivery) error {
			switch {
			case d.Message.Text == "lost":
				return &bot.SendError{Kind: bot.SendPermanent, Err: errors.New("refused")}
			case d.Message.Text == "late" && refuse:
				refuse = false
				return &bot.SendError{Kind: bot.SendRetry, Err: errors.New("not now")}
			}
			return nil
		}
		for _, text := range []string{"late", "lost"} {
			err := p.Update(t.Context(), func(tx bot.Tx) error {
				room, err := tx.Room("a", "team")
				head, err := say1(tx, room, err, text)
				if err != nil {
					return err
				}
				th, err := tx.Thread(head, "x")
				_, err = say1(tx, th, err, "under "+text)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		a.until(t, "a|#team", "late")
		a.until(t, a.under("a|#team", 0, "x"), "under late")
		w.until("the other to be given up", func() bool {
			lost, waits, err := p.box.List(t.Context(), 10)
			return err == nil && len(waits) == 0 && len(lost) == 2 && lost[0].Message.Text == "under lost" && lost[0].Error == "unreachable:no_head"
		})
	})
}

// A line that is said behind another one, which this process owns and does not
// have in memory yet, is sent after it. Nobody looks at the table by chance.
func TestSaidBeforeTheQueueIsThere(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		p := w.start(outbox.Options{Look: time.Hour})
		if err := p.serve("0", ch, "z", func(bot.Tx) error { return nil }); err != nil {
			t.Fatal(err)
		}
		settled(t, p)
		var c *bot.Conversation
		row := bot.OutboxRow{Conversation: "b", Message: bot.Message{Text: "answer"}}
		err := p.Turn(t.Context(), &bot.Event{ID: "1", Channel: ch, Conversation: "b", From: "b"}, func(tx bot.Tx, got *bot.Conversation) error {
			c = got
			return errors.Join(tx.Say(&row), tx.SaveConversation(c))
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Update(t.Context(), func(tx bot.Tx) error {
			_, err := say1(tx, "b", nil, "and this")
			_, err = say1(tx, "z", err, "elsewhere")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		// The look that finds this one has passed the other by.
		w.until("the line elsewhere", func() bool { return len(w.texts("z")) == 2 })
		p.box.Committed(c, []bot.OutboxRow{row}, false)
		w.until("both", func() bool { return reflect.DeepEqual(w.texts("b"), []string{"answer", "and this"}) })
	})
}

// A turn in a room leaves the marks of what was sent there to the outbox, which
// wakes the threads under it.
func TestTurnStoresNoMarkOfARoom(t *testing.T) {
	w := newWorld(t, filepath.Join(t.TempDir(), "a.db"))
	a := w.office("a")
	p := w.start(outbox.Options{MarkDelay: time.Hour})
	if err := p.Update(t.Context(), func(tx bot.Tx) error {
		room, err := tx.Room("a", "team")
		_, err = say1(tx, room, err, "head")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := p.serve("1", "a", "a|ann", func(bot.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	a.until(t, "a|#team", "head")
	a.until(t, "a|ann", "answer 1")
	w.until("the mark of the answer", func() bool { return len(p.box.Unmarked(nil, "a|ann")) == 1 })
	if n := p.box.Busy(); n != 2 {
		t.Errorf("%d conversations have something to mark, want 2", n)
	}
	if rows := p.box.Unmarked(nil, "a|#team"); len(rows) > 0 {
		t.Errorf("a turn stores %+v", rows)
	}
}

// A process that dies while it opens a conversation loses nothing, and two that
// open the same end with one.
func TestOpenerDies(t *testing.T) {
	w := newWorld(t, storetest.Postgres(t))
	b := w.office("b")
	p := w.start(outbox.Options{})
	w.people(p)
	b.hold = make(chan struct{})
	to := p.sayNew(t, "p-new", "1", "2", "3")
	w.until("somebody to open it", func() bool { return b.opened() == 1 })
	p.mute.Store(true) // it is taken for dead, and is not
	q := w.start(outbox.Options{})
	w.until("another one to open it", func() bool { return b.opened() == 2 })
	close(b.hold)
	w.until("all of it", func() bool { return len(b.texts("b|new")) >= 3 })
	p.mute.Store(false)
	if again := q.sayNew(t, "p-new", "4"); again != "b|new" {
		t.Errorf("opened %s is %s", to, again)
	}
	w.until("the last", func() bool { return len(b.texts("b|new")) >= 4 })
	settled(t, q)
	w.ordered("b|new", 4)
}
