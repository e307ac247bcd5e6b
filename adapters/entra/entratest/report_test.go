package entratest

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const reportPath = "/reports/authenticationMethods/userRegistrationDetails"

// rows reads the report and gives it by id.
func (r *rig) rows() map[string]map[string]any {
	r.t.Helper()
	r.clock.turn(time.Minute) // the report may be asked five times in ten seconds
	items, _, _ := r.all(reportPath + "?$top=999")
	rows := map[string]map[string]any{}
	for _, m := range items {
		rows[m["id"].(string)] = m
	}
	return rows
}

func TestReportIsComputedFromWhatPeopleHave(t *testing.T) {
	r := newRig(t, Options{}).token()
	r.SetLag(0)
	p := r.Find(func(p Person) bool { return p.Kind == Staff && p.Enabled && p.SSPR && !p.Admin })
	admin := r.Find(func(p Person) bool { return p.Admin && p.Enabled })
	for _, c := range []struct {
		who      string
		words    string
		needed   int
		state    string
		flags    string // sspr registered, mfa registered, mfa capable, passwordless
		default_ string
	}{
		{p.ID, "", 2, "migrationComplete", "0000", "none"},
		{p.ID, "mobilePhone", 2, "migrationComplete", "0110", "sms"},
		{p.ID, "mobilePhone", 1, "migrationComplete", "1110", "sms"},
		{p.ID, "MOBILEphone email", 2, "migrationComplete", "1110", "sms"},
		{p.ID, "mobilePhone alternateMobilePhone", 2, "migrationComplete", "0110", "sms"},
		{p.ID, "microsoftAuthenticatorPush softwareOneTimePasscode", 2, "migrationComplete", "0110", "push"},
		{p.ID, "microsoftAuthenticatorPush email", 2, "migrationComplete", "1110", "push"},
		{p.ID, "microsoftAuthenticatorPush", 1, "preMigration", "0110", "push"},
		{p.ID, "microsoftAuthenticatorPush", 1, "migrationComplete", "1110", "push"},
		{p.ID, "softwareOneTimePasscode", 1, "preMigration", "1110", "oath"},
		{p.ID, "hardwareOneTimePasscode softwareOneTimePasscode", 2, "migrationComplete", "0110", "oath"},
		{p.ID, "email securityQuestion", 2, "migrationComplete", "1000", "none"},
		{admin.ID, "email securityQuestion", 2, "migrationComplete", "0000", "none"},
		{admin.ID, "email", 1, "migrationComplete", "0000", "none"},
		{admin.ID, "email officePhone", 1, "migrationComplete", "1110", "voiceOffice"},
		{p.ID, "officePhone", 1, "migrationComplete", "1110", "voiceOffice"},
		{p.ID, "passKeySynced", 1, "migrationComplete", "0111", "none"},
		{p.ID, "fido2 windowsHelloForBusiness", 1, "migrationComplete", "0111", "none"},
		{p.ID, "microsoftAuthenticatorPasswordless", 2, "migrationComplete", "0111", "push"},
		{p.ID, "appPassword qrCode palmVeinScan", 1, "migrationComplete", "0000", "none"},
	} {
		if err := r.SetMethods(c.who, strings.Fields(c.words)...); err != nil {
			t.Fatal(err)
		}
		r.SetPolicy(func(p *Policy) { p.Needed, p.Migration = c.needed, c.state })
		r.clock.turn(time.Minute)
		m := r.get(reportPath + "/" + c.who)
		flags := ""
		for _, name := range []string{"isSsprRegistered", "isMfaRegistered", "isMfaCapable", "isPasswordlessCapable"} {
			if m[name] == true {
				flags += "1"
			} else {
				flags += "0"
			}
		}
		if flags != c.flags || m["userPreferredMethodForSecondaryAuthentication"] != c.default_ || m["isSsprCapable"] != m["isSsprRegistered"] || m["isAdmin"] != (c.who == admin.ID) {
			t.Errorf("%+v: %s %v", c, flags, m)
		}
	}
	// What the policy forbids is registered, and no capability.
	if err := r.SetMethods(p.ID, "passKeySynced"); err != nil {
		t.Fatal(err)
	}
	r.SetPolicy(func(p *Policy) { p.Method("fido2").Enabled, p.AdminsMayReset = false, false })
	rows := r.rows()
	if m := rows[p.ID]; m["isMfaRegistered"] != true || m["isMfaCapable"] != false {
		t.Errorf("forbidden: %v", m)
	}
	if m := rows[admin.ID]; m["isSsprEnabled"] != false || m["isSsprCapable"] != false {
		t.Errorf("administrators: %v", m)
	}
	off := r.Find(func(p Person) bool { return p.Kind == Staff && p.Enabled && !p.SSPR })
	if m := rows[off.ID]; m["isSsprEnabled"] != false || m["isSsprCapable"] != false {
		t.Errorf("off: %v", m)
	}
}

