package program

import (
	"context"
	"fmt"
	"net/mail"
	"time"

	"latchkey/bot"
	"latchkey/bot/desk"
	"latchkey/bot/enroll"
	"latchkey/bot/turn"
)

// Operators does what operators ask for one person: it is the running service, or
// one that only writes to the store.
func (p *Program) Operators() *enroll.Service {
	if p.Enroll != nil {
		return p.Enroll
	}
	return enroll.New(p.enrollDeps())
}

// AfterErasing writes the database file anew, so that nothing is left in it of who
// was erased; done is false where the database does that itself. Backups of until
// now lapse at lapse.
func (p *Program) AfterErasing(ctx context.Context) (done bool, lapse time.Time, err error) {
	if done, err = p.DB.Scrub(ctx); err != nil {
		return false, lapse, fmt.Errorf("the person is erased, but traces may be left in the database file: %w", err)
	}
	return done, p.DB.Now().Add(p.Config.Policy.Backups), nil
}

// askDesk takes down a request to the help desk.
func askDesk(tx bot.Tx, q bot.Ticket) (string, error) {
	id, _, err := desk.Ask(tx, q)
	return id, err
}

// leaveDesk takes back what stands of a person in the help desk's channels.
func (p *Program) leaveDesk(tx bot.Tx, who bot.PersonID) error { return desk.Forget(tx, p.Keys, who) }

// mailAddress is an address of the configuration, which has been checked, without
// its name.
func mailAddress(a string) string {
	if m, err := mail.ParseAddress(a); err == nil {
		return m.Address
	}
	return a
}

// enrollDeps is what the service of methods needs to change something and to
// enqueue its notices. New adds what the jobs need.
func (p *Program) enrollDeps() enroll.Deps {
	o := p.Config.Org
	var alerts []string
	for _, a := range p.Config.Alerts {
		alerts = append(alerts, mailAddress(a))
	}
	return enroll.Deps{
		Store: p.DB, Policy: p.Config.Policy, Vault: p.Keys, Org: o.Name, Issuer: issuer(p.Config), Contact: contact(p.Config), Phone: o.HelpPhone,
		Domains: o.Domains, AskDesk: askDesk, LeaveDesk: p.leaveDesk, GiveBack: desk.GiveBack, Left: p.left, Afresh: turn.Afresh, AlertsTo: alerts, AlertsLang: o.Language, Log: p.Log.With("component", "enroll"),
	}
}
