package entra_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/entra"
	"latchkey/adapters/entra/entratest"
	"latchkey/bot"
)

// pretend is a client of the pretend tenant.
func pretend(t *testing.T, tenant *entratest.Tenant, change ...func(*entra.Options)) *entra.Client {
	t.Helper()
	server, err := tenant.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	o := entra.Options{Tenant: entratest.TenantID, ClientID: entratest.ClientID, Secret: func() []bot.Secret { return []bot.Secret{entratest.Secret} },
		LoginURL: server.URL, GraphURL: server.URL, Needed: 2, Log: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&o)
	}
	c, err := entra.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// everybody reads all accounts, as a sync does.
func everybody(t *testing.T, c *entra.Client, cursor string, into map[bot.PersonID]map[string]json.RawMessage) (next string) {
	t.Helper()
	for {
		p, err := c.People(ctx(), cursor)
		if err != nil {
			t.Fatal(err)
		}
		for _, ch := range p.Changes {
			if ch.Gone {
				delete(into, ch.ID)
				continue
			}
			told := map[string]json.RawMessage{}
			if err := json.Unmarshal(ch.Body, &told); err != nil {
				t.Fatal(err)
			}
			if into[ch.ID] == nil {
				into[ch.ID] = map[string]json.RawMessage{}
			}
			maps.Copy(into[ch.ID], told)
		}
		if cursor = p.Next; p.Last {
			return cursor
		}
	}
}

// The client and a tenant that somebody else wrote from the same documents agree
// about every account, every row of the report, everybody's own page, and every
// request.
func TestClientAndPretendTenantAgree(t *testing.T) {
	tenant := entratest.NewTenant(entratest.Options{People: 300, Seed: 3})
	tenant.SetReportLimit(0, 0)
	c := pretend(t, tenant, func(o *entra.Options) { o.Groups = []string{tenant.StaffGroup()} })
	have := map[bot.PersonID]map[string]json.RawMessage{}
	cursor := everybody(t, c, "", have)
	compare := func() {
		t.Helper()
		n := 0
		for want := range tenant.All() {
			n++
			merged, _ := json.Marshal(have[bot.PersonID(want.ID)])
			p, unsaid, err := c.Person(bot.PersonID(want.ID), merged)
			if err != nil {
				t.Fatal(err)
			}
			phone := want.Phone
			for what, pair := range map[string][2]string{"name": {p.Name, want.Name}, "given name": {p.GivenName, want.GivenName}, "school": {p.Site, want.School}, "department": {p.Department, want.Department},
				"title": {p.Title, want.Title}, "manager": {string(p.Manager), want.Manager}, "language": {p.Lang, want.Lang}, "phone": {p.WorkPhone, phone}} {
				if pair[0] != pair[1] {
					t.Errorf("%s of %s is %q, want %q", what, want.UPN, pair[0], pair[1])
				}
			}
			if p.Disabled == want.Enabled || (p.Kind == bot.Guest) != (want.Kind == entratest.Guest) || unsaid&(bot.FieldDisabled|bot.FieldUsername) != 0 {
				t.Errorf("%s is %+v, want %+v; unsaid %b", want.UPN, p, want, unsaid)
			}
			if want.Mail != "" && p.Email != strings.ToLower(want.Mail) {
				t.Errorf("the address of %s is %s, want %s", want.UPN, p.Email, want.Mail)
			}
		}
		if n != len(have) {
			t.Errorf("%d accounts, want %d", len(have), n)
		}
	}
	compare()

	staff := tenant.Find(func(p entratest.Person) bool { return p.Kind == entratest.Staff && p.Enabled && p.Manager != "" })
	other := tenant.Find(func(p entratest.Person) bool {
		return p.Kind == entratest.Staff && p.Enabled && p.ID != staff.ID && p.ID != staff.Manager
	})
	third := tenant.Find(func(p entratest.Person) bool {
		return p.Kind == entratest.Staff && p.Enabled && p.ID != staff.ID && p.ID != other.ID && p.ID != staff.Manager
	})
	for _, f := range []func() error{
		func() error {
			return tenant.Change(staff.ID, func(p *entratest.Person) { p.Manager, p.Department, p.Name = other.ID, "", "New Name" })
		},
		func() error { return tenant.Disable(other.ID) },
		func() error { return tenant.Remove(third.ID) },
	} {
		if err := f(); err != nil {
			t.Fatal(err)
		}
		cursor = everybody(t, c, cursor, have)
		compare()
	}
	if err := tenant.Return(third.ID); err != nil {
		t.Fatal(err)
	}
	if err := tenant.Change(staff.ID, func(p *entratest.Person) { p.Manager = "" }); err != nil {
		t.Fatal(err)
	}
	everybody(t, c, cursor, have)
	compare()

	rows := map[bot.PersonID]bot.Registration{}
	for next := ""; ; {
		page, after, err := c.Registrations(ctx(), next)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range page {
			rows[g.Person] = g
		}
		if next = after; next == "" {
			break
		}
	}
	for p := range tenant.All() {
		g, ok := rows[bot.PersonID(p.ID)]
		if !ok {
			if p.Enabled {
				t.Errorf("%s is not in the report", p.UPN)
			}
			continue
		}
		got, want := slices.Clone(g.Methods), slices.Clone(p.Methods)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) || g.ResetEnabled != p.SSPR || g.Admin != p.Admin || g.Guest != (p.Kind == entratest.Guest) || g.AsOf.IsZero() {
			t.Errorf("the row of %s is %+v, want %+v", p.UPN, g, p)
		}
	}

	// The own page, with what the report alone has, is all that somebody has.
	n := 0
	for p := range tenant.All() {
		if n++; n > 120 {
			break
		}
		direct, err := c.MethodsOf(ctx(), bot.PersonID(p.ID))
		if err != nil {
			t.Fatal(err)
		}
		g := bot.Registration{Methods: p.Methods, Direct: direct, DirectAt: time.Now()}
		got, _ := g.Has()
		got, want := slices.Clone(got), slices.Clone(p.Methods)
		for i, w := range want { // older data have one word for all
			if w == "fido2" {
				want[i] = "passKeyDeviceBound"
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s has %v, want %v (own page %v)", p.UPN, got, want, direct)
		}
	}

	for group, all := range map[string]bool{tenant.StaffGroup(): true, tenant.SchoolGroup(0): false} {
		found := 0
		for next := ""; ; {
			ids, after, err := c.Members(ctx(), group, next)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range ids {
				if _, ok := have[id]; ok {
					found++
				}
			}
			if next = after; next == "" {
				break
			}
		}
		if found == 0 || all && found < 100 {
			t.Errorf("%d people in %s", found, group)
		}
	}
	if _, err := c.TenantPolicy(ctx()); err != nil {
		t.Fatal(err)
	}
	for _, f := range c.Examine(ctx()) {
		t.Logf("%d %s: %s / %s", f.State, f.What, f.Text, f.Fix)
		if f.State == bot.Broken {
			t.Errorf("%+v", f)
		}
	}
	for _, call := range tenant.Calls() {
		if call.Status >= 400 || call.Template == "" && !strings.HasSuffix(call.Path, "/token") || call.Least != "" && !slices.Contains(least, call.Least) {
			t.Errorf("%+v", call)
		}
	}
}

