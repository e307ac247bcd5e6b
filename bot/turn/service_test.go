package turn_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/policy"
	"latchkey/bot/turn"
)

func TestTurn(t *testing.T) {
	h := newHouse(t, nil)
	c := h.talk("a")
	c.Say("hi").Expect("1: hi", "[Go on]")
	c.Press("Go on").Expect("pressed go")
	c.PressOld("go", 1).Expect("old")
	c.Say("check count").Expect("outcome ok")
	if s := h.session("a"); s.Slot("input") != "input" || s.Prompt != 4 {
		t.Errorf("session %+v", s)
	}
	conv := h.mem.Conversations()["a"]
	if conv.Version != 4 || conv.OutSeq != 4 || conv.Channel != ch || conv.User != "user-a" || conv.Updated.IsZero() {
		t.Errorf("conversation %+v", conv)
	}
}

func TestRepeatsAreDropped(t *testing.T) {
	h := newHouse(t, nil)
	c := h.talk("a")
	c.Say("check count").Repeat().Repeat().Expect("outcome ok")
	c.Say("x").Repeat().Expect("1: x")
	c.Say("y").Expect("2: y")
	if n := h.ran.Load(); n != 1 {
		t.Errorf("check ran %d times", n)
	}
	if st := h.service.Stats(); st.Turns != 3 || st.Repeats != 3 {
		t.Errorf("stats %+v", st)
	}
}

// The store may run every turn twice; nothing may happen twice.
func TestStoreRunsTurnsTwice(t *testing.T) {
	h := newHouse(t, nil)
	h.mem.Twice = true
	c := h.talk("a")
	c.Say("x").Expect("1: x")
	c.Say("check count").Expect("outcome ok")
	c.Say("check fails").Expect("outcome error")
	c.Say("panic").Expect("went wrong")
	c.Say("y").Expect("2: y")
	if n := len(h.chat.Deliveries()); n != 5 {
		t.Errorf("%d deliveries, want 5", n)
	}
}

// What an agent does, or the person's word that ends a talk, counts in the run that
// counts: not only in one that was undone.
func TestHandBackIsRunTwice(t *testing.T) {
	h := newHouse(t, func(o *turn.Options) {
		o.Desk = desk(func(_ bot.Tx, _ *bot.Conversation, s *bot.Session, ev *bot.Event) (bot.DeskAnswer, error) {
			switch {
			case ev.Kind == bot.Agent && ev.Agent.Do == "take":
				s.Owner = bot.OwnerDesk
			case ev.Kind == bot.Agent && ev.Agent.Do == "back", ev.Text == "end chat":
				s.Owner = bot.OwnerBot
				return bot.DeskAnswer{Begin: &bot.Begin{Back: true}}, nil
			}
			return bot.DeskAnswer{}, nil
		})
	})
	c := h.talk("a")
	for _, twice := range []bool{false, true} {
		h.mem.Twice = twice
		for _, ev := range []bot.Event{{Kind: bot.Agent, Agent: &bot.AgentAct{By: "maria", Do: "back"}}, {Kind: bot.Text, Text: "end chat"}} {
			c.Do(bot.Event{Kind: bot.Agent, Agent: &bot.AgentAct{By: "maria", Do: "take"}}).Quiet()
			if c.Do(ev).Expect("begin , back true"); h.session("a").Owner != bot.OwnerBot {
				t.Errorf("run twice %t: %+v was lost", twice, ev)
			}
		}
	}
}

func TestTimeIsTheStores(t *testing.T) {
	clock := bottest.NewClock(time.Time{})
	mem := bottest.NewStore()
	mem.Clock = clock.Now
	var seen []time.Time
	h := newHouseOver(t, mem, func(o *turn.Options) {
		o.Engine = watch{toy{}, func(ev *bot.Event) { seen = append(seen, ev.At) }}
	})
	accept := func(id string, at time.Time) {
		if err := h.service.Accept(t.Context(), bot.Event{ID: id, Channel: ch, Conversation: "a", At: at}); err != nil {
			t.Fatal(err)
		}
	}
	accept("1", time.Time{})
	clock.Advance(time.Hour)
	accept("2", time.Time{})
	given := clock.Now().Add(-time.Minute)
	accept("3", given)
	want := []time.Time{clock.Now().Add(-time.Hour), clock.Now(), given}
	if !reflect.DeepEqual(seen, want) {
		t.Errorf("event times %v, want %v", seen, want)
	}
}

type watch struct {
	toy
	see func(*bot.Event)
}

