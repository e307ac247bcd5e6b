package entratest

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestUsersAreFoundByObjectID(t *testing.T) {
	r := newRig(t, Options{}).token()
	p := r.Find(func(p Person) bool { return p.Kind == Staff && p.Manager != "" && p.Lang == "es-MX" })
	guest := r.Find(func(p Person) bool { return p.Kind == Guest })
	m := r.get("/users/" + strings.ToUpper(p.ID) + "?$select=id,displayName,preferredLanguage,accountEnabled,ageGroup")
	if b, there := m["ageGroup"]; m["id"] != p.ID || m["preferredLanguage"] != "es-MX" || m["accountEnabled"] != p.Enabled || b != nil || !there || m["mail"] != nil {
		t.Errorf("%v", m)
	}
	if m := r.get("/users/" + p.UPN); m["id"] != p.ID || m["userType"] != nil || m["jobTitle"] != p.Title {
		t.Errorf("%v", m)
	}
	if m := r.get("/users/" + guest.ID + "?$select=userType,externalUserState"); m["userType"] != "Guest" || m["externalUserState"] != "Accepted" {
		t.Errorf("%v", m)
	}
	r.refused("/users/"+strings.ReplaceAll(guest.UPN, "#", "%23"), 404)
	r.refused("/users/"+strings.ReplaceAll(guest.UPN, "#", "%23")+"/authentication/methods", 404)
	r.refused("/users/nobody@"+Domain, 404)
	r.refused("/users/"+p.ID+"?$select=shoeSize", 400)
	r.refused("/users/"+p.ID+"?$expand=manager", 400)
	if m := r.get("/users/" + p.ID + "/manager?$select=id"); m["id"] != p.Manager {
		t.Errorf("manager: %v", m)
	}
	top := r.Find(func(p Person) bool { return p.Title == "Superintendent" })
	r.refused("/users/"+top.ID+"/manager", 404)
	if err := r.Remove(p.ID); err != nil {
		t.Fatal(err)
	}
	r.refused("/users/"+p.ID, 404)
	r.refused("/users/"+p.ID+"/authentication/methods", 404)
}

func TestGroupsAreReadThroughTheirGroups(t *testing.T) {
	r := newRig(t, Options{}).token()
	want := map[string]int{}
	for p := range r.All() {
		if p.Kind == Staff {
			want[p.School]++
			want["all"]++
		}
	}
	users := func(group, more string) []map[string]any {
		items, _, _ := r.all("/groups/" + group + "/transitiveMembers/microsoft.graph.user?$select=id" + more)
		ids := map[string]bool{}
		for _, m := range items {
			if ids[m["id"].(string)] || len(m) != 1 {
				t.Fatalf("%v", m)
			}
			ids[m["id"].(string)] = true
		}
		return items
	}
	if n := len(users(r.StaffGroup(), "&$top=999")); n != want["all"] {
		t.Errorf("%d of %d", n, want["all"])
	}
	if n := len(users(r.SchoolGroup(4), "")); n != want[Schools[4]] || n < 100 {
		t.Errorf("%d of %d", n, want[Schools[4]])
	}
	// Without the cast the groups within come, too.
	items, _, _ := r.all("/groups/" + r.StaffGroup() + "/transitiveMembers")
	if n := len(items); n != want["all"]+13 || items[0]["@odata.type"] != "#microsoft.graph.group" || items[n-1]["@odata.type"] != "#microsoft.graph.user" {
		t.Errorf("%d", n)
	}
	a := r.Find(func(p Person) bool { return p.Kind == Guest })
	r.SetGroup("11111111-2222-4333-8444-555555555555", []string{a.ID}, []string{r.SchoolGroup(0)})
	if n := len(users("11111111-2222-4333-8444-555555555555", "")); n != want[Schools[0]]+1 {
		t.Errorf("%d", n)
	}
	r.refused("/groups/11111111-2222-4333-8444-666666666666/transitiveMembers/microsoft.graph.user", 404)
	r.refused("/groups/"+r.StaffGroup()+"/transitiveMembers/microsoft.graph.user?$skip=5", 400)

	// The least permission shows ids and nothing else.
	r.SetRoles("GroupMember.ReadBasic.All")
	r.token()
	if m := r.get("/groups/" + r.StaffGroup() + "/transitiveMembers/microsoft.graph.user")["value"].([]any)[0].(map[string]any); m["id"] == nil || m["displayName"] != nil {
		t.Errorf("%v", m)
	}
}

