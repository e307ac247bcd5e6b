package bot

import (
	"slices"
	"strings"
	"time"
)

// A Registration is what the organisation's registrar (Microsoft Entra) holds
// about a person's ways to sign in and to reset a password, as it was read. It
// proves nothing in Latchkey; it is told, to the person and to operators.
type Registration struct {
	Person PersonID  `json:"-"`
	ReadAt time.Time `json:"-"`    // when the report was read, by the store's clock; zero: only Direct was
	AsOf   time.Time `json:"asOf"` // the time that the report gives for itself; zero: it gives none

	// Methods are in the registrar's words ("mobilePhone",
	// "microsoftAuthenticatorPush"), as they came: the list is open, and words
	// that nobody here knows stay (entra-docs, usageAuthMethod).
	Methods []string `json:"methods"`
	// Direct are the methods that the person's own page had at DirectAt, in the
	// words of the report. Nil: it was not looked at. The report may be 36 hours
	// old, so whoever has just added something is told by these.
	Direct   []string  `json:"direct"`
	DirectAt time.Time `json:"directAt"`

	Admin           bool `json:"admin,omitempty"` // has an administrator's role: two methods to reset, no questions
	Guest           bool `json:"guest,omitempty"`
	External        bool `json:"external,omitempty"`        // the account is another organisation's (#EXT# in its name); guests may be of our own
	ResetEnabled    bool `json:"resetEnabled,omitempty"`    // isSsprEnabled: the policy lets the person reset
	ResetRegistered bool `json:"resetRegistered,omitempty"` // isSsprRegistered
	ResetCapable    bool `json:"resetCapable,omitempty"`    // isSsprCapable: Microsoft's own "done"
	MFARegistered   bool `json:"mfaRegistered,omitempty"`
	MFACapable      bool `json:"mfaCapable,omitempty"` // a strong method that the policy allows, too
	Passwordless    bool `json:"passwordless,omitempty"`

	// Survives is whether the person still gets in after the registrar's texts and
	// calls end, as it was judged when this was stored.
	Survives Survival `json:"survives,omitempty"`
}

// A Survival is a verdict in short; empty: it is not known.
type Survival string

// The verdicts.
const (
	SurvivesYes Survival = "yes"
	SurvivesNo  Survival = "no" // will not sign in, or not set a new password
)

// Has is what is known now: the report, or the person's own page where that is
// newer, together with what the report has and no such page shows.
func (r *Registration) Has() (methods []string, at time.Time) {
	if r.Direct == nil || !r.DirectAt.After(r.ReportAt()) {
		return r.Methods, r.ReportAt()
	}
	has := func(all []string, word string) bool {
		return slices.ContainsFunc(all, func(w string) bool { return strings.EqualFold(w, word) })
	}
	methods = slices.Clone(r.Direct)
	for _, w := range r.Methods {
		// The page has an entry for the Authenticator and none for its codes.
		if has(offPage, w) || strings.EqualFold(w, "softwareOneTimePasscode") && has(r.Direct, "microsoftAuthenticatorPush") {
			if !has(methods, w) {
				methods = append(methods, w)
			}
		}
	}
	return methods, r.DirectAt
}

// offPage are the kinds that a person's own page does not show, in the words of
// the report: v1.0 of "List methods" has only those of its own version.
var offPage = []string{"hardwareOneTimePasscode", "securityQuestion", "appPassword", "qrCode"}

// ReportAt is how old the report's knowledge is; zero: it was never read.
func (r *Registration) ReportAt() time.Time {
	if r.AsOf.IsZero() || r.AsOf.After(r.ReadAt) {
		return r.ReadAt
	}
	return r.AsOf
}

// A TenantPolicy is what the registrar lets people use, as it was read
// (authenticationMethodsPolicy).
type TenantPolicy struct {
	ReadAt    time.Time      `json:"readAt"`
	Migration string         `json:"migration"` // policyMigrationState
	Methods   []PolicyMethod `json:"methods"`
	Campaign  PolicyCampaign `json:"campaign"`
	// Admins reports whether administrators may reset their own password
	// (authorizationPolicy.allowedToUseSSPR). Nil: not read.
	Admins *bool `json:"admins,omitempty"`
}

// A PolicyMethod is one authenticationMethodConfiguration.
type PolicyMethod struct {
	// "sms", "voice", "email", "fido2", "softwareOath", "microsoftAuthenticator", ...;
	// any case. "externalAuthenticationMethod" for each other company's factor: there may be several.
	ID       string   `json:"id"`
	Enabled  bool     `json:"enabled"`
	Everyone bool     `json:"everyone"`           // for all_users
	Groups   []string `json:"groups,omitempty"`   // else for the members of these
	Except   []string `json:"except,omitempty"`   // but not for the members of these
	Office   bool     `json:"office,omitempty"`   // voice: to office phones, too
	SelfSet  bool     `json:"selfSet,omitempty"`  // fido2: people may add one themselves
	Attested bool     `json:"attested,omitempty"` // fido2: attestation is enforced
}

// PolicyCampaign is Microsoft's own nudging (registrationEnforcement).
type PolicyCampaign struct {
	State   string `json:"state"`   // "default" (Microsoft decides), "enabled", "disabled"
	Snooze  int    `json:"snooze"`  // days, 0 to 14
	Target  string `json:"target"`  // "microsoftAuthenticator" or "fido2"
	Enforce bool   `json:"enforce"` // after three times
}

// RegistrationTx keeps what was read from the registrar.
type RegistrationTx interface {
	Registration(p PersonID) (*Registration, error) // ErrNotFound
	PutRegistration(r *Registration) error          // inserts or replaces
	// TenantPolicy is the one that was read last; ErrNotFound.
	TenantPolicy() (*TenantPolicy, error)
	PutTenantPolicy(p *TenantPolicy) error
}
