package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/entra"
	"latchkey/bot"
	"latchkey/bot/enroll"
	"latchkey/cmd/latchkey/config"
	"latchkey/store"
)

// TestTeamsPeopleAreKnownAtEntra: with directory.kind entra people sign in on a
// page of the tenant's, and those of Teams need not: their object id is the
// person's id. A guest's is nobody's.
func TestTeamsPeopleAreKnownAtEntra(t *testing.T) {
	t.Parallel()
	const tenant, ada, visitor = "6babcaad-604b-40ac-a9d7-9fd97c0b779f", "90a3ccdf-635c-4729-a248-9b709135078f", "de1e552d-db1d-4423-a619-566b625cdc84"
	p := servePremises(t, func(c *config.Config) {
		c.Directory, c.OIDC = "entra", config.OIDC{}
		c.Entra.Tenant, c.Entra.ClientID, c.Entra.ClientSecret = strings.ToUpper(tenant), "0d6a2f84-7b1c-4e57-a3f5-8d1e9c40b6aa", "a secret"
		c.Entra.LoginURL, c.Entra.Timeout, c.Entra.SecondFactor = "http://127.0.0.1:9", time.Second, "c1"
	})
	rep, err := p.db.ImportPeople(t.Context(), func(yield func(bot.Person, int) bool) {
		_ = yield(bot.Person{ID: ada, Username: "ada.e", Name: "Ada"}, 1) && yield(bot.Person{ID: visitor, Username: "v", Name: "V", Kind: bot.Guest}, 2)
	}, store.ImportOptions{})
	if err != nil || !rep.Stored {
		t.Fatal(rep, err)
	}
	if e := p.house.enroll; e.SignIn != enroll.ByPage || e.SignInAddress != servedOrigin+"/signin" || !e.SecondFactor || e.SecondFactorAddress != servedOrigin+"/signin?second=1" {
		t.Errorf("people sign in %q at %q, with a second factor (%v) at %q", e.SignIn, e.SignInAddress, e.SecondFactor, e.SecondFactorAddress)
	}
	level, err := rooms{p.house}.Vouch(t.Context(), "teams-acme", ada, bot.Vouch{Person: ada, Evidence: "teams"})
	if err != nil || level != bot.L2 {
		t.Errorf("known at %v, %v", level, err)
	}
	if _, err := (rooms{p.house}).SignInAs(t.Context(), webChannel, "u", bot.External{Issuer: "i", Subject: "s", Person: visitor}); !errors.Is(err, bot.ErrGuest) {
		t.Errorf("a guest of the list: %v", err)
	}
	var said strings.Builder
	if err := examine(t.Context(), &said, p.house, true); err == nil || !strings.Contains(said.String(), "sign-in\n  BROKEN   provider: ") || !strings.Contains(said.String(), "second factor: c1 counts as one on your word") {
		t.Errorf("the doctor says %v:\n%s", err, said.String())
	}
}

// TestWhatIsSaidOfTheSecondFactor: operators are told what they vouch for, and what
// is missing without it.
func TestWhatIsSaidOfTheSecondFactor(t *testing.T) {
	t.Parallel()
	c := demoConfig(t.TempDir())
	c.Web.Enabled = true
	said := func() string { return strings.Join(missing(c), "\n") }
	if strings.Contains(said(), "second_factor") {
		t.Error("told where nobody signs in on a page")
	}
	for _, kind := range []string{"oidc", "entra"} {
		c.Directory = kind
		if !strings.Contains(said(), "no "+kind+".second_factor") {
			t.Errorf("%s: %s", kind, said())
		}
	}
	c.Entra.SecondFactor = "c7"
	if s := said(); !strings.Contains(s, "entra.second_factor is c7") || !strings.Contains(s, "Conditional Access policy") {
		t.Error(s)
	}
	for cloud, want := range map[string]string{"global": "https://login.microsoftonline.com", "usgov": "https://login.microsoftonline.us", "dod": "https://login.microsoftonline.us", "china": "https://login.partner.microsoftonline.cn"} {
		if got := entra.Issuer(entra.Cloud(cloud), "", "AB"); got != want+"/ab/v2.0" {
			t.Errorf("%s: %s", cloud, got)
		}
	}
}
