package entra_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
)

func TestPeopleComePageByPage(t *testing.T) {
	s := newServer(t)
	next, end := s.URL+people+"?$skiptoken=two", s.URL+people+"?$deltatoken=end"
	s.on(people, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.RawQuery {
		case "$skiptoken=two":
			fmt.Fprintf(w, `{"value":[%s,{"id":%q,"@removed":{"reason":"changed"}}],"@odata.deltaLink":%q}`, account(strings.ToUpper(ann), `,"department":"Kitchen","passwordProfile":{"password":"canary"}`), bob, end)
		case "$deltatoken=end":
			fmt.Fprintf(w, `{"value":[{"id":%q,"department":null}],"@odata.deltaLink":%q}`, ann, end)
		default:
			fmt.Fprintf(w, `{"value":[],"@odata.nextLink":%q}`, next)
		}
	})
	c := s.client()
	p, err := c.People(ctx(), "")
	if err != nil || p.Last || p.Next != next || len(p.Changes) != 0 {
		t.Fatalf("the first page: %+v, %v", p, err)
	}
	q := s.last(people).URL.Query()
	if got := q.Get("$select"); !strings.Contains(got, "accountEnabled") || !strings.Contains(got, "manager") || len(q) != 1 {
		t.Errorf("asked with %v", q)
	}
	p, err = c.People(ctx(), p.Next)
	if err != nil || !p.Last || p.Next != end || len(p.Changes) != 2 {
		t.Fatalf("the second page: %+v, %v", p, err)
	}
	if ch := p.Changes[0]; ch.ID != ann || ch.Gone || strings.Contains(string(ch.Body), "canary") || !strings.Contains(string(ch.Body), `"department":"Kitchen"`) {
		t.Errorf("a change is %s %s", ch.ID, ch.Body)
	}
	if ch := p.Changes[1]; ch.ID != bob || !ch.Gone {
		t.Errorf("who was removed is %+v", ch)
	}
	p, err = c.People(ctx(), p.Next)
	if err != nil || len(p.Changes) != 1 || string(p.Changes[0].Body) != fmt.Sprintf(`{"department":null,"id":%q}`, ann) {
		t.Errorf("a change later: %+v, %v", p, err)
	}
}

func TestPagesThatAreNotWholeChangeNothing(t *testing.T) {
	s := newServer(t)
	for _, body := range []string{
		`{"value":[{"displayName":"x"}],"@odata.deltaLink":"` + s.URL + people + `?x"}`,
		`{"value":[1],"@odata.deltaLink":"` + s.URL + people + `?x"}`,
		`{"value":[` + account(ann, "") + `]}`,
	} {
		s.json(people, body)
		if p, err := s.client().People(ctx(), ""); err == nil {
			t.Errorf("%s gives %+v", body, p)
		}
	}
	s.list(members, `{"displayName":"x"}`)
	if _, _, err := s.client().Members(ctx(), group, ""); err == nil {
		t.Error("a member without an id is taken")
	}
}

func TestPropertiesThatADeltaDoesNotTakeAreLeftOut(t *testing.T) {
	for _, status := range []int{400, 501} {
		s := newServer(t)
		s.on(people, func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Query().Get("$select"), "employeeHireDate") {
				w.WriteHeader(status)
				return
			}
			fmt.Fprintf(w, `{"value":[%s],"@odata.deltaLink":%q}`, account(ann, ""), s.URL+people+"?x")
		})
		c := s.client()
		if p, err := c.People(ctx(), ""); err != nil || len(p.Changes) != 1 {
			t.Errorf("%d: %+v, %v", status, p, err)
		}
		if _, err := c.People(ctx(), ""); err != nil || s.count(people) != 4 {
			t.Errorf("%d: the second reading asked %d times, %v", status, s.count(people), err)
		}
		if !strings.Contains(s.logged(), "employeeHireDate") {
			t.Errorf("%d: the log does not say what is left out: %s", status, s.logged())
		}
	}
	s := newServer(t)
	s.refuse(people, 400, "Request_BadRequest")
	if _, err := s.client().People(ctx(), ""); err == nil || s.count(people) != 2 {
		t.Errorf("a question that is refused anyway: %v, asked %d times", err, s.count(people))
	}
	// In the middle of a reading nothing begins from the front again.
	s = newServer(t)
	s.on(people, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "$skiptoken=two" {
			w.WriteHeader(400)
			return
		}
		fmt.Fprintf(w, `{"value":[],"@odata.deltaLink":%q}`, s.URL+people+"?x")
	})
	if p, err := s.client().People(ctx(), s.URL+people+"?$skiptoken=two"); err == nil || s.count(people) != 1 {
		t.Errorf("a page that is refused: %+v, asked %d times", p, s.count(people))
	}
	// A fault that passes changes nothing.
	s = newServer(t)
	faults := 1
	s.on(people, func(w http.ResponseWriter, r *http.Request) {
		if faults--; faults == 0 {
			w.WriteHeader(400)
			return
		}
		login := ""
		if strings.Contains(r.URL.RawQuery, "onPremisesSamAccountName") {
			login = `,"onPremisesSamAccountName":"alee"`
		}
		fmt.Fprintf(w, `{"value":[%s],"@odata.deltaLink":%q}`, account(ann, login), s.URL+people+"?x")
	})
	if p, err := s.client().People(ctx(), ""); err != nil || !strings.Contains(string(p.Changes[0].Body), "alee") {
		t.Errorf("after a fault that passes: %+v, %v", p, err)
	}
}

