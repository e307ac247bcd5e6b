package enroll

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"latchkey/bot"
	"latchkey/bot/failpoint"
)

// Notify is the job that tells one address about one change. It holds ids and
// times only; the address is read when the notice is made.
type Notify struct {
	ID      string        `json:"id"`     // of the notice, the same for every attempt
	Change  string        `json:"change"` // the audit action
	Person  bot.PersonID  `json:"person"`
	Method  bot.MethodID  `json:"method,omitempty"` // what changed; empty: the chat account
	To      bot.MethodID  `json:"to,omitempty"`     // a private mailbox; empty: the work address
	Lang    string        `json:"lang,omitempty"`
	Channel bot.ChannelID `json:"channel,omitempty"`
	At      time.Time     `json:"at"`
	// Last: the mailbox goes with this change, so its address is wiped after
	// this notice, and not after an earlier one that was slower.
	Last bool `json:"last,omitempty"`
}

// Kind implements bot.Job.
func (Notify) Kind() string { return "notice" }

// work stands for the work address among the addresses to tell.
const work bot.MethodID = ""

// addresses lists where a person can be told now: the work address and every
// private one that was proven, also one that is suspended.
func addresses(p *bot.Person, ms []bot.Method) []bot.MethodID {
	var to []bot.MethodID
	if p.Email != "" {
		to = append(to, work)
	}
	for i := range ms {
		if ms[i].Kind == bot.Email && proven(&ms[i]) {
			to = append(to, ms[i].ID)
		}
	}
	return to
}

// notify enqueues one notice for each address, in the person's language or
// else in lang. m is nil when the change is not about a method.
func (r *Room) notify(tx bot.Tx, ch bot.ChannelID, lang string, p *bot.Person, m *bot.Method, change string, to []bot.MethodID) error {
	j := Notify{Change: change, Person: p.ID, Lang: p.Lang, Channel: ch, At: tx.Now()}
	if j.Lang == "" {
		j.Lang = lang
	}
	if m != nil {
		j.Method = m.ID
	}
	for _, a := range to {
		j.ID, j.To, j.Last = newID(), a, false
		if a != work {
			box, err := tx.Method(a)
			if err != nil {
				return fmt.Errorf("enroll: mailbox of a notice: %w", err)
			}
			j.Last = box.State == bot.Removed
		}
		if err := tx.Enqueue(j, time.Time{}); err != nil {
			return fmt.Errorf("enroll: enqueue notice: %w", err)
		}
	}
	return nil
}

// keepAddress is how long the address of a removed mailbox is kept for the
// notice to it, when the mail server does not take it.
const keepAddress = 48 * time.Hour

// HandleNotify sends one notice. A nil error ends the job; a *bot.DropJob ends
// it as failed; any other error asks for a retry, which sends the same message
// id again.
func (r *Room) HandleNotify(ctx context.Context, j Notify) error {
	var p *bot.Person
	var m, box *bot.Method
	var now time.Time
	err := r.Store.View(ctx, func(tx bot.Tx) (err error) {
		p, m, box, now = nil, nil, nil, tx.Now()
		if p, err = tx.Person(j.Person); err != nil {
			return err
		}
		if j.Method != "" {
			if m, err = tx.Method(j.Method); err != nil {
				return err
			}
		}
		if j.To != work {
			box, err = tx.Method(j.To)
		}
		return err
	})
	if errors.Is(err, bot.ErrNotFound) {
		return &bot.DropJob{Err: fmt.Errorf("enroll: notice %s: %w", j.ID, err)}
	}
	if err != nil {
		return fmt.Errorf("enroll: notice %s: %w", j.ID, err)
	}
	to := p.Email
	if box != nil {
		if box.Sealed == nil {
			return nil // told before, and wiped
		}
		plain, err := r.Vault.Open(box.Sealed, box.Place())
		if err != nil {
			return &bot.DropJob{Err: fmt.Errorf("enroll: notice %s: address of mailbox %s: %w", j.ID, box.ID, err)}
		}
		to = string(plain)
	}
	if to == "" {
		return nil
	}
	failpoint.Hit(failpoint.NoticeBefore)
	err = r.Notifier.SendNotice(ctx, r.letter(j, p, m, to))
	failpoint.Hit(failpoint.NoticeAfter)
	var se *bot.SendError
	final := errors.As(err, &se) && (se.Kind == bot.SendPermanent || se.Kind == bot.SendGone)
	if err != nil && !final && now.Sub(j.At) < keepAddress {
		return fmt.Errorf("enroll: notice %s: %w", j.ID, err)
	}
	if j.Last {
		if e := r.forget(ctx, box); e != nil {
			return errors.Join(e, err)
		}
	}
	if err != nil {
		return &bot.DropJob{Err: fmt.Errorf("enroll: notice %s: %w", j.ID, err)}
	}
	return nil
}

// forget wipes the address of a removed mailbox once it was told.
func (r *Room) forget(ctx context.Context, box *bot.Method) error {
	if box == nil || box.State != bot.Removed {
		return nil
	}
	err := r.Store.Update(ctx, func(tx bot.Tx) error {
		m, err := tx.Method(box.ID)
		if err != nil || m.State != bot.Removed {
			return err
		}
		m.Sealed = nil
		return tx.PutMethod(m)
	})
	if err != nil {
		return fmt.Errorf("enroll: wipe the address of a removed mailbox: %w", err)
	}
	return nil
}

// letter writes a notice. It names the change, when and through which channel
// it was made, and whom to call; it holds no secret and no link.
func (r *Room) letter(j Notify, p *bot.Person, m *bot.Method, to string) bot.NoticeMessage {
	say := func(key string, kv ...string) string { return r.Phrases.Phrase(j.Lang, key, kv...) }
	method := ""
	if m != nil {
		method = r.Label(j.Lang, m)
	}
	when := r.moment(j.Lang, p, j.At)
	what := say("notice.what."+strings.ReplaceAll(j.Change, ".", "_"), "method", method, "org", r.Org, "channel", string(j.Channel))
	by := ""
	if byOperator(j.Change) {
		by = ".operator"
	}
	return bot.NoticeMessage{
		ID: j.ID, To: to, Name: p.Name, Lang: j.Lang,
		Subject: say("notice.subject"+by, "org", r.Org),
		Body: say("notice.body"+by, "name", called(p), "what", what, "when", when, "channel", string(j.Channel),
			"contact", r.Contact, "org", r.Org),
	}
}

// byOperator reports whether a change is what an operator did to a person, which
// no person does by themselves.
func byOperator(change string) bool {
	return strings.HasPrefix(change, "person.") || change == "identity.unlinked"
}
