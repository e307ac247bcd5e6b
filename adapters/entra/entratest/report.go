package entratest

import (
	"slices"
	"strings"
	"time"
)

const (
	// The report may be asked five times in ten seconds by one application (the
	// page "Microsoft Graph service-specific throttling limits", identity and
	// access reports).
	reportLimit = 5
	reportEvery = 10 * time.Second
	// Rows may be 36 hours old (entra-docs, "Authentication Methods Activity").
	longestLag = 36 * time.Hour
)

// lower gives a person's words in lower case: they are compared without regard
// to case.
func lower(words []string) []string {
	l := make([]string, len(words))
	for i, w := range words {
		l[i] = strings.ToLower(w)
	}
	return l
}

func has(words []string, any ...string) bool {
	return slices.ContainsFunc(any, func(w string) bool { return slices.Contains(words, w) })
}

// Words by what they are good for, in lower case (entra-docs,
// "concept-authentication-methods"; beta enum usageAuthMethod).
var (
	passkeys = []string{"fido", "fido2", "fido2securitykey", "passkeydevicebound", "passkeydeviceboundauthenticator", "passkeydeviceboundwindowshello", "passkeysynced"}
	apps     = []string{"microsoftauthenticatorpush", "microsoftauthenticatorpasswordless", "appnotification"}
	oath     = []string{"softwareonetimepasscode", "hardwareonetimepasscode", "onetimepasscode", "appcode"}
	mobiles  = []string{"mobilephone", "mobilesms", "mobilecall", "sms"}
	others   = []string{"alternatemobilephone", "alternatemobilecall"}
	offices  = []string{"officephone"}
	devices  = []string{"windowshelloforbusiness", "macossecureenclavekey"}
	external = []string{"externalauthmethod"}
	passes   = []string{"temporaryaccesspass"}
)

// strong are the words of second factors.
var strong = slices.Concat(passkeys, apps, oath, mobiles, others, offices, devices, external, passes)

// resetClasses counts the different ways that a person could reset the password
// by (entra-docs, concept-sspr-howitworks and concept-sspr-policy). The app's
// push and its code, and tokens, are one. A push alone counts for nothing where
// one method is enough under the old policy. Administrators have no questions.
func resetClasses(words []string, admin bool, needed int, migrated bool) (n int) {
	codes := has(words, oath...)
	if codes || has(words, apps...) && (needed > 1 || migrated) {
		n++
	}
	for _, class := range [][]string{{"email"}, mobiles, offices} {
		if has(words, class...) {
			n++
		}
	}
	if !admin && has(words, "securityquestion") {
		n++
	}
	return n
}

// lagOf is how old the row of account i is. t.mu is held.
func (t *Tenant) lagOf(i int) time.Duration {
	if t.lag >= 0 {
		return t.lag
	}
	return time.Hour + time.Duration(t.people.roll(i, 20, int((longestLag-time.Hour)/time.Second)))*time.Second
}

// row is account i in the report: as it was when the row was made. False for
// those that the report does not have, the disabled and the deleted among them
// (entra-docs PR 878). t.mu is held.
func (t *Tenant) row(i int, f *Fault, prefer bool) (object, bool) {
	at := t.o.Now().Add(-t.lagOf(i))
	s, ok := t.asOf(i, at)
	if !ok || s.gone != "" || !s.Enabled {
		return nil, false
	}
	words, unknown := lower(s.Methods), f.is(Unknown)
	needed := t.policy.Needed
	enabled := s.SSPR
	if s.Admin { // two, whatever the policy says (concept-sspr-policy)
		needed, enabled = 2, t.policy.AdminsMayReset
	}
	registered := resetClasses(words, s.Admin, needed, t.policy.migrated()) >= needed
	methods := s.Methods
	if methods == nil {
		methods = []string{}
	}
	kind, preferred := "member", second(words)
	if s.Kind == Guest {
		kind = "guest"
	}
	if unknown {
		methods = append(slices.Clone(methods), "palmVeinScan", "unknownFutureValue")
		// Members that an enum got later are told to those who ask for them
		// (the page "Handling future members in evolvable enumerations").
		preferred = "unknownFutureValue"
		if prefer {
			preferred = "palmVein"
		}
		kind = pick(prefer, "visitor") + pick(!prefer, "unknownFutureValue")
	}
	capable := slices.ContainsFunc(words, func(w string) bool { return slices.Contains(strong, w) && t.policy.allows(w) })
	return object{
		"id": s.ID, "userPrincipalName": s.UPN, "userDisplayName": s.Name, "userType": kind, "isAdmin": s.Admin,
		"isSsprRegistered": registered, "isSsprEnabled": enabled, "isSsprCapable": registered && enabled,
		"isMfaRegistered": has(words, strong...), "isMfaCapable": capable,
		"isPasswordlessCapable":                        has(words, slices.Concat(passkeys, devices, []string{"microsoftauthenticatorpasswordless"})...),
		"methodsRegistered":                            methods,
		"isSystemPreferredAuthenticationMethodEnabled": true, "systemPreferredAuthenticationMethods": []string{preferred},
		"userPreferredMethodForSecondaryAuthentication": preferred,
		"lastUpdatedDateTime":                           stamp(at),
	}, true
}

// second is what Microsoft would ask a person by (userDefaultAuthenticationMethod).
func second(words []string) string {
	for _, c := range []struct {
		words []string
		name  string
	}{{apps, "push"}, {oath, "oath"}, {mobiles, "sms"}, {others, "voiceAlternateMobile"}, {offices, "voiceOffice"}} {
		if has(words, c.words...) {
			return c.name
		}
	}
	return "none"
}