func (w watch) Turn(s *bot.Session, ev *bot.Event, out *bot.Output) {
	w.see(ev)
	w.toy.Turn(s, ev, out)
}

func TestChecksThatFail(t *testing.T) {
	for _, tc := range []struct{ say, want, log string }{
		{"check fails", "outcome error", "check fails failed"},
		{"check panics", "outcome error", "check panics panicked"},
		{"check nosuch", "outcome error", "does not exist"},
		{"check conflict", "outcome ok", ""},
		{"loop", "Something went wrong on our side", "more than 64 checks"},
		{"panic", "Something went wrong on our side", "engine panicked: string at"},
	} {
		t.Run(tc.say, func(t *testing.T) {
			h := newHouse(t, nil)
			c := h.talk("a")
			c.Say("before").Expect("1: before")
			c.Say(tc.say).Expect(tc.want)
			c.Say("after").Expect("2: after")
			if s := h.session("a"); s.Slot("half") != "" || s.Error != "" {
				t.Errorf("session %+v", s)
			}
			err := h.store.View(t.Context(), func(tx bot.Tx) error {
				n, _, err := tx.Tallied("fails", "x", time.Time{})
				if n != 0 {
					t.Errorf("the failed check's %d writes stayed", n)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
			log := h.log.String()
			if !strings.Contains(log, tc.log) {
				t.Errorf("log lacks %q:\n%s", tc.log, log)
			}
			if strings.Contains(tc.say, "panic") && strings.Contains(log, "123456") {
				t.Errorf("log tells the value of a panic:\n%s", log)
			}
			if tc.log == "" && h.service.Stats().Faults != 0 {
				t.Errorf("stats %+v", h.service.Stats())
			}
		})
	}
}

// An engine that cannot handle the stored session is given a fresh one.
func TestPoisonedSession(t *testing.T) {
	var sick bool
	h := newHouse(t, func(o *turn.Options) { o.Engine = poison{sick: &sick} })
	c := h.talk("a")
	c.Locale = "es"
	c.Say("hi").Expect("1: hi")
	sick = true
	c.Say("x").Expect("went wrong")
	if s := h.session("a"); s.Slot("texts") != "1" || s.Error != "turn_failed" {
		t.Errorf("after one panic: %+v", s)
	}
	c.Say("y").Expect("went wrong")
	c.Say("z").Expect("1: z")
	if s := h.session("a"); s.Prompt <= 1 {
		t.Errorf("prompt %d: an old button could be taken for a new one", s.Prompt)
	}
	// A signal is never answered with an apology.
	if err := h.service.Signal(t.Context(), "a", bot.Signal{Name: "poison", Ref: "1"}); err != nil {
		t.Fatal(err)
	}
	c.Say("after").Expect("2: after")
}

type poison struct {
	toy
	sick *bool
}

func (p poison) Turn(s *bot.Session, ev *bot.Event, out *bot.Output) {
	if *p.sick && s.Slot("texts") == "1" && s.Prompt == 1 {
		panic("again")
	}
	p.toy.Turn(s, ev, out)
}

func TestApologyIsInThePersonsLanguage(t *testing.T) {
	h := newHouse(t, func(o *turn.Options) { o.Phrases = phrases{} })
	h.talk("a").Say("panic").Expect("turn.sorry in")
}

type phrases struct{}

func (phrases) Phrase(lang, key string, _ ...string) string { return key + " in " + lang }
func (phrases) Languages() []string                         { return nil }

func TestUnreadableState(t *testing.T) {
	for _, state := range []string{`{`, `[]`, `{"s":"x"}`, "\x00\xff", `{"s":[{"f":1}]}`, `null x`} {
		h := newHouse(t, nil)
		c := h.talk("a")
		c.Say("1").Expect("1: 1")
		c.Say("2").Expect("2: 2")
		err := h.store.Update(t.Context(), func(tx bot.Tx) error {
			c, err := tx.Conversation("a")
			if err != nil {
				return err
			}
			c.State = []byte(state)
			return tx.SaveConversation(c)
		})
		if err != nil {
			t.Fatal(err)
		}
		c.Say("hello").Expect("1: hello")
		if s := h.session("a"); s.Prompt != 3 {
			t.Errorf("%q: prompt %d, want 3: higher than any before", state, s.Prompt)
		}
		if n := h.service.Stats().Unread; n != 1 {
			t.Errorf("%q: %d unread", state, n)
		}
	}
}

func TestDatabaseErrorsAreReturned(t *testing.T) {
	h := newHouse(t, nil)
	c := h.talk("a")
	c.Say("1").Expect("1: 1")
	gone := errors.New("disk full")
	h.mem.Fail(func(string) error { return gone })
	ev := bot.Event{ID: "x", Channel: ch, Conversation: "a", From: "user-a", Text: "2"}
	for _, text := range []string{"2", "check fails", "check count", "panic"} {
		ev.Text = text
		if err := h.service.Accept(t.Context(), ev); !errors.Is(err, gone) {
			t.Errorf("%s: error %v", text, err)
		}
	}
	h.mem.Fail(nil)
	ev.Text = "2"
	if err := h.service.Accept(t.Context(), ev); err != nil { // the platform's repeat
		t.Fatal(err)
	}
	c.Await().Expect("2: 2")
	if n := len(h.chat.Deliveries()); n != 2 {
		t.Errorf("%d deliveries, want 2: nothing leaves before the commit", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.service.Accept(ctx, bot.Event{ID: "y", Channel: ch, Conversation: "a"}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func TestForms(t *testing.T) {
	h := newHouse(t, nil)
	c := h.talk("a")
	c.Say("x").Expect("1: x")
	h.submit(c, "sign_in", "good").Expect("outcome hashed after 1")
	h.submit(c, "sign_in", "fail").Expect("outcome error")
	h.submit(c, "sign_in", "panic").Expect("outcome error")
	h.submit(c, "unknown", "x").Expect("outcome error")
	c.Do(bot.Event{Kind: bot.Submit, Form: &bot.FormReply{Name: "sign_in", Prepared: "forged"}}).Expect("outcome hashed after 1")
	h.submit(c, "sign_in", strings.Repeat("x", bot.MaxText+1)).Expect("too long")
	if log := h.log.String(); strings.Contains(log, "hunter2") {
		t.Errorf("log tells a password:\n%s", log)
	}

	h.submit(c, "codes", "").Expect("lapsed")
	if _, err := h.service.Reveal(t.Context(), "a", "sign_in"); err == nil {
		t.Error("a form that shows nothing was revealed")
	}
	if _, err := h.service.Reveal(t.Context(), "nobody", "codes"); !errors.Is(err, bot.ErrNotFound) {
		t.Errorf("reveal in an unknown conversation: %v", err)
	}
	shown, err := h.service.Reveal(t.Context(), "a", "codes")
	if err != nil || len(shown) != 1 || string(shown[0]) != "AAAA" {
		t.Fatalf("shown %v, %v", len(shown), err)
	}
	h.submit(c, "codes", "").Expect("saved hash of AAAA")
	h.submit(c, "codes", "").Expect("lapsed")
}

func TestRevealedFormLapses(t *testing.T) {
	clock := bottest.NewClock(time.Time{})
	h := newHouse(t, func(o *turn.Options) { o.Clock = clock.Now })
	c := h.talk("a")
	c.Say("x").Expect("1: x")
	if _, err := h.service.Reveal(t.Context(), "a", "codes"); err != nil {
		t.Fatal(err)
	}
	clock.Advance(11 * time.Minute)
	h.submit(c, "codes", "").Expect("lapsed")
}

func TestSignal(t *testing.T) {
	h := newHouse(t, nil)
	c := h.talk("a")
	c.Say("x").Expect("1: x")
	sig := bot.Signal{Name: "undelivered", Ref: "ch1"}
	for range 3 {
		if err := h.service.Signal(t.Context(), "a", sig); err != nil {
			t.Fatal(err)
		}
	}
	c.Await().Expect("signal undelivered ch1")
	if s := h.session("a"); s.Slot("signals") != "1" {
		t.Errorf("%s signals, want 1", s.Slot("signals"))
	}
	if err := h.service.Signal(t.Context(), "b", sig); !errors.Is(err, bot.ErrNotFound) {
		t.Errorf("unknown conversation: %v", err)
	}
	if err := h.service.Signal(t.Context(), "a", bot.Signal{Name: "x"}); !errors.Is(err, turn.ErrEvent) {
		t.Errorf("no ref: %v", err)
	}
}

// A desk that owns a conversation sees all that happens there before anybody
// answers: words, buttons, forms, the outcomes of codes, what its agents do.
func TestDeskIsAskedFirst(t *testing.T) {
	var seen []string
	answer := bot.DeskAnswer{}
	h := newHouse(t, func(o *turn.Options) {
		o.Desk = desk(func(tx bot.Tx, c *bot.Conversation, s *bot.Session, ev *bot.Event) (bot.DeskAnswer, error) {
			what := ev.Text
			switch ev.Kind {
			case bot.Press:
				what = "press " + ev.Choice
			case bot.Submit:
				what = "form " + ev.Form.Name
			case bot.Notice:
				what = "signal " + ev.Signal.Name
			case bot.Start:
				what = "begin " + ev.Begin.Flow
			case bot.Agent:
				what = string(ev.Agent.By) + ": " + ev.Agent.Text
			}
			seen = append(seen, what)
			switch {
			case ev.Kind == bot.Agent && ev.Agent.Do == "take":
				s.Owner = bot.OwnerDesk
			case ev.Kind == bot.Agent && ev.Agent.Do == "back":
				s.Owner = bot.OwnerBot
				return bot.DeskAnswer{Begin: &bot.Begin{Back: true}}, nil
			case ev.Kind == bot.Agent:
				return bot.DeskAnswer{Say: &bot.Message{Text: ev.Agent.Text}}, nil
			}
			return answer, nil
		})
	})
	c := h.talk("a")
	agent := func(do, text string) *bottest.Conversation {
		return c.Do(bot.Event{Kind: bot.Agent, Agent: &bot.AgentAct{By: "Maria", Text: text, Do: do}})
	}
	c.Say("before").Expect("1: before")
	agent("take", "").Quiet()
	c.Say("is anybody there").Quiet()
	c.Do(bot.Event{Kind: bot.Press, Choice: "x", Prompt: 1}).Quiet()
	h.submit(c, "sign_in", "hunter2").Quiet()
	c.Do(bot.Event{Kind: bot.Notice, Signal: &bot.Signal{Name: "undelivered", Ref: "c1"}}).Quiet()
	c.Do(bot.Event{Kind: bot.Start, Begin: &bot.Begin{Flow: "enroll"}}).Quiet()
	agent("", "Hello, here is Maria").Expect("Hello, here is Maria")
	c.Do(bot.Event{Kind: bot.Notice, Signal: &bot.Signal{Name: bot.SignalTold, Ref: "n1"}}).Expect("signal told n1") // whoever answers here
	answer.Engine = true
	c.Do(bot.Event{Kind: bot.Notice, Signal: &bot.Signal{Name: "undelivered", Ref: "c2"}}).Expect("signal undelivered c2")
	agent("back", "").Expect("begin , back true")
	c.Say("hello").Expect("2: hello")
	want := []string{"Maria: ", "is anybody there", "press x", "form sign_in", "signal undelivered", "begin enroll", "Maria: Hello, here is Maria",
		"signal told", "signal undelivered", "Maria: "}
	if !reflect.DeepEqual(seen, want) {
		t.Errorf("the desk saw\n%q, want\n%q", seen, want)
	}
	if strings.Contains(h.log.String(), "hunter2") {
		t.Error("a form's value stands in the log")
	}
}

// What a check says in the turn's own conversation goes out with the answer, before
// it, and is not the answer.
func TestCheckThatSpeaks(t *testing.T) {
	h := newHouse(t, func(o *turn.Options) {
		o.Catalogue.Checks["news"] = bot.CheckSpec{Name: "news", Run: func(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
			err := tx.Say(&bot.OutboxRow{Conversation: c.Conversation.ID, Message: bot.Message{Text: "by the way"}})
			return bot.Outcome{Name: "ok"}, err
		}, Outcomes: bot.Outcomes("ok")}
	})
	c := h.talk("a")
	c.Say("hi").Expect("1: hi")
	said, err := h.service.Answer(t.Context(), bot.Event{ID: "x", Channel: ch, Conversation: "a", From: c.User, Kind: bot.Text, Text: "check news"})
	if err != nil || said == nil || said.Text != "outcome ok" {
		t.Fatalf("answer %+v %v", said, err)
	}
	c.Await().Expect("by the way")
	c.Await().Expect("outcome ok")
	c.Quiet()
}

// What the desk cannot do undoes the turn, so that the platform repeats it.
func TestDeskThatFailsLosesNothing(t *testing.T) {
	broken := true
	h := newHouse(t, func(o *turn.Options) {
		o.Desk = desk(func(_ bot.Tx, _ *bot.Conversation, s *bot.Session, ev *bot.Event) (bot.DeskAnswer, error) {
			s.Owner = bot.OwnerDesk
			if broken {
				return bot.DeskAnswer{}, errBroken
			}
			return bot.DeskAnswer{Say: &bot.Message{Text: "taken"}}, nil
		})
	})
	c := h.talk("a")
	c.Say("hi").Expect("1: hi")
	ev := bot.Event{ID: "take", Channel: ch, Conversation: "a", Kind: bot.Agent, Agent: &bot.AgentAct{By: "maria"}}
	if err := h.service.Accept(t.Context(), ev); !errors.Is(err, errBroken) {
		t.Fatalf("error %v", err)
	}
	c.Quiet()
	if h.session("a").Owner != bot.OwnerBot {
		t.Error("half a turn was kept")
	}
	broken = false
	if err := h.service.Accept(t.Context(), ev); err != nil {
		t.Fatal(err)
	}
	c.Await().Expect("taken")
}

// Where the desk was switched off, nobody waits for it for ever.
func TestConversationOfADeskThatIsGone(t *testing.T) {
	h := newHouse(t, nil)
	c := h.talk("a")
	c.Say("desk").Expect("1: desk")
	c.Say("is anybody there").Expect("begin , back true")
	c.Say("hello").Expect("2: hello")
	ev := bot.Event{ID: "psst", Channel: ch, Conversation: "a", Kind: bot.Agent, Agent: &bot.AgentAct{By: "maria", Text: "psst"}}
	if err := h.service.Accept(t.Context(), ev); !errors.Is(err, turn.ErrEvent) {
		t.Errorf("an agent where there is no desk: %v", err)
	}
	c.Quiet()
}

type desk func(bot.Tx, *bot.Conversation, *bot.Session, *bot.Event) (bot.DeskAnswer, error)

func (d desk) Route(tx bot.Tx, c *bot.Conversation, s *bot.Session, ev *bot.Event) (bot.DeskAnswer, error) {
	return d(tx, c, s, ev)
}

func (d desk) Keep(bot.Tx, *bot.Conversation, string) (string, error) { return "", nil }

// What a call step waits for is watched over from the transaction that begins
// it: nobody waits in silence, and nobody for ever.
func TestCallIsWatchedOver(t *testing.T) {
	h := newHouse(t, nil)
	c := h.talk("a")
	c.Say("check slow").Expect("outcome begun") // no call step: whoever asks does not wait
	c.Say("call quick").Expect("outcome soon")
	if jobs := h.mem.Jobs(); len(jobs) != 0 {
		t.Fatalf("jobs %v", jobs)
	}
	c.Say("call slow").Expect("outcome begun")
	jobs := h.mem.Jobs()
	slices.SortFunc(jobs, func(a, b bot.Job) int { return strings.Compare(b.(turn.Wait).Name, a.(turn.Wait).Name) })
	want := []bot.Job{turn.Wait{Conversation: "a", Ref: "r2", Name: bot.SignalStill}, turn.Wait{Conversation: "a", Ref: "r2", Name: bot.OutcomeLate}}
	if !reflect.DeepEqual(jobs, want) {
		t.Fatalf("jobs %v, want %v", jobs, want)
	}
	for _, j := range jobs {
		if err := h.service.HandleWait(t.Context(), j.(turn.Wait)); err != nil {
			t.Fatal(err)
		}
		c.Await().Expect("signal " + j.(turn.Wait).Name + " r2")
		if err := h.service.HandleWait(t.Context(), j.(turn.Wait)); err != nil { // done twice after a crash
			t.Fatal(err)
		}
		c.Quiet()
	}
	if err := h.service.HandleWait(t.Context(), turn.Wait{Conversation: "erased", Ref: "r", Name: bot.OutcomeLate}); err != nil {
		t.Errorf("a conversation that is gone: %v", err)
	}
	c.Say("call nameless").Expect("outcome error") // half a promise is none
	if n := len(h.mem.Jobs()); n != 2 {
		t.Errorf("%d jobs", n)
	}
}

func TestRetract(t *testing.T) {
	h := newHouse(t, nil)
	c := h.talk("a")
	c.Say("fleet").Expect("1: fleet")
	c.Say("retract").Expect("2: retract")
	if got := h.chat.WaitDeleted(t, 1); got[0].Receipt != "m:a/1" {
		t.Errorf("deleted %v", got)
	}
}

// TestTakeBackOutlivesACrash: the order to take back is committed with the turn
// that gives it. A process that dies before it is carried out leaves the job, and
// what was shown since then stays.
func TestTakeBackOutlivesACrash(t *testing.T) {
	h := newHouse(t, nil)
	c := h.talk("a")
	c.Say("fleet").Expect("1: fleet")
	dying := turn.New(turn.Options{Store: h.mem, Engine: toy{}, Outbox: sink{}})
	if err := dying.Accept(t.Context(), bot.Event{ID: "dying", Channel: ch, Conversation: "a", From: "user-a", Text: "retract"}); err != nil {
		t.Fatal(err)
	}
	c.Say("fleet").Expect("3: fleet")
	var job turn.TakeBack
	for _, j := range h.mem.Jobs() {
		if j, ok := j.(turn.TakeBack); ok {
			job = j
		}
	}
	if job.Conversation != "a" || job.Before != 2 {
		t.Fatalf("job %+v", job)
	}
	if got := h.chat.Deleted(); len(got) > 0 {
		t.Fatalf("deleted already: %v", got)
	}
	for range 2 {
		if err := h.service.HandleTakeBack(t.Context(), job); err != nil {
			t.Fatal(err)
		}
	}
	if got := h.chat.Deleted(); len(got) != 1 || got[0].Receipt != "m:a/1" {
		t.Errorf("deleted %v", got)
	}
	if err := h.service.HandleTakeBack(t.Context(), turn.TakeBack{Conversation: "nobody", Before: 2}); err != nil {
		t.Error(err)
	}
}

func TestBudget(t *testing.T) {
	clock := bottest.NewClock(time.Time{})
	h := newHouse(t, func(o *turn.Options) {
		o.Burst, o.Rate, o.Clock = policy.Limit{N: 20, Per: 10 * time.Second}, policy.Limit{N: 1, Per: 2 * time.Second}, clock.Now
	})
	c := h.talk("a")
	for i := range 20 {
		c.Say("x").Expect(fmt.Sprint(i+1, ": x"))
	}
	c.Say("x").Expect("slow down")
	for range 10 {
		c.Say("x").Quiet()
	}
	h.talk("b").Say("y").Expect("1: y") // others are not concerned
	clock.Advance(2 * time.Second)
	c.Say("x").Expect("21: x")
	c.Say("x").Expect("slow down")
	c.Say("x").Quiet()
	clock.Advance(8 * time.Second)
	for i := range 20 {
		c.Say("x").Expect(fmt.Sprint(i+22, ": x"))
	}
	if n := h.service.Stats().Dropped; n != 11 {
		t.Errorf("%d dropped, want 11", n)
	}
	// What was not accepted costs nothing.
	h.mem.Fail(func(string) error { return errors.New("down") })
	clock.Advance(10 * time.Second)
	for range 50 {
		if err := h.service.Accept(t.Context(), bot.Event{ID: "r", Channel: ch, Conversation: "a", From: "user-a"}); err == nil {
			t.Fatal("accepted without a database, or dropped")
		}
	}
	h.mem.Fail(nil)
}

func TestOtherAuthor(t *testing.T) {
	h := newHouse(t, nil)
	c := h.talk("a")
	c.Say("x").Expect("1: x")
	if err := h.service.Accept(t.Context(), bot.Event{ID: "evil", Channel: ch, Conversation: "a", From: "somebody else", Text: "x"}); err != nil {
		t.Fatal(err)
	}
	c.Say("y").Expect("2: y")
}

func TestBadEvents(t *testing.T) {
	h := newHouse(t, nil)
	good := bot.Event{ID: "1", Channel: ch, Conversation: "a", From: "u"}
	for name, spoil := range map[string]func(*bot.Event){
		"no id":           func(e *bot.Event) { e.ID = "" },
		"no channel":      func(e *bot.Event) { e.Channel = "" },
		"no conversation": func(e *bot.Event) { e.Conversation = "" },
		"long id":         func(e *bot.Event) { e.ID = strings.Repeat("x", 600) },
		"NUL in id":       func(e *bot.Event) { e.ID = "a\x00b" },
		"bad UTF-8 in id": func(e *bot.Event) { e.ID = "a\xffb" },
		"bad user":        func(e *bot.Event) { e.From = "\xff" },
		"long address":    func(e *bot.Event) { e.Address = make([]byte, 5000) },
		"kind":            func(e *bot.Event) { e.Kind = 99 },
		"notice":          func(e *bot.Event) { e.Kind = bot.Notice },
		"submit":          func(e *bot.Event) { e.Kind = bot.Submit },
	} {
		ev := good
		spoil(&ev)
		if err := h.service.Accept(t.Context(), ev); !errors.Is(err, turn.ErrEvent) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(h.mem.Conversations()); n != 0 {
		t.Errorf("%d conversations came of it", n)
	}
}

func TestTextIsCleaned(t *testing.T) {
	var got bot.Event
	h := newHouse(t, func(o *turn.Options) { o.Engine = watch{toy{}, func(ev *bot.Event) { got = *ev }} })
	c := h.talk("a")
	for _, tc := range []struct {
		name, in, want string
		long           bool
	}{
		{"plain", "hello", "hello", false},
		{"empty", "", "", false},
		{"newline and tab", "a\n\tb", "a\n\tb", false},
		{"windows", "a\r\nb\rc", "a\nb\nc", false},
		{"NUL and controls", "a\x00\x1b[31mb\x7f\u0085", "a[31mb", false},
		{"bidi", "abc\u202edef\u2066\u200f\u061c", "abcdef", false},
		{"byte order mark", "\ufeffhi", "hi", false},
		{"bad UTF-8", "a\xff\xfeb", "a\ufffd\ufffdb", false},
		{"emoji stay", "👍🏽 \u200d ñ ١٢٣", "👍🏽 \u200d ñ ١٢٣", false},
		{"just fits", strings.Repeat("ñ", bot.MaxText), strings.Repeat("ñ", bot.MaxText), false},
		{"too long", strings.Repeat("ñ", bot.MaxText+1), strings.Repeat("ñ", bot.MaxText), true},
		{"100 KB", strings.Repeat("x", 100_000), strings.Repeat("x", bot.MaxText), true},
		{"long only by controls", strings.Repeat("\x01", 5000) + "x", "x", false},
	} {
		c.Say(tc.in).Last()
		if got.Text != tc.want || got.TooLong != tc.long {
			t.Errorf("%s: got %.40q, too long %v", tc.name, got.Text, got.TooLong)
		}
	}
	c.Do(bot.Event{Locale: "es-MX", Choice: strings.Repeat("x", 300)}).Last()
	if got.Locale != "es-MX" || got.Choice != "" {
		t.Errorf("locale %q, choice of %d bytes", got.Locale, len(got.Choice))
	}
	c.Locale = ""
	c.Do(bot.Event{Locale: "<script>"}).Last()
	if got.Locale != "" {
		t.Errorf("locale %q", got.Locale)
	}
	c.Do(bot.Event{Text: "forged", TooLong: true, TooFast: true}).Expect(": forged")
}

// Threat 18: repeats and any order of arrival between conversations.
func TestPermutations(t *testing.T) {
	// 200 events: 20 conversations, 10 each.
	var log []bot.Event
	for n := range 10 {
		for c := range 20 {
			conv := fmt.Sprintf("c%02d", c)
			ev := bot.Event{ID: fmt.Sprintf("%s-%d", conv, n), Channel: ch, Conversation: bot.ConversationID(conv), From: conv, Text: fmt.Sprint("t", n)}
			switch n % 5 {
			case 2:
				ev.Kind, ev.Choice, ev.Prompt = bot.Press, "go", uint32(n)
			case 3:
				ev.Text = "check count"
			case 4:
				ev.Kind, ev.From, ev.Signal = bot.Notice, "", &bot.Signal{Name: "lapsed", Ref: fmt.Sprint(conv, n)}
			}
			log = append(log, ev)
		}
	}
	final := func(events []bot.Event, together int) map[bot.ConversationID]string {
		h := newHouse(t, nil)
		work := make(chan bot.Event)
		var wg sync.WaitGroup
		for range together {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for ev := range work {
					if err := h.service.Accept(t.Context(), ev); err != nil {
						t.Error(err)
					}
				}
			}()
		}
		for _, ev := range events {
			work <- ev
		}
		close(work)
		wg.Wait()
		states := map[bot.ConversationID]string{}
		for id, c := range h.mem.Conversations() {
			states[id] = fmt.Sprint(string(c.State), c.OutSeq, c.Version)
		}
		h.chat.Wait(t, len(log))
		return states
	}
	want := final(log, 1)

	rng := rand.New(rand.NewPCG(18, 4))
	for round := range 20 {
		// Conversations interleave at random and keep their own order, as
		// platforms do; every event comes up to five times, also late.
		var events []bot.Event
		next := map[bot.ConversationID]int{}
		for _, i := range rng.Perm(len(log)) {
			conv := log[i].Conversation
			for k, at := 0, 0; ; k++ {
				if log[k].Conversation != conv {
					continue
				}
				if at == next[conv] {
					events = append(events, log[k])
					break
				}
				at++
			}
			next[conv]++
			for range rng.IntN(5) {
				events = append(events, events[rng.IntN(len(events))])
			}
		}
		if got := final(events, 1); !reflect.DeepEqual(got, want) {
			t.Fatalf("round %d: another final state", round)
		}
	}

	// In any order at all, and eight at once: what does not depend on order
	// (how often each thing happened) is the same.
	counts := func(m map[bot.ConversationID]string) map[bot.ConversationID]string {
		out := map[bot.ConversationID]string{}
		for id, s := range m {
			var sess bot.Session
			if err := turn.DecodeSession([]byte(s[:strings.LastIndex(s, "}")+1]), &sess); err != nil {
				t.Fatal(err)
			}
			out[id] = fmt.Sprint(sess.Slot("texts"), sess.Slot("outcomes"), sess.Slot("signals"), sess.Prompt, s[strings.LastIndex(s, "}"):])
		}
		return out
	}
	for round := range 10 {
		var events []bot.Event
		for range 3 {
			for _, i := range rng.Perm(len(log)) {
				events = append(events, log[i])
			}
		}
		if got := counts(final(events, 8)); !reflect.DeepEqual(got, counts(want)) {
			t.Fatalf("round %d, any order: another final state", round)
		}
	}
}

// Events of one conversation keep the order of the calls, also past a form
// whose slow part takes its time.
func TestOrderPastASlowForm(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	h := newHouse(t, func(o *turn.Options) {
		o.Catalogue.Forms["slow"] = bot.FormSpec{Prepare: func(context.Context, bot.Store, *bot.Call) (any, error) {
			close(started)
			<-release
			return "slow", nil
		}}
		o.Catalogue.Checks["form.slow"] = o.Catalogue.Checks["form.sign_in"]
	})
	var wg sync.WaitGroup
	accept := func(ev bot.Event) {
		ev.Channel, ev.Conversation, ev.From = ch, "a", "u"
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := h.service.Accept(context.Background(), ev); err != nil {
				t.Error(err)
			}
		}()
	}
	accept(bot.Event{ID: "1", Kind: bot.Submit, Form: &bot.FormReply{Name: "slow"}})
	<-started
	accept(bot.Event{ID: "2", Text: "later"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.service.Accept(ctx, bot.Event{ID: "3", Channel: ch, Conversation: "a", From: "u"}); !errors.Is(err, context.Canceled) {
		t.Errorf("a call whose context ended while it waited: %v", err)
	}
	h.talk("b").Say("x").Expect("1: x") // others go on
	close(release)
	wg.Wait()
	h.chat.Wait(t, 3)
	if got := h.chat.Texts("a"); !reflect.DeepEqual(got, []string{"outcome slow", "1: later"}) {
		t.Errorf("answers %q", got)
	}
}

func TestIdleConversationsCostNothing(t *testing.T) {
	h := newHouse(t, nil)
	h.talk("warm").Say("x").Expect("1: x")
	before := runtime.NumGoroutine()
	for i := range 10_000 {
		ev := bot.Event{ID: fmt.Sprint(i), Channel: ch, Conversation: bot.ConversationID(fmt.Sprint("c", i)), From: fmt.Sprint("u", i), Text: "x"}
		if err := h.service.Accept(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
	}
	h.chat.Wait(t, 10_001)
	for deadline := time.Now().Add(bottest.Patience); h.box.Busy() > 0 || runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d conversations busy, %d goroutines, %d before", h.box.Busy(), runtime.NumGoroutine(), before)
		}
	}
}

// TestShownIsMadeOncePerPrompt: who opens the form again sees the same, and no
// new hashes are made; the next prompt has its own.
func TestShownIsMadeOncePerPrompt(t *testing.T) {
	h := newHouse(t, nil)
	c := h.talk("a")
	c.Say("x").Expect("1: x")
	made := h.made.Load
	for range 5 {
		shown, err := h.service.Reveal(t.Context(), "a", "codes")
		if err != nil || len(shown) != 1 || string(shown[0]) != "AAAA" {
			t.Fatalf("shown %v, %v", len(shown), err)
		}
	}
	if made() != 1 {
		t.Errorf("made %d times for one prompt", made())
	}
	c.Say("y").Expect("y")
	if _, err := h.service.Reveal(t.Context(), "a", "codes"); err != nil || made() != 2 {
		t.Errorf("made %d times for two prompts, %v", made(), err)
	}
	h.submit(c, "codes", "").Expect("saved hash of AAAA")
}
