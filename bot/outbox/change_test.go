package outbox_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/outbox"
)

// post says a text to bob and returns its row's ID.
func (p *process) post(t *testing.T, text string, change func(*bot.OutboxRow)) (id int64) {
	t.Helper()
	p.update(t, func(tx bot.Tx) error {
		row := bot.OutboxRow{Conversation: "b|bob", Message: bot.Message{Text: text}}
		if change != nil {
			change(&row)
		}
		err := errors.Join(tx.Say(&row), tx.Number(&row))
		id = row.ID
		return err
	})
	return id
}

func (p *process) update(t *testing.T, fn func(bot.Tx) error) {
	t.Helper()
	if err := p.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// edit and takeBack are operations on a row. state is what Say makes of them.
func (p *process) edit(t *testing.T, id int64, text string) (state bot.OutboxState) {
	t.Helper()
	return p.op(t, bot.OutboxRow{Op: bot.OpEdit, Target: id, Message: bot.Message{Text: text}})
}

func (p *process) takeBack(t *testing.T, id int64) (state bot.OutboxState) {
	t.Helper()
	return p.op(t, bot.OutboxRow{Op: bot.OpTakeBack, Target: id})
}

func (p *process) op(t *testing.T, row bot.OutboxRow) (state bot.OutboxState) {
	t.Helper()
	p.update(t, func(tx bot.Tx) error {
		r := row
		err := tx.Say(&r)
		state = r.State
		return err
	})
	return state
}

// row reads a row.
func (p *process) row(t *testing.T, id int64) (row *bot.OutboxRow) {
	t.Helper()
	if err := p.View(t.Context(), func(tx bot.Tx) (err error) { row, err = tx.Row(id); return err }); err != nil {
		t.Fatal(err)
	}
	return row
}

// talk is a world with an office on which bob has written.
func (w *world) talk(t *testing.T) (*office, *process) {
	b := w.office("b")
	p := w.start(outbox.Options{})
	if err := p.serve("1", "b", "b|bob", func(bot.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	b.until(t, "b|bob", "answer 1")
	return b, p
}

// What was sent is changed in its place, and taken back; in the order in which
// that was said.
func TestChangeWhatWasSent(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		b, p := w.talk(t)
		id := p.post(t, "one", nil)
		p.post(t, "two", nil)
		b.until(t, "b|bob", "answer 1", "one", "two")
		settled(t, p)
		if s := p.edit(t, id, "one, mended"); s != bot.OutboxPending {
			t.Errorf("the edit is %d", s)
		}
		b.until(t, "b|bob", "answer 1", "one, mended", "two")
		long := strings.Repeat("word ", 30)
		p.edit(t, id, long)
		w.until("both parts", func() bool { return len(b.texts("b|bob")) == 4 })
		settled(t, p)
		parts := b.texts("b|bob")
		if got := parts[1] + " " + parts[3]; strings.Join(strings.Fields(got), " ") != strings.TrimSpace(long) {
			t.Errorf("the parts are %q", parts)
		}
		p.edit(t, id, "short again")
		b.until(t, "b|bob", "answer 1", "short again", "two")
		p.edit(t, id, "not for long")
		p.takeBack(t, id)
		b.until(t, "b|bob", "answer 1", "two")
		settled(t, p)
		b.set(func() {
			if n := len(b.calls); !slices.Equal(b.calls[n-2:], []string{"edit 2", "delete 2"}) {
				t.Errorf("calls %q", b.calls)
			}
		})
		if r := p.row(t, id); r.State != bot.OutboxRetracted || r.Receipt != "2" {
			t.Errorf("what was taken back is %+v", r)
		}
		p.takeBack(t, id) // again it does nothing
		settled(t, p)
		p.edit(t, id, "too late")
		var lost []bot.OutboxRow
		w.until("the edit to be given up", func() bool {
			var err error
			lost, _, err = p.box.List(t.Context(), 10)
			return err == nil && len(lost) == 1
		})
		why, remedy := outbox.Explain(&lost[0])
		if lost[0].Error != "permanent:no_target" || !strings.Contains(why, "to be changed was not seen to be sent, or is not there") || !strings.Contains(remedy, "outbox drop") {
			t.Errorf("%+v: %s; %s", lost[0], why, remedy)
		}
		b.until(t, "b|bob", "answer 1", "two")
	})
}

// What waits is changed, or not sent at all, and nobody sees the difference.
func TestChangeWhatWaits(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		b, p := w.talk(t)
		down := true
		b.set(func() {
			b.sending = func(bot.Delivery) error {
				if down {
					return &bot.SendError{Kind: bot.SendThrottled, After: time.Second, Here: true, Err: errors.New("wait")}
				}
				return nil
			}
		})
		one := p.post(t, "one", nil)
		two := p.post(t, "two", nil)
		p.post(t, "three", nil)
		later := p.post(t, "tomorrow", func(r *bot.OutboxRow) { r.Lane, r.Due = bot.LaneNotice, time.Now().Add(time.Hour) })
		w.until("it to wait", func() bool { return p.row(t, one).Attempts > 0 && p.row(t, one).Owner == bot.Nobody })
		for what, s := range map[string]bot.OutboxState{
			"edit": p.edit(t, one, "one, mended"), "take-back": p.takeBack(t, two), "take-back of tomorrow's": p.takeBack(t, later),
		} {
			if s != bot.OutboxSent {
				t.Errorf("the %s is %d, want done", what, s)
			}
		}
		b.set(func() { down = false })
		b.until(t, "b|bob", "answer 1", "one, mended", "three")
		settled(t, p)
		b.set(func() {
			if len(b.calls) > 0 {
				t.Errorf("asked the platform %q", b.calls)
			}
		})
		if r := p.row(t, two); r.State != bot.OutboxRetracted || r.Message.Text != "" {
			t.Errorf("what was taken back is %+v", r)
		}
	})
}