// TestRequestsAreKnownByTheirIDs: the caller's comes back, in the head and in an
// error, beside Graph's own.
func TestRequestsAreKnownByTheirIDs(t *testing.T) {
	r := newRig(t, Options{People: 30}).token()
	own := map[string]bool{}
	for _, path := range []string{"/users/delta", "/users/nobody"} {
		resp, err := r.ask(path, "client-request-id", "mine-1")
		if err != nil {
			t.Fatal(err)
		}
		_, m := read(t, resp)
		if e, is := m["error"].(map[string]any); is {
			inner := e["innerError"].(map[string]any)
			if inner["client-request-id"] != "mine-1" || inner["request-id"] != resp.Header.Get("request-id") {
				t.Errorf("%v", inner)
			}
		}
		own[resp.Header.Get("request-id")] = true
		if resp.Header.Get("client-request-id") != "mine-1" {
			t.Errorf("%v", resp.Header)
		}
	}
	if calls := r.Calls(); len(own) != 2 || own[""] || calls[len(calls)-1].Header.Get("client-request-id") != "mine-1" {
		t.Errorf("%v", own)
	}
}

func TestMethodsAreThoseOfV1(t *testing.T) {
	r := newRig(t, Options{}).token()
	p := r.Find(func(p Person) bool { return p.Kind == Staff })
	for words, want := range map[string][]string{
		"":                        {},
		"mobilePhone officePhone": {"phoneAuthenticationMethod", "phoneAuthenticationMethod"},
		"microsoftAuthenticatorPush softwareOneTimePasscode EMAIL":                 {"microsoftAuthenticatorAuthenticationMethod", "softwareOathAuthenticationMethod", "emailAuthenticationMethod"},
		"passKeySynced fido2 passKeyDeviceBoundAuthenticator":                      {"fido2AuthenticationMethod", "fido2AuthenticationMethod", "fido2AuthenticationMethod"},
		"windowsHelloForBusiness macOsSecureEnclaveKey":                            {"windowsHelloForBusinessAuthenticationMethod", "platformCredentialAuthenticationMethod"},
		"temporaryAccessPass externalAuthMethod":                                   {"temporaryAccessPassAuthenticationMethod", "externalAuthenticationMethod"},
		"hardwareOneTimePasscode securityQuestion appPassword qrCode palmVeinScan": {},
		"mobilePhone mobileSMS":                                                    {"phoneAuthenticationMethod"},
	} {
		if err := r.SetMethods(p.ID, strings.Fields(words)...); err != nil {
			t.Fatal(err)
		}
		if got := r.kinds(p.ID); !slices.Equal(got[1:], want) || got[0] != "passwordAuthenticationMethod" {
			t.Errorf("%s: %v", words, got)
		}
	}
	if err := r.SetMethods(p.ID, "mobilePhone", "passKeySynced", "passKeyDeviceBoundAuthenticator"); err != nil {
		t.Fatal(err)
	}
	list := r.get("/users/" + p.ID + "/authentication/phoneMethods")["value"].([]any)
	phone := list[0].(map[string]any)
	if len(list) != 1 || phone["id"] != mobileID || phone["phoneType"] != "mobile" || !strings.HasPrefix(phone["phoneNumber"].(string), "+1 ") || phone["createdDateTime"] == nil || phone["@odata.type"] != nil {
		t.Errorf("%v", list)
	}
	if m := r.get("/users/" + p.ID + "/authentication/phoneMethods/" + mobileID); m["phoneType"] != "mobile" {
		t.Errorf("%v", m)
	}
	r.refused("/users/"+p.ID+"/authentication/phoneMethods/"+officeID, 404)
	keys := r.get("/users/" + p.ID + "/authentication/fido2Methods")["value"].([]any)
	if len(keys) != 2 || keys[0].(map[string]any)["passkeyType"] != "synced" || keys[1].(map[string]any)["aaGuid"] != authenticatorGUID {
		t.Errorf("%v", keys)
	}
	if n := len(r.get("/users/" + p.ID + "/authentication/emailMethods")["value"].([]any)); n != 0 {
		t.Errorf("%d e-mail methods", n)
	}
}

