package desk

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"latchkey/bot"
)

// A Refusal says why an act of an agent was not done.
type Refusal = bot.DeskRefusal

// The codes of a Refusal.
const (
	NotAgent   = bot.DeskNotAgent // whoever acts is no agent (any more), or their account is off
	NoTicket   = bot.DeskNoTicket // there is none with this number
	Taken      = "taken"          // another agent has it
	Stale      = "stale"          // something happened since the agent last looked
	Closed     = "closed"         // the ticket is closed
	NotYours   = "not_yours"      // nobody, or another agent, has the ticket: take it first
	Empty      = "empty"          // nothing is written
	TooLong    = "too_long"       // more than MaxLine
	AsksSecret = "asks_secret"    // the line asks the person for a code or a password
	HasSecret  = "has_secret"     // the line shows a code or a password
	NoStep     = "no_step"        // the person cannot go on there
	NoLine     = "no_line"        // there is no such line of the agent's own
	TooLate    = "too_late"       // the line was written too long ago to be taken back
	NoChat     = "no_chat"        // there is no conversation in which the person could be reached
	Gone       = "gone"           // the person has left the chat: nobody reads there
	LastAdmin  = "last_admin"     // nobody could say any more who is an agent
	NoRole     = "no_role"        // there is no such role
	NotAllowed = "not_allowed"    // a system of the organisation may not do this
	TooOften   = "too_often"      // it sends more than it may in a minute

	NoPerson    = "no_person"    // it is not known who the ticket is of
	OwnAccount  = "own_account"  // it is the agent's own account
	AccountOff  = "account_off"  // the account is switched off
	NoWay       = "no_way"       // that way is not open to make sure of this person
	TooSoon     = "too_soon"     // the person was asked twice within the hour
	NoReason    = "no_reason"    // it is not said why
	LongReason  = "long_reason"  // it is said in more letters than fit
	NoMethod    = "no_method"    // there is nothing like this to be done for the person
	NoCheck     = "no_check"     // there is no such check that waits for an answer
	NotSecond   = "not_second"   // the second agent must be another person
	NotVerified = "not_verified" // nothing makes sure that the caller is the person
	NeedsSecond = "needs_second" // who has lost everything is confirmed by a second agent only
	Waits       = "waits"        // it is to be done already, in less than a day
	OverBudget  = "over_budget"  // the agent has changed too much today, or had too many people asked
)

func refuse(code string) error { return &Refusal{Code: code} }

// agent is who somebody is at the desk, in the transaction of what they do.
func (d *Desk) agent(tx bot.Tx, p bot.PersonID) (*bot.DeskAgent, *bot.Person, error) {
	a, err := tx.Agent(p)
	if err != nil {
		if errors.Is(err, bot.ErrNotFound) {
			err = refuse(NotAgent)
		}
		return nil, nil, err
	}
	who, err := tx.Person(p)
	if errors.Is(err, bot.ErrNotFound) || err == nil && who.Stopped() {
		err = refuse(NotAgent)
	}
	return a, who, err
}

// outsideMay are what a system of the organisation can do: nothing that touches a
// method, looks at anything, or leads a person through the script.
var outsideMay = map[string]bool{DoNote: true, DoSay: true, DoSolve: true}

// stopFlows are the scripts in which somebody stops their account, or finds it stopped.
var stopFlows = map[string]bool{"frozen": true, "not_me": true}

// forPeople reports whether only an agent may close a ticket: one that a freeze or
// "this was not me" has opened, or that was asked for in such a script.
func forPeople(q *bot.Ticket) bool {
	return bot.NotMePerson(q.Conversation) != "" || stopFlows[q.Flow] || stopFlows[q.Matter]
}

// actor refuses whoever may not do an act.
func (d *Desk) actor(tx bot.Tx, a *bot.AgentAct) error {
	if a.By != bot.OutsideAgent {
		if a.User != "" {
			if p, err := owner(tx, a.Channel, a.User); err != nil || p != a.By {
				return cmp.Or(err, refuse(NotAgent))
			}
		}
		_, _, err := d.agent(tx, a.By)
		return err
	}
	_, err := tx.Agent(a.By)
	switch {
	case errors.Is(err, bot.ErrNotFound):
		return refuse(NotAgent)
	case err == nil && !outsideMay[a.Do]:
		return refuse(NotAllowed)
	}
	return err
}

// owner is who an account is of by a sign-in, or the platform's proof; empty: that
// is not sure.
func owner(tx bot.Tx, ch bot.ChannelID, user string) (bot.PersonID, error) {
	id, err := tx.Identity(ch, user)
	switch {
	case errors.Is(err, bot.ErrNotFound):
		return "", nil
	case err != nil || id.Level < bot.L2 || id.HeldUntil.After(tx.Now()):
		return "", err
	}
	return id.Person, nil
}

// called is how people see an agent: "Maria, help desk".
func (d *Desk) called(tx bot.Tx, p bot.PersonID, lang string) string {
	if p == bot.OutsideAgent {
		return d.o.Phrases.Phrase(lang, "desk.outside")
	}
	return d.o.Phrases.Phrase(lang, "desk.signature", "name", d.short(tx, p))
}

// short is an agent's first name.
func (d *Desk) short(tx bot.Tx, p bot.PersonID) string {
	if p == bot.OutsideAgent {
		return "ticket system"
	}
	who, err := tx.Person(p)
	if err != nil {
		return "?"
	}
	return first(who)
}

// first is somebody's first name.
func first(p *bot.Person) string {
	if p.GivenName != "" {
		return bot.Harmless(p.GivenName)
	}
	name, _, _ := strings.Cut(bot.Harmless(p.Name), " ")
	return name
}