func TestMembersOfAGroup(t *testing.T) {
	s := newServer(t)
	next := s.URL + members + "?$skiptoken=two"
	s.on(members, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("ConsistencyLevel") != "eventual" {
			t.Errorf("%s asked without ConsistencyLevel", r.URL)
		}
		if r.URL.RawQuery == "$skiptoken=two" {
			fmt.Fprintf(w, `{"value":[{"id":%q}]}`, bob)
			return
		}
		if q := r.URL.Query(); q.Get("$select") != "id" || q.Get("$count") != "true" {
			t.Errorf("asked with %v", q)
		}
		fmt.Fprintf(w, `{"value":[{"@odata.type":"#microsoft.graph.user","id":%q}],"@odata.nextLink":%q}`, strings.ToUpper(ann), next)
	})
	c := s.client()
	ids, cursor, err := c.Members(ctx(), group, "")
	if err != nil || !slices.Equal(ids, []bot.PersonID{ann}) || cursor != next {
		t.Fatalf("%v %s %v", ids, cursor, err)
	}
	if ids, cursor, err = c.Members(ctx(), group, cursor); err != nil || !slices.Equal(ids, []bot.PersonID{bob}) || cursor != "" {
		t.Errorf("%v %s %v", ids, cursor, err)
	}
	if _, _, err = c.Members(ctx(), "teachers", ""); err == nil {
		t.Error("a group by its name is asked for")
	}
}

