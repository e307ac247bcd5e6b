package entratest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"latchkey/adapters/adaptertest/rigs"
)

// sample is a thing that the tenant serves, of a type of Microsoft Graph's.
type sample struct {
	typ  string
	what string
	is   map[string]any
}

// samples are all that the tenant serves, once each.
func samples(t *testing.T) (all []sample) {
	r := newRig(t, Options{Seed: 2})
	r.SetRoles(append(slices.Clone(ReadRoles), "Policy.Read.All")...)
	r.token()
	r.SetReportLimit(0, 0)
	r.SetLag(0)
	r.SetPolicy(func(p *Policy) {
		p.Method("Voice").Groups, p.Method("Voice").Except = []string{r.SchoolGroup(0)}, []string{r.SchoolGroup(1)}
	})
	add := func(typ, what string, is map[string]any) {
		delete(is, "@odata.context")
		all = append(all, sample{typ, what, is})
	}
	items, _, _ := r.all(reportPath + "?$top=999")
	for _, m := range items {
		add("userRegistrationDetails", fmt.Sprint("report ", m["methodsRegistered"]), m)
	}
	seen := map[string]bool{}
	for p := range r.All() {
		key := fmt.Sprint(p.Methods)
		if seen[key] || p.Kind != Staff {
			continue
		}
		seen[key] = true
		for _, v := range r.get("/users/" + p.ID + "/authentication/methods")["value"].([]any) {
			m := v.(map[string]any)
			add(strings.TrimPrefix(m["@odata.type"].(string), "#microsoft.graph."), "method of "+key, m)
		}
	}
	m := r.get("/policies/authenticationMethodsPolicy")
	delete(m, "authenticationMethodConfigurations@odata.context")
	for _, v := range m["authenticationMethodConfigurations"].([]any) {
		c := v.(map[string]any)
		add(strings.TrimPrefix(c["@odata.type"].(string), "#microsoft.graph."), "policy", c)
	}
	delete(m, "authenticationMethodConfigurations")
	add("authenticationMethodsPolicy", "policy", m)
	add("authorizationPolicy", "policy", r.get("/policies/authorizationPolicy"))
	kinds := map[Kind]bool{}
	for p := range r.All() {
		if !kinds[p.Kind] {
			kinds[p.Kind] = true
			add("user", string(p.Kind), r.get("/users/"+p.ID+"?$select=id,"+strings.Join(slices.DeleteFunc(slices.Clone(properties), func(n string) bool { return n == "manager" }), ",")))
			add("user", string(p.Kind), r.get("/users/"+p.ID+"?$select="+strings.Join(unfilled, ",")))
			add("user", string(p.Kind), r.get("/users/"+p.ID))
		}
	}
	return all
}

// kept are types that the published surface does not have; the compiler judges
// them.
var kept = []string{"user", "authorizationPolicy", "temporaryAccessPassAuthenticationMethodConfiguration", "x509CertificateAuthenticationMethodConfiguration", "externalAuthenticationMethodConfiguration"}

