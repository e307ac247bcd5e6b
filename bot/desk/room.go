package desk

import (
	"crypto/rand"
	"errors"
	"fmt"

	"latchkey/bot"
)

// A Room takes requests. It needs nothing.
type Room struct{}

// New makes a room.
func New() *Room { return &Room{} }

// Specs declares the checks.
func (r *Room) Specs() []bot.CheckSpec {
	return []bot.CheckSpec{
		{Name: "desk.open", Doc: "ask for a person (slot need: what for)", Frozen: true, Run: r.open,
			Outcomes: map[string][]string{"new": {"request"}, "known": {"request"}}},
		{Name: "desk.cancel", Doc: "no person is needed any more", Frozen: true, Run: r.cancel, Outcomes: map[string][]string{"ok": {}}},
	}
}

// Forms declares no forms.
func (r *Room) Forms() []bot.FormSpec { return nil }

// open takes down a request. A conversation has one open request at a time: a
// second one finds the first.
func (r *Room) open(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	q := bot.Request{Person: c.Person(), Conversation: c.Conversation.ID, Error: c.Session.Error, Lang: c.Session.Lang}
	q.Flow, q.Step = where(c.Session)
	need := c.Slot("need")
	if need != "" {
		q.Error = need
	}
	id, known, err := Ask(tx, q)
	if err != nil {
		return bot.Outcome{}, err
	}
	name := "new"
	if known {
		name = "known"
		if err := add(tx, q, need); err != nil {
			return bot.Outcome{}, err
		}
	}
	return bot.Outcome{Name: name, Facts: bot.Facts("request", id), Error: c.Session.Error}, nil
}

// Ask takes down a request and returns its number, or that of the request that
// the conversation has open already. ID and At are set here.
func Ask(tx bot.Tx, q bot.Request) (id string, known bool, err error) {
	old, err := tx.RequestOf(q.Conversation)
	if err == nil {
		return old.ID, true, nil
	}
	if !errors.Is(err, bot.ErrNotFound) {
		return "", false, fmt.Errorf("desk: request of the conversation: %w", err)
	}
	if q.ID, err = number(tx); err != nil {
		return "", false, err
	}
	q.At = tx.Now()
	if err := tx.OpenRequest(&q); err != nil {
		return "", false, fmt.Errorf("desk: open request: %w", err)
	}
	return q.ID, false, nil
}

// add puts what somebody needs on the request that they have open already, so
// that whoever takes it up learns of it.
func add(tx bot.Tx, q bot.Request, need string) error {
	if need == "" {
		return nil
	}
	old, err := tx.RequestOf(q.Conversation)
	if err == nil {
		old.Flow, old.Step, old.Error = q.Flow, q.Step, need
		err = tx.OpenRequest(old)
	}
	if err != nil {
		return fmt.Errorf("desk: add what is needed to the request: %w", err)
	}
	return nil
}

// where is the step that the person was at: of the flow under the one that
// asks for a person, or of the only one.
func where(s *bot.Session) (flow, step string) {
	f := s.Top()
	if n := len(s.Stack); n > 1 {
		f = &s.Stack[n-2]
	}
	if f == nil {
		return "", ""
	}
	return f.Flow, f.Step
}

func (r *Room) cancel(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	q, err := tx.RequestOf(c.Conversation.ID)
	if errors.Is(err, bot.ErrNotFound) {
		return bot.Outcome{Name: "ok"}, nil
	}
	if err != nil {
		return bot.Outcome{}, fmt.Errorf("desk: request of the conversation: %w", err)
	}
	q.ClosedAt = tx.Now()
	if err := tx.OpenRequest(q); err != nil {
		return bot.Outcome{}, fmt.Errorf("desk: close request: %w", err)
	}
	return bot.Outcome{Name: "ok"}, nil
}

// alphabet is Crockford's base 32: no letter that is misheard for a digit.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// number makes an id like K7M-2QP that no open request has.
func number(tx bot.Tx) (string, error) {
	open, err := tx.Requests(1000)
	if err != nil {
		return "", fmt.Errorf("desk: open requests: %w", err)
	}
	taken := make(map[string]bool, len(open))
	for i := range open {
		taken[open[i].ID] = true
	}
	for {
		var b [6]byte
		rand.Read(b[:])
		for i := range b {
			b[i] = alphabet[b[i]&31]
		}
		if id := string(b[:3]) + "-" + string(b[3:]); !taken[id] {
			return id, nil
		}
	}
}
