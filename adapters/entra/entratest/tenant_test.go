package entratest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// clock is one that a test turns.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) turn(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// rig is a tenant that listens, and somebody who asks it.
type rig struct {
	*Tenant
	t      *testing.T
	clock  *clock
	url    string
	bearer string
}

func newRig(t *testing.T, o Options) *rig {
	t.Helper()
	c := &clock{at: time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)}
	o.Now = c.now
	tenant := NewTenant(o)
	s, err := tenant.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &rig{Tenant: tenant, t: t, clock: c, url: s.URL}
}

// direct follows no redirect.
var direct = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// token asks for one with the client secret, and remembers it.
func (r *rig) token() *rig {
	r.t.Helper()
	status, body := r.form(url.Values{"grant_type": {"client_credentials"}, "client_id": {ClientID}, "client_secret": {Secret}, "scope": {GraphRoot + "/.default"}})
	r.bearer, _ = body["access_token"].(string)
	if status != 200 || r.bearer == "" {
		r.t.Fatalf("no token: %d %v", status, body)
	}
	return r
}

// form posts to the token endpoint.
func (r *rig) form(f url.Values) (int, map[string]any) {
	r.t.Helper()
	resp, err := direct.PostForm(r.url+"/"+TenantID+"/oauth2/v2.0/token", f)
	if err != nil {
		r.t.Fatal(err)
	}
	return read(r.t, resp)
}

func read(t *testing.T, resp *http.Response) (int, map[string]any) {
	t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatalf("%s %d: %v\n%s", resp.Request.URL, resp.StatusCode, err, b)
	}
	return resp.StatusCode, m
}

// ask asks Graph; the address is whole, or a path of v1.0.
func (r *rig) ask(address string, header ...string) (*http.Response, error) {
	r.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = r.url + "/v1.0" + address
	}
	q, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+r.bearer)
	for i := 0; i+1 < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	return direct.Do(q)
}

// get asks Graph for something that is there.
func (r *rig) get(address string, header ...string) map[string]any {
	r.t.Helper()
	status, m := r.status(address, header...)
	if status != 200 {
		r.t.Fatalf("%s: %d %v", address, status, m)
	}
	return m
}

func (r *rig) status(address string, header ...string) (int, map[string]any) {
	r.t.Helper()
	resp, err := r.ask(address, header...)
	if err != nil {
		r.t.Fatal(err)
	}
	return read(r.t, resp)
}

// refused asks for what is refused, and gives the error's code.
func (r *rig) refused(address string, status int) string {
	r.t.Helper()
	got, m := r.status(address)
	e, _ := m["error"].(map[string]any)
	inner, _ := e["innerError"].(map[string]any)
	code, _ := e["code"].(string)
	if got != status || code == "" || e["message"] == "" || inner["request-id"] == "" || inner["client-request-id"] == "" || inner["date"] == "" {
		r.t.Fatalf("%s: %d %v, not %d", address, got, m, status)
	}
	return code
}

// all reads a list to its end, and gives where its delta goes on.
func (r *rig) all(address string) (items []map[string]any, delta string, pages int) {
	r.t.Helper()
	for address != "" {
		m := r.get(address)
		pages++
		for _, v := range m["value"].([]any) {
			items = append(items, v.(map[string]any))
		}
		address, _ = m["@odata.nextLink"].(string)
		if delta, _ = m["@odata.deltaLink"].(string); (delta != "") && address != "" {
			r.t.Fatal("both links")
		}
		if pages > 5000 {
			r.t.Fatal("no end")
		}
	}
	return items, delta, pages
}

func TestTheSeedMakesTheTenant(t *testing.T) {
	now := func() time.Time { return time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC) }
	one := slices.Collect(NewTenant(Options{Seed: 7, Now: now}).All())
	if two := slices.Collect(NewTenant(Options{Seed: 7, Now: now}).All()); !reflect.DeepEqual(one, two) {
		t.Error("the same seed makes another tenant")
	}
	if other := slices.Collect(NewTenant(Options{Seed: 8, Now: now}).All()); other[0].ID == one[0].ID || other[400].Name == one[400].Name && other[401].Name == one[401].Name {
		t.Error("another seed makes the same tenant")
	}
	kinds, langs, schools, words := map[Kind]int{}, map[string]int{}, map[string]int{}, map[string]int{}
	disabled, admins, off, nothing, phoneOnly := 0, 0, 0, 0, 0
	for _, p := range one {
		kinds[p.Kind]++
		langs[p.Lang]++
		if p.Kind == Staff {
			schools[p.School]++
		}
		if !p.Enabled && p.Kind == Staff {
			disabled++
		}
		if p.Admin {
			admins++
		}
		if p.Kind == Staff && !p.SSPR {
			off++
		}
		if p.Kind == Staff && len(p.Methods) == 0 {
			nothing++
		}
		if slices.Equal(p.Methods, []string{"mobilePhone"}) {
			phoneOnly++
		}
		for _, w := range p.Methods {
			words[w]++
		}
		if p.Kind == Staff && p.ID != one[0].ID && p.Manager == "" {
			t.Errorf("%s has no manager", p.Name)
		}
	}
	if len(one) != 1500 || kinds[Guest] < 15 || kinds[Shared] < 8 || kinds[Service] < 3 || len(schools) != 12 || langs["es-US"]+langs["es-MX"]+langs["es"] < 250 || langs["en-US"] < 500 ||
		disabled < 20 || admins < 3 || admins > 10 || off < 20 || nothing < 30 || phoneOnly < 250 {
		t.Errorf("%v %v %v: %d disabled, %d administrators, %d without SSPR, %d with nothing, %d with a phone only", kinds, langs, schools, disabled, admins, off, nothing, phoneOnly)
	}
	for _, m := range mixes {
		for _, w := range m.methods {
			if words[w] == 0 {
				t.Errorf("nobody has %s", w)
			}
		}
	}
	n := 0
	for _, m := range mixes {
		n += m.of
	}
	if n != 1000 {
		t.Errorf("the mixes are %d of a thousand", n)
	}
}

// TestAnyNumberOfPeople: ids and names are each one person's, and a tenant of
// 300,000 is no bigger than one of 15.
func TestAnyNumberOfPeople(t *testing.T) {
	before := heap()
	tenant := NewTenant(Options{People: 300_000, Seed: 3})
	ids, upns := make(map[string]bool, 300_000), make(map[string]bool, 300_000)
	if grown := heap() - before; grown > 64<<20 { // the two maps of this test
		t.Errorf("the tenant holds %d MB", grown>>20)
	}
	i := 0
	for p := range tenant.All() {
		if ids[p.ID] || upns[p.UPN] || p.ID != strings.ToLower(p.ID) {
			t.Fatalf("%s, %s: twice", p.ID, p.UPN)
		}
		ids[p.ID], upns[p.UPN] = true, true
		if n, ok := tenant.find(strings.ToUpper(p.ID)); !ok || n != i {
			t.Fatalf("%d is found as %d", i, n)
		}
		i++
	}
	if _, ok := tenant.find(tenant.people.id(300_000)); ok || len(ids) != 300_000 {
		t.Error("somebody who is not there is found")
	}
	if _, ok := tenant.Person("00000000-0000-4000-8000-000000000000"); ok {
		t.Error("nobody is found")
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
