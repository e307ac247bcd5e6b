package command

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/entra/entratest"
	"latchkey/bot"
	"latchkey/bot/readiness"
)

// The demo with a pretend tenant: people are read from it, a person asks whether
// they will still get in, in both languages, and an operator sees who is at risk,
// each person as the tenant has them.
func TestDemoWithEntra(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "d")
	file := filepath.Join(dir, "demo.yaml")
	p := sit(t, context.Background(), nil, "demo", "--with", "entra", "--plain", "--data", dir)
	p.hears("PRETEND Microsoft 365 tenant of 1500 accounts")
	p.hears("thomas.morales (texts only, so loses both)")
	p.hears("latchkey status entra --config " + file)
	p.hears("[1] Start")
	p.types("will I still get in after 1 February?")
	p.hears("user name")
	p.types("thomas.morales")
	p.hears("[private] ")
	p.types("open-sesame-2468")
	p.hears("Signing in to Microsoft 365 after 1 February 2027: no, not with what you have there now.")
	p.hears("✗ Does not count: Text or call to your mobile phone")
	p.hears("This is from Microsoft's report of")
	p.types("español")
	p.hears("No, con lo que tiene ahora no podrá iniciar sesión en Microsoft 365")
	if code := p.leaves(); code != exitOK {
		t.Fatalf("exit %d:\n%s", code, p.all())
	}

	// Two starts later, on another port, with delta links that are over.
	p = sit(t, context.Background(), nil, "demo", "--with", "entra", "--plain", "--data", dir)
	p.hears("PRETEND")
	p.hears("[1] ")
	code, out, errs := command(t, nil, "doctor", "--config", file)
	if code != exitOK || !strings.Contains(out, "good     own page: one person's page can be read") || strings.Contains(out, "BROKEN") {
		t.Errorf("doctor: %d %s %s", code, out, errs)
	}
	if code := p.leaves(); code != exitOK {
		t.Fatalf("exit %d:\n%s", code, p.all())
	}
	code, out, errs = command(t, nil, "status", "entra", "--json", "--config", file)
	var said struct {
		All struct {
			People        int
			AtRisk        int
			SignIn, Reset readiness.Split
		}
	}
	if err := json.Unmarshal([]byte(out), &said); code != exitOK || err != nil {
		t.Fatalf("status: %d %v %s %s", code, err, out, errs)
	}

	// A campaign for those who will not get in is for as many.
	plan := writeFile(t, "kind: text_and_voice_end\naudience: {who: losing}\n")
	code, out, errs = command(t, nil, "campaign", "new", "feb", "--file", plan, "--config", file)
	if want := fmt.Sprintf("is a draft for %d people now, until 2027-02-01", said.All.AtRisk); code != exitOK || said.All.AtRisk < 100 || !strings.Contains(out, want) {
		t.Errorf("campaign: %d %s %s, want %q", code, out, errs, want)
	}

	// The same, straight from the tenant.
	tenant := entratest.NewTenant(entratest.Options{People: demoTenantPeople, Seed: 1})
	people, signIn, reset := 0, map[readiness.Answer]int{}, map[readiness.Answer]int{}
	for a := range tenant.All() {
		if a.Kind == entratest.Guest || !a.Enabled {
			continue
		}
		people++
		v := readiness.Judge(&bot.Registration{ReadAt: time.Now(), Methods: a.Methods, ResetEnabled: a.SSPR, Admin: a.Admin, MFACapable: true, ResetRegistered: true}, nil, readiness.Settings{Needed: 2})
		signIn[v.SignIn.Answer]++
		reset[v.Reset.Answer]++
	}
	if said.All.People != people || people < 1300 {
		t.Errorf("status speaks of %d people, the tenant has %d", said.All.People, people)
	}
	for _, a := range []readiness.Answer{readiness.Yes, readiness.No, readiness.Off, readiness.Unprotected, readiness.NotKnown} {
		if n := said.All.SignIn.Of(a); n != signIn[a] {
			t.Errorf("sign-in: status says %v of %d, the tenant has %d", a, n, signIn[a])
		}
		if n := said.All.Reset.Of(a); n != reset[a] {
			t.Errorf("reset: status says %v of %d, the tenant has %d", a, n, reset[a])
		}
	}

	log, err := os.ReadFile(filepath.Join(dir, "demo.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{entratest.Secret, "eyJ", "@" + entratest.Domain, "+1 ", "skiptoken"} {
		if strings.Contains(string(log), secret) {
			t.Errorf("%q stands in the log", secret)
		}
	}
}
