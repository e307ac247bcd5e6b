package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"latchkey/bot"
	"latchkey/bot/outbox"
)

// How long a check waits for something before it fails: for what must come,
// and for what is declared missing.
const (
	patience   = time.Minute
	impatience = 250 * time.Millisecond
)

// Run holds an adapter to the contract: one subtest for each sentence of it.
func Run(t *testing.T, h Harness) {
	t.Helper()
	known := map[Ability]bool{}
	for _, c := range contract {
		for _, a := range c.needs {
			known[a] = true
		}
	}
	for _, a := range slices.Sorted(maps.Keys(h.Lacks)) {
		if !known[a] || h.Lacks[a] == "" {
			t.Errorf("%s: lacks %q: no such ability, or no reason", h.Name, a)
		}
		t.Logf("%s lacks %s: %s", h.Name, a, h.Lacks[a])
	}
	for _, c := range contract {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			for _, a := range c.needs {
				why, lacks := h.Lacks[a]
				if !lacks {
					continue
				}
				if v := judge(t, h, c, impatience); v.passed() {
					t.Errorf("%s is declared to lack %s (%s), and passes: take the declaration away", h.Name, a, why)
				}
				t.Skipf("%s lacks %s: %s", h.Name, a, why)
			}
			c.check(open(t, h, patience))
		})
	}
}

// A clause is one sentence of the contract.
type clause struct {
	says  string
	needs []Ability
	check func(*bench)
}

// contract is all of it. The checks are in in.go, out.go and reach.go, in this
// order.
var contract = slices.Concat(takesIn, givesOut, reaches)

// A bench is one check at work: a running adapter, the house behind it and the
// platform before it.
type bench struct {
	testing.TB
	h        Harness
	house    *House
	platform Platform
	a        bot.Adapter
	patience time.Duration
	begun    int // events of the house when the check began to count

	stop context.CancelFunc
	over chan error
}

func open(t testing.TB, h Harness, patience time.Duration) *bench {
	t.Helper()
	b := &bench{TB: t, h: h, house: NewHouse(), patience: patience}
	t.Cleanup(b.examineLog)
	b.platform = h.Open(t, b.house)
	t.Cleanup(func() {
		if b.stop != nil {
			b.stop()
			b.ended()
		}
	})
	b.connect()
	return b
}

// connect makes an adapter and runs it.
func (b *bench) connect() {
	b.Helper()
	b.a = b.platform.Connect(b.TB)
	if b.a.Channel() == "" {
		b.Fatal("the adapter has no channel")
	}
	ctx, stop := context.WithCancel(context.Background())
	over := make(chan error, 1)
	a := b.a
	go func() { over <- b.house.later.Run(ctx, a, b.house, b.house.Log) }()
	b.stop, b.over = stop, over
}

// ended waits for Run to return.
func (b *bench) ended() {
	b.Helper()
	select {
	case err := <-b.over:
		if err != nil && !errors.Is(err, context.Canceled) {
			b.Errorf("Run fails at the end of its context: %v", err)
		}
	case <-time.After(b.patience):
		b.Error("Run does not return when its context has ended")
	}
	b.stop = nil
}

// restart ends the adapter and starts another on the same account.
func (b *bench) restart() {
	b.Helper()
	b.stop()
	b.ended()
	b.connect()
}

// examineLog is the end of every check: no value in the log, and no panic.
func (b *bench) examineLog() {
	log := b.house.told()
	for _, c := range b.house.leaks(log) {
		b.Errorf("%q stands in the log:\n%s", c, log)
	}
	if strings.Contains(log, `"panic":`) {
		b.Errorf("the adapter panicked:\n%s", log)
	}
}

// can reports whether the platform has an ability.
func (b *bench) can(a Ability) bool { _, lacks := b.h.Lacks[a]; return !lacks }

