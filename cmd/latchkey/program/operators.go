package program

import (
	"net/mail"

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
		Domains: o.Domains, AskDesk: askDesk, LeaveDesk: p.leaveDesk, Afresh: turn.Afresh, AlertsTo: alerts, AlertsLang: o.Language, Log: p.Log.With("component", "enroll"),
	}
}