// Grant makes a person an agent, or changes their role. by says who decides it,
// as the audit record names them. The error wraps bot.ErrNotFound when there is no such
// person, and is a *Refusal when the role does not exist or the last admin would
// be one no more.
func Grant(tx bot.Tx, p bot.PersonID, role bot.Role, by, why string) error {
	if !slices.Contains(bot.Roles(), role) {
		return refuse(NoRole)
	}
	who, err := tx.Person(p)
	if err != nil {
		return err
	}
	if who.Stopped() {
		return refuse(NotAgent)
	}
	if role != bot.RoleAdmin {
		if err := keepsAdmin(tx, p); err != nil {
			return err
		}
	}
	if err := tx.PutAgent(&bot.DeskAgent{Person: p, Role: role, By: by, Why: why}); err != nil {
		return err
	}
	_, err = tx.Audit(bot.AuditEntry{Person: p, Actor: by, Action: "agent.granted", Subject: string(role), Evidence: why})
	return err
}

// GrantOutside lets a system of the organisation act at the desk.
func GrantOutside(tx bot.Tx, by, why string) error {
	if err := tx.PutAgent(&bot.DeskAgent{Person: bot.OutsideAgent, Role: bot.RoleOutside, By: by, Why: why}); err != nil {
		return err
	}
	_, err := tx.Audit(bot.AuditEntry{Actor: by, Action: "agent.granted", Subject: string(bot.RoleOutside), Evidence: why})
	return err
}

// Revoke ends that a person is an agent: from now on nothing that they do at the
// desk is done. The tickets that they have go back into the queue by jobs, and are
// returned. The error wraps bot.ErrNotFound when they are none, and is a *Refusal
// for the last admin.
func Revoke(tx bot.Tx, p bot.PersonID, by, why string) (held []string, err error) {
	a, err := tx.Agent(p)
	if err != nil {
		return nil, err
	}
	if err := keepsAdmin(tx, p); err != nil {
		return nil, err
	}
	if err := tx.DropAgent(p); err != nil {
		return nil, err
	}
	if err := errors.Join(tx.ClearTally(leftDesk, string(p)), tx.Tally(leftDesk, string(p))); err != nil {
		return nil, err
	}
	if held, err = GiveBack(tx, p); err != nil {
		return nil, err
	}
	_, err = tx.Audit(bot.AuditEntry{Person: p, Actor: by, Action: "agent.revoked", Subject: string(a.Role), Evidence: why})
	return held, err
}

// GiveBack has the tickets that an agent has go back into the queue, by jobs, and
// returns them: of one who is no agent any more, or whose account was stopped.
func GiveBack(tx bot.Tx, p bot.PersonID) (held []string, err error) {
	open, err := tx.Tickets(1000)
	if err != nil {
		return nil, err
	}
	for _, q := range open {
		if q.State != bot.TicketTaken || q.Agent != p {
			continue
		}
		held = append(held, q.ID)
		if err := tx.Enqueue(Silent{Ticket: q.ID, Agent: p, Revision: q.Revision}, tx.Now()); err != nil {
			return nil, err
		}
	}
	return held, nil
}

// GiveBackOff does so for every agent whose account is off: of those that a staff list
// has switched off.
func GiveBackOff(tx bot.Tx) error {
	agents, err := tx.Agents()
	for i := 0; i < len(agents) && err == nil; i++ {
		var p *bot.Person
		p, err = tx.Person(agents[i].Person)
		switch {
		case errors.Is(err, bot.ErrNotFound): // the system outside is no person
			err = nil
		case err == nil && p.Stopped():
			_, err = GiveBack(tx, p.ID)
		}
	}
	return err
}

// leftDesk counts when a person, the key, was an agent last.
const leftDesk = "desk.left"

// AtDesk reports whether a person is an agent, was one within the last day, or was
// one when their account was frozen: whoever takes the role away first has no more
// power over the account.
func AtDesk(tx bot.Tx, p bot.PersonID) (bool, error) {
	_, err := tx.Agent(p)
	if err == nil || !errors.Is(err, bot.ErrNotFound) {
		return err == nil, err
	}
	who, err := tx.Person(p)
	if err != nil {
		return false, err
	}
	since := tx.Now().Add(-day)
	if !who.FrozenAt.IsZero() && who.FrozenAt.Before(since) {
		since = who.FrozenAt
	}
	n, _, err := tx.Tallied(leftDesk, string(p), since)
	return n > 0, err
}

// keepsAdmin refuses to take the last admin away.
func keepsAdmin(tx bot.Tx, p bot.PersonID) error {
	last, err := IsLastAdmin(tx, p)
	if err == nil && last {
		err = refuse(LastAdmin)
	}
	return err
}

// IsLastAdmin reports whether a person is an admin, and the account of every other
// admin is stopped.
func IsLastAdmin(tx bot.Tx, p bot.PersonID) (bool, error) {
	all, err := tx.Agents()
	if err != nil {
		return false, err
	}
	was := false
	for i := range all {
		switch a := &all[i]; {
		case a.Role != bot.RoleAdmin:
		case a.Person == p:
			was = true
		default:
			if other, err := Usable(tx, a.Person); err != nil || other {
				return false, err
			}
		}
	}
	return was, nil
}

// Usable reports whether an agent can act: the account is there, and not stopped.
func Usable(tx bot.Tx, p bot.PersonID) (bool, error) {
	who, err := tx.Person(p)
	if errors.Is(err, bot.ErrNotFound) {
		return false, nil
	}
	return err == nil && !who.Stopped(), err
}