// need gives the platform as one that has more.
func need[T any](b *bench) T {
	b.Helper()
	p, ok := b.platform.(T)
	if !ok {
		b.Fatalf("%T does not implement %T; implement it, or say in Lacks what the platform lacks", b.platform, (*T)(nil))
	}
	return p
}

// do fails when a person cannot do something.
func (b *bench) do(what string, err error) {
	b.Helper()
	if err != nil {
		b.Fatalf("%s: %v", what, err)
	}
}

// A guest is a person who has spoken, so that one can answer.
type guest struct {
	Person
	n       int
	conv    bot.ConversationID
	address []byte
}

// meet has the n-th person open the conversation and say hello.
func (b *bench) meet(n int) *guest {
	b.Helper()
	g := &guest{Person: b.platform.Person(n), n: n}
	b.do("arrive", g.Arrive())
	hello := b.house.canary("hello")
	b.do("say hello", g.Say(hello))
	ev := b.took("hello", func(ev *bot.Event) bool { return ev.Kind == bot.Text && ev.Text == hello })
	g.conv, g.address = ev.Conversation, ev.Address
	b.count()
	return g
}

// count lets the events begin that since lists.
func (b *bench) count() {
	b.house.mu.Lock()
	defer b.house.mu.Unlock()
	b.begun = len(b.house.events)
}

// took waits for an event that was taken in after count.
func (b *bench) took(what string, ok func(*bot.Event) bool) (got bot.Event) {
	b.Helper()
	b.house.wait(b, b.patience, what, func() bool {
		for i := b.begun; i < len(b.house.events); i++ {
			if ok(&b.house.events[i]) {
				got = b.house.events[i]
				return true
			}
		}
		return false
	})
	return got
}

// tookText waits for a typed text.
func (b *bench) tookText(text string) bot.Event {
	b.Helper()
	return b.took(fmt.Sprintf("the text %.40q", text), func(ev *bot.Event) bool { return ev.Kind == bot.Text && ev.Text == text })
}

// since lists what was taken in after count. A last word of g's comes first, so
// that nothing is on its way any more.
func (b *bench) since(g *guest) []bot.Event {
	b.Helper()
	last := b.house.canary("last")
	b.do("say the last word", g.Say(last))
	end := b.tookText(last)
	b.house.mu.Lock()
	defer b.house.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.house.events[b.begun:]), func(ev bot.Event) bool { return ev.ID == end.ID })
}

// wellFormed checks what holds for every event.
func (b *bench) wellFormed(g *guest, ev *bot.Event) {
	b.Helper()
	bad := func(s string) bool {
		return s == "" || len(s) > 512 || strings.ContainsFunc(s, unicode.IsControl)
	}
	switch {
	case ev.Channel != b.a.Channel():
		b.Errorf("channel %q, want %q", ev.Channel, b.a.Channel())
	case bad(ev.ID) || bad(string(ev.Conversation)) || bad(ev.From):
		b.Errorf("an id is empty, longer than 512 bytes or has control characters: %s", describe(ev))
	case g != nil && ev.From != g.ID():
		b.Errorf("from %q, want the platform's immutable id %q", ev.From, g.ID())
	case g != nil && g.conv != "" && ev.Conversation != g.conv:
		b.Errorf("conversation %q, before it was %q", ev.Conversation, g.conv)
	case len(ev.Address) > 4096:
		b.Errorf("an address of %d bytes, at most 4096", len(ev.Address))
	case ev.TooLong || ev.TooFast || ev.Signal != nil || ev.Begin != nil || ev.Agent != nil:
		b.Errorf("the adapter sets what is not its own: %s", describe(ev))
	case ev.Kind.Ours():
		b.Errorf("an adapter makes an event that only we make: %s", describe(ev))
	case ev.Kind != bot.Text && ev.Text != "", ev.Kind != bot.Press && ev.Choice != "", (ev.Kind == bot.Submit) != (ev.Form != nil):
		b.Errorf("values of another kind: %s", describe(ev))
	}
	if found := b.house.leaks(string(ev.Address) + ev.ID + string(ev.Conversation)); len(found) > 0 {
		b.Errorf("%q stands in an id or an address", found)
	}
}

