package enroll

import (
	"errors"
	"fmt"

	"latchkey/bot"
)

// byLink stands for the channel of what was done by the link of a notice.
const byLink bot.ChannelID = "notice link"

// A stop says who stops an account with "this was not me", and how.
type stop struct {
	evidence string             // what it rests on: "notice link", "chat"
	change   string             // the audit action that was not theirs; empty: none is named
	channel  bot.ChannelID      // where it was said; empty: on the page of a notice
	from     bot.ConversationID // the conversation that it was said in; it is not told
	lang     string
}

// stopAll freezes a person: at once, in every process, nothing is proven,
// changed or sent, no chat account is linked and no browser stays signed in.
// Codes and half finished methods are void. It writes the audit line, opens a
// request for the help desk and tells the person everywhere else. It reports
// false, and changes nothing, when the account is frozen already; request is
// the number of the open request all the same.
func (r *Room) stopAll(tx bot.Tx, p *bot.Person, s stop) (first bool, request string, err error) {
	if err := oneAtATime(tx); err != nil {
		return false, "", err
	}
	if p, err = tx.Person(p.ID); err != nil { // as it is behind the gate
		return false, "", fmt.Errorf("enroll: person to freeze: %w", err)
	}
	if first = p.FrozenAt.IsZero(); first {
		if err := tx.SetFrozen(p.ID, tx.Now()); err != nil {
			return false, "", fmt.Errorf("enroll: freeze: %w", err)
		}
		if err := r.audited(tx, p.ID, "person", "person.frozen", s.change, s.channel, s.evidence); err != nil {
			return false, "", err
		}
		if err := r.voidAll(tx, p.ID); err != nil {
			return false, "", err
		}
		where := s.channel
		if where == "" {
			where = byLink
		}
		if err := r.Tell(tx, p, News{Change: "person.frozen", From: s.from, Channel: where, Lang: s.lang}); err != nil {
			return false, "", err
		}
	}
	request, err = r.notMeRequest(tx, p, flowFreeze, s.change, s.lang)
	return first, request, err
}

// voidAll drops what a person has begun: pending methods, codes, proofs, and
// what browsers hold.
func (r *Room) voidAll(tx bot.Tx, p bot.PersonID) error {
	ms, err := tx.Methods(p)
	if err != nil {
		return fmt.Errorf("enroll: methods: %w", err)
	}
	for i := range ms {
		if ms[i].State == bot.Pending {
			err = r.drop(tx, &ms[i])
		} else {
			err = voidCodes(tx, &ms[i])
		}
		if err != nil {
			return err
		}
	}
	codes, err := tx.OpenChallenges(p, linking, 0)
	if err != nil {
		return fmt.Errorf("enroll: codes of sign-ins: %w", err)
	}
	for i := range codes {
		if _, err := tx.CloseChallenge(codes[i].ID); err != nil {
			return fmt.Errorf("enroll: void code of a sign-in: %w", err)
		}
	}
	cs, err := tx.ConversationsOf(p)
	if err != nil {
		return fmt.Errorf("enroll: conversations: %w", err)
	}
	for i := range cs {
		if err := tx.ClearTally(proofs, string(p)+"|"+string(cs[i].ID)); err != nil {
			return fmt.Errorf("enroll: void proofs: %w", err)
		}
		if err := tx.DropPasses(cs[i].ID); err != nil {
			return fmt.Errorf("enroll: sign out: %w", err)
		}
	}
	return nil
}

// audited writes one line about a person.
func (r *Room) audited(tx bot.Tx, p bot.PersonID, actor, action, subject string, ch bot.ChannelID, evidence string) error {
	_, err := tx.Audit(bot.AuditEntry{Person: p, Actor: actor, Action: action, Subject: subject, Channel: ch, Evidence: evidence})
	if err != nil {
		return fmt.Errorf("enroll: audit %s: %w", action, err)
	}
	return nil
}

// notMeConversation stands in requests and passes that "this was not me" makes:
// it belongs to a person, and to no chat.
func notMeConversation(p bot.PersonID) bot.ConversationID {
	return bot.ConversationID("not_me|" + string(p))
}

// RequestNotMe is the error of a request that somebody made by saying "this was
// not me".
const RequestNotMe = "not_me"

// What a request of "this was not me" names in place of a flow. Its step is the
// change that was not theirs.
const (
	flowFreeze = "freeze"     // the account is frozen; whoever ends that closes it
	flowNotMe  = RequestNotMe // a chat account was taken away, and the account goes on
)

// notMeRequest finds or opens the request that says "this was not me".
func (r *Room) notMeRequest(tx bot.Tx, p *bot.Person, flow, change, lang string) (string, error) {
	q, err := tx.RequestOf(notMeConversation(p.ID))
	if err == nil && (q.Flow == flow || flow == flowNotMe) {
		return q.ID, nil
	}
	if err == nil { // it has become worse
		q.Flow, q.Step = flow, change
		if err := tx.OpenRequest(q); err != nil {
			return "", fmt.Errorf("enroll: request: %w", err)
		}
		return q.ID, nil
	}
	if !errors.Is(err, bot.ErrNotFound) {
		return "", fmt.Errorf("enroll: request: %w", err)
	}
	if r.NewRequest == nil {
		return "", nil
	}
	id, err := r.NewRequest(tx)
	if err != nil {
		return "", err
	}
	if p.Lang != "" {
		lang = p.Lang
	}
	err = tx.OpenRequest(&bot.Request{ID: id, Person: p.ID, Conversation: notMeConversation(p.ID), Flow: flow, Step: change, Error: RequestNotMe, Lang: lang, At: tx.Now()})
	if err != nil {
		return "", fmt.Errorf("enroll: open request: %w", err)
	}
	return id, nil
}