// wrong says why a value is not of a type of the published surface; empty for a
// good one.
func (s *graphSurface) wrong(typ string, v any) string {
	if inner, is := strings.CutPrefix(typ, "Collection("); is {
		list, ok := v.([]any)
		if !ok {
			return fmt.Sprintf("%v is no list", v)
		}
		for _, one := range list {
			if why := s.wrong(strings.TrimSuffix(inner, ")"), one); why != "" {
				return why
			}
		}
		return ""
	}
	if v == nil {
		return ""
	}
	if members, is := s.V1.Enums[typ]; is {
		text, _ := v.(string)
		for word := range strings.SplitSeq(text, ",") {
			if !slices.Contains(members, word) {
				return fmt.Sprintf("%v is no %s", v, typ)
			}
		}
		return ""
	}
	switch typ {
	case "Edm.Boolean":
		if _, ok := v.(bool); !ok {
			return fmt.Sprintf("%v is no boolean", v)
		}
	case "Edm.Int32":
		if _, ok := v.(float64); !ok {
			return fmt.Sprintf("%v is no number", v)
		}
	case "Edm.String", "Edm.DateTimeOffset", "Edm.Guid":
		if _, ok := v.(string); !ok {
			return fmt.Sprintf("%v is no text", v)
		}
	}
	m, _ := v.(map[string]any)
	if _, known := s.V1.Types[typ]; !known || m == nil {
		return ""
	}
	fields := map[string]string{"id": "Edm.String", "@odata.type": "Edm.String"}
	for at := typ; at != ""; at = s.V1.Types[at].Base {
		maps.Copy(fields, s.V1.Types[at].Properties)
		maps.Copy(fields, s.V1.Types[at].Navigation)
		if at == "authenticationMethodConfiguration" { // a base that the surface leaves out
			fields["state"], fields["excludeTargets"] = "authenticationMethodState", "Collection(excludeTarget)"
		}
		if at == "passkeyAuthenticationMethodTarget" {
			fields["targetType"], fields["isRegistrationRequired"] = "authenticationMethodTargetType", "Edm.Boolean"
		}
	}
	for name, value := range m {
		of, known := fields[name]
		if !known {
			return fmt.Sprintf("%s has no %s", typ, name)
		}
		if why := s.wrong(of, value); why != "" {
			return name + ": " + why
		}
	}
	return ""
}

// TestWhatIsServedIsPublished holds every property and enum member that the
// tenant serves against Graph's published metadata, and shows that it would find
// a wrong one.
func TestWhatIsServedIsPublished(t *testing.T) {
	s := surface(t)
	all := samples(t)
	count := map[string]int{}
	words := map[string]bool{}
	for _, w := range s.Beta.Enums["usageAuthMethod"] {
		words[strings.ToLower(w)] = true
	}
	for _, one := range all {
		count[one.typ]++
		if _, known := s.V1.Types[one.typ]; !known && !slices.Contains(kept, one.typ) {
			t.Errorf("%s: the type %s is not published", one.what, one.typ)
		}
		if why := s.wrong(one.typ, any(one.is)); why != "" {
			t.Errorf("%s: %s: %s", one.what, one.typ, why)
		}
		if one.typ == "userRegistrationDetails" {
			if len(one.is) != 1+len(s.V1.Types[one.typ].Properties) {
				t.Errorf("%s: not all properties: %v", one.what, one.is)
			}
			for _, w := range one.is["methodsRegistered"].([]any) {
				if w != "fido2" && w != "palmVeinScan" && !words[strings.ToLower(w.(string))] {
					t.Errorf("the word %v", w)
				}
			}
			for _, w := range one.is["systemPreferredAuthenticationMethods"].([]any) {
				if why := s.wrong("userDefaultAuthenticationMethod", w); why != "" {
					t.Error(why)
				}
			}
		}
	}
	for _, k := range methodKinds {
		if count[k.typ] == 0 {
			t.Errorf("no %s is served", k.typ)
		}
	}
	if count["userRegistrationDetails"] < 1000 || count["smsAuthenticationMethodConfiguration"] != 1 || count["user"] != 12 {
		t.Errorf("%v", count)
	}
	for _, bad := range []struct {
		typ string
		is  map[string]any
	}{
		{"userRegistrationDetails", map[string]any{"isSSPRCapable": true}},
		{"userRegistrationDetails", map[string]any{"isSsprCapable": "yes"}},
		{"userRegistrationDetails", map[string]any{"methodsRegistered": "email"}},
		{"userRegistrationDetails", map[string]any{"userType": "Member"}},
		{"phoneAuthenticationMethod", map[string]any{"phoneType": "mobilePhone"}},
		{"fido2AuthenticationMethodConfiguration", map[string]any{"state": "on"}},
		{"fido2AuthenticationMethodConfiguration", map[string]any{"keyRestrictions": map[string]any{"enforced": true}}},
		{"authenticationMethodsPolicy", map[string]any{"registrationEnforcement": map[string]any{"authenticationMethodsRegistrationCampaign": map[string]any{"state": "off"}}}},
	} {
		if s.wrong(bad.typ, any(bad.is)) == "" {
			t.Errorf("%v is taken for a %s", bad.is, bad.typ)
		}
	}
}