func TestPolicyIsWhatWasSet(t *testing.T) {
	r := newRig(t, Options{}).token()
	r.SetPolicy(func(p *Policy) {
		p.Migration, p.Campaign = "preMigration", Campaign{State: "enabled", Snooze: 3, Target: "microsoftAuthenticator"}
		p.Method("sms").Enabled = false
		p.Method("voice").Groups, p.Method("voice").Except = []string{r.SchoolGroup(1)}, []string{r.SchoolGroup(2)}
	})
	m := r.get("/policies/authenticationMethodsPolicy")
	methods := map[string]map[string]any{}
	for _, v := range m["authenticationMethodConfigurations"].([]any) {
		c := v.(map[string]any)
		methods[c["id"].(string)] = c
	}
	campaign := m["registrationEnforcement"].(map[string]any)["authenticationMethodsRegistrationCampaign"].(map[string]any)
	target := func(c map[string]any, of string) string {
		all := c[of].([]any)
		if len(all) != 1 {
			return ""
		}
		return all[0].(map[string]any)["id"].(string)
	}
	if m["policyMigrationState"] != "preMigration" || campaign["state"] != "enabled" || campaign["snoozeDurationInDays"] != 3.0 || methods["Sms"]["state"] != "disabled" || methods["Email"]["state"] != "enabled" ||
		target(methods["Email"], "includeTargets") != "all_users" || target(methods["Voice"], "includeTargets") != r.SchoolGroup(1) || target(methods["Voice"], "excludeTargets") != r.SchoolGroup(2) || methods["Voice"]["isOfficePhoneAllowed"] != true {
		t.Errorf("%v", m)
	}
	// This one needs more than the least.
	r.refused("/policies/authorizationPolicy", 403)
	r.SetRoles("Policy.Read.All")
	if m := r.token().get("/policies/authorizationPolicy"); m["allowedToUseSSPR"] != true {
		t.Errorf("%v", m)
	}
}

// served are paths that this tenant answers, by what stands in permissions.json.
func (r *rig) served() map[string]string {
	p := r.Find(func(p Person) bool { return p.Kind == Staff && p.Manager != "" }).ID
	if err := r.SetMethods(p, "mobilePhone", "email", "fido2", "microsoftAuthenticatorPush", "softwareOneTimePasscode", "windowsHelloForBusiness", "macOsSecureEnclaveKey", "temporaryAccessPass", "externalAuthMethod"); err != nil {
		r.t.Fatal(err)
	}
	paths := map[string]string{}
	for template := range permissions {
		path := strings.ReplaceAll(template, "/users/{id}", "/users/"+p)
		path = strings.ReplaceAll(path, "/groups/{id}", "/groups/"+r.StaffGroup())
		path = strings.ReplaceAll(path, "userregistrationdetails/{id}", "userregistrationdetails/"+p)
		if list, one := strings.CutSuffix(path, "/{id}"); one {
			i, _ := r.find(p)
			for _, m := range r.methodsOf(i, nil) {
				kind := methodKind{list[strings.LastIndex(list, "/")+1:], strings.TrimPrefix(m["@odata.type"].(string), "#microsoft.graph.")}
				if slices.Contains(methodKinds, kind) || kind.segment == "methods" {
					path = list + "/" + m["id"].(string)
				}
			}
		}
		paths[template] = path
	}
	return paths
}

