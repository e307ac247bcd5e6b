package entratest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAnswersThatComeLateOrNotAtAll(t *testing.T) {
	r := newRig(t, Options{People: 900}).token()
	path := "/users/delta?$select=displayName"
	for _, c := range []struct {
		fault  Fault
		status int
		code   string
		wait   string
	}{
		{Fault{Kind: Throttle}, 429, "TooManyRequests", "10"},
		{Fault{Kind: Throttle, After: 90 * time.Second}, 429, "TooManyRequests", "90"},
		{Fault{Kind: ThrottleSilent}, 429, "TooManyRequests", ""},
		{Fault{Kind: Broken}, 503, "serviceNotAvailable", ""},
		{Fault{Kind: Broken, Status: 504}, 504, "serviceNotAvailable", ""},
		{Fault{Kind: Expired}, 401, "InvalidAuthenticationToken", ""},
		{Fault{Kind: Denied}, 403, "Authorization_RequestDenied", ""},
		{Fault{Kind: Unlicensed}, 403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", ""},
	} {
		c.fault.Times, c.fault.Path = 2, "/Users/Delta"
		r.Fail(c.fault)
		r.get("/policies/authenticationMethodsPolicy") // another path
		for range 2 {
			resp, err := r.ask(path)
			if err != nil {
				t.Fatal(err)
			}
			status, m := read(t, resp)
			e, _ := m["error"].(map[string]any)
			if status != c.status || e["code"] != c.code || resp.Header.Get("Retry-After") != c.wait || resp.Header.Get("request-id") == "" {
				t.Errorf("%+v: %d %v, Retry-After %q", c.fault, status, m, resp.Header.Get("Retry-After"))
			}
		}
		r.get(path) // twice, and no more
	}
	r.Fail(Fault{Kind: Broken})
	for range 3 {
		r.refused(path, 503)
		r.refused("/policies/authenticationMethodsPolicy", 503)
	}
	r.token() // not of Graph
	r.Heal()
	r.get(path)

	// The answer was made, and lost.
	r.Fail(Fault{Kind: Drop, Times: 1})
	resp, err := r.ask(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("dropped: %v", err)
	}
	resp.Body.Close()
	r.Forget()
	r.Fail(Fault{Kind: Hang, Times: 1})
	ctx, cancel := context.WithCancel(context.Background())
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/v1.0"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := http.DefaultClient.Do(q)
		done <- err
	}()
	for len(r.Calls()) == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("hung: %v", err)
	}
	if c := r.Calls()[0]; c.Fault != Hang || c.Status != 0 {
		t.Errorf("%+v", c)
	}
	r.get(path)
	// It does not hang for ever.
	short := newRig(t, Options{People: 30, Hang: time.Millisecond}).token()
	short.Fail(Fault{Kind: Hang})
	resp, err = short.ask(path)
	if err != nil || resp.StatusCode != http.StatusGatewayTimeout {
		t.Fatalf("hung: %v %v", err, resp)
	}
	resp.Body.Close()
}

func TestAnswersThatAreNotAsTheyShouldBe(t *testing.T) {
	r := newRig(t, Options{People: 900}).token()
	r.SetReportLimit(0, 0)
	r.SetLag(0)
	lists := []string{"/users/delta?$select=displayName", reportPath + "?$top=100", "/groups/" + r.StaffGroup() + "/transitiveMembers/microsoft.graph.user?$select=id"}
	whole := map[string]int{}
	for _, l := range lists {
		items, _, _ := r.all(l)
		whole[l] = len(items)
	}
	for _, l := range lists {
		// The whole list is half as long, and ends as a list ends.
		r.Fail(Fault{Kind: Half})
		items, delta, _ := r.all(l)
		if n := len(items); n < whole[l]*2/5 || n > whole[l]*7/10 || strings.Contains(l, "delta") != (delta != "") {
			t.Errorf("%s: %d of %d", l, n, whole[l])
		}
		r.Heal()
		// A page ends early.
		page := len(r.get(l)["value"].([]any))
		r.Fail(Fault{Kind: Early, Times: 1})
		items, delta, pages := r.all(l)
		if len(items) != page/2 || pages != 1 || strings.Contains(l, "delta") != (delta != "") {
			t.Errorf("%s: %d in %d pages", l, len(items), pages)
		}
		// A page has nothing, and the list is whole.
		r.Fail(Fault{Kind: Empty, Times: 2})
		if items, _, _ := r.all(l); len(items) != whole[l] {
			t.Errorf("%s: %d", l, len(items))
		}
		// A page tells things twice.
		r.Fail(Fault{Kind: Repeat, Times: 2})
		items, _, _ = r.all(l)
		ids := map[any]bool{}
		for _, m := range items {
			ids[m["id"]] = true
		}
		if len(items) < whole[l]+2*page || len(ids) != whole[l] {
			t.Errorf("%s: %d, of them %d different", l, len(items), len(ids))
		}
		r.Fail(Fault{Kind: Malformed, Times: 1})
		resp, err := r.ask(l)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || !strings.HasPrefix(string(b), `{"@odata`) || strings.HasSuffix(string(b), "}") && strings.Count(string(b), "{") == strings.Count(string(b), "}") {
			t.Errorf("%s: %v %d %.60s", l, err, resp.StatusCode, b)
		}
		r.Fail(Fault{Kind: HTML, Times: 1})
		if resp, err = r.ask(l); err != nil || resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %v %v", l, err, resp)
		}
		resp.Body.Close()
		// A way that leads elsewhere.
		r.Fail(Fault{Kind: Redirect, Times: 1})
		if resp, err = r.ask(l); err != nil || resp.StatusCode != 302 || !strings.HasPrefix(resp.Header.Get("Location"), "http://"+ElsewhereHost+"/v1.0/") {
			t.Errorf("%s: %v %v", l, err, resp)
		}
		resp.Body.Close()
		r.Fail(Fault{Kind: Foreign, Times: 1})
		if link := r.get(l)["@odata.nextLink"].(string); !strings.HasPrefix(link, "http://"+ElsewhereHost+"/v1.0/") {
			t.Errorf("%s: %s", l, link)
		}
	}
	// 410 in the middle of a reading.
	next := r.get(lists[0])["@odata.nextLink"].(string)
	r.Fail(Fault{Kind: Gone, Times: 1, Path: "delta"})
	resp, err := r.ask(next)
	if err != nil {
		t.Fatal(err)
	}
	if status, _ := read(t, resp); status != 410 {
		t.Errorf("%d", status)
	}
	if items, _, _ := r.all(resp.Header.Get("Location")); len(items) != 900 {
		t.Errorf("%d", len(items))
	}
	// An empty page of changes leads on to the changes.
	_, delta, _ := r.all(lists[0])
	if err := r.Change(r.people.id(5), func(p *Person) { p.Name = "X" }); err != nil {
		t.Fatal(err)
	}
	r.Fail(Fault{Kind: Empty, Times: 1})
	if items, _, pages := r.all(delta); len(items) != 1 || pages != 2 {
		t.Errorf("%v in %d pages", items, pages)
	}
}