func TestPersonOfAnAccount(t *testing.T) {
	c := newServer(t).client()
	always := bot.FieldTimeZone
	for _, k := range []struct {
		what   string
		merged string
		want   bot.Person
		unsaid bot.PersonFields
	}{
		{"everything", `{"id":"x","userPrincipalName":"ALee@Riverbend.example","mail":"Ann.Lee@Riverbend.example","displayName":"Ann Lee","givenName":"Ann","department":"Kitchen","jobTitle":"Cook",
			"officeLocation":"Central","businessPhones":["+1 555 010 0148"],"accountEnabled":true,"userType":"Member","preferredLanguage":"es-mx","employeeHireDate":"2021-08-19T00:00:00Z","onPremisesSamAccountName":"",
			"manager@delta":[{"@odata.type":"#microsoft.graph.user","id":"` + strings.ToUpper(bob) + `"}]}`,
			bot.Person{Username: "alee", Email: "ann.lee@riverbend.example", Name: "Ann Lee", GivenName: "Ann", Department: "Kitchen", Title: "Cook", Site: "Central", WorkPhone: "+1 555 010 0148",
				Lang: "es-MX", HiredOn: "2021-08-19", Manager: bob}, always | bot.FieldKindButGuest},
		{"a domain account", `{"userPrincipalName":"ann.lee@riverbend.example","onPremisesSamAccountName":"ALee"}`,
			bot.Person{Username: "alee", Email: "ann.lee@riverbend.example"}, always | bot.FieldName | bot.FieldGivenName | bot.FieldDepartment | bot.FieldTitle | bot.FieldSite | bot.FieldWorkPhone | bot.FieldLang | bot.FieldHiredOn | bot.FieldManager | bot.FieldDisabled | bot.FieldKind},
		{"switched off", `{"userPrincipalName":"b@riverbend.example","displayName":null,"givenName":null,"department":null,"jobTitle":null,"officeLocation":null,"businessPhones":[],"accountEnabled":false,"userType":"Member","preferredLanguage":null,"employeeHireDate":null,"manager@delta":[]}`,
			bot.Person{Username: "b", Email: "b@riverbend.example", Disabled: true}, always | bot.FieldLang | bot.FieldKindButGuest},
		{"a member of whom the name is not told", `{"userType":"member","mail":"b@riverbend.example","displayName":null,"givenName":null,"department":null,"jobTitle":null,"officeLocation":null,"businessPhones":[],"accountEnabled":true,"preferredLanguage":"en","employeeHireDate":null,"manager@delta":[]}`,
			bot.Person{Email: "b@riverbend.example", Lang: "en"}, always | bot.FieldUsername | bot.FieldKind},
		{"a guest from outside", `{"userPrincipalName":"pat_example.org#EXT#@riverbend.example","mail":"pat@example.org","accountEnabled":true,"userType":"Guest"}`,
			bot.Person{Username: "pat_example.org#ext#", Email: "pat@example.org", Kind: bot.Guest}, always | bot.FieldName | bot.FieldGivenName | bot.FieldDepartment | bot.FieldTitle | bot.FieldSite | bot.FieldWorkPhone | bot.FieldLang | bot.FieldHiredOn | bot.FieldManager},
		{"an external member, without an address", `{"userPrincipalName":"pat_example.org#EXT#@riverbend.example","accountEnabled":true}`,
			bot.Person{Username: "pat_example.org#ext#", Kind: bot.Guest}, always | bot.FieldEmail | bot.FieldName | bot.FieldGivenName | bot.FieldDepartment | bot.FieldTitle | bot.FieldSite | bot.FieldWorkPhone | bot.FieldLang | bot.FieldHiredOn | bot.FieldManager},
		{"a guest of our own", `{"userPrincipalName":"g@riverbend.example","userType":"guest","accountEnabled":true,"preferredLanguage":"Klingon!","mail":"no address","displayName":"  A\u202e B\n","manager":{"id":"` + bob + `"},"employeeHireDate":"0001-01-01T00:00:00Z","department":7}`,
			bot.Person{Username: "g", Email: "g@riverbend.example", Kind: bot.Guest, Name: "A B", Manager: bob}, always | bot.FieldLang | bot.FieldGivenName | bot.FieldTitle | bot.FieldSite | bot.FieldWorkPhone},
	} {
		k.want.ID = ann
		p, unsaid, err := c.Person(bot.PersonID(strings.ToUpper(ann)), json.RawMessage(k.merged))
		if err != nil || !reflect.DeepEqual(p, k.want) {
			t.Errorf("%s: %+v, want %+v; %v", k.what, p, k.want, err)
		}
		if unsaid != k.unsaid {
			t.Errorf("%s: unsaid is %b, want %b", k.what, unsaid, k.unsaid)
		}
	}
	for _, bad := range []string{``, `[]`, `null`, `"x"`} {
		if _, _, err := c.Person(ann, json.RawMessage(bad)); err == nil {
			t.Errorf("%q is a person", bad)
		}
	}
}

func TestAManagerWhoWasTakenAwayIsNone(t *testing.T) {
	c := newServer(t).client()
	for told, want := range map[string]bot.PersonID{
		`[{"id":"` + bob + `","@removed":{"reason":"deleted"}}]`:                      "",
		`[{"id":"` + ann + `","@removed":{"reason":"deleted"}},{"id":"` + bob + `"}]`: bob,
		`[{"id":"` + bob + `"},{"id":"` + ann + `","@removed":{"reason":"deleted"}}]`: bob,
		`[{"id":"not an id"}]`: "",
		`null`:                 "",
	} {
		p, unsaid, err := c.Person(ann, json.RawMessage(`{"manager@delta":`+told+`}`))
		if err != nil || p.Manager != want || unsaid&bot.FieldManager != 0 {
			t.Errorf("%s: %q, %v", told, p.Manager, err)
		}
	}
}

func TestReportComesPageByPage(t *testing.T) {
	s := newServer(t)
	next := s.URL + report + "?$skiptoken=two"
	s.on(report, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Prefer") != "include-unknown-enum-members" {
			t.Errorf("%s asked without Prefer", r.URL)
		}
		if r.URL.RawQuery == "$skiptoken=two" {
			fmt.Fprintf(w, `{"value":[%s]}`, row(bob, `,"userType":"guest","isAdmin":true,"isSsprEnabled":false,"methodsRegistered":[]`))
			return
		}
		fmt.Fprintf(w, `{"value":[%s],"@odata.nextLink":%q}`, row(strings.ToUpper(ann), `,"methodsRegistered":["mobilePhone","somethingNew"],"extra":1`), next)
	})
	c := s.client()
	all, cursor, err := c.Registrations(ctx(), "")
	want := bot.Registration{Person: ann, AsOf: time.Date(2026, 11, 28, 14, 0, 0, 123456700, time.UTC), Methods: []string{"mobilePhone", "somethingNew"},
		ResetEnabled: true, ResetRegistered: true, ResetCapable: true, MFARegistered: true, MFACapable: true}
	if err != nil || cursor != next || len(all) != 1 || !reflect.DeepEqual(all[0], want) {
		t.Fatalf("%+v, want %+v; %s, %v", all, want, cursor, err)
	}
	all, cursor, err = c.Registrations(ctx(), cursor)
	if err != nil || cursor != "" || len(all) != 1 || !all[0].Guest || !all[0].Admin || all[0].ResetEnabled || all[0].Methods == nil || len(all[0].Methods) != 0 {
		t.Errorf("%+v, %s, %v", all, cursor, err)
	}
}