// What is taken back while it is changed leaves no new part behind.
func TestChangeWhatIsTakenBackMeanwhile(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		b, p := w.talk(t)
		id := p.post(t, "one", func(r *bot.OutboxRow) { r.Message.Fleeting = true })
		b.until(t, "b|bob", "answer 1", "one")
		settled(t, p)
		b.set(func() {
			b.edits = func() error {
				return p.Update(t.Context(), func(tx bot.Tx) error { // another process
					row, err := tx.Row(id)
					if err != nil {
						return err
					}
					row.State = bot.OutboxRetracted
					return tx.MarkOutbox(row)
				})
			}
		})
		p.edit(t, id, strings.Repeat("word ", 30))
		w.until("the edit to be given up", func() bool {
			lost, _, err := p.box.List(t.Context(), 10)
			return err == nil && len(lost) == 1 && lost[0].Error == "permanent:no_target"
		})
		b.until(t, "b|bob", "answer 1")
		if r := p.row(t, id); r.State != bot.OutboxRetracted {
			t.Errorf("what was taken back is %+v", r)
		}
	})
}

// While a message is being sent, a change of it waits. A platform that cannot
// change messages gets a new line; what it cannot take back, an operator hears of.
func TestPlatformThatCannotChange(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		p := w.start(outbox.Options{})
		if err := p.say("c", "1", "answer", false); err != nil {
			t.Fatal(err)
		}
		settled(t, p)
		hold := make(chan struct{})
		p.holding.Store(&hold)
		id := p.post(t, "one", func(r *bot.OutboxRow) { r.Conversation = "c" })
		w.until("it to be under way", func() bool { return len(w.texts("c")) == 2 })
		if s := p.edit(t, id, "one, mended"); s != bot.OutboxPending {
			t.Errorf("the edit is %d", s)
		}
		p.takeBack(t, id)
		p.holding.Store(nil)
		close(hold)
		var lost []bot.OutboxRow
		w.until("the take-back to be given up", func() bool {
			var err error
			lost, _, err = p.box.List(t.Context(), 10)
			return err == nil && len(lost) == 1
		})
		if got, want := w.texts("c"), []string{"answer", "one", "one, mended"}; !reflect.DeepEqual(got, want) {
			t.Errorf("said %q, want %q", got, want)
		}
		why, remedy := outbox.Explain(&lost[0])
		if lost[0].State != bot.OutboxDead || lost[0].Untold || !strings.Contains(why, "refused the take-back") || !strings.Contains(remedy, "by hand") {
			t.Errorf("%+v: %s; %s", lost[0], why, remedy)
		}
	})
}

// An edit of which the platform does not say whether it was made is made again.
// At its end nobody says that it was not.
func TestDoubtfulChange(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		b, p := w.talk(t)
		id := p.post(t, "one", nil)
		b.until(t, "b|bob", "answer 1", "one")
		settled(t, p)
		doubts := 1
		b.set(func() {
			b.edits = func() error {
				if doubts--; doubts < 0 {
					return nil
				}
				return &bot.SendError{Kind: bot.SendUncertain, Err: errors.New("no answer")}
			}
		})
		p.edit(t, id, "two")
		b.until(t, "b|bob", "answer 1", "two")
		settled(t, p)
		b.set(func() {
			if !slices.Equal(b.calls, []string{"edit 2", "edit 2"}) {
				t.Errorf("calls %q", b.calls)
			}
			doubts = 1000
		})
		for _, op := range []bot.OutboxRow{{Op: bot.OpEdit, Message: bot.Message{Text: "three"}}, {Op: bot.OpTakeBack}} {
			op.Target, op.Expires = id, p.Now().Add(1500*time.Millisecond)
			p.op(t, op)
		}
		var lost []bot.OutboxRow
		w.until("both to be given up", func() bool {
			var err error
			lost, _, err = p.box.List(t.Context(), 10)
			return err == nil && len(lost) == 2
		})
		for i, want := range []string{"was taken back", "was changed"} {
			if why, _ := outbox.Explain(&lost[i]); lost[i].State != bot.OutboxUnknown || !strings.HasSuffix(why, want) {
				t.Errorf("%+v: %s", lost[i], why)
			}
		}
	})
}

// What was given up is replaced by its change, and nobody says the old one again.
func TestChangeWhatWasGivenUp(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		b, p := w.talk(t)
		b.set(func() {
			b.sending = func(d bot.Delivery) error {
				if strings.Contains(d.Message.Text, "lost") {
					return &bot.SendError{Kind: bot.SendPermanent, Err: errors.New("refused")}
				}
				return nil
			}
		})
		ids := []int64{p.post(t, "lost 1", nil), p.post(t, "lost 2", nil)}
		w.until("both to be given up", func() bool {
			lost, _, err := p.box.List(t.Context(), 10)
			return err == nil && len(lost) == 2
		})
		p.takeBack(t, ids[1])
		p.edit(t, ids[0], "found")
		b.until(t, "b|bob", "answer 1", "An earlier message could not be delivered here and was left out.\n\nfound")
		settled(t, p)
		if lost, _, err := p.box.List(t.Context(), 10); err != nil || len(lost) > 0 {
			t.Errorf("still listed: %+v %v", lost, err)
		}
	})
}
