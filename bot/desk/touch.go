package desk

import (
	"errors"

	"latchkey/bot"
)

// touches are the acts that touch methods.
var touches = map[string]bool{DoExpire: true, DoAgain: true, DoUnfreeze: true}

// touchable lists what could be done to a person. Nothing of a frozen account
// changes before the freeze ends.
func touchable(tx bot.Tx, p *bot.Person) (ts []bot.DeskTouch, err error) {
	if !p.FrozenAt.IsZero() {
		return []bot.DeskTouch{{Act: DoUnfreeze}}, nil
	}
	ms, err := tx.Methods(p.ID)
	if err != nil {
		return nil, err
	}
	for i := range ms {
		m := &ms[i]
		if m.State == bot.Active || m.State == bot.Suspended {
			m.Sealed, m.DestHash, m.LastStep = nil, nil, 0
			ts = append(ts, bot.DeskTouch{Act: DoExpire, Method: m}, bot.DeskTouch{Act: DoAgain, Method: m})
		}
	}
	if len(ts) > 0 || !p.FirstMethodAt.IsZero() { // also of somebody who had some, and has none left
		ts = append(ts, bot.DeskTouch{Act: DoAgain})
	}
	return ts, nil
}

// holds finds the check that allows an act now: passed, not used, of exactly this
// person, ticket, agent, act and method, by a way that is still open. Nil: none.
func (d *Desk) holds(tx bot.Tx, q *bot.Ticket, p *bot.Person, by bot.PersonID, act string, m bot.MethodID) (*bot.CallerCheck, error) {
	ks, err := tx.CallerChecksOf(p.ID, tx.Now().Add(-2*checkLife))
	if err != nil {
		return nil, err
	}
	for i := range ks {
		k := &ks[i]
		if k.State != bot.CheckPassed || !k.Live(tx.Now()) || k.Ticket != q.ID || k.Agent != by || k.Act != act || k.Method != m || p.FrozenAt.After(k.At) {
			continue
		}
		if ok, err := d.stands(tx, q, p, k); err != nil || ok {
			return k, err
		}
	}
	return nil, nil
}

// stands reports whether what a check was passed by still counts: a method or chat
// may be gone or changed since, and somebody privileged, or no agent any more.
func (d *Desk) stands(tx bot.Tx, q *bot.Ticket, p *bot.Person, k *bot.CallerCheck) (bool, error) {
	if k.Way == bot.WayAgent {
		if k.Second == "" || k.Second == k.Agent || k.Second == k.Person {
			return false, nil
		}
		_, _, err := d.agent(tx, k.Second)
		if errors.As(err, new(*Refusal)) {
			return false, nil
		}
		return err == nil, err
	}
	ways, err := d.ways(tx, q, p, k.Agent, false)
	if err != nil {
		return false, err
	}
	for _, w := range ways {
		if w.Way == k.Way && w.Target == k.Target {
			return true, nil
		}
	}
	return false, nil
}

// touch does what touches methods. Everything that it rests on is asked here, in
// the transaction that changes it, and behind the gate that changes of methods and
// freezes pass one at a time: nobody changes it meanwhile.
func (o *order) touch(text string) (bot.DeskAnswer, error) {
	none := bot.DeskAnswer{}
	if o.d.o.Methods == nil {
		return none, refuse(NotVerified)
	}
	if err := o.mine(); err != nil {
		return none, err
	}
	m := o.d.o.Methods
	if err := m.OneAtATime(o.tx); err != nil {
		return none, err
	}
	p, err := o.d.caller(o.tx, o.q, o.a.By)
	if err != nil {
		return none, err
	}
	k, err := o.d.holds(o.tx, o.q, p, o.a.By, o.a.Do, o.a.Method)
	if err != nil {
		return none, err
	}
	if k == nil {
		return none, refuse(NotVerified)
	}
	if err := o.possible(p, o.a.Do); err != nil {
		return none, err
	}
	if text == "" {
		return none, refuse(NoReason)
	}
	by, why := "agent:"+string(o.a.By), evidence(k)+"; ticket "+o.q.ID
	lost, err := o.lostAll(k.Way, o.a.Do, o.a.Method)
	if err != nil {
		return none, err
	}
	switch {
	case lost:
		err = o.beginLater(p, k)
	case o.a.Do == DoExpire:
		err = m.ExpireMethod(o.tx, p.ID, o.a.Method, by, why)
	case o.a.Do == DoUnfreeze:
		err = m.EndFreeze(o.tx, p.ID, by, why)
	case o.a.Method != "":
		err = m.MethodAgain(o.tx, p.ID, o.a.Method, by, why)
	default:
		err = m.AllAgain(o.tx, p.ID, by, why)
	}
	if err != nil {
		return none, err
	}
	if err := o.withinBudget(); err != nil {
		return none, err
	}
	if err := o.end(k, bot.CheckUsed); err != nil {
		return none, err
	}
	if err := o.secondReset(p, k); err != nil {
		return none, err
	}
	now, err := o.tx.Ticket(o.q.ID)
	if err != nil {
		return none, err
	}
	if o.q = now; !now.State.Open() { // the end of a freeze closes its ticket
		now.State, now.Agent = bot.TicketSolved, o.a.By
	}
	code := map[string]string{DoExpire: "expired", DoAgain: "again", DoUnfreeze: "unfrozen"}[o.a.Do]
	if lost {
		code = "again_later"
	}
	return none, o.evident(code, text, evidence(k))
}

// withinBudget refuses what is above an agent's budget of a day.
func (o *order) withinBudget() error {
	now := o.tx.Now()
	ks, err := o.tx.CallerChecksBy(o.a.By, now.Add(-day-2*checkLife))
	if err != nil {
		return err
	}
	today := func(k *bot.CallerCheck) bool { return k.State == bot.CheckUsed && now.Sub(k.EndedAt) < day }
	if count(ks, today) >= o.d.o.Acts {
		return refuse(OverBudget)
	}
	return nil
}

// secondReset raises an alarm when methods were taken from the person twice.
func (o *order) secondReset(p *bot.Person, k *bot.CallerCheck) error {
	if k.Act == DoUnfreeze {
		return nil
	}
	ks, err := o.tx.CallerChecksOf(p.ID, o.tx.Now().Add(-resetAgain))
	if err != nil {
		return err
	}
	for i := range ks {
		if x := &ks[i]; x.ID != k.ID && x.State == bot.CheckUsed && x.Act != DoUnfreeze {
			return o.d.raise(o.tx, bot.AlertResetAgain, p.ID, k.Ticket)
		}
	}
	return nil
}
