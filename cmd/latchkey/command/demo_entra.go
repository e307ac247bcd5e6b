package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"latchkey/adapters/entra/entratest"
	"latchkey/adapters/localdir"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/program"
)

// demoTenantPeople is how many accounts the pretend tenant has.
const demoTenantPeople = 1500

// A demoTenant is the pretend Microsoft 365 tenant of `demo --with entra`.
type demoTenant struct {
	*entratest.Tenant
	server *entratest.Server
}

func newDemoTenant() (*demoTenant, error) {
	t := entratest.NewTenant(entratest.Options{People: demoTenantPeople, Seed: 1, Now: time.Now})
	server, err := t.Listen("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &demoTenant{t, server}, nil
}

// configure makes the tenant the one that people come from.
func (t *demoTenant) configure(c *config.Config) {
	c.Org.Name, c.Org.Department = entratest.District, "Technology Services"
	c.Org.HelpEmail, c.Org.Domains, c.Org.Domain = "helpdesk@"+entratest.Domain, []string{entratest.Domain}, entratest.Domain
	c.Directory = "entra"
	c.Entra.Tenant, c.Entra.ClientID, c.Entra.ClientSecret = entratest.TenantID, entratest.ClientID, entratest.Secret
	c.Entra.LoginURL, c.Entra.GraphURL = t.server.URL, t.server.URL
	if c.HTTP.PublicURL != "" {
		t.SetRedirects(c.HTTP.PublicURL + "/signin/callback")
	}
}

// write leaves a configuration beside the demo's data, so that an operator's
// commands can be tried on it.
func (t *demoTenant) write(c *config.Config, dir string) error {
	secret := filepath.Join(dir, "demo.entra-secret")
	if err := os.WriteFile(secret, []byte(c.Entra.ClientSecret), 0o600); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	url := c.HTTP.PublicURL
	if url == "" {
		url = "http://127.0.0.1:8080" // where the page would be
	}
	text := fmt.Sprintf(`# Written by latchkey demo --with entra at each start: pretend people of a
# pretend Microsoft 365 tenant, which is there while the demo runs.
org:
  name: %q
  department: %q
  address: %q
  help_phone: %q
  help_hours: %q
  help_email: %s
  domains: [%s]
store: {path: latchkey.db}
keys: {file: latchkey.keys}
http: {public_url: %q}
directory: {kind: entra}
entra:
  tenant: %s
  client_id: %s
  client_secret_file: demo.entra-secret
  login_url: %q
  graph_url: %q
`, c.Org.Name, c.Org.Department, c.Org.Address, c.Org.HelpPhone, c.Org.HelpHours, c.Org.HelpEmail, strings.Join(c.Org.Domains, ", "),
		url, c.Entra.Tenant, c.Entra.ClientID, c.Entra.LoginURL, c.Entra.GraphURL)
	if err := os.WriteFile(filepath.Join(dir, "demo.yaml"), []byte(text), 0o600); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	return nil
}

// read makes the tenant's people and their report known.
func (t *demoTenant) read(ctx context.Context, s std, p *program.Program) error {
	s.out, s.running = io.Discard, nil
	return syncNow(ctx, p, s, syncFlags{report: true})
}

// cast are people of the tenant who show what there is to see.
func (t *demoTenant) cast() (lines []string) {
	has := func(p entratest.Person, words ...string) bool { return slices.Equal(p.Methods, words) }
	for _, role := range []struct {
		what string
		want func(entratest.Person) bool
	}{
		{"texts only, so loses both", func(p entratest.Person) bool { return has(p, "mobilePhone") && strings.HasPrefix(p.Lang, "en") }},
		{"app and private mail, so keeps both", func(p entratest.Person) bool {
			return has(p, "microsoftAuthenticatorPush", "softwareOneTimePasscode", "email")
		}},
		{"app and phone, so keeps the sign-in and loses the reset", func(p entratest.Person) bool {
			return has(p, "microsoftAuthenticatorPush", "softwareOneTimePasscode", "mobilePhone")
		}},
		{"a land-line only, so needs a token", func(p entratest.Person) bool { return has(p, "officePhone") }},
		{"español", func(p entratest.Person) bool { return has(p, "mobilePhone") && strings.HasPrefix(p.Lang, "es") }},
	} {
		p := t.Find(func(p entratest.Person) bool {
			return p.Kind == entratest.Staff && p.Enabled && !p.Admin && p.SSPR && role.want(p)
		})
		if name, _, ok := strings.Cut(p.UPN, "@"); ok {
			lines = append(lines, fmt.Sprintf("  %s (%s)", name, role.what))
		}
	}
	return lines
}

// intro says what the demo has more. passwords says that there is no page to sign
// in on.
func (t *demoTenant) intro(dir string, passwords bool) string {
	sign := "Sign in on its page as one of them"
	if passwords {
		sign = fmt.Sprintf("Sign in as one of them (the password of each is %s)", string(localdir.DemoPassword))
	}
	file := filepath.Join(dir, "demo.yaml")
	return strings.Join(append(append([]string{
		fmt.Sprintf("With it comes a PRETEND Microsoft 365 tenant of %d accounts, %s: people, report and sign-in page are made up.", demoTenantPeople, entratest.District),
		sign + " and ask \"will I still get in after 1 February?\":"}, t.cast()...),
		"As an operator, in another terminal:",
		"  latchkey status entra --config "+file,
		"  latchkey status entra --config "+file+" --page report.html",
		"  latchkey doctor --config "+file), "\n")
}
