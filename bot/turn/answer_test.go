package turn_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/policy"
	"latchkey/bot/turn"
)

// ear is the toy engine that says what it has heard, and shares with all its
// messages what they point to, as the real one does.
type ear struct{ toy }

var shared = struct {
	choices []bot.Choice
	picture bot.Picture
	form    bot.Form
	reveal  bot.Reveal
}{
	[]bot.Choice{{ID: "go", Label: "Go on"}}, bot.Picture{Name: "p", Alt: "A picture"},
	bot.Form{Name: "sign_in", Fields: []bot.Field{{Name: "password", Label: "Password"}}}, bot.Reveal{Method: "m1"},
}

func (e ear) Turn(s *bot.Session, ev *bot.Event, out *bot.Output) {
	out.Message.Heard = "heard " + ev.Text
	e.toy.Turn(s, ev, out)
	e.share(out)
}

func (e ear) Resume(s *bot.Session, ev *bot.Event, oc bot.Outcome, out *bot.Output) {
	e.toy.Resume(s, ev, oc, out)
	e.share(out)
}

func (ear) share(out *bot.Output) {
	if out.Check == "" && !out.Silent {
		out.Message.Choices, out.Message.Picture, out.Message.Form = shared.choices, &shared.picture, &shared.form
		out.Message.Reveal = &shared.reveal
	}
}

func TestKeeps(t *testing.T) {
	const other = bot.ChannelID("other")
	for _, kept := range []map[bot.ChannelID]bool{nil, {other: true}, {ch: true, other: true}} {
		h := newHouse(t, func(o *turn.Options) { o.Engine, o.Keeps = ear{}, kept })
		c := h.talk("a")
		c.Say("hi").Expect("1: hi")
		c.Say("check count").Expect("outcome ok")
		c.Say("panic").Expect("went wrong")
		rows := h.mem.Rows()
		if len(rows) != 3 {
			t.Fatalf("%d rows", len(rows))
		}
		want := []string{"heard hi", "heard check count", bot.Unheard}
		for i, row := range rows {
			d := h.chat.Deliveries()[i]
			if !kept[ch] {
				if row.Keep || row.Message.Heard != "" || d.Message.Heard != "" {
					t.Errorf("row %+v on a channel whose platform keeps a transcript", row)
				}
				b, err := json.Marshal(d.Message)
				if err != nil || strings.Contains(string(b), `"h"`) {
					t.Errorf("more bytes than needed are stored: %s %v", b, err)
				}
				continue
			}
			if !row.Keep || row.Message.Heard != want[i] || d.Message.Heard != want[i] {
				t.Errorf("row %+v, want it kept with %q", row, want[i])
			}
		}
	}
}

// A channel that keeps its transcript, over the real store: what was said and
// heard is still there when it was sent, and when it was taken back.
func TestKeptTranscript(t *testing.T) {
	db := openSQLite(t, filepath.Join(t.TempDir(), "a.db"))
	h := newHouseOver(t, db, func(o *turn.Options) { o.Engine, o.Keeps = ear{}, map[bot.ChannelID]bool{ch: true} })
	c := h.talk("a")
	c.Say("hi").Expect("1: hi")
	c.Say("fleet").Expect("2: fleet")
	c.Say("retract").Expect("3: retract")
	h.chat.WaitDeleted(t, 1)
	c.Say("bye").Expect("4: bye")
	ctx, cancel := context.WithTimeout(t.Context(), bottest.Patience)
	defer cancel()
	if err := h.box.Close(ctx); err != nil { // all marks are stored
		t.Fatal(err)
	}
	var got []string
	err := db.View(t.Context(), func(tx bot.Tx) error {
		rows, err := tx.Said("a", 0, 100)
		for _, r := range rows {
			got = append(got, fmt.Sprintf("%d %s: %s (%d)", r.Seq, r.Message.Heard, r.Message.Text, r.State))
		}
		return err
	})
	want := []string{"1 heard hi: 1: hi (1)", "2 heard fleet: 2: fleet (3)", "3 heard retract: 3: retract (1)", "4 heard bye: 4: bye (1)"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("the transcript is %q (%v), want %q", got, err, want)
	}
}