// A guest of another organisation has until July 2027, one with an account of
// the tenant's own has not; userType is the same.
func TestReportTellsWhoIsFromOutside(t *testing.T) {
	s := newServer(t)
	s.list(report, row(ann, `,"userType":"guest"`), row(bob, `,"userType":"guest","userPrincipalName":"pat_north.example#EXT#@riverbend.example"`))
	all, _, err := s.client().Registrations(ctx(), "")
	if err != nil || len(all) != 2 || all[0].External || !all[1].External || !all[0].Guest || !all[1].Guest {
		t.Errorf("%+v, %v", all, err)
	}
}

// A row that says nothing must not become "nothing registered" or "off".
func TestReportWithoutWhatItMustSayIsRefused(t *testing.T) {
	for _, name := range []string{"methodsRegistered", "isSsprEnabled", "isAdmin", "id"} {
		for _, value := range []string{"null", "absent"} {
			var all map[string]any
			if err := json.Unmarshal([]byte(row(ann, "")), &all); err != nil {
				t.Fatal(err)
			}
			if delete(all, name); value == "null" {
				all[name] = nil
			}
			b, _ := json.Marshal(all)
			s := newServer(t)
			s.list(report, row(bob, ""), string(b))
			got, _, err := s.client().Registrations(ctx(), "")
			if err == nil || got != nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s %s: %v, %v", name, value, got, err)
			}
		}
	}
}

func TestOwnPageInTheWordsOfTheReport(t *testing.T) {
	entry := func(kind, more string) string {
		return `{"@odata.type":"#microsoft.graph.` + kind + `AuthenticationMethod","id":"x"` + more + `}`
	}
	for _, c := range []struct {
		want  []string
		entry []string
	}{
		{[]string{}, []string{entry("password", "")}},
		{[]string{"mobilePhone", "alternateMobilePhone", "officePhone"}, []string{entry("phone", `,"phoneType":"mobile","phoneNumber":"+1 5550100148"`), entry("phone", `,"phoneType":"alternateMobile"`), entry("phone", `,"phoneType":"office"`)}},
		{[]string{"satellitePhone"}, []string{entry("phone", `,"phoneType":"satellite"`)}},
		{[]string{"email"}, []string{entry("email", ""), entry("email", "")}},
		{[]string{"microsoftAuthenticatorPush", "softwareOneTimePasscode"}, []string{entry("microsoftAuthenticator", ""), entry("microsoftAuthenticator", ""), entry("softwareOath", "")}},
		{[]string{"passKeySynced"}, []string{entry("fido2", `,"passkeyType":"synced","aaGuid":"90a3ccdf-635c-4729-a248-9b709135078f"`)}},
		{[]string{"passKeyDeviceBoundAuthenticator"}, []string{entry("fido2", `,"passkeyType":"deviceBound","aaGuid":"DE1E552D-db1d-4423-a619-566b625cdc84"`)}},
		{[]string{"passKeyDeviceBoundWindowsHello"}, []string{entry("fido2", `,"passkeyType":"deviceBound","aaGuid":"08987058-cadc-4b81-b6e1-30de50dcbe96"`)}},
		{[]string{"passKeyDeviceBound"}, []string{entry("fido2", `,"passkeyType":"deviceBound","aaGuid":"2fc0579f-8113-47ea-b116-555a8db9202a"`)}},
		{[]string{"fido2"}, []string{entry("fido2", ""), entry("fido2", `,"passkeyType":"somethingNew"`)}},
		{[]string{"windowsHelloForBusiness", "macOsSecureEnclaveKey", "externalAuthMethod"}, []string{entry("windowsHelloForBusiness", ""), entry("platformCredential", ""), entry("external", "")}},
		{[]string{"temporaryAccessPass"}, []string{entry("temporaryAccessPass", `,"isUsable":true`), entry("temporaryAccessPass", `,"isUsable":false`)}},
		{[]string{}, []string{entry("temporaryAccessPass", `,"isUsable":false`)}},
		{[]string{"hardwareOneTimePasscode", "qrCode"}, []string{entry("hardwareOath", ""), entry("qrCodePin", "")}},
		{[]string{"palmReader", "unknown"}, []string{entry("palmReader", ""), `{"id":"x"}`}},
	} {
		s := newServer(t)
		s.list(ownPage, c.entry...)
		got, err := s.client().MethodsOf(ctx(), ann)
		if err != nil || got == nil || !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v; %v", c.entry, got, c.want, err)
		}
		if h := s.last(ownPage).Header.Get("Prefer"); h != "include-unknown-enum-members" {
			t.Errorf("Prefer is %q", h)
		}
	}
}

