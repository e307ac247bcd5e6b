package command

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/browsertest"
	"latchkey/bot"
	"latchkey/bot/readiness"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/program"
)

// district is a report on 1,500 people in 16 schools, without a store.
func district(t *testing.T) *readinessReport {
	t.Helper()
	now := time.Date(2026, 11, 29, 15, 30, 0, 0, time.UTC)
	r := &readinessReport{org: "Riverbend Schools", entra: config.Entra{Needed: 2, ReportEvery: 6 * time.Hour}, now: now, tally: readiness.NewTally()}
	r.pol = &bot.TenantPolicy{ReadAt: now, Migration: "migrationInProgress", Campaign: bot.PolicyCampaign{State: "default", Target: "fido2"}}
	have := []struct {
		methods, flags string
	}{
		{"mobilePhone", "ME"}, {"mobilePhone email", "MERC"}, {"mobilePhone", "ME"}, {"microsoftAuthenticatorPush softwareOneTimePasscode email", "MERC"},
		{"microsoftAuthenticatorPush softwareOneTimePasscode mobilePhone", "MERC"}, {"", "E"}, {"officePhone", "ME"}, {"passKeySynced email", "ME"},
		{"securityQuestion email", "ERC"}, {"mobilePhone officePhone", "MERCA"}, {"hardwareOneTimePasscode email", "MERC"}, {"fido2", "M"}, {"absent", ""},
	}
	schools := []string{"Central Elementary", "North Side Elementary", "Riverbend High School", "Jefferson Middle School", "Eastgate <script>alert(1)</script> Academy", "Washington Elementary",
		"Career and Technical Education Center at Old Mill Road", "Bus Depot", "Lincoln Elementary", "Central Kitchen", "District Office", "South Valley K-8", "Escuela Águila", "Oak Hill", "Maple Grove", ""}
	for i := range 1500 {
		h := have[(i*7+i/13)%len(have)]
		if i%5 == 0 {
			h = have[1]
		}
		var g *bot.Registration
		if h.methods != "absent" {
			is := func(f string) bool { return strings.Contains(h.flags, f) }
			g = &bot.Registration{ReadAt: now.Add(-time.Hour), AsOf: now.Add(-30 * time.Hour), Methods: strings.Fields(h.methods), MFACapable: is("M"), ResetEnabled: is("E"), ResetRegistered: is("R"), ResetCapable: is("C"), Admin: is("A") && i%3 == 0}
		}
		v := readiness.Judge(g, r.pol, program.ReadinessSettings(r.entra))
		r.tally.Add(&bot.Person{ID: bot.PersonID(fmt.Sprint("p", i)), Name: "Secret Name", Username: "secret.name", Site: schools[min(i%len(schools), i/7%len(schools))], Department: fmt.Sprintf("Department %d", i%12)}, g, &v)
	}
	for back, n := range []int{920, 925, 960, 1010, 1040, 1100, 1130, 1130} {
		r.trend = append(r.trend, readinessDay{Day: now.AddDate(0, 0, -7*back).Format(time.DateOnly), People: 1500, AtRisk: n})
	}
	slices.Reverse(r.trend)
	r.before, r.then = r.trend[len(r.trend)-2].Day, map[string]readiness.Counts{}
	for name, c := range r.tally.Schools {
		was := *c
		was.AtRisk += 3
		r.then[program.SchoolUnit+name] = was
	}
	return r
}