// newer are properties that came after the package of types (October 2025); the
// published surface of 2026 has them.
var newer = map[string][]string{
	"phoneAuthenticationMethod":              {"createdDateTime"},
	"emailAuthenticationMethod":              {"createdDateTime"},
	"softwareOathAuthenticationMethod":       {"createdDateTime"},
	"fido2AuthenticationMethod":              {"passkeyType"},
	"fido2AuthenticationMethodConfiguration": {"defaultPasskeyProfile", "passkeyProfiles"},
}

// TestWhatIsServedIsOfMicrosoftsTypes has the TypeScript compiler check it
// against @microsoft/microsoft-graph-types, and shows that it finds what is
// wrong.
func TestWhatIsServedIsOfMicrosoftsTypes(t *testing.T) {
	t.Parallel()
	node := rigs.Tool(t, "", "node")
	compiler := filepath.Join(os.Getenv("TYPESCRIPT_DIR"), "node_modules", "typescript", "bin", "tsc")
	types := filepath.Join(os.Getenv("GRAPH_TYPES_DIR"), "node_modules", "@microsoft", "microsoft-graph-types")
	for _, f := range []string{compiler, types} {
		if _, err := os.Stat(f); err != nil {
			rigs.Missing(t, f+" is missing (.ci/rigs.sh makes it, see TYPESCRIPT_DIR and GRAPH_TYPES_DIR)")
		}
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "node_modules", "@microsoft"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(types, filepath.Join(dir, "node_modules", "@microsoft", "microsoft-graph-types")); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("import type * as graph from '@microsoft/microsoft-graph-types';\n")
	seen := map[string]bool{}
	n := 0
	for _, one := range samples(t) {
		if strings.HasPrefix(one.typ, "externalAuthenticationMethod") { // newer, too
			continue
		}
		one.is = maps.Clone(one.is)
		for _, name := range newer[one.typ] {
			delete(one.is, name)
		}
		delete(one.is, "@odata.type")
		if one.typ == "fido2AuthenticationMethodConfiguration" {
			for _, v := range one.is["includeTargets"].([]any) {
				delete(v.(map[string]any), "allowedPasskeyProfiles")
			}
		}
		name := strings.ToUpper(one.typ[:1]) + one.typ[1:]
		raw, err := json.Marshal(one.is)
		if err != nil {
			t.Fatal(err)
		}
		// One row of the report for each mix is enough.
		if key := one.typ + one.what; one.typ == "userRegistrationDetails" && seen[key] {
			continue
		} else {
			seen[key] = true
		}
		n++
		fmt.Fprintf(&b, "export const v%d: graph.%s = %s;\n", n, name, raw)
	}
	fmt.Fprintf(&b, "export const names: (keyof graph.User)[] = ['id', '%s'];\n", strings.Join(slices.Concat(properties, unfilled, usual), "', '"))
	if n < 80 {
		t.Errorf("only %d things", n)
	}
	// What is wrong comes last, and each of these lines must have an error.
	var want []string
	for what, bad := range map[string]string{
		"an unknown property": `graph.UserRegistrationDetails = {"isSSPRCapable":true}`,
		"an unknown member":   `graph.PhoneAuthenticationMethod = {"phoneType":"mobilePhone"}`,
		"a wrong type":        `graph.User = {"accountEnabled":"true"}`,
		"an unknown name":     `(keyof graph.User)[] = ["shoeSize"]`,
	} {
		want = append(want, fmt.Sprintf("served.ts(%d,", strings.Count(b.String(), "\n")+1))
		fmt.Fprintf(&b, "export const w%d: %s; // %s\n", len(want), bad, what)
	}
	file := filepath.Join(dir, "served.ts")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, compiler, "--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext", "--moduleResolution", "nodenext", file)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	lines := slices.DeleteFunc(strings.Split(string(out), "\n"), func(l string) bool { return !strings.HasPrefix(l, "served.ts(") })
	if err == nil || len(lines) != len(want) {
		t.Errorf("%v, %d errors and not %d:\n%.4000s", err, len(lines), len(want), out)
	}
	for _, w := range want {
		if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, w) }) {
			t.Errorf("what is wrong at %s is taken by the compiler", w)
		}
	}
	t.Logf("%d things", n)
}
