package bot_test

import (
	"errors"
	"strings"
	"testing"

	"latchkey/bot"
)

// methods is a Tx that counts what is stored of methods.
type methods struct {
	bot.Tx
	m      bot.Method
	stored int
}

func (t *methods) Method(bot.MethodID) (*bot.Method, error) { m := t.m; return &m, nil }
func (t *methods) PutMethod(*bot.Method) error              { t.stored++; return nil }
func (t *methods) MarkMethod(*bot.Method) error             { t.stored++; return nil }
func (t *methods) DropMethod(bot.MethodID) error            { t.stored++; return nil }
func (t *methods) PutSecrets(bot.MethodID, []bot.MethodSecret) error {
	t.stored++
	return nil
}

func call() *bot.Call {
	return &bot.Call{Conversation: &bot.Conversation{ID: "c", Person: "p", Level: bot.L2},
		Session: &bot.Session{Stack: []bot.Frame{{Slots: bot.Facts("method", "m")}}}}
}

// TestUndeclaredChecksCannotChangeMethods: a check that declares no change may
// only mark and drop; everything else is refused by its Tx, and says why.
func TestUndeclaredChecksCannotChangeMethods(t *testing.T) {
	for name, write := range map[string]func(bot.Tx) error{
		"PutMethod":  func(tx bot.Tx) error { return tx.PutMethod(&bot.Method{}) },
		"PutSecrets": func(tx bot.Tx) error { return tx.PutSecrets("m", nil) },
		"MarkMethod": func(tx bot.Tx) error { return tx.MarkMethod(&bot.Method{}) },
		"DropMethod": func(tx bot.Tx) error { return tx.DropMethod("m") },
	} {
		tx := &methods{}
		spec := bot.CheckSpec{Name: "sly", Run: func(tx bot.Tx, _ *bot.Call) (bot.Outcome, error) { return bot.Outcome{Name: "ok"}, write(tx) }}
		_, err := spec.Ask(nil, tx, call())
		refused := strings.HasPrefix(name, "Put")
		if refused != (err != nil) || refused == (tx.stored > 0) {
			t.Errorf("%s: %v, stored %d times", name, err, tx.stored)
		}
		if refused && !strings.Contains(err.Error(), "check sly") {
			t.Errorf("%s: the error does not name the check: %v", name, err)
		}
	}
}

// TestGateIsAsked before each change, and of a check of both kinds when its
// method is pending.
func TestGateIsAsked(t *testing.T) {
	for _, x := range []struct {
		changes bot.Changes
		state   bot.MethodState
		asked   bool
	}{
		{bot.NoChange, bot.Pending, false},
		{bot.Change, bot.Active, true},
		{bot.ChangeIfPending, bot.Pending, true},
		{bot.ChangeIfPending, bot.Active, false},
		{bot.ChangeIfPending, bot.Suspended, false},
	} {
		ran := false
		spec := bot.CheckSpec{Name: "x", Changes: x.changes, Outcomes: bot.Outcomes("ok"), Run: func(bot.Tx, *bot.Call) (bot.Outcome, error) {
			ran = true
			return bot.Outcome{Name: "ok"}, nil
		}}
		tx := &methods{m: bot.Method{ID: "m", Person: "p", State: x.state, Conversation: "c"}}
		no := func(bot.Tx, *bot.Call) (bot.Outcome, error) { return bot.Outcome{Name: bot.ProveFirst}, nil }
		oc, err := spec.Ask(no, tx, call())
		if err != nil || ran == x.asked || x.asked && oc.Name != bot.ProveFirst {
			t.Errorf("%+v: %v, %v, ran %t", x, oc, err, ran)
		}
		if _, err := spec.Ask(nil, tx, call()); x.asked != (err != nil) {
			t.Errorf("%+v without a gate: %v", x, err)
		}
		broken := errors.New("broken")
		ran = false
		if _, err := spec.Ask(func(bot.Tx, *bot.Call) (bot.Outcome, error) { return bot.Outcome{}, broken }, tx, call()); x.asked && (ran || !errors.Is(err, broken)) {
			t.Errorf("%+v with a broken gate: %v, ran %t", x, err, ran)
		}
		if _, ok := spec.Answers()[bot.ProveFirst]; ok != (x.changes != bot.NoChange) {
			t.Errorf("%+v answers %v", x, spec.Answers())
		}
	}
}
