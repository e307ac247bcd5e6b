package entratest

import (
	"slices"
	"strings"
)

// A Policy is what people of the tenant may use.
type Policy struct {
	Migration string // policyMigrationState: preMigration, migrationInProgress, migrationComplete
	Methods   []PolicyMethod
	Campaign  Campaign

	// AdminsMayReset is authorizationPolicy.allowedToUseSSPR.
	AdminsMayReset bool
	// Needed is how many methods a reset asks for. Graph tells it nowhere; the
	// figures of the report follow it.
	Needed int
	// SMS and Voice say that the tenant has a telephony provider of its own, for
	// after 1 February 2027. Graph tells it nowhere (entra-docs,
	// concept-phone-providers).
	SMS, Voice bool
}

// A PolicyMethod is an authenticationMethodConfiguration.
type PolicyMethod struct {
	ID      string // as Graph writes it: "Sms"; of another company's factor a GUID
	Type    string // what stands before AuthenticationMethodConfiguration: "sms"
	Enabled bool
	Groups  []string // empty: all_users
	Except  []string
	More    map[string]any // properties of the kind
}

// A Campaign is Microsoft's own nudging to register.
type Campaign struct {
	State  string // default (Microsoft decides), enabled, disabled
	Snooze int    // days
	Target string // microsoftAuthenticator or fido2
}

// passkeyProfile is the id of the tenant's only one.
const passkeyProfile = "00000000-0000-0000-0000-000000000001"

func defaultPolicy() Policy {
	restrictions := object{"aaGuids": []string{}, "enforcementType": "allow", "isEnforced": false}
	return Policy{
		Migration: "migrationComplete", AdminsMayReset: true, Needed: 2,
		Campaign: Campaign{State: "default", Snooze: 1, Target: "fido2"}, // entra-docs, concept-sms-voice-retirement: Microsoft-managed, to passkeys
		Methods: []PolicyMethod{
			{ID: "Fido2", Type: "fido2", Enabled: true, More: object{
				"isAttestationEnforced": false, "isSelfServiceRegistrationAllowed": true, "keyRestrictions": restrictions, "defaultPasskeyProfile": passkeyProfile,
				"passkeyProfiles": []object{{"id": passkeyProfile, "name": "Default passkey profile", "passkeyTypes": "deviceBound,synced", "attestationEnforcement": "disabled", "keyRestrictions": restrictions}},
			}},
			{ID: "MicrosoftAuthenticator", Type: "microsoftAuthenticator", Enabled: true, More: object{"isSoftwareOathEnabled": true}},
			{ID: "Sms", Type: "sms", Enabled: true},
			{ID: "TemporaryAccessPass", Type: "temporaryAccessPass", Enabled: true, More: object{
				"defaultLength": 8, "defaultLifetimeInMinutes": 60, "isUsableOnce": false, "maximumLifetimeInMinutes": 480, "minimumLifetimeInMinutes": 60}},
			{ID: "SoftwareOath", Type: "softwareOath", Enabled: true},
			{ID: "Voice", Type: "voice", Enabled: true, More: object{"isOfficePhoneAllowed": true}},
			{ID: "Email", Type: "email", Enabled: true, More: object{"allowExternalIdToUseEmailOtp": "default"}},
			{ID: "X509Certificate", Type: "x509Certificate"},
		},
	}
}

// SetPolicy changes what people may use.
func (t *Tenant) SetPolicy(f func(*Policy)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.policy
	p.Methods = slices.Clone(p.Methods)
	f(&p)
	t.policy = p
}

// Method gives a method of the policy to be changed, by ID in any case.
func (p *Policy) Method(id string) *PolicyMethod {
	for i := range p.Methods {
		if strings.EqualFold(p.Methods[i].ID, id) {
			return &p.Methods[i]
		}
	}
	p.Methods = append(p.Methods, PolicyMethod{ID: id, Type: strings.ToLower(id[:1]) + id[1:]})
	return &p.Methods[len(p.Methods)-1]
}

func (p *Policy) migrated() bool { return p.Migration == "migrationComplete" }

// enabled reports whether one of these methods is on. A method that the policy
// does not list is off.
func (p *Policy) enabled(ids ...string) bool {
	return slices.ContainsFunc(p.Methods, func(m PolicyMethod) bool { return m.Enabled && slices.Contains(ids, m.ID) })
}