func TestAnswer(t *testing.T) {
	ctx := context.Background()
	clock := bottest.NewClock(time.Time{})
	h := newHouse(t, func(o *turn.Options) {
		o.Engine, o.Clock, o.Keeps = ear{}, clock.Now, map[bot.ChannelID]bool{ch: true}
		o.Burst, o.Rate = policy.Limit{N: 8, Per: 10 * time.Second}, policy.Limit{N: 1, Per: 2 * time.Second}
		o.Desk = desk(func(_ bot.Tx, _ *bot.Conversation, _ *bot.Session, ev *bot.Event) (bot.DeskAnswer, error) {
			return bot.DeskAnswer{Engine: ev.Text == "bot" || ev.TooFast}, nil
		})
	})
	n := 0
	event := func(text string) bot.Event {
		n++
		return bot.Event{ID: string(rune('a' + n)), Channel: ch, Conversation: "a", From: "u", Kind: bot.Text, Text: text}
	}
	answer := func(ev bot.Event) *bot.Message {
		t.Helper()
		m, err := h.service.Answer(ctx, ev)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	first := event("hi")
	m := answer(first)
	if m == nil || m.Text != "1: hi" || m.Prompt != 1 {
		t.Fatalf("answer %+v", m)
	}
	row := h.mem.Rows()[0].Message
	if !reflect.DeepEqual(row, *m) {
		t.Errorf("stored is %+v, the answer is %+v", row, *m)
	}
	if d := h.chat.Wait(t, 1)[0]; d.Message.Text != m.Text || d.Message.Prompt != m.Prompt {
		t.Errorf("sent was %+v, the answer is %+v", d.Message, *m)
	}
	// Whoever shows it may change it.
	m.Choices[0].Label, m.Picture.Alt, m.Form.Fields[0].Label, m.Form.Title, m.Reveal.Method = "x", "x", "x", "x", "x"
	if shared.choices[0].Label == "x" || shared.picture.Alt == "x" || shared.form.Fields[0].Label == "x" || shared.form.Title == "x" || shared.reveal.Method == "x" {
		t.Error("the answer is not a copy")
	}
	if m := answer(first); m != nil {
		t.Errorf("a repeat is answered with %+v", m)
	}
	if m := answer(event("check fails")); m == nil || m.Text != "outcome error" {
		t.Errorf("a check that fails is answered with %+v", m)
	}
	if m := answer(event("panic")); m == nil || !strings.Contains(m.Text, "went wrong") {
		t.Errorf("an engine that panics is answered with %+v", m)
	}
	sub := event("")
	sub.Kind, sub.Form = bot.Submit, &bot.FormReply{Name: "sign_in", Values: []bot.FormValue{{Name: "password", Value: "hunter2"}}}
	if m := answer(sub); m == nil || m.Text != "outcome hashed after 1" {
		t.Errorf("a form is answered with %+v", m)
	}
	if m := answer(event("desk")); m == nil {
		t.Error("no answer")
	}
	if m := answer(event("for the desk")); m != nil {
		t.Errorf("what is for the desk is answered with %+v", m)
	}
	strange := event("hi")
	strange.From = "somebody else"
	if m := answer(strange); m != nil {
		t.Errorf("another author is answered with %+v", m)
	}
	if m := answer(event("bot")); m == nil || m.Text != "3: bot" {
		t.Errorf("the answer is %+v", m)
	}
	if m := answer(event("too fast")); m == nil || m.Text != "slow down" {
		t.Errorf("the first event too many is answered with %+v", m)
	}
	if m := answer(event("dropped")); m != nil {
		t.Errorf("a dropped event is answered with %+v", m)
	}
	if m, err := h.service.Answer(ctx, bot.Event{}); m != nil || !errors.Is(err, turn.ErrEvent) {
		t.Errorf("a bad event: %+v, %v", m, err)
	}
	down := errors.New("disk gone")
	h.mem.Fail(func(what string) error {
		if what == "turn" {
			return down
		}
		return nil
	})
	clock.Advance(time.Minute)
	if m, err := h.service.Answer(ctx, event("lost")); m != nil || !errors.Is(err, down) {
		t.Errorf("a database error: %+v, %v", m, err)
	}
	h.mem.Fail(nil)
}

func TestTryForm(t *testing.T) {
	ctx := context.Background()
	var tries int
	h := newHouse(t, func(o *turn.Options) {
		o.Burst, o.Rate = policy.Limit{N: 2, Per: time.Hour}, policy.Limit{}
		o.Catalogue.Forms["answers"] = bot.FormSpec{Try: func(ctx context.Context, st bot.Store, c *bot.Call) ([]bot.FieldProblem, error) {
			tries++
			switch string(c.Event.Form.Value("a")) {
			case "panic":
				panic("hunter2")
			case "fail":
				return nil, errors.New("database gone")
			case "write":
				return nil, st.View(ctx, func(tx bot.Tx) error { return tx.Tally("b", "k") })
			}
			if c.Event.Channel != ch || c.Event.From != "user-a" || c.Conversation.User != "user-a" || c.Event.At.IsZero() || c.Slot("texts") != "1" {
				t.Errorf("call %+v, event %+v", c, c.Event)
			}
			return []bot.FieldProblem{{Field: "a", Text: "Too short."}}, nil
		}}
	})
	h.talk("a").Say("hi").Expect("1: hi")
	before := h.mem.Commits()
	reply := func(form, value string) *bot.FormReply {
		return &bot.FormReply{Name: form, Values: []bot.FormValue{{Name: "a", Value: bot.Secret(value)}}}
	}
	ask := reply("answers", "x")
	for range 5 { // more than the budget allows
		ps, err := h.service.TryForm(ctx, "a", ask)
		if err != nil || !reflect.DeepEqual(ps, []bot.FieldProblem{{Field: "a", Text: "Too short."}}) {
			t.Fatalf("problems %+v, %v", ps, err)
		}
	}
	tries = 0
	many := &bot.FormReply{Name: "answers", Values: make([]bot.FormValue, 33)}
	for name, f := range map[string]*bot.FormReply{
		"none": nil, "no such form": reply("nosuch", "x"), "nothing to try": reply("sign_in", "x"), "shows something": reply("codes", "x"),
		"too long": reply("answers", strings.Repeat("x", bot.MaxText+1)), "too many": many,
	} {
		if ps, err := h.service.TryForm(ctx, "a", f); ps != nil || err != nil || tries != 0 {
			t.Errorf("%s: %+v, %v, %d tries", name, ps, err, tries)
		}
	}
	faults := h.service.Stats().Faults
	for _, value := range []string{"panic", "fail", "write"} {
		ps, err := h.service.TryForm(ctx, "a", reply("answers", value))
		if ps != nil || err == nil || !strings.Contains(err.Error(), "try form answers") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %+v, %v", value, ps, err)
		}
	}
	if n := h.service.Stats().Faults - faults; n != 3 {
		t.Errorf("%d faults counted", n)
	}
	if _, err := h.service.TryForm(ctx, "nobody", ask); !errors.Is(err, bot.ErrNotFound) {
		t.Errorf("no such conversation: %v", err)
	}
	if n := h.mem.Commits() - before; n != 0 {
		t.Errorf("%d transactions wrote something", n)
	}
	h.talk("b").Say("hi").Expect("1: hi") // and nobody's budget is used up
	if strings.Contains(h.log.String(), "hunter2") {
		t.Error("a value is in the log")
	}
}