func TestReportLagsAndLacksTheDisabled(t *testing.T) {
	r := newRig(t, Options{}).token()
	enabled := 0
	for p := range r.All() {
		if p.Enabled {
			enabled++
		}
	}
	rows := r.rows()
	if len(rows) != enabled || enabled > 1480 {
		t.Fatalf("%d rows of %d", len(rows), enabled)
	}
	youngest, oldest := 100*time.Hour, time.Duration(0)
	for p := range r.All() {
		m := rows[p.ID]
		if (m != nil) != p.Enabled {
			t.Fatalf("%v: %v", p, m)
		}
		if m == nil {
			continue
		}
		at, err := time.Parse(time.RFC3339, m["lastUpdatedDateTime"].(string))
		if err != nil {
			t.Fatal(err)
		}
		age := r.clock.now().Sub(at)
		youngest, oldest = min(youngest, age), max(oldest, age)
		words := m["methodsRegistered"].([]any)
		if len(words) != len(p.Methods) || m["userPrincipalName"] != p.UPN || (m["userType"] == "guest") != (p.Kind == Guest) {
			t.Errorf("%v: %v", p, m)
		}
	}
	if youngest < time.Hour || oldest > 36*time.Hour || oldest-youngest < 30*time.Hour {
		t.Errorf("between %v and %v old", youngest, oldest)
	}

	r.SetLag(24 * time.Hour)
	staff := slices.DeleteFunc(slices.Collect(r.All()), func(p Person) bool { return !p.Enabled || p.Kind != Staff })
	a, b, c := staff[40], staff[41], staff[42]
	for _, err := range []error{r.SetMethods(a.ID, "passKeySynced"), r.Disable(b.ID), r.Remove(c.ID)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	d := r.Add(Person{GivenName: "New", Enabled: true, Methods: []string{"email"}})
	has := func(word, id string, rows map[string]map[string]any) bool {
		words, _ := rows[id]["methodsRegistered"].([]any)
		return slices.Contains(words, any(word))
	}
	r.clock.turn(23 * time.Hour)
	rows = r.token().rows()
	if has("passKeySynced", a.ID, rows) || rows[b.ID] == nil || rows[c.ID] == nil || rows[d.ID] != nil {
		t.Error("the report knows what is 23 hours old")
	}
	r.clock.turn(2 * time.Hour)
	rows = r.token().rows()
	if !has("passKeySynced", a.ID, rows) || rows[b.ID] != nil || rows[c.ID] != nil || !has("email", d.ID, rows) {
		t.Error("the report does not know what is 25 hours old")
	}
	// The person's own page does not lag.
	if err := r.SetMethods(a.ID, "email"); err != nil {
		t.Fatal(err)
	}
	if kinds := r.kinds(a.ID); !slices.Equal(kinds, []string{"passwordAuthenticationMethod", "emailAuthenticationMethod"}) {
		t.Error(kinds)
	}
	if err := r.Return(b.ID); err != nil {
		t.Fatal(err)
	}
	r.SetLag(0)
	if r.rows()[b.ID] == nil {
		t.Error("who returns is missing")
	}
}

func TestReportIsAskedFiveTimesInTenSeconds(t *testing.T) {
	r := newRig(t, Options{People: 50}).token()
	for range 5 {
		r.get(reportPath)
	}
	r.clock.turn(4 * time.Second)
	for _, path := range []string{reportPath, reportPath + "/" + r.Find(func(Person) bool { return true }).ID} {
		resp, err := r.ask(path)
		if err != nil {
			t.Fatal(err)
		}
		if status, _ := read(t, resp); status != 429 || resp.Header.Get("Retry-After") != "6" {
			t.Errorf("%s: %d, Retry-After %s", path, status, resp.Header.Get("Retry-After"))
		}
	}
	r.clock.turn(6 * time.Second)
	r.get(reportPath)
	r.SetReportLimit(0, 0)
	for range 10 {
		r.get(reportPath)
	}
	r.refused(reportPath+"?$skip=10", 400)
	r.refused(reportPath+"?$top=1000", 400)
	if items, _, pages := r.all(reportPath + "?$top=7"); pages < 6 || len(items) < 40 {
		t.Errorf("%d in %d pages", len(items), pages)
	}
}

// kinds are the types of the methods on a person's own page.
func (r *rig) kinds(id string) (kinds []string) {
	r.t.Helper()
	for _, v := range r.get("/users/" + id + "/authentication/methods")["value"].([]any) {
		kinds = append(kinds, strings.TrimPrefix(v.(map[string]any)["@odata.type"].(string), "#microsoft.graph."))
	}
	return kinds
}