// delivery makes of a message what the outbox would hand over.
func (b *bench) delivery(g *guest, m bot.Message) bot.Delivery {
	b.Helper()
	seq := b.house.say(g.conv, m)
	d := bot.Delivery{
		Key: outbox.Key(g.conv, seq, 0), Conversation: g.conv, Seq: seq, User: g.ID(),
		Address: slices.Clone(g.address), Message: m, Attempt: 1,
	}
	if m.Reveal != nil {
		d.Revealed, _ = b.house.Reveal(context.Background(), *m.Reveal)
	}
	if p, ok := b.a.(bot.Pager); ok && p.WantsPage(&m) {
		d.Page = bot.Secret("https://latchkey.example/private#" + b.house.canary("page"))
	}
	return d
}

// attempt sends once. Whatever fails is a *bot.SendError and tells nothing of
// the message.
func (b *bench) attempt(ctx context.Context, d bot.Delivery) (bot.Receipt, *bot.SendError) {
	b.Helper()
	r, err := b.a.Send(ctx, d)
	if err == nil {
		b.house.mark(d.Conversation, d.Seq, bot.OutboxSent, r.ID)
		return r, nil
	}
	var se *bot.SendError
	if !errors.As(err, &se) {
		b.Fatalf("Send fails with %T, want *bot.SendError", err)
	}
	if se.Err == nil {
		b.Error("a *bot.SendError without a cause for the log")
	} else if found := b.house.leaks(err.Error()); len(found) > 0 {
		b.Errorf("the error repeats %q: %v", found, err)
	}
	return r, se
}

// deliver sends what must arrive. As the outbox does, it looks first whether a
// repeat is there, where the adapter can tell.
func (b *bench) deliver(d bot.Delivery) bot.Receipt {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), b.patience)
	defer cancel()
	if f, ok := b.a.(bot.Finder); ok && d.Attempt > 1 {
		if r, err := f.Find(ctx, d); err == nil {
			return r
		}
	}
	r, err := b.attempt(ctx, d)
	if err != nil {
		b.Fatalf("Send: %v", err)
	}
	if len(r.ID) > 512 || strings.ContainsFunc(r.ID, unicode.IsControl) {
		b.Errorf("receipt %.80q: longer than 512 bytes, or with control characters", r.ID)
	}
	return r
}

// send says something to a guest.
func (b *bench) send(g *guest, m bot.Message) bot.Receipt {
	b.Helper()
	return b.deliver(b.delivery(g, m))
}

// await waits until something is as it should be; seen says how it is.
func (b *bench) await(what string, ok func() bool, seen func() string) {
	b.Helper()
	limit := time.Now().Add(b.patience)
	for pause := time.Millisecond; !ok(); pause = min(2*pause, 100*time.Millisecond) {
		if time.Now().After(limit) {
			b.Fatalf("waited %s for %s; what there is:%s", b.patience, what, seen())
		}
		time.Sleep(pause)
	}
}

// sees waits until what a person has before them is as it should be.
func (b *bench) sees(p Person, what string, ok func([]Shown) bool) (shown []Shown) {
	b.Helper()
	b.await(what, func() bool {
		var err error
		shown, err = p.Sees()
		b.do("look", err)
		return ok(shown)
	}, func() string {
		var s strings.Builder
		for _, m := range shown {
			fmt.Fprintf(&s, "\n--- buttons %+v, links %+v, %d pictures, form %v, active %q\n%.2000s", m.Buttons, m.Links, len(m.Pictures), m.Form != nil, m.Active, m.Text)
		}
		return s.String()
	})
	return shown
}