// TestEachPathNeedsItsPermission: any of those that the published table has, and
// no other; and every call says which.
func TestEachPathNeedsItsPermission(t *testing.T) {
	r := newRig(t, Options{})
	r.SetLag(0)
	r.SetReportLimit(0, 0)
	for template, path := range r.served() {
		least, any := needs(template)
		if least == "" || len(any) == 0 {
			t.Fatalf("%s needs %q of %q", template, least, any)
		}
		for _, role := range any {
			r.SetRoles(role)
			r.token()
			r.Forget()
			if template == "/users/{id}" && (role == "User.ReadBasic.All" || role == "User.ReadWrite.CrossCloud" || role == "User.ReadWrite.All") {
				r.get(path + "?$select=id,displayName")
			} else {
				r.get(path)
			}
			if c := r.Calls()[0]; c.Template != template || c.Least != least || !slices.Equal(c.Roles, []string{role}) || c.Status != 200 || c.Header.Get("Authorization") != "" || c.Host != strings.TrimPrefix(r.url, "http://") {
				t.Errorf("%+v", c)
			}
			if needed := r.Needed(); !slices.Equal(needed, []string{least}) {
				t.Errorf("%v", needed)
			}
		}
		r.SetRoles("Mail.Read", "Sites.Read.All")
		r.token()
		if code := r.refused(path, 403); code != "Authorization_RequestDenied" {
			t.Errorf("%s: %s", path, code)
		}
	}
	p := r.Find(func(p Person) bool { return p.Kind == Staff })
	r.SetRoles("User.ReadBasic.All")
	r.token()
	r.get("/users/" + p.ID + "?$select=id,displayName,mail")
	r.refused("/users/"+p.ID+"?$select=accountEnabled", 403)
	r.SetRoles()
	r.token()
	r.refused("/users/"+p.ID, 403)
	r.refused("/users/"+p.ID+"/authentication/methods", 401)
	r.SetRoles(ReadRoles...)
	r.token()
	for _, path := range []string{"/me", "/users", "/groups/" + r.StaffGroup(), "/users/" + p.ID + "/presence", "/"} {
		r.refused(path, 404)
	}
}

// TestPermissionsAreThePublishedOnes holds permissions.json against the
// published table.
func TestPermissionsAreThePublishedOnes(t *testing.T) {
	published := surface(t).Permissions
	var ours map[string][]string
	if err := json.Unmarshal(permissionsJSON, &ours); err != nil {
		t.Fatal(err)
	}
	for path, list := range ours {
		if want := published[path]["GET"].Application; !slices.Equal(list, want) || len(want) == 0 {
			t.Errorf("%s: %v, not %v", path, list, want)
		}
	}
	for path, want := range map[string]string{
		"/users/delta": "User.Read.All", "/users/{id}": "User.ReadBasic.All", "/groups/{id}/transitivemembers": "GroupMember.ReadBasic.All",
		"/policies/authenticationmethodspolicy": "Policy.Read.AuthenticationMethod", "/policies/authorizationpolicy": "Policy.Read.All",
		"/reports/authenticationmethods/userregistrationdetails": "AuditLog.Read.All", "/users/{id}/authentication/methods": "UserAuthenticationMethod.Read.All",
		"/users/{id}/authentication/phonemethods": "UserAuthMethod-Phone.Read.All", "/users/{id}/authentication/fido2methods": "UserAuthMethod-Passkey.Read.All",
	} {
		if least, _ := needs(path); least != want {
			t.Errorf("%s needs %s, not %s", path, least, want)
		}
	}
	for _, role := range ReadRoles {
		if !slices.ContainsFunc([]string{"/users/delta", "/groups/{id}/transitivemembers", "/policies/authenticationmethodspolicy", "/reports/authenticationmethods/userregistrationdetails", "/users/{id}/authentication/methods"}, func(p string) bool {
			least, _ := needs(p)
			return least == role
		}) {
			t.Errorf("%s is the least for nothing", role)
		}
	}
}

// graphSurface is what Microsoft publishes of Graph's types and permissions.
type graphSurface struct {
	V1 struct {
		Types map[string]struct {
			Base       string            `json:"base"`
			Properties map[string]string `json:"properties"`
			Navigation map[string]string `json:"navigation"`
		} `json:"types"`
		Enums map[string][]string `json:"enums"`
	} `json:"v1.0"`
	Beta struct {
		Enums map[string][]string `json:"enums"`
	} `json:"beta"`
	Permissions map[string]map[string]struct {
		Application []string
	} `json:"permissions"`
}

func surface(t *testing.T) (s graphSurface) {
	t.Helper()
	b, err := os.ReadFile("../testdata/graph-auth-surface.json")
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil || len(s.V1.Types) < 40 || len(s.Permissions) < 100 {
		t.Fatalf("the published surface: %v", err)
	}
	return s
}
