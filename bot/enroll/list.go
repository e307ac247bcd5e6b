package enroll

import (
	"fmt"
	"strconv"

	"latchkey/bot"
)

// methodsList lists the person's methods, the suspended ones too, and offers
// them as choices.
func (r *Service) methodsList(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	p, err := someone(tx, c)
	if err != nil {
		return bot.Outcome{}, err
	}
	if p == nil || p.Stopped() {
		return say("stopped"), nil
	}
	ms, err := listed(tx, p.ID)
	if err != nil || len(ms) == 0 {
		return say("none"), err
	}
	oc := say("some", "list", r.list(c.Lang(), p, ms), "count", strconv.Itoa(len(ms)))
	for i := range ms {
		oc.Options = append(oc.Options, bot.Option{ID: string(ms[i].ID), Label: r.Label(c.Lang(), &ms[i])})
	}
	return oc, nil
}

// methodsMissing offers the kinds that the person has none of.
func (r *Service) methodsMissing(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	p, ms, err := holder(tx, c)
	if err != nil || p == nil || p.Stopped() {
		return say("stopped"), err
	}
	has := map[bot.MethodKind]bool{bot.Questions: !r.Policy.QuestionsEnabled}
	for i := range ms {
		has[ms[i].Kind] = true
	}
	oc := say("some")
	for _, k := range []bot.MethodKind{bot.Authenticator, bot.Phone, bot.Email, bot.Questions, bot.Recovery} {
		if !has[k] {
			oc.Options = append(oc.Options, bot.Option{ID: string(k), Label: r.kind(c.Lang(), k)})
		}
	}
	if len(oc.Options) == 0 {
		return say("none"), nil
	}
	return oc, nil
}

// named is the person's method of the slot method, active or suspended, or nil.
func named(tx bot.Tx, c *bot.Call) (*bot.Method, error) {
	m, err := c.Method(tx)
	if err != nil || m == nil || !proven(m) {
		return nil, err
	}
	return m, nil
}

func (r *Service) methodsShow(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	p, err := someone(tx, c)
	if err != nil || p == nil || p.Stopped() {
		return say("stopped"), err
	}
	m, err := named(tx, c)
	if err != nil || m == nil {
		return say("gone"), err
	}
	if m.State == bot.Suspended && c.Slot("replaces") == "" {
		return say("suspended", "masked", r.Label(c.Lang(), m)), nil
	}
	return say(string(m.Kind), "masked", r.Label(c.Lang(), m)), nil
}

// methodsResume brings a suspended method back into use, after the proof with
// another one that every change asks for.
func (r *Service) methodsResume(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	m, err := named(tx, c)
	if err != nil || m == nil || m.State != bot.Suspended {
		return say("gone"), err
	}
	m.State, m.Failures = bot.Active, 0
	if err := tx.PutMethod(m); err != nil {
		return bot.Outcome{}, fmt.Errorf("enroll: resume method: %w", err)
	}
	p := c.Standing.Person
	if err := r.restage(tx, p); err != nil {
		return bot.Outcome{}, err
	}
	if err := r.record(tx, c, p, m, "method.resumed", "person", addresses(p, c.Standing.Methods)); err != nil {
		return bot.Outcome{}, err
	}
	return say("ok", "masked", r.Label(c.Lang(), m)), nil
}

// methodsRemove removes a method. The last one goes only with the slot sure.
func (r *Service) methodsRemove(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	m, err := named(tx, c)
	if err != nil || m == nil {
		return say("gone"), err
	}
	ms, err := active(tx, m.Person)
	if err != nil {
		return bot.Outcome{}, err
	}
	masked := r.Label(c.Lang(), m)
	if last := only(ms, m) && (provable(m.Kind) || len(ms) <= 1); last && c.Slot("sure") != "yes" {
		return say("last", "masked", masked), nil
	}
	if err := r.remove(tx, c, m, "method.removed", "person"); err != nil {
		return bot.Outcome{}, err
	}
	return say("ok", "masked", masked), nil
}

// only reports whether m is the only method that proves the person.
func only(ms []bot.Method, m *bot.Method) bool {
	for i := range ms {
		if ms[i].ID != m.ID && provable(ms[i].Kind) {
			return false
		}
	}
	return true
}
