package oidc

import (
	"context"

	"latchkey/bot"
)

var _ bot.Examiner = (*Provider)(nil)

// Examine implements bot.Examiner. It fetches the metadata and signs nobody in, so
// what tokens hold is known from the last sign-in alone.
func (p *Provider) Examine(ctx context.Context) []bot.Finding {
	metadata := bot.Finding{What: "provider", Text: p.o.Issuer + " answers"}
	if err := p.Ready(ctx); err != nil {
		metadata = bot.Finding{What: "provider", State: bot.Broken, Text: err.Error(), Fix: "compare the issuer with what the provider says, and see that this machine reaches it"}
	}
	all := []bot.Finding{metadata}
	if p.timeless.Load() {
		f := bot.Finding{What: "auth_time", State: bot.Broken, Text: noTime, Fix: "have the provider put the claim auth_time into the ID token"}
		if p.o.Tenant != "" {
			f.Fix = addTime
		}
		all = append(all, f)
	}
	switch s := p.o.SecondFactor; {
	case s == "":
		all = append(all, bot.Finding{What: "second factor", Text: "not asked for: stopped accounts and lost methods are for the help desk"})
	case p.o.Tenant != "":
		all = append(all, bot.Finding{What: "second factor", State: bot.Skipped, Text: s + " counts as one on your word that a Conditional Access policy requires multifactor authentication every time for this authentication context; Entra hands the context out without a policy, too",
			Fix: "look at the policy in the Microsoft Entra admin center, Conditional Access; with none, unset entra.second_factor"})
	default:
		all = append(all, bot.Finding{What: "second factor", State: bot.Skipped, Text: s + " counts as one on the provider's word; no sign-in is made to look at it",
			Fix: "sign in at it without a second factor, and see that it does not say " + s})
	}
	return all
}