func TestFaultsOfThePretendTenant(t *testing.T) {
	reads := map[string]func(c *entra.Client, tenant *entratest.Tenant) error{
		"/users/delta": func(c *entra.Client, _ *entratest.Tenant) error { _, err := c.People(ctx(), ""); return err },
		"/transitiveMembers": func(c *entra.Client, tenant *entratest.Tenant) error {
			_, _, err := c.Members(ctx(), tenant.SchoolGroup(0), "")
			return err
		},
		"/userRegistrationDetails": func(c *entra.Client, _ *entratest.Tenant) error { _, _, err := c.Registrations(ctx(), ""); return err },
		"/authentication/methods": func(c *entra.Client, tenant *entratest.Tenant) error {
			_, err := c.MethodsOf(ctx(), bot.PersonID(tenant.Find(func(p entratest.Person) bool { return p.Enabled }).ID))
			return err
		},
		"/authenticationMethodsPolicy": func(c *entra.Client, _ *entratest.Tenant) error { _, err := c.TenantPolicy(ctx()); return err },
	}
	for path, read := range reads {
		for kind, want := range map[entratest.FaultKind]string{
			entratest.Throttle: "wait", entratest.ThrottleSilent: "wait", entratest.Hang: "wait", entratest.Drop: "wait", entratest.Broken: "wait",
			entratest.Expired: "ok", entratest.Denied: "error", entratest.Unlicensed: "error", entratest.Gone: "anew", entratest.Unknown: "ok",
			entratest.Malformed: "error", entratest.HTML: "error", entratest.Redirect: "error",
		} {
			tenant := entratest.NewTenant(entratest.Options{People: 50, Seed: 1})
			c := pretend(t, tenant, func(o *entra.Options) { o.Timeout = time.Second })
			tenant.Fail(entratest.Fault{Kind: kind, Path: path, Times: 1})
			if kind == entratest.Gone && path != "/users/delta" {
				want = "ok" // only a delta is ever over
			}
			err := read(c, tenant)
			var w *bot.WaitError
			got := "error"
			switch {
			case err == nil:
				got = "ok"
			case errors.As(err, &w):
				got = "wait"
			case errors.Is(err, bot.ErrStartAnew):
				got = "anew"
			}
			if got != want {
				t.Errorf("%s, fault %d: %s, want %s: %v", path, kind, got, want, err)
			}
		}
	}
}

// The pretend tenant knows the app by its certificate, and no other.
func TestPretendTenantTakesOurAssertion(t *testing.T) {
	tenant := entratest.NewTenant(entratest.Options{People: 10, Seed: 1})
	file, _ := certificate(t, time.Now().Add(time.Hour))
	c := pretend(t, tenant, func(o *entra.Options) { o.CertificateFile = file })
	if _, err := c.People(ctx(), ""); err == nil || !strings.Contains(err.Error(), "upload the certificate") {
		t.Errorf("before it is registered: %v", err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(b)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	tenant.AddCertificate(leaf)
	if _, err := c.People(ctx(), ""); err != nil {
		t.Error(err)
	}
}