// shown waits for the message with a text and returns it as it is now.
func (b *bench) shown(p Person, text string) Shown {
	b.Helper()
	var got Shown
	b.sees(p, fmt.Sprintf("the message %.60q", text), func(ms []Shown) bool {
		i := slices.IndexFunc(ms, func(m Shown) bool { return strings.Contains(squash(m.Text), squash(text)) })
		if i >= 0 {
			got = ms[i]
		}
		return i >= 0
	})
	return got
}

// times counts how often a text stands before a person.
func times(ms []Shown, text string) (n int) {
	for _, m := range ms {
		n += strings.Count(squash(m.Text), squash(text))
	}
	return n
}

// screen is all that a person has before them.
func (b *bench) screen(p Person) string {
	b.Helper()
	s, err := p.Screen()
	b.do("look", err)
	return s
}

// button finds a button that can be pressed now.
func button(ms []Shown, label string) (Button, bool) {
	for _, m := range ms {
		for _, x := range m.Buttons {
			if squash(x.Label) == squash(label) {
				return x, true
			}
		}
	}
	return Button{}, false
}

// squash drops all space, so that it does not matter where lines were broken.
func squash(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}

// A verdict is what a check makes of an adapter that is expected to fail.
type verdict struct {
	testing.TB
	mu       sync.Mutex
	failed   bool
	skipped  bool
	notes    []string
	cleanups []func()
}

// judge runs one check and keeps its failures to itself.
func judge(t testing.TB, h Harness, c clause, patience time.Duration) *verdict {
	t.Helper()
	v := &verdict{TB: t}
	v.apart(func() { c.check(open(v, h, patience)) })
	for len(v.cleanups) > 0 {
		last := len(v.cleanups) - 1
		f := v.cleanups[last]
		v.cleanups = v.cleanups[:last]
		v.apart(f)
	}
	return v
}

// apart calls f where FailNow and a panic end only f.
func (v *verdict) apart(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				v.note(true, fmt.Sprintf("panic: %v", p))
			}
		}()
		f()
	}()
	<-done
}

func (v *verdict) passed() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return !v.failed && !v.skipped
}

func (v *verdict) note(failed bool, s string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.failed = v.failed || failed
	v.notes = append(v.notes, s)
}

// Helper implements testing.TB, as all below.
func (v *verdict) Helper() {}

// Log takes a note.
func (v *verdict) Log(args ...any) { v.note(false, fmt.Sprint(args...)) }

// Logf takes a note.
func (v *verdict) Logf(f string, args ...any) { v.note(false, fmt.Sprintf(f, args...)) }

// Error is a failure.
func (v *verdict) Error(args ...any) { v.note(true, fmt.Sprint(args...)) }

// Errorf is a failure.
func (v *verdict) Errorf(f string, args ...any) { v.note(true, fmt.Sprintf(f, args...)) }

// Fatal is a failure and the end.
func (v *verdict) Fatal(args ...any) { v.note(true, fmt.Sprint(args...)); runtime.Goexit() }

// Fatalf is a failure and the end.
func (v *verdict) Fatalf(f string, args ...any) {
	v.note(true, fmt.Sprintf(f, args...))
	runtime.Goexit()
}

// Fail is a failure.
func (v *verdict) Fail() { v.note(true, "failed") }

// FailNow is a failure and the end.
func (v *verdict) FailNow() { v.note(true, "failed"); runtime.Goexit() }

// Skip is what a rig does that is not there.
func (v *verdict) Skip(args ...any) {
	v.mu.Lock()
	v.skipped = true
	v.mu.Unlock()
	v.note(false, fmt.Sprint(args...))
	runtime.Goexit()
}

// Skipf is Skip.
func (v *verdict) Skipf(f string, args ...any) { v.Skip(fmt.Sprintf(f, args...)) }

// SkipNow is Skip.
func (v *verdict) SkipNow() { v.Skip() }

// Failed tells whether it failed.
func (v *verdict) Failed() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.failed
}

// Cleanup keeps what is to be done at the end.
func (v *verdict) Cleanup(f func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.cleanups = append(v.cleanups, f)
}