// allows reports whether a word, in lower case, may be used as a second factor.
func (p *Policy) allows(word string) bool {
	switch {
	case slices.Contains(passkeys, word):
		return p.enabled("Fido2")
	case slices.Contains(apps, word):
		return p.enabled("MicrosoftAuthenticator")
	case slices.Contains(mobiles, word):
		return p.enabled("Sms", "Voice")
	case slices.Contains(others, word), slices.Contains(offices, word):
		return p.enabled("Voice")
	case slices.Contains(passes, word):
		return p.enabled("TemporaryAccessPass")
	case word == "hardwareonetimepasscode": // its switch is in beta only
		return true
	case slices.Contains(oath, word):
		return p.enabled("SoftwareOath", "MicrosoftAuthenticator")
	}
	return true
}

// methodsPolicy is the answer of policies/authenticationMethodsPolicy (the page
// "authenticationMethodsPolicy resource type").
func (p *Policy) methodsPolicy(f *Fault) object {
	configurations := []object{}
	for _, m := range p.Methods {
		configurations = append(configurations, m.object())
	}
	state, target, migration := p.Campaign.State, p.Campaign.Target, p.Migration
	if f.is(Unknown) {
		configurations = append(configurations, object{"@odata.type": "#microsoft.graph.palmVeinAuthenticationMethodConfiguration", "id": "PalmVein", "state": "enabled", "excludeTargets": []object{}, "includeTargets": []object{everybody()}})
		state, target, migration = "unknownFutureValue", "palmVein", "unknownFutureValue"
	}
	return object{
		"id": "authenticationMethodsPolicy", "displayName": "Authentication Methods Policy", "description": "The tenant-wide policy that controls which authentication methods are allowed.",
		"lastModifiedDateTime": "2026-09-01T08:00:00Z", "policyVersion": "1.5", "policyMigrationState": migration,
		"registrationEnforcement": object{"authenticationMethodsRegistrationCampaign": object{
			"state": state, "snoozeDurationInDays": p.Campaign.Snooze, "excludeTargets": []object{},
			"includeTargets": []object{{"id": "all_users", "targetType": "group", "targetedAuthenticationMethod": target}},
		}},
		"authenticationMethodConfigurations@odata.context": "$metadata#policies/authenticationMethodsPolicy/authenticationMethodConfigurations",
		"authenticationMethodConfigurations":               configurations,
	}
}

func everybody() object {
	return object{"id": "all_users", "targetType": "group", "isRegistrationRequired": false}
}

func (m *PolicyMethod) object() object {
	include := []object{}
	for _, g := range m.Groups {
		include = append(include, object{"id": g, "targetType": "group", "isRegistrationRequired": false})
	}
	if len(m.Groups) == 0 {
		include = append(include, everybody())
	}
	for _, one := range include {
		switch m.Type {
		case "fido2":
			one["allowedPasskeyProfiles"] = []string{passkeyProfile}
		case "microsoftAuthenticator":
			one["authenticationMode"] = "any"
		case "sms":
			one["isUsableForSignIn"] = false
		}
	}
	exclude := []object{}
	for _, g := range m.Except {
		exclude = append(exclude, object{"id": g, "targetType": "group"})
	}
	o := object{"@odata.type": "#microsoft.graph." + m.Type + "AuthenticationMethodConfiguration", "id": m.ID, "state": "disabled", "excludeTargets": exclude, "includeTargets": include}
	if m.Enabled {
		o["state"] = "enabled"
	}
	for k, v := range m.More {
		o[k] = v
	}
	return o
}

// authorization is the answer of policies/authorizationPolicy (the page
// "authorizationPolicy resource type").
func (p *Policy) authorization() object {
	return object{"id": "authorizationPolicy", "displayName": "Authorization Policy", "description": "Used to manage authorization related settings across the company.",
		"allowedToUseSSPR": p.AdminsMayReset, "allowedToSignUpEmailBasedSubscriptions": true, "allowEmailVerifiedUsersToJoinOrganization": false,
		"allowInvitesFrom": "adminsAndGuestInviters", "blockMsolPowerShell": true, "guestUserRoleId": "10dae51f-b6af-4016-8d66-8c2a99b929b3"}
}