func pageOf(t *testing.T, r *readinessReport) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.writePage(&b, true); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestStatusEntraPage wants the page by itself, with the numbers of the small
// tenant, and without names.
func TestStatusEntraPage(t *testing.T) {
	t.Parallel()
	cfg := readTenant(t, "")
	file := filepath.Join(t.TempDir(), "february.html")
	if out := status(t, cfg, "--page", file, "--appendix"); !strings.Contains(out, file+" is written") {
		t.Error(out)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	if piped := status(t, cfg, "--page", "-", "--appendix"); len(piped) != len(text) {
		t.Error("the page on standard output is another one")
	}
	one := status(t, cfg, "--page", "-")
	lacks(t, one, "<b>6 of 10 staff (60%)</b>", "Made by Latchkey on", "policy of")
	for _, more := range []string{"Appendix", "appendix\"", "How this was judged", "Buses"} {
		if strings.Contains(one, more) || !strings.Contains(text, more) {
			t.Errorf("%q belongs to the appendix, and to nothing else", more)
		}
	}
	lacks(t, text, "<b>6 of 10 staff (60%)</b>", `<div class="big">40%</div> <p>will sign in`, `<div class="big">20%</div> <p>will be able to reset`, "(30 hours ago)",
		`<span>will not</span> <b>4</b> <span class="of">40%</span>`, `<span>no second factor to lose</span> <b>1</b>`, "Microsoft's figure today: 8 (80%); report 30 h old.",
		"<th scope=\"row\">North</th><td>4</td><td>2</td><td>3</td><td><b>3</b> 75%</td>", "<b>5</b> to add an authenticator app", "stops 4 people", "<th scope=\"row\">Buses</th>")
	for _, name := range []string{"Ann", "Ruiz", "mobilePhone", "p-01", "example.org", "<no value>", "ZgotmplZ"} {
		if strings.Contains(text, name) {
			t.Errorf("the page has %q", name)
		}
	}
	big := pageOf(t, district(t))
	for _, bad := range []string{"<script", "src=", "href=", "url(", "@import", "{{", "secret", "ZgotmplZ"} {
		if strings.Contains(strings.ToLower(big), strings.ToLower(bad)) {
			t.Errorf("the page has %q", bad)
		}
	}
	lacks(t, big, "Eastgate &lt;script&gt;", "The 5 with most people at risk, of 16. All of them stand in the appendix.", "At risk: 1,130 on 11 Oct, 920 on 29 Nov.", "since 22 Nov", "<td class=\"wide\">-3</td>", "no school known")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the page may be read by others: %v %v", info.Mode(), err)
	}
	// The sheet goes alone from hand to hand.
	lacks(t, one, "No second factor to lose: only a password protects them.", "Switched off: in the tenant, whatever they add.", "Not known: the report lacks them", "One person may have to do two of these.")
	if strings.Contains(one, "External users") {
		t.Error("the sheet explains what it does not have")
	}
	missing, folder := filepath.Join(t.TempDir(), "no", "page.html"), t.TempDir()
	for path, want := range map[string]string{
		missing: missing + " cannot be written: no such file or directory; choose another file with --page\n",
		folder:  folder + " cannot be written: is a directory; choose another file with --page\n",
	} {
		if code, _, errs := command(t, entraEnv, "status", "entra", "--config", cfg, "--page", path); code != exitError || errs != "latchkey: "+want {
			t.Errorf("a page that cannot be written: %d %s", code, errs)
		}
	}
	if code, _, errs := command(t, entraEnv, "audit", "export", "--config", cfg, "--out", missing); code != exitError || !strings.Contains(errs, missing+" cannot be written: no such file or directory; choose another file with --out") {
		t.Errorf("an export that cannot be written: %d %s", code, errs)
	}
	if code, _, errs := command(t, entraEnv, "backup", missing, "--config", cfg); code != exitError || !strings.Contains(errs, missing+" cannot be written: no such file or directory; choose another FILE for the backup") {
		t.Errorf("a backup that cannot be written: %d %s", code, errs)
	}
	full := &os.PathError{Op: "write", Path: "page.html.part-1", Err: syscall.ENOSPC}
	if err := notWritten("page.html", full, "another file with --page"); err.Error() != "page.html cannot be written: no space left on device; make room there, or choose another file with --page" {
		t.Error(err)
	}
}

// TestStatusEntraPageInABrowser looks at the page on a desk, on phones and on
// paper: everything fits, axe-core finds nothing, the summary is one sheet.
func TestStatusEntraPageInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser; run without -short")
	}
	t.Parallel()
	b := browsertest.Start(t)
	calm := readTenant(t, "  sms_provider: true\n  voice_provider: true\n")
	worst := district(t) // everything is as long as it gets
	worst.org, worst.pol.Campaign = strings.Repeat("Unified School District of ", 4), bot.PolicyCampaign{State: "enabled", Target: "microsoftAuthenticator", Snooze: 14, Enforce: true}
	worst.pol.ReadAt = worst.now.AddDate(0, 0, -30)
	worst.tally.Oldest = worst.now.AddDate(0, 0, -40)
	for _, rem := range readiness.Remedies() {
		worst.tally.All.Do[rem] += 100
	}
	long := map[string]*readiness.Counts{}
	for name, c := range worst.tally.Schools {
		long[name+" of the Greater Metropolitan Area of Riverbend and Surroundings"] = c
	}
	worst.tally.Schools = long
	for name, html := range map[string]string{"district": pageOf(t, district(t)), "worst": pageOf(t, worst), "small": status(t, calm, "--page", "-"), "small and more": status(t, calm, "--page", "-", "--appendix")} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, html)
		}))
		t.Cleanup(srv.Close) // after the page that it serves
		desk := browsertest.Look{Width: 900, Height: 2600}
		p := b.Open(t, desk, srv.URL)
		p.May("favicon")
		for _, l := range []struct {
			name string
			look browsertest.Look
		}{{"desk", desk}, {"desk-dark", desk.InDark()}, {"phone", browsertest.Look{Width: 360, Height: 3400, Phone: true}}, {"phone-dark", browsertest.Mobile.InDark()}, {"narrow", browsertest.Narrow}} {
			p.Looks(l.look)
			p.Goto(srv.URL)
			p.Sees("Who will still get in after 1 February 2027?")
			p.Fits(name + " " + l.name)
			p.Axe(name + " " + l.name)
			p.Shot("status-" + name + "-" + l.name)
		}
		for _, paper := range []struct {
			name          string
			width, height float64
		}{{"A4", 8.27, 11.69}, {"Letter", 8.5, 11}} {
			p.Looks(desk)
			p.Goto(srv.URL)
			pdf, sheets := p.Printed(paper.width, paper.height)
			if dir := os.Getenv("LATCHKEY_SHOW"); dir != "" { // to look at it
				if err := os.WriteFile(filepath.Join(dir, "status-"+name+"-"+paper.name+".pdf"), pdf, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if !strings.Contains(html, "<h1>Appendix</h1>") {
				if sheets != 1 {
					t.Errorf("%s on %s takes %d sheets", name, paper.name, sheets)
				}
				continue
			}
			p.Eval("document.querySelector('.appendix').remove()", nil)
			_, first := p.Printed(paper.width, paper.height)
			if first != 1 || sheets < 2 || sheets > 5 {
				t.Errorf("%s on %s: the summary takes %d sheets, all of it %d", name, paper.name, first, sheets)
			}
		}
	}
}