// Nobody has methods on more than ten pages: who gives more, gives no end.
func TestOwnPageWithoutAnEnd(t *testing.T) {
	s := newServer(t)
	n := 0
	s.on(ownPage, func(w http.ResponseWriter, r *http.Request) {
		n++
		fmt.Fprintf(w, `{"value":[],"@odata.nextLink":"%s%s?$skiptoken=%d"}`, "http://"+r.Host, r.URL.Path, n)
	})
	if _, err := s.client().MethodsOf(ctx(), ann); err == nil || !strings.Contains(err.Error(), "more than 10 pages") || n != 10 {
		t.Errorf("%d pages: %v", n, err)
	}
}

func TestOwnPageIsAskedByObjectIDOnly(t *testing.T) {
	s := newServer(t)
	for _, id := range []bot.PersonID{"ann.lee@riverbend.example", "4711", "", ann + "/.."} {
		if _, err := s.client().MethodsOf(ctx(), id); !errors.Is(err, bot.ErrNotFound) || len(s.asked) != 0 {
			t.Errorf("%q: %v, %d requests", id, err, len(s.asked))
		} else {
			clean(t, "the error", err.Error())
		}
	}
	s.refuse(ownPage, 404, "Request_ResourceNotFound")
	if _, err := s.client().MethodsOf(ctx(), ann); !errors.Is(err, bot.ErrNotFound) {
		t.Errorf("somebody who is gone: %v", err)
	}
}

func TestPolicyOfTheTenant(t *testing.T) {
	s := newServer(t)
	s.json(policies, policy)
	p, err := s.client().TenantPolicy(ctx())
	want := &bot.TenantPolicy{Migration: "migrationInProgress", Campaign: bot.PolicyCampaign{State: "default", Snooze: 1, Target: "fido2"}, Methods: []bot.PolicyMethod{
		{ID: "Fido2", Enabled: true, Everyone: true, SelfSet: true, Attested: true},
		{ID: "Sms", Enabled: true, Groups: []string{"abcdef00-0000-4000-8000-000000000001"}, Except: []string{"abcdef00-0000-4000-8000-000000000002"}},
		{ID: "Voice", Enabled: true, Everyone: true},
		{ID: "Email", Everyone: true},
		{ID: "externalAuthenticationMethod", Enabled: true, Everyone: true}, // and no GUID
		{ID: "externalAuthenticationMethod"},
	}}
	if err != nil || !reflect.DeepEqual(p, want) {
		t.Fatalf("%+v, want %+v; %v", p, want, err)
	}
	if s.count(admins) != 0 {
		t.Error("the authorization policy was asked without its permission")
	}
	s.roles = []string{"Policy.Read.All"}
	s.json(admins, `{"allowedToUseSSPR":false}`)
	if p, err = s.client().TenantPolicy(ctx()); err != nil || p.Admins == nil || *p.Admins {
		t.Errorf("%+v, %v", p, err)
	}
	s.refuse(admins, 403, "accessDenied")
	if p, err = s.client().TenantPolicy(ctx()); err != nil || p.Admins != nil || len(p.Methods) != 6 {
		t.Errorf("where only that is refused: %+v, %v", p, err)
	}
	for profiles, want := range map[string]bool{
		`[{"attestationEnforcement":"disabled"},{"attestationEnforcement":"registrationOnly"}]`: false,
		`[{"attestationEnforcement":"registrationOnly"}]`:                                       true,
	} {
		s.json(policies, `{"authenticationMethodConfigurations":[{"id":"Fido2","state":"enabled","isAttestationEnforced":`+fmt.Sprint(!want)+`,"passkeyProfiles":`+profiles+`}]}`)
		if p, err = s.client().TenantPolicy(ctx()); err != nil || p.Methods[0].Attested != want {
			t.Errorf("%s: %+v, %v", profiles, p, err)
		}
	}
}