// TestWordsThatNobodyKnows are in each list that Microsoft keeps open.
func TestWordsThatNobodyKnows(t *testing.T) {
	r := newRig(t, Options{People: 30}).token()
	r.SetReportLimit(0, 0)
	p := r.Find(func(p Person) bool { return p.Enabled })
	r.Fail(Fault{Kind: Unknown})
	row := r.get(reportPath + "/" + p.ID)
	if w := fmt.Sprint(row["methodsRegistered"]); !strings.Contains(w, "palmVeinScan") || row["userPreferredMethodForSecondaryAuthentication"] != "unknownFutureValue" {
		t.Errorf("%v", row)
	}
	// Members that came later are told to those who ask for them.
	row = r.get(reportPath+"/"+p.ID, "Prefer", "include-unknown-enum-members")
	if row["userPreferredMethodForSecondaryAuthentication"] != "palmVein" || row["userType"] != "visitor" {
		t.Errorf("%v", row)
	}
	if err := r.SetMethods(p.ID, "mobilePhone", "passKeySynced"); err != nil {
		t.Fatal(err)
	}
	for _, v := range r.get("/users/" + p.ID + "/authentication/methods")["value"].([]any) {
		if m := v.(map[string]any); m["phoneType"] == "mobile" || m["passkeyType"] == "synced" {
			t.Errorf("%v", m)
		}
	}
	for path, word := range map[string]string{
		"/users/" + p.ID + "/authentication/methods": "#microsoft.graph.palmVeinAuthenticationMethod",
		"/policies/authenticationMethodsPolicy":      "#microsoft.graph.palmVeinAuthenticationMethodConfiguration",
		"/users/delta?$select=userType":              "Visitor",
	} {
		if m := fmt.Sprint(r.get(path)); !strings.Contains(m, word) {
			t.Errorf("%s has no %s", path, word)
		}
		r.Heal()
		if m := fmt.Sprint(r.get(path)); strings.Contains(m, word) {
			t.Errorf("%s has %s", path, word)
		}
		r.Fail(Fault{Kind: Unknown})
	}
}

func TestFaultsOfTheSignIn(t *testing.T) {
	r := newRig(t, Options{People: 30})
	for _, c := range []struct {
		fault  Fault
		status int
		number int
	}{
		{Fault{Kind: Throttle}, 429, 90055},
		{Fault{Kind: Broken}, 503, 90033},
		{Fault{Kind: Refuse, Code: "invalid_grant"}, 400, 65001},
	} {
		c.fault.Path, c.fault.Times = "/oauth2/v2.0/token", 1
		r.Fail(c.fault)
		if status, m := r.form(forProgram()); status != c.status || aadsts(t, m) != c.number {
			t.Errorf("%+v: %d %v", c.fault, status, m)
		}
		r.token()
	}
	r.Fail(Fault{Kind: Drop, Path: "/token", Times: 1})
	resp, err := direct.PostForm(r.url+"/"+TenantID+"/oauth2/v2.0/token", forProgram())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("dropped: %v", err)
	}
	resp.Body.Close()
	for _, path := range []string{"/v2.0/.well-known/openid-configuration", "/discovery/v2.0/keys"} {
		r.Fail(Fault{Kind: Broken, Path: path, Times: 1})
		for _, want := range []int{503, 200} {
			resp, err := http.Get(r.url + "/" + TenantID + path)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("%s: %d", path, resp.StatusCode)
			}
		}
	}
}
