package enroll

import (
	"fmt"
	"time"

	"latchkey/bot"
)

// personKnown says whether the chat account is linked to a person, proven.
func (r *Service) personKnown(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	p, err := someone(tx, c)
	switch {
	case err != nil:
		return bot.Outcome{}, err
	case p == nil:
		return say("unknown"), nil
	case p.Stopped():
		return r.stopped(c, p), nil
	}
	return say("known", "name", called(p)), nil
}

// stopped says why nothing is done for a person.
func (r *Service) stopped(c *bot.Call, p *bot.Person) bot.Outcome {
	if !p.FrozenAt.IsZero() {
		return fail(bot.OutcomeFrozen, "account_frozen", "since", r.moment(c.Lang(), p, p.FrozenAt), "address", r.window())
	}
	return fail("disabled", "account_disabled")
}

// personStatus says how far the person is. Pending methods do not show. A
// platform's word for whose the account is (L1) is enough for that: the list is
// masked, and nothing follows from it.
func (r *Service) personStatus(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	conv := c.Conversation
	if conv.Level < bot.L1 {
		return say("signed_out"), nil
	}
	p, err := personOf(tx, conv.Person)
	if err != nil || p == nil || p.Stopped() && conv.Level == bot.L1 {
		return say("signed_out"), err
	}
	if p.Stopped() {
		return say("stopped"), nil
	}
	ms, err := listed(tx, p.ID)
	if err != nil {
		return bot.Outcome{}, err
	}
	switch {
	case len(ms) == 0:
		return say("none", "name", called(p)), nil
	case count(ms) < r.Policy.Required:
		return say("started", "name", called(p), "list", r.list(c.Lang(), p, ms)), nil
	}
	return say("enrolled", "name", called(p), "list", r.list(c.Lang(), p, ms)), nil
}

// snooze is how long "later" keeps campaigns away.
const snooze = 24 * time.Hour

func (r *Service) personSnooze(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	if p := c.Person(); p != "" {
		who, err := tx.Person(p)
		if err != nil {
			return bot.Outcome{}, fmt.Errorf("enroll: snooze: %w", err)
		}
		if r.Remind != nil && who.Stage != bot.Enrolled {
			at, zone, err := r.Remind(tx, who)
			if err != nil {
				return bot.Outcome{}, fmt.Errorf("enroll: snooze: %w", err)
			}
			if !at.IsZero() {
				return say("reminded", "when", bot.WeekdayMoment(r.Phrases, c.Lang(), zone, at)), nil
			}
		}
		if err := tx.SetNextNudge(p, tx.Now().Add(snooze)); err != nil {
			return bot.Outcome{}, fmt.Errorf("enroll: snooze: %w", err)
		}
	}
	return say("ok", "when", r.Phrases.Phrase(c.Lang(), "when.tomorrow")), nil
}

func (r *Service) personLanguage(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	if p := c.Person(); p != "" && c.Lang() != "" {
		if err := tx.SetPersonLang(p, c.Lang()); err != nil {
			return bot.Outcome{}, fmt.Errorf("enroll: remember language: %w", err)
		}
	}
	return say("ok"), nil
}

// personCancel drops what this conversation has begun and voids its codes. What
// was proven stays.
func (r *Service) personCancel(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	if err := r.dropLinkCode(tx, c.Conversation.ID); err != nil {
		return bot.Outcome{}, err
	}
	p := c.Person()
	if p == "" {
		return say("ok"), nil
	}
	ms, err := tx.Methods(p)
	if err != nil {
		return bot.Outcome{}, fmt.Errorf("enroll: methods: %w", err)
	}
	// Of this conversation only: in another one the same person, or somebody who
	// should not be here, waits for a code.
	for i := range ms {
		if m := &ms[i]; m.State == bot.Pending && m.Conversation == c.Conversation.ID {
			if err := r.drop(tx, m); err != nil {
				return bot.Outcome{}, err
			}
		}
	}
	if _, err := tx.VoidChallenges(p, []bot.ConversationID{c.Conversation.ID}, ""); err != nil {
		return bot.Outcome{}, fmt.Errorf("enroll: void codes: %w", err)
	}
	return say("ok"), nil
}
