package entra

import (
	"context"
	"errors"
	"slices"
	"strings"

	"latchkey/bot"
)

// everyone is how the policy names all users in a list of targets.
const everyone = "all_users"

// external is what a configuration of another company's factor is called here.
// There may be several, and their own ids are GUIDs, which tell nobody what they
// are (externalAuthenticationMethodConfiguration).
const external = "externalAuthenticationMethod"

type target struct {
	ID         string `json:"id"`
	TargetType string `json:"targetType"`
	Method     string `json:"targetedAuthenticationMethod"` // of a campaign
}

// methodsPolicy is what is read of an authenticationMethodsPolicy.
type methodsPolicy struct {
	Migration   string `json:"policyMigrationState"`
	Enforcement struct {
		Campaign struct {
			State    string   `json:"state"`
			Snooze   int      `json:"snoozeDurationInDays"`
			Enforced bool     `json:"enforceRegistrationAfterAllowedSnoozes"` // where v1.0 has it
			Include  []target `json:"includeTargets"`
		} `json:"authenticationMethodsRegistrationCampaign"`
	} `json:"registrationEnforcement"`
	Configurations []methodConfiguration `json:"authenticationMethodConfigurations"`
}

type methodConfiguration struct {
	Type     string   `json:"@odata.type"`
	ID       string   `json:"id"`
	State    string   `json:"state"`
	Include  []target `json:"includeTargets"`
	Exclude  []target `json:"excludeTargets"`
	Office   bool     `json:"isOfficePhoneAllowed"`
	SelfSet  bool     `json:"isSelfServiceRegistrationAllowed"`
	Attested bool     `json:"isAttestationEnforced"` // goes in October 2027, for the profiles
	Profiles []struct {
		Attestation string `json:"attestationEnforcement"`
	} `json:"passkeyProfiles"`
}

// TenantPolicy implements bot.DirectorySource. ReadAt is the caller's to set.
func (c *Client) TenantPolicy(ctx context.Context) (*bot.TenantPolicy, error) {
	var told methodsPolicy
	if err := c.get(ctx, &featurePolicy, c.address(featurePolicy.path), &told); err != nil {
		return nil, err
	}
	campaign := told.Enforcement.Campaign
	p := &bot.TenantPolicy{
		Migration: told.Migration,
		Campaign:  bot.PolicyCampaign{State: campaign.State, Snooze: campaign.Snooze, Enforce: campaign.Enforced},
	}
	if len(campaign.Include) > 0 { // one for a tenant
		p.Campaign.Target = campaign.Include[0].Method
	}
	for _, m := range told.Configurations {
		p.Methods = append(p.Methods, m.method())
	}
	admins, err := c.adminsMayReset(ctx)
	if err != nil {
		return nil, err
	}
	p.Admins = admins
	return p, nil
}

func (m *methodConfiguration) method() bot.PolicyMethod {
	p := bot.PolicyMethod{ID: m.ID, Enabled: strings.EqualFold(m.State, "enabled"), Office: m.Office, SelfSet: m.SelfSet, Attested: m.Attested}
	kind := strings.TrimSuffix(strings.TrimPrefix(m.Type, "#microsoft.graph."), "AuthenticationMethodConfiguration")
	switch {
	case kind == "external":
		p.ID = external
	case p.ID == "":
		p.ID = kind
	}
	for _, t := range m.Include {
		if t.ID == everyone {
			p.Everyone = true
		} else {
			p.Groups = append(p.Groups, strings.ToLower(t.ID))
		}
	}
	for _, t := range m.Exclude {
		p.Except = append(p.Except, strings.ToLower(t.ID))
	}
	if len(m.Profiles) > 0 {
		p.Attested = true
		for _, f := range m.Profiles { // one profile without it is a way in
			p.Attested = p.Attested && f.Attestation != "disabled"
		}
	}
	return p
}

// adminsMayReset asks whether administrators may reset their password, where a
// permission is there that nothing else needs; nil: it was not asked.
func (c *Client) adminsMayReset(ctx context.Context) (*bool, error) {
	token, err := c.tokens.get(ctx)
	if err != nil {
		return nil, c.failed(ctx, &featureAdmins, "", err)
	}
	if roles, ok := rolesOf(token); !ok || !slices.Contains(roles, featureAdmins.needs) {
		return nil, nil
	}
	var told struct {
		Allowed *bool `json:"allowedToUseSSPR"`
	}
	err = c.get(ctx, &featureAdmins, c.address(featureAdmins.path, "$select", "allowedToUseSSPR"), &told)
	var r *refusal
	var w *bot.WaitError
	if errors.As(err, &r) && !errors.As(err, &w) {
		return nil, nil // it is logged, and the rest of the policy is worth having
	}
	return told.Allowed, err
}
