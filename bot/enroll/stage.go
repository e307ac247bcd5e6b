package enroll

import (
	"fmt"

	"latchkey/bot"
)

// enrollStart begins or goes on. partly: something is proven, but less than is
// recommended. elsewhere: the person stands in the middle of it in another
// conversation.
func (r *Service) enrollStart(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	p, err := someone(tx, c)
	if err != nil {
		return bot.Outcome{}, err
	}
	switch {
	case p == nil:
		return fail("disabled", "account_disabled"), nil
	case p.Stopped():
		return r.stopped(c, p), nil
	}
	ms, err := listed(tx, p.ID)
	if err != nil {
		return bot.Outcome{}, err
	}
	if p.Stage == bot.NotStarted {
		if err := tx.SetStage(p.ID, bot.Started, tx.Now()); err != nil {
			return bot.Outcome{}, fmt.Errorf("enroll: set stage: %w", err)
		}
	}
	enough := count(ms) >= max(r.Policy.Required, r.Policy.Recommended)
	if !enough {
		if convs, place, err := r.leftElsewhere(tx, c, p.ID); err != nil {
			return bot.Outcome{}, err
		} else if len(convs) > 0 {
			return say("elsewhere", "name", called(p), "place", place, "channel", bot.PlatformName(r.Phrases, c.Lang(), convs[0].Channel)), nil
		}
	}
	switch {
	case len(ms) == 0:
		return say("fresh", "name", called(p)), nil
	case !enough:
		return say("partly", "name", called(p), "list", r.list(c.Lang(), p, ms)), nil
	}
	return say("done", "name", called(p), "list", r.list(c.Lang(), p, ms)), nil
}

// enrollNext chains the methods of the guide: the authenticator first, then a
// phone, each unless the person has one or has none to use. none: the person
// declined both and has nothing that is enough.
func (r *Service) enrollNext(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	p, ms, err := holder(tx, c)
	if err != nil || p == nil || p.Stopped() {
		return say("stopped"), err
	}
	has := map[bot.MethodKind]bool{}
	for i := range ms {
		has[ms[i].Kind] = true
	}
	switch {
	case !has[bot.Authenticator] && c.Slot("no_authenticator") != "yes":
		return say("authenticator"), nil
	case !has[bot.Phone] && c.Slot("no_phone") != "yes":
		return say("phone"), nil
	case count(ms) >= r.Policy.Required:
		return say("complete"), nil
	}
	return say("none"), nil
}

// enrollFinish says whether the person is enrolled, or well protected, and
// gives a receipt: the number of an audit line that anybody at the help desk
// can look up.
func (r *Service) enrollFinish(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	p, ms, err := holder(tx, c)
	if err != nil || p == nil || p.Stopped() {
		return say("stopped"), err
	}
	n := count(ms)
	if n < r.Policy.Required {
		return say("short"), nil
	}
	seq, err := tx.Audit(bot.AuditEntry{Person: p.ID, Actor: "person", Action: "enrollment.finished",
		Subject: fmt.Sprintf("%d methods", len(ms)), Channel: c.Conversation.Channel})
	if err != nil {
		return bot.Outcome{}, fmt.Errorf("enroll: audit the end: %w", err)
	}
	name := "enrolled"
	if n >= r.Policy.Recommended {
		name = "well"
	}
	return say(name, "list", r.list(c.Lang(), p, ms), "receipt", fmt.Sprintf("R-%06d", seq)), nil
}
