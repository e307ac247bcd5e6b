package enroll

import (
	"errors"
	"fmt"

	"latchkey/bot"
)

// byLink stands for the channel of what was done by the link of a notice.
const byLink bot.ChannelID = "notice link"

// A stop says who freezes an account, and how.
type stop struct {
	by       string             // for the audit record: "person", "operator:ada"
	subject  string             // for it, too: the change that was not theirs, or "account"
	evidence string             // what it rests on: "notice link", "chat", what an operator says
	channel  bot.ChannelID      // where it was said; empty: at the help desk
	from     bot.ConversationID // the conversation that it was said in; it is not told
	lang     string
	operator bool // the help desk does it
}

// freeze freezes the person of an order: at once, in every process, nothing is
// proven, changed or sent, no chat account is linked, and every browser is signed
// out. What was begun, proven or sent is void. It writes the audit line, opens a
// request for the help desk and tells the person everywhere else. An account that
// is frozen already stays as it is, and d says so.
//
// One thing still signs in and is linked: a browser in which the person shows a
// second factor after it (SignInAs). It is asked whether to start the account again,
// and stays signed in when the answer is no, but gets no further (bot.CheckSpec.Frozen).
func (r *Service) freeze(tx bot.Tx, d *Done, s stop) error {
	// In this order, as turns do: conversations, and then the gate. Who was
	// frozen meanwhile is seen behind it.
	if _, err := r.everywhere(tx, d.Person.ID); err != nil {
		return err
	}
	if err := oneAtATime(tx); err != nil {
		return err
	}
	p, err := tx.Person(d.Person.ID)
	if err != nil {
		return fmt.Errorf("enroll: person to freeze: %w", err)
	}
	d.Person = *p
	if err := voidCallerChecks(tx, p.ID); err != nil {
		return err
	}
	if d.Already = !p.FrozenAt.IsZero(); d.Already {
		return nil
	}
	if err := tx.SetFrozen(p.ID, tx.Now()); err != nil {
		return fmt.Errorf("enroll: freeze: %w", err)
	}
	if _, err := r.haltAll(tx, d); err != nil {
		return err
	}
	if err := r.giveBack(tx, d); err != nil {
		return err
	}
	step, reason := s.subject, RequestNotMe
	if s.operator {
		step, reason = "", bot.FrozenByDesk
	}
	if d.Request, err = r.askDesk(tx, p, bot.FlowFreeze, step, reason, s.lang); err != nil {
		return err
	}
	where := s.channel
	if where == byLink {
		where = "" // the evidence says it
	}
	if err := r.audited(tx, p.ID, s.by, "person.frozen", s.subject, where, s.evidence); err != nil {
		return err
	}
	d.Told, err = r.tell(tx, p, News{Change: "person.frozen", From: s.from, Channel: s.channel, Lang: s.lang, Operator: s.operator})
	return err
}

// voidCallerChecks ends what agents have under way to make sure of a person, what
// they have made sure of and not used, and what is to be done in a day by it. When the
// freeze ends, they begin anew.
func voidCallerChecks(tx bot.Tx, p bot.PersonID) error {
	ks, err := tx.CallerChecksOf(p, tx.Now().Add(-7*bot.CheckDelay)) // longer than one lives, or waits
	for i := range ks {
		if k := &ks[i]; err == nil && (k.State <= bot.CheckPassed || k.Waits()) {
			k.State, k.EndedAt, k.Answer = bot.CheckVoid, tx.Now(), nil
			err = tx.PutCallerCheck(k)
		}
	}
	if err != nil {
		return fmt.Errorf("enroll: end checks of a caller: %w", err)
	}
	return nil
}

// audited writes one line about a person.
func (r *Service) audited(tx bot.Tx, p bot.PersonID, actor, action, subject string, ch bot.ChannelID, evidence string) error {
	_, err := tx.Audit(bot.AuditEntry{Person: p, Actor: actor, Action: action, Subject: subject, Channel: ch, Evidence: evidence})
	if err != nil {
		return fmt.Errorf("enroll: audit %s: %w", action, err)
	}
	return nil
}

// RequestNotMe is the error of a request that somebody made by saying "this was
// not me".
const RequestNotMe = "not_me"

// flowNotMe is what a request of "this was not me" names in place of a flow, where a
// chat account was taken away and the account goes on; of a freeze it is
// bot.FlowFreeze. Its step is the change that was not theirs.
const flowNotMe = RequestNotMe

// askDesk finds or opens the request about a person's account, and gives its
// number. A freeze makes one that is open already worse.
func (r *Service) askDesk(tx bot.Tx, p *bot.Person, flow, step, reason, lang string) (string, error) {
	conv := bot.NotMeConversation(p.ID)
	q, err := tx.TicketOf(conv)
	switch {
	case err == nil && (q.Flow == flow && q.Error == reason || flow == flowNotMe):
		return q.ID, nil
	case err == nil:
		q.Flow, q.Step, q.Error = flow, step, reason
		if err := tx.PutTicket(q); err != nil {
			return "", fmt.Errorf("enroll: request: %w", err)
		}
		return q.ID, nil
	case !errors.Is(err, bot.ErrNotFound):
		return "", fmt.Errorf("enroll: request: %w", err)
	case r.AskDesk == nil:
		return "", nil
	}
	if p.Lang != "" {
		lang = p.Lang
	}
	return r.AskDesk(tx, bot.Ticket{Person: p.ID, Conversation: conv, Flow: flow, Step: step, Error: reason, Lang: lang})
}
