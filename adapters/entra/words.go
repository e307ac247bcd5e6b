package entra

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"latchkey/bot"
)

// A policyWord is what a method of the policy is called for an operator.
type policyWord struct{ id, name string }

// policyWords are the methods that a policy can have, the ones that people ask
// for first ("authenticationMethodConfiguration", Properties).
var policyWords = []policyWord{
	{"microsoftauthenticator", "Microsoft Authenticator"}, {"fido2", "passkeys"}, {"softwareoath", "other authenticator apps"},
	{"hardwareoath", "hardware code tokens"}, {"sms", "text messages"}, {"voice", "phone calls"}, {"email", "e-mail (for a reset only)"},
	{"temporaryaccesspass", "Temporary Access Pass"}, {"x509certificate", "certificates"}, {"qrcodepin", "QR code with PIN"},
	{"externalauthenticationmethod", "an external method"}, {"verifiablecredentials", "Verified ID"},
	{"federatedidentitycredential", "federated credentials"}, {"password", "passwords"}, {"passwordlessmicrosoftauthenticator", "Microsoft Authenticator without a password"},
}

// lastDay is what ends for texts and calls of Microsoft's own (entra-docs,
// "Retirement of SMS and voice").
const lastDay = "1 February 2027"

// abilities says in plain words what a policy lets people use, and what not.
func (c *Client) abilities(p *bot.TenantPolicy) (can, cannot string) {
	type line struct {
		at   int
		text string
	}
	var yes, no []line
	for _, m := range p.Methods {
		at := slices.IndexFunc(policyWords, func(w policyWord) bool { return strings.EqualFold(w.id, m.ID) })
		name := told([]string{m.ID})
		if at < 0 {
			at = len(policyWords)
		} else {
			name = policyWords[at].name
		}
		if !m.Enabled || !m.Everyone && len(m.Groups) == 0 {
			no = append(no, line{at, name})
			continue
		}
		var notes []string
		note := func(so bool, format string, args ...any) {
			if so {
				notes = append(notes, fmt.Sprintf(format, args...))
			}
		}
		note(!m.Everyone, "members of %s only", groups(len(m.Groups)))
		note(len(m.Except) > 0, "not members of %s", groups(len(m.Except)))
		switch strings.ToLower(m.ID) {
		case "fido2":
			note(!m.SelfSet, "nobody can add one: self-service set up is off")
			note(m.Attested, "kept on one device only: attestation is enforced")
		case "sms":
			note(!c.o.SMS, "until %s: no provider of your own is set in entra.sms_provider", lastDay)
		case "voice":
			note(!c.o.Voice, "until %s: no provider of your own is set in entra.voice_provider", lastDay)
			note(!m.Office, "not to office phones")
		}
		if notes != nil {
			name += " (" + strings.Join(notes, "; ") + ")"
		}
		yes = append(yes, line{at, name})
	}
	join := func(ls []line) string {
		slices.SortStableFunc(ls, func(a, b line) int { return a.at - b.at })
		var all []string
		for _, l := range ls {
			all = append(all, l.text)
		}
		return list(all, "nothing")
	}
	return join(yes), join(no)
}

func groups(n int) string { return many(n, "group", "groups") }

// many counts things for a sentence.
func many(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// nudging says in plain words what Microsoft's registration campaign does.
func nudging(p bot.PolicyCampaign) string {
	var who string
	switch strings.ToLower(p.State) {
	case "disabled":
		return "off: Microsoft asks nobody to register anything"
	case "default":
		who = "Microsoft decides whom it asks"
	case "enabled":
		who = "on: it asks people after sign-in"
	default:
		return "unknown"
	}
	what := cmp.Or(map[string]string{"microsoftauthenticator": "to set up Microsoft Authenticator", "fido2": "to set up a passkey"}[strings.ToLower(p.Target)], "to set up what it finds best")
	often := fmt.Sprintf("they may put it off for %s, as often as they like", many(p.Snooze, "day", "days"))
	switch {
	case p.Enforce:
		often = fmt.Sprintf("they may put it off for %s, three times", many(p.Snooze, "day", "days"))
	case p.Snooze == 0:
		often = "it asks at every sign-in, and may be put off each time"
	}
	return who + " " + what + "; " + often
}

// migration says what of the old settings still counts, and whether that is
// something to look at.
func migration(state string) (text string, open bool) {
	switch strings.ToLower(state) {
	case "migrationcomplete":
		return "complete: only this policy counts, and of the old settings how many methods a reset needs", false
	case "premigration", "migrationinprogress":
		return "not complete (" + state + "): the old settings of multifactor authentication and password reset count as well, and Graph does not show them, so people may be able to use more than is listed here", true
	}
	return "unknown", true
}

// oddPolicy are words of a policy that nobody here knows.
func oddPolicy(p *bot.TenantPolicy) (odd []string) {
	strange := func(word string, known ...string) {
		if !slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, word) }) {
			odd = append(odd, word)
		}
	}
	strange(p.Migration, "preMigration", "migrationInProgress", "migrationComplete")
	strange(p.Campaign.State, "default", "enabled", "disabled")
	strange(p.Campaign.Target, "", "microsoftAuthenticator", "fido2")
	for _, m := range p.Methods {
		if !slices.ContainsFunc(policyWords, func(w policyWord) bool { return strings.EqualFold(w.id, m.ID) }) {
			odd = append(odd, m.ID)
		}
	}
	return odd
}
