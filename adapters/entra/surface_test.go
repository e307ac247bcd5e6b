package entra_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/entra"
)

// surface is Microsoft's own description of the paths, types and permissions.
type surface struct {
	V1 struct {
		Types map[string]struct {
			Properties map[string]string
			Navigation map[string]string
		}
		Enums map[string][]string
	} `json:"v1.0"`
	Beta struct {
		Types map[string]struct {
			Properties           []string
			NavigationProperties []string `json:"navigationProperties"`
		}
		Enums map[string][]string
	}
	Permissions map[string]map[string]map[string][]string
}

func readSurface(t *testing.T) *surface {
	t.Helper()
	b, err := os.ReadFile("testdata/graph-auth-surface.json")
	if err != nil {
		t.Fatal(err)
	}
	var s surface
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	return &s
}

var (
	aGUID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`)
	aType = regexp.MustCompile(`/microsoft\.graph\.[a-z]+$`)
)

// template is the path of a request as Graph's list of permissions has it.
func template(path string) string {
	return aType.ReplaceAllString(strings.ToLower(aGUID.ReplaceAllString(strings.TrimPrefix(path, "/v1.0"), "{id}")), "")
}

// Every request that the client can send, judged: its path and verb exist, what
// it needs is Graph's least permission for them and what is wider is wider, only
// v1.0 is asked, by GET, with an id, and with query options that the page has.
func TestEveryRequestIsOneThatGraphKnows(t *testing.T) {
	known := readSurface(t)
	s := newServer(t)
	s.roles = append(slices.Clone(least), "Policy.Read.All")
	s.everything()
	c := s.client(func(o *entra.Options) { o.Groups = []string{group} })
	if _, err := c.People(ctx(), ""); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Members(ctx(), group, ""); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Registrations(ctx(), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := c.MethodsOf(ctx(), ann); err != nil {
		t.Fatal(err)
	}
	if _, err := c.TenantPolicy(ctx()); err != nil {
		t.Fatal(err)
	}
	c.Examine(ctx())

	options := map[string][]string{
		"/users/delta":                   {"$select"},
		"/groups/{id}/transitivemembers": {"$select", "$count", "$top"},
		"/reports/authenticationmethods/userregistrationdetails": {"$top"},
		"/policies/authorizationpolicy":                          {"$select"},
	}
	asked := map[string]bool{}
	for _, r := range s.asked {
		if r.URL.Path == tokens {
			continue
		}
		path := template(r.URL.Path)
		asked[path] = true
		if !strings.HasPrefix(r.URL.Path, "/v1.0/") {
			t.Errorf("%s is not v1.0", r.URL.Path)
		}
		if r.Method != http.MethodGet {
			t.Errorf("%s %s: the client only reads", r.Method, path)
		}
		if known.Permissions[path][r.Method] == nil {
			t.Errorf("%s %s: Graph has no such path", r.Method, path)
		}
		if !aGUID.MatchString(r.Header.Get("client-request-id")) {
			t.Errorf("%s has no client-request-id", path)
		}
		for name := range r.URL.Query() {
			if !slices.Contains(options[path], name) {
				t.Errorf("%s: %s is no option of it", path, name)
			}
		}
	}
	for _, f := range entra.Features() {
		path := template("/v1.0" + f.Path)
		if !asked[path] {
			t.Errorf("%s: no request of it was judged", f.Name)
		}
		delete(asked, path)
		allowed := known.Permissions[path]["GET"]["Application"]
		var small, other []string
		for _, p := range allowed {
			if bare, ok := strings.CutSuffix(p, "*"); ok {
				small = append(small, bare)
			} else {
				other = append(other, p)
			}
		}
		if !slices.Contains(small, f.Needs) || strings.Contains(f.Needs, "Write") {
			t.Errorf("%s needs %s, and the least are %v", f.Name, f.Needs, small)
		}
		rest := slices.DeleteFunc(append(small, other...), func(p string) bool { return p == f.Needs })
		got := slices.Clone(f.Wider)
		slices.Sort(rest)
		slices.Sort(got)
		if !slices.Equal(got, rest) {
			t.Errorf("%s: wider permissions are %v, want %v", f.Name, got, rest)
		}
	}
	for path := range asked {
		t.Errorf("%s belongs to no feature", path)
	}
}

func TestEveryPropertyReadIsOneThatGraphHas(t *testing.T) {
	known := readSurface(t)
	users, configurations := graphTypes(t)
	props := func(names ...string) map[string]bool {
		all := map[string]bool{"id": true, "@odata.type": true}
		for _, name := range names {
			if len(known.V1.Types[name].Properties)+len(known.V1.Types[name].Navigation) == 0 && len(known.Beta.Types[name].Properties) == 0 {
				t.Fatalf("there is no type %s", name)
			}
			for p := range known.V1.Types[name].Properties {
				all[p] = true
			}
			for p := range known.V1.Types[name].Navigation {
				all[p] = true
			}
		}
		return all
	}
	var ofMethods, ofConfigurations []string
	for name := range known.V1.Types {
		if strings.HasSuffix(name, "AuthenticationMethod") {
			ofMethods = append(ofMethods, name)
		}
		if strings.HasSuffix(name, "AuthenticationMethodConfiguration") {
			ofConfigurations = append(ofConfigurations, name)
		}
	}
	for name, values := range entra.Decoded() {
		var have map[string]bool
		switch name {
		case "authenticationMethod":
			have = props(ofMethods...)
		case "authenticationMethodConfiguration":
			have = props(ofConfigurations...)
			have["state"], have["excludeTargets"] = configurations["state"], configurations["excludeTargets"]
		default:
			have = props(name)
		}
		if name == "authenticationMethodsRegistrationCampaign" {
			// Read where it comes; the guide sends it to v1.0, whose metadata lacks it.
			have["enforceRegistrationAfterAllowedSnoozes"] = slices.Contains(known.Beta.Types[name].Properties, "enforceRegistrationAfterAllowedSnoozes")
		}
		for _, v := range values {
			for i := range reflect.TypeOf(v).NumField() {
				tag := reflect.TypeOf(v).Field(i).Tag.Get("json")
				if !have[tag] {
					t.Errorf("%s has no property %q", name, tag)
				}
			}
		}
	}
	for _, p := range entra.Selected() {
		if !users[p] {
			t.Errorf("a user has no property %q", p)
		}
	}
}

// graphTypes gives the properties of a user, and of the configuration of a
// method, by Microsoft's own types for TypeScript.
func graphTypes(t *testing.T) (users, configurations map[string]bool) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(os.Getenv("GRAPH_TYPES_DIR"), "node_modules/@microsoft/microsoft-graph-types/microsoft-graph.d.ts"))
	if err != nil {
		rigs.Missing(t, "Microsoft's types of Graph are missing (.ci/rigs.sh makes them, see GRAPH_TYPES_DIR)")
	}
	read := func(name string) map[string]bool {
		_, rest, ok := strings.Cut(string(b), "export interface "+name+" extends ")
		body, _, end := strings.Cut(rest, "\n}")
		if !ok || !end {
			t.Fatalf("there is no interface %s", name)
		}
		all := map[string]bool{"id": true}
		for _, m := range regexp.MustCompile(`(?m)^\s+(\w+)\?:`).FindAllStringSubmatch(body, -1) {
			all[m[1]] = true
		}
		return all
	}
	return read("User"), read("AuthenticationMethodConfiguration")
}

func TestEveryWordIsOneThatGraphSays(t *testing.T) {
	known := readSurface(t)
	for kind, word := range entra.Words() {
		full := kind + "AuthenticationMethod"
		_, v1 := known.V1.Types[full]
		_, beta := known.Beta.Types[full]
		path := "/users/{id}/authentication/" + strings.ToLower(kind)
		_, way := known.Permissions[path+"methods"] // beta kinds have a path and no type here
		if !v1 && !beta && !way {
			t.Errorf("Graph has no type %s", full)
		}
		if !slices.Contains(known.Beta.Enums["usageAuthMethod"], word) {
			t.Errorf("the report has no word %s", word)
		}
	}
	for name := range known.V1.Types {
		kind, ok := strings.CutSuffix(name, "AuthenticationMethod")
		if ok && kind != "" && entra.Words()[kind] == "" && !slices.Contains(entra.Kinds, kind) {
			t.Errorf("the type %s has no word", name)
		}
	}
	for _, phone := range known.V1.Enums["authenticationPhoneType"] {
		if phone != "unknownFutureValue" && !slices.Contains(known.Beta.Enums["usageAuthMethod"], phone+"Phone") {
			t.Errorf("the report has no word %sPhone", phone)
		}
	}
	want := []string{"fido2"} // of older data
	for _, w := range known.Beta.Enums["usageAuthMethod"] {
		if w != "unknownFutureValue" {
			want = append(want, strings.ToLower(w))
		}
	}
	got := slices.Clone(entra.WordsOfReport())
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("known words are %v, want %v", got, want)
	}
}
