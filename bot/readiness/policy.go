package readiness

import (
	"strings"

	"latchkey/bot"
)

// A grant is whether a method may be used.
type grant uint8

const (
	refused grant = iota
	perhaps       // nobody can tell
	granted
)

// States of policyMigrationState, in lower case. Until the migration is
// complete, the old settings for sign-in and reset count, too: what is off in
// the policy may be on there. They cannot be read
// (concept-authentication-methods-manage).
const (
	preMigration = "premigration"
	inProgress   = "migrationinprogress"
	complete     = "migrationcomplete"
)

func state(pol *bot.TenantPolicy) string { return strings.ToLower(pol.Migration) }

// migrated reports whether the policy was read, and rules alone.
func (j *judge) migrated() bool { return j.pol != nil && state(j.pol) == complete }

// allowed says whether a kind still works then: by who carries it, and by the
// tenant's policy. why is set unless it is granted.
func (j *judge) allowed(k kind) (g grant, why, unsure Reason) {
	switch k {
	case mobile:
		// A phone for both goes on by the one that goes on.
		if !j.set.SMS && !j.set.Voice {
			return refused, TextEnds, ""
		}
		if j.set.SMS {
			g, why, unsure = j.permits("sms")
		}
		if j.set.Voice {
			if g2, why2, unsure2 := j.permits("voice"); g2 > g || g2 == g && unsure2 == "" {
				g, why, unsure = g2, why2, unsure2
			}
		}
		return g, why, unsure
	case text:
		if !j.set.SMS {
			return refused, TextEnds, ""
		}
		return j.permits("sms")
	case call, alternate, office:
		if !j.set.Voice {
			return refused, CallEnds, ""
		}
		if m := j.rule("voice"); k == office && m != nil && !m.Office && on(m) {
			return j.forbids("voice")
		}
		return j.permits("voice")
	case push, passwordless:
		return j.permits("microsoftAuthenticator")
	case code:
		// The word does not tell whose app it is. Who has Microsoft's may have it there.
		g, why, unsure = j.permits("softwareOath")
		if j.kinds[push] || j.kinds[passwordless] {
			if g2, why2, unsure2 := j.permits("microsoftAuthenticator"); g2 > g || g2 == g && unsure2 == "" {
				g, why, unsure = g2, why2, unsure2
			}
		}
		return g, why, unsure
	case token:
		return j.permits("hardwareOath")
	case passkey:
		return j.permits("fido2")
	case mail:
		return j.permits("email")
	case external:
		return j.elsewhere()
	}
	return granted, "", "" // outside of the policy
}

// rule is the policy's for a method; nil: it says nothing.
func (j *judge) rule(id string) *bot.PolicyMethod {
	if j.pol == nil {
		return nil
	}
	for i := range j.pol.Methods {
		if strings.EqualFold(j.pol.Methods[i].ID, id) {
			return &j.pol.Methods[i]
		}
	}
	return nil
}

// TellsTokens reports whether a policy that was read says if hardware tokens are
// switched on. Version 1.0 of Microsoft's does not; what it leaves out counts as
// allowed here.
func TellsTokens(pol *bot.TenantPolicy) bool {
	return (&judge{pol: pol}).rule("hardwareOath") != nil
}

// on reports whether a method is there for anybody.
func on(m *bot.PolicyMethod) bool { return m.Enabled && (m.Everyone || len(m.Groups) > 0) }

// permits says what the policy does with a method.
func (j *judge) permits(id string) (g grant, why, unsure Reason) {
	switch m := j.rule(id); {
	case m == nil:
		return granted, "", ""
	case !on(m):
		return j.forbids(id)
	case !m.Everyone || len(m.Except) > 0:
		return granted, "", OnlyGroups
	}
	return granted, "", ""
}

// externalID is the id, in bot.PolicyMethod, of another company's factor.
const externalID = "externalAuthenticationMethod"

// elsewhere says what the policy does with other companies' factors. Each has a
// configuration there, and the report does not tell whose a person has: where
// one of them is off, or for some groups, that may be the person's.
func (j *judge) elsewhere() (grant, Reason, Reason) {
	if j.pol == nil || len(j.pol.Methods) == 0 {
		return granted, "", ""
	}
	some, all := false, true
	for i := range j.pol.Methods {
		if m := &j.pol.Methods[i]; strings.EqualFold(m.ID, externalID) {
			some = some || on(m)
			all = all && on(m) && m.Everyone && len(m.Except) == 0
		}
	}
	switch {
	case !some:
		return j.forbids(externalID)
	case !all:
		return granted, "", OnlyGroups
	}
	return granted, "", ""
}

// forbids is what comes of a method that is off in the policy. The old settings
// know no passkeys.
func (j *judge) forbids(id string) (grant, Reason, Reason) {
	if s := state(j.pol); (s == preMigration || s == inProgress) && id != "fido2" {
		return perhaps, OldSettings, ""
	}
	return refused, Forbidden, ""
}

// offers reports whether the policy lets people add a method.
func (j *judge) offers(id string) bool {
	m := j.rule(id)
	return m == nil || on(m) && (id != "fido2" || m.SelfSet)
}
