package command

import (
	"context"
	stdcsv "encoding/csv"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"latchkey/bot"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/program"
	"latchkey/store"
	"latchkey/store/storetest"
)

// entraConfig is a tenant as an operator sets it up.
const entraConfig = `store: {path: latchkey.db}
entra:
  tenant: 00000000-0000-4000-8000-0000000000aa
  client_id: 00000000-0000-4000-8000-0000000000bb
  client_secret_env: ENTRA_CLIENT_SECRET
`

var entraEnv = []string{"ENTRA_CLIENT_SECRET=not-a-real-one", "SUDO_USER=kim"}

// tenantStaff are ten people of two schools, one of whose names a spreadsheet
// would run, and three who do not count.
const tenantStaff = `id,username,email,name,school,department,kind,status
p-01,ann,ann@example.org,Ann Lee,North,Kitchen,staff,active
p-02,bob,bob@example.org,Bob Ray,North,Kitchen,staff,active
p-03,cy,cy@example.org,Cy Moss,North,Office,staff,active
p-04,dee,dee@example.org,Dee Fox,North,Office,staff,active
p-05,eva,eva@example.org,Eva Ruiz,South,Office,staff,active
p-06,fay,fay@example.org,=cmd|' /C calc'!A0,South,Office,staff,active
p-07,gus,gus@example.org,Gus Orr,South,Buses,staff,active
p-08,hal,hal@example.org,Hal Poe,South,Buses,staff,active
p-09,ida,ida@example.org,Ida Sol,South,Buses,staff,active
p-10,jon,jon@example.org,Jon May,,,staff,active
x-pupil,kit,kit@example.org,Kit,North,,pupil,active
x-off,lou,lou@example.org,Lou,North,Kitchen,staff,disabled
x-guest,meg,meg@example.org,Meg,North,,guest,active
`

// tenantReport is what the report has of them: methods and flags (M isMfaCapable,
// E isSsprEnabled, R isSsprRegistered, C isSsprCapable, A isAdmin).
var tenantReport = map[string][2]string{
	"p-01":  {"mobilePhone email", "MERC"}, // loses both
	"p-02":  {"microsoftAuthenticatorPush softwareOneTimePasscode email", "MERC"},
	"p-03":  {"officePhone", "ME"},          // loses the sign-in, never could reset; needs a token
	"p-04":  {"passKeySynced", "ME"},        // signs in, does not reset
	"p-05":  {"mobilePhone email", "MERCA"}, // administrator, loses both
	"p-06":  {"mobilePhone", "ME"},          // loses the sign-in
	"p-07":  {"hardwareOneTimePasscode email", "MERC"},
	"p-08":  {"", "E"},               // nothing
	"p-09":  {"fido2 starKey", "M"},  // reset is off
	"x-off": {"mobilePhone", "MERC"}, // counts nowhere
	// p-10 is not in the report
}

// readTenant makes the tenant as it stands after it was read, 30 hours behind,
// and gives its configuration.
func readTenant(t *testing.T, more string) string {
	t.Helper()
	return fillTenant(t, install(t, entraConfig+more))
}

// fillTenant puts the tenant into the store of a configuration.
func fillTenant(t *testing.T, cfg string) string {
	t.Helper()
	if code, out, errs := command(t, entraEnv, "people", "import", writeFile(t, tenantStaff), "--config", cfg); code != exitOK {
		t.Fatalf("import: %d\n%s%s", code, out, errs)
	}
	inStore(t, cfg, func(db *store.DB) {
		now := db.Now()
		err := db.Update(context.Background(), func(tx bot.Tx) error {
			for id, r := range tenantReport {
				is := func(flag string) bool { return strings.Contains(r[1], flag) }
				g := bot.Registration{Person: bot.PersonID(id), ReadAt: now, AsOf: now.Add(-30*time.Hour - time.Minute), Methods: strings.Fields(r[0]),
					MFACapable: is("M"), ResetEnabled: is("E"), ResetRegistered: is("R"), ResetCapable: is("C"), Admin: is("A")}
				if err := tx.PutRegistration(&g); err != nil {
					return err
				}
			}
			p := bot.TenantPolicy{ReadAt: now, Migration: "migrationComplete", Campaign: bot.PolicyCampaign{State: "default", Target: "fido2"}}
			for _, id := range []string{"microsoftAuthenticator", "softwareOath", "hardwareOath", "fido2", "sms", "voice", "email", "externalAuthenticationMethod"} {
				p.Methods = append(p.Methods, bot.PolicyMethod{ID: id, Enabled: true, Everyone: true, Office: true, SelfSet: true})
			}
			return tx.PutTenantPolicy(&p)
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	return cfg
}

// inStore opens the store of a configuration for a moment.
func inStore(t *testing.T, cfg string, do func(*store.DB)) {
	t.Helper()
	db, err := store.Open(context.Background(), store.Options{DSN: filepath.Join(filepath.Dir(cfg), "latchkey.db"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	do(db)
}

// status runs `latchkey status entra` with more arguments; it must succeed.
func status(t *testing.T, cfg string, args ...string) string {
	t.Helper()
	code, out, errs := command(t, entraEnv, append([]string{"status", "entra", "--config", cfg}, args...)...)
	if code != exitOK || errs != "" {
		t.Fatalf("status entra %q: exit %d\n%s%s", args, code, out, errs)
	}
	return out
}

func lacks(t *testing.T, text string, wanted ...string) {
	t.Helper()
	flat := strings.Join(strings.Fields(text), " ")
	for _, w := range wanted {
		if !strings.Contains(flat, strings.Join(strings.Fields(w), " ")) {
			t.Errorf("lacks %q:\n%s", w, text)
		}
	}
}

func TestStatusEntraText(t *testing.T) {
	t.Parallel()
	cfg := readTenant(t, "")
	out := status(t, cfg)
	if dir := os.Getenv("LATCHKEY_SHOW"); dir != "" { // to look at it
		os.WriteFile(filepath.Join(dir, "status.txt"), []byte(out+"\n\n"+status(t, cfg, "--people")), 0o644)
	}
	lacks(t, out, "Example, 10 people,", "days left", "(30 hours ago)", "may be up to 36 hours behind", "Of the report 30 h old",
		"will get in 4 40% 2 20%",
		"WILL NOT 4 40% 6 60%",
		"no second factor to lose 1 10%",
		"reset is switched off for them 0 0% 1 10%",
		"not known 1 10% 1 10%",
		"Microsoft's own figure, today 8 80% 4 40%",
		"AT RISK: 6 of 10 people (60%)",
		"4 of them sign in today, and 2 reset today",
		"Microsoft's figure for the sign-in differs for 3 people: Microsoft's texts and calls end",
		"Microsoft's figure for the sign-in differs for 1 person: Microsoft's calls end",
		"5 people have to add an authenticator app", "4 people have to add a private e-mail address", "1 person has to get a device that shows codes",
		"1 person has a land-line only", "1 person at risk is an administrator", "1 person is not in Microsoft's report", "1 person has no second factor at all",
		"stops 4 people at the sign-in", "4 of these could still not reset", "If all of these follow the prompt, 6 people are still at risk", "skip it as often as they like",
		"South 5 2 3 3 60%", "North 4 2 3 3 75%", "no school known 1 0 0 0 0%", "Buses 3 0 1 1 33%",
		"Next: latchkey status entra --people")
	narrow(t, out)
	if strings.Contains(out, "Ann Lee") || strings.Contains(out, "Over time") {
		t.Errorf("names, or a trend of one day:\n%s", out)
	}
	list := status(t, cfg, "--people")
	narrow(t, list)
	lacks(t, list, "Ann Lee (ann, North, Kitchen)", "sign-in: no, Microsoft's texts and calls end on 1 February 2027", "reset: no, Microsoft's texts and calls end on 1 February 2027; 1 of 2 methods",
		"do: add an authenticator app", "Cy Moss (cy, North, Office)", "do: get a device that shows codes (hardware token), where the tenant has these switched on; add a private e-mail address",
		"Judged by the tenant's policy of", "(less than an hour ago).")
	inOrder(t, list, "Will neither sign in nor reset a password: 4 people", "Ann Lee (", "Cy Moss (", "=cmd", "Eva Ruiz (", "Will not reset a password: 2 people", "Dee Fox (", "Hal Poe (")
	if strings.Contains(list, "e-mail resets") {
		t.Errorf("whoever loses texts is told of mail, which never was a way in:\n%s", list)
	}
	for _, fine := range []string{"Bob Ray", "Gus Orr", "Jon May", "Lou (", "Kit ("} {
		if strings.Contains(list, fine) {
			t.Errorf("%s is on the list of those at risk", fine)
		}
	}
}

// inOrder wants texts one after the other.
func inOrder(t *testing.T, text string, wanted ...string) {
	t.Helper()
	at := 0
	for _, w := range wanted {
		i := strings.Index(text[at:], w)
		if i < 0 {
			t.Fatalf("%q does not stand after what was before:\n%s", w, text)
		}
		at += i
	}
}

// The age of the policy is told, and an old one warned of; where it does not tell
// of hardware tokens, these are advised on a condition.
func TestStatusEntraPolicy(t *testing.T) {
	t.Parallel()
	cfg := readTenant(t, "")
	policy := func(age time.Duration, methods ...string) {
		t.Helper()
		inStore(t, cfg, func(db *store.DB) {
			p := bot.TenantPolicy{ReadAt: db.Now().Add(-age), Migration: "migrationComplete"}
			for _, id := range methods {
				p.Methods = append(p.Methods, bot.PolicyMethod{ID: id, Enabled: true, Everyone: true})
			}
			if err := db.Update(context.Background(), func(tx bot.Tx) error { return tx.PutTenantPolicy(&p) }); err != nil {
				t.Fatal(err)
			}
		})
	}
	const old, tokens = "That is too old: run `latchkey people sync --report`", "Whether hardware tokens are switched on in the tenant is not known"
	policy(71*time.Hour, "hardwareOath")
	for _, args := range [][]string{nil, {"--person", "cy"}, {"--page", "-"}} {
		out := status(t, cfg, args...)
		lacks(t, out, "policy of", "(71 hours ago)")
		if flat := strings.Join(strings.Fields(out), " "); strings.Contains(flat, old) || strings.Contains(flat, tokens) {
			t.Errorf("%q:\n%s", args, out)
		}
	}
	policy(80*time.Hour, "email")
	for _, args := range [][]string{nil, {"--person", "cy"}, {"--page", "-"}} {
		lacks(t, status(t, cfg, args...), "(3 days ago). "+old)
	}
	lacks(t, status(t, cfg), tokens)
}

// narrow wants every line to fit into 80 columns.
func narrow(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestStatusEntraJSON(t *testing.T) {
	t.Parallel()
	cfg := readTenant(t, "")
	var got struct {
		AsOfDay  string
		DaysLeft int
		Report   struct {
			AsOf, Oldest, ReadAt time.Time
			AgeHours             int
		}
		Settings struct {
			MethodsNeeded              int
			SMSProvider, VoiceProvider bool
		}
		All struct {
			People, AtRisk, Prompted int
			SignIn, Reset            struct{ Yes, No, Off, NotKnown, NoSecondFactor, MicrosoftToday, Loses int }
			Do                       map[string]int
		}
		Schools []struct {
			Name   string
			AtRisk int
		}
		Policy struct{ Migration string }
		People []struct {
			ID     string
			Do     []string
			SignIn struct {
				Answer  string
				Methods []struct{ Method, Reason string }
			}
			Reset struct{ Answer, Differs string }
			AsOf  time.Time
		}
	}
	read := func(args ...string) {
		t.Helper()
		got.People = nil
		if err := json.Unmarshal([]byte(status(t, cfg, append(args, "--json")...)), &got); err != nil {
			t.Fatal(err)
		}
	}
	read()
	a := got.All
	if got.AsOfDay != "2027-02-01" || got.Report.AgeHours != 30 || got.Report.AsOf.IsZero() || got.Settings.MethodsNeeded != 2 || got.Policy.Migration != "migrationComplete" ||
		a.People != 10 || a.AtRisk != 6 || a.Prompted != 4 || a.SignIn.Yes != 4 || a.SignIn.No != 4 || a.SignIn.NoSecondFactor != 1 || a.SignIn.NotKnown != 1 ||
		a.Reset.Yes != 2 || a.Reset.No != 6 || a.Reset.Off != 1 || a.Reset.Loses != 2 || a.SignIn.MicrosoftToday != 8 || a.Do["add_app"] != 5 || len(got.Schools) != 3 || got.People != nil {
		t.Errorf("%+v", got)
	}
	read("--people")
	var ids []string
	for _, p := range got.People {
		ids = append(ids, p.ID)
	}
	if want := []string{"p-01", "p-03", "p-04", "p-05", "p-06", "p-08"}; !slices.Equal(ids, want) {
		t.Errorf("at risk: %q, want %q", ids, want)
	}
	if p := got.People[0]; p.SignIn.Answer != "no" || p.SignIn.Methods[0].Reason != "text_ends" || p.Reset.Differs != "text_ends" || p.AsOf.IsZero() || !slices.Equal(p.Do, []string{"add_app"}) {
		t.Errorf("%+v", p)
	}
}

func TestStatusEntraCSV(t *testing.T) {
	t.Parallel()
	cfg := readTenant(t, "")
	out := status(t, cfg, "--csv")
	lines, err := stdcsv.NewReader(strings.NewReader(strings.TrimPrefix(out, "\ufeff"))).ReadAll()
	if err != nil || !strings.HasPrefix(out, "\ufeff") || len(lines) != 11 {
		t.Fatalf("%d lines, %v\n%s", len(lines), err, out)
	}
	at := func(line int, column string) string { return lines[line][slices.Index(lines[0], column)] }
	if at(1, "id") != "p-01" || at(1, "sign_in") != "no" || at(1, "at_risk") != "true" || !strings.Contains(at(1, "sign_in_why"), "texts and calls end") || at(1, "methods") != "mobilePhone email" ||
		at(1, "to_do") != "add an authenticator app" || at(1, "known_from") != "report" || at(1, "known_as_of") == "" || at(1, "microsoft_reset_today") != "true" || at(3, "needs_token") != "true" ||
		at(10, "sign_in") != "not known" || at(9, "reset") != "off" || at(8, "sign_in_why") != "nothing is registered" || at(2, "sign_in_why") != "" {
		t.Errorf("%q", lines)
	}
	for i, l := range lines {
		for _, cell := range l {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				t.Errorf("line %d: a spreadsheet runs %q", i, cell)
			}
		}
	}
	if at(6, "name") != "'=cmd|' /C calc'!A0" {
		t.Errorf("name: %q", at(6, "name"))
	}
	for _, list := range [][]string{{"--people"}, {"--json", "--people"}} {
		status(t, cfg, append(list, "--as", "kim")...)
	}
	var record []string
	inStore(t, cfg, func(db *store.DB) {
		if err := db.AuditLines(context.Background(), 0, func(e bot.AuditEntry) error { record = append(record, e.Actor+" "+e.Action+" "+e.Subject); return nil }); err != nil {
			t.Fatal(err)
		}
	})
	exported := slices.DeleteFunc(record, func(l string) bool { return l != "operator:kim people.exported who will still get in" })
	if len(exported) != 3 { // a list is one, too
		t.Errorf("the record does not tell three times that names left: %q", exported)
	}
}

func TestStatusEntraPerson(t *testing.T) {
	t.Parallel()
	cfg := readTenant(t, "")
	ann := status(t, cfg, "--person", "ann")
	if dir := os.Getenv("LATCHKEY_SHOW"); dir != "" { // to look at it
		os.WriteFile(filepath.Join(dir, "person.txt"), []byte(ann+"\n\n"+status(t, cfg, "--person", "ida")+"\n\n"+status(t, cfg, "--person", "p-10")+"\n\n"+status(t, cfg, "--person", "eva")), 0o644)
	}
	narrow(t, ann)
	lacks(t, ann, "Ann Lee (ann), p-01", "Microsoft's report of", "(30 hours ago)", "Sign-in: NO, not after 1 February 2027", "no mobilePhone (mobile phone): Microsoft's texts and calls end",
		"no email (e-mail): e-mail resets a password, and is no second factor", "Microsoft today (isMfaCapable): yes; ours differs, because Microsoft's texts and calls end",
		"Reset a password (2 different methods): NO", "counts email (e-mail)", "Microsoft today (isSsprCapable): yes; ours differs", "to do, one of these: add an authenticator app; add a passkey")
	lacks(t, status(t, cfg, "--person", "ida@example.org"), "counts fido2 (passkey or security key)", "no starKey (not known here): a word of Microsoft's that is not known here", "off: it is switched off for the person", "to do: see the help desk")
	lacks(t, status(t, cfg, "--person", "p-10"), "does not have this person", "not mean that nothing is registered", "Sign-in: not known")
	lacks(t, status(t, cfg, "--person", "hal"), "no second factor: a password alone", "nothing is registered", "to do, 2 of these: add an authenticator app; add a private e-mail address")
	lacks(t, status(t, cfg, "--person", "eva"), "Administrator: needs two methods", "1 July 2027")
	var one struct {
		ID     string
		SignIn struct{ Answer string }
	}
	if err := json.Unmarshal([]byte(status(t, cfg, "--person", "cy", "--json")), &one); err != nil || one.ID != "p-03" || one.SignIn.Answer != "no" {
		t.Errorf("%+v %v", one, err)
	}
	inStore(t, cfg, func(db *store.DB) { // Ann has just added an app, and her own page was looked at
		err := db.Update(context.Background(), func(tx bot.Tx) error {
			g, err := tx.Registration("p-01")
			if err != nil {
				return err
			}
			g.Direct, g.DirectAt = []string{"mobilePhone", "email", "microsoftAuthenticatorPush"}, db.Now()
			return tx.PutRegistration(g)
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	lacks(t, status(t, cfg, "--person", "ann"), "own page at Microsoft, read", "newer than the report", "Sign-in: yes", "Reset a password (2 different methods): yes")
	if code, _, errs := command(t, entraEnv, "status", "entra", "--config", cfg, "--person", "nobody"); code != exitError || !strings.Contains(errs, "nobody") {
		t.Errorf("an unknown person: %d %s", code, errs)
	}
}

// TestStatusEntraProviders: with a provider of one's own, phones go on.
func TestStatusEntraProviders(t *testing.T) {
	t.Parallel()
	cfg := readTenant(t, "  sms_provider: true\n  voice_provider: true\n")
	lacks(t, status(t, cfg), "your own provider carries texts and calls on", "will get in 8 80% 4 40%", "AT RISK: 4 of 10 people", "stops nobody")
}

// TestStatusEntraOverTime: what was noted on earlier days is the trend.
func TestStatusEntraOverTime(t *testing.T) {
	t.Parallel()
	cfg := readTenant(t, "")
	inStore(t, cfg, func(db *store.DB) {
		ctx, today := context.Background(), db.Now()
		day := func(back int) string { return today.AddDate(0, 0, -back).Format(time.DateOnly) }
		for _, d := range []struct{ back, all, north int }{{15, 9, 4}, {8, 8, 4}, {7, 8, 4}, {1, 7, 3}} {
			counts := func(n int) []byte {
				return fmt.Appendf(nil, `{"people":10,"atRisk":%d,"signIn":{"no":%d},"reset":{"no":1}}`, n, n)
			}
			if err := db.NoteReadiness(ctx, day(d.back), map[string][]byte{"": counts(d.all), "school North": counts(d.north)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := program.NoteReadiness(ctx, db, config.Entra{Needed: 2}); err != nil {
			t.Fatal(err)
		}
		on, units, err := db.ReadinessOn(ctx, day(0))
		if err != nil || on != day(0) || len(units) != 1+3+4 || !strings.Contains(string(units["school North"]), `"atRisk":3`) || !strings.Contains(string(units["department Buses"]), `"people":3`) || units["school "] == nil {
			t.Errorf("noted on %s: %s, %v", on, units, err)
		}
	})
	out := status(t, cfg)
	narrow(t, out)
	today := time.Now().UTC()
	d := func(back int) string { return today.AddDate(0, 0, -back).Format("2 Jan") }
	lacks(t, out, "since "+d(7), "North 4 2 3 3 75% -1", "Over time, reports read on", d(15)+" 10 9 1 9 "+d(7)+" 10 8 1 8 "+d(0)+" 10 4 6 6")
}

// TestStatusEntraOfAPart: one school or department, in each form.
func TestStatusEntraOfAPart(t *testing.T) {
	t.Parallel()
	cfg := readTenant(t, "")
	inStore(t, cfg, func(db *store.DB) {
		for back, n := range map[int]int{7: 4, 0: 3} {
			body := fmt.Appendf(nil, `{"people":4,"atRisk":%d}`, n)
			if err := db.NoteReadiness(context.Background(), db.Now().AddDate(0, 0, -back).Format(time.DateOnly), map[string][]byte{"": []byte(`{"atRisk":9}`), "school North": body}); err != nil {
				t.Fatal(err)
			}
		}
	})
	north := status(t, cfg, "--school", "north", "--people")
	narrow(t, north)
	lacks(t, north, "Example, north, 4 people", "AT RISK: 3 of 4 people", "Kitchen 2 1 1 1 50%", "Over time", " 4 0 0 4 ", "Ann Lee")
	for _, not := range []string{"By school", "Eva Ruiz", "Buses"} {
		if strings.Contains(north, not) {
			t.Errorf("of North: %q\n%s", not, north)
		}
	}
	office := status(t, cfg, "--department", "Office")
	lacks(t, office, "4 people", "AT RISK: 4 of 4 people (100%)", "By school", "South 2 2 2 2 100%")
	if out := status(t, cfg, "--school", "South", "--department", "Office", "--csv"); strings.Count(out, "\n") != 3 || !strings.Contains(out, "Eva Ruiz") {
		t.Errorf("CSV of both:\n%s", out)
	}
	text := status(t, cfg, "--school", "North", "--page", "-")
	lacks(t, text, "Example, North · 4 staff", "<h2>By department</h2>", "At risk: 4 on")
	if strings.Contains(text, "South") || strings.Contains(text, "All departments") {
		t.Errorf("the page of North:\n%s", text[strings.Index(text, "</style>"):])
	}
	inStore(t, cfg, func(db *store.DB) {
		list := []bot.Person{{ID: "p-11", Username: "kay", Site: "Attic"}, {ID: "p-12", Username: "leo", Site: "Cellar"}}
		if _, err := db.ImportPeople(context.Background(), storetest.Rows(list...), store.ImportOptions{}); err != nil {
			t.Fatal(err)
		}
		err := db.Update(context.Background(), func(tx bot.Tx) error { // whose own page is newer than the report
			return tx.PutRegistration(&bot.Registration{Person: "p-12", ReadAt: db.Now().Add(-time.Hour), Methods: []string{"mobilePhone"}, ResetEnabled: true, Direct: []string{"fido2"}, DirectAt: db.Now()})
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	if code, _, errs := command(t, entraEnv, "status", "entra", "--config", cfg, "--school", "Attic"); code != exitError || !strings.Contains(errs, "the report has none of the people in Attic") {
		t.Errorf("a school that the report does not have: %d %s", code, errs)
	}
	lacks(t, status(t, cfg, "--school", "Cellar"), "(1 hour ago)", "will get in 1 100%")
	if code, _, errs := command(t, entraEnv, "status", "entra", "--config", cfg, "--school", "Nowhere"); code != exitError || !strings.Contains(errs, "nobody of the staff is in Nowhere") {
		t.Errorf("no such school: %d %s", code, errs)
	}
}

// TestStatusEntraWhileServing: the running service answers, and writes the page
// where the operator is.
func TestStatusEntraWhileServing(t *testing.T) {
	cfg := fillTenant(t, install(t, "store: {path: latchkey.db}\n")) // without a tenant to read
	before := status(t, cfg, "--json")
	startService(t, cfg)
	if out := status(t, cfg, "--json"); out != before {
		t.Errorf("another answer while it runs:\n%s\n%s", before, out)
	}
	dir := t.TempDir()
	t.Chdir(dir)
	status(t, cfg, "--page", "here.html")
	if b, err := os.ReadFile(filepath.Join(dir, "here.html")); err != nil || !strings.Contains(string(b), "6 of 10 staff") {
		t.Errorf("the page: %v", err)
	}
	lacks(t, status(t, cfg, "--person", "ann"), "Sign-in: NO")
}

// TestStatusEntraNothingRead: what to do where nothing was ever read.
func TestStatusEntraNothingRead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		more, list, want string
	}{
		{entraConfig, "", "nobody is on the staff list; import one with `latchkey people import FILE.csv`"},
		{entraConfig, tenantStaff, "was never read; run `latchkey people sync --report`"},
		{"store: {path: latchkey.db}\n", tenantStaff, "no Microsoft 365 tenant is configured"},
	} {
		cfg := install(t, c.more)
		if c.list != "" {
			if code, _, errs := command(t, entraEnv, "people", "import", writeFile(t, c.list), "--config", cfg); code != exitOK {
				t.Fatal(errs)
			}
		}
		ways := [][]string{{}, {"--json"}, {"--csv"}, {"--page", "-"}}
		if c.list != "" {
			ways = append(ways, []string{"--person", "ann"})
		}
		for _, args := range ways {
			if code, out, errs := command(t, entraEnv, append([]string{"status", "entra", "--config", cfg}, args...)...); code != exitError || out != "" || !strings.Contains(errs, c.want) {
				t.Errorf("%q: %d %q %q, want %q", args, code, out, errs, c.want)
			}
		}
	}
}

// TestStatusEntraOfOtherIDs: the report was read, and the staff list has other ids.
func TestStatusEntraOfOtherIDs(t *testing.T) {
	t.Parallel()
	cfg := install(t, entraConfig)
	if code, _, errs := command(t, entraEnv, "people", "import", writeFile(t, staffList), "--config", cfg); code != exitOK {
		t.Fatal(errs)
	}
	inStore(t, cfg, func(db *store.DB) {
		err := db.Update(context.Background(), func(tx bot.Tx) error {
			return tx.PutSyncState(bot.ReportReading, bot.SyncState{Last: &bot.SyncResult{}})
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	if code, _, errs := command(t, entraEnv, "status", "entra", "--config", cfg); code != exitError || !strings.Contains(errs, "has nobody of the people here, so nothing can be told: the ids of the staff list must be Entra's object ids") {
		t.Errorf("%d %s", code, errs)
	}
}

func TestStatusEntraFlags(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--json", "--csv"}, {"--csv", "--page", "x"}, {"--person", "ann", "--csv"}, {"--people", "--csv"}, {"--people", "--page", "x"}, {"--person", "ann", "--school", "x"}, {"--appendix"}, {"ann"}} {
		if code, _, errs := command(t, nil, append([]string{"status", "entra"}, args...)...); code != exitUsage || !strings.Contains(errs, "--help") {
			t.Errorf("%q: %d %s", args, code, errs)
		}
	}
	_, help, _ := command(t, nil, "status", "entra", "--help")
	lacks(t, help, "latchkey people sync", "--person mgarcia", "entra.sms_provider")
	narrow(t, help[:strings.Index(help, "Flags:")])
}

func TestPercentNeverHidesAnybody(t *testing.T) {
	for _, c := range []struct {
		n, of int
		want  string
	}{{0, 10, "0%"}, {1, 1000, "<1%"}, {999, 1000, ">99%"}, {1000, 1000, "100%"}, {2, 3, "67%"}, {1, 3, "33%"}, {0, 0, "0%"}} {
		if got := percent(c.n, c.of); got != c.want {
			t.Errorf("%d of %d: %s, want %s", c.n, c.of, got, c.want)
		}
	}
}

// Where people come from the directory, they can be read from it; where they do
// not, nobody is sent there.
func TestStatusEntraOfNobodyNamesTheSync(t *testing.T) {
	t.Parallel()
	cfg := installTenant(t, 140, &fakeTenant{})
	if code, _, errs := command(t, secretEnv, "status", "entra", "--config", cfg); code != exitError || !strings.Contains(errs, "read it with `latchkey people sync`, or import one") {
		t.Errorf("%d %s", code, errs)
	}
}

// Who writes a school's name nearly right is told it.
func TestStatusEntraOfAPartNearlyRight(t *testing.T) {
	t.Parallel()
	cfg := readTenant(t, "")
	for _, c := range []struct{ flag, name, want string }{
		{"--school", "nort", `nobody of the staff is in nort; did you mean "North"?; `},
		{"--school", "Norht", `did you mean "North"?`},
		{"--department", "bus", `did you mean "Buses"?`},
	} {
		if code, _, errs := command(t, entraEnv, "status", "entra", "--config", cfg, c.flag, c.name); code != exitError || !strings.Contains(errs, c.want) {
			t.Errorf("%s %s: %d %s", c.flag, c.name, code, errs)
		}
	}
	if _, _, errs := command(t, entraEnv, "status", "entra", "--config", cfg, "--school", "Atlantis"); strings.Contains(errs, "did you mean") {
		t.Error(errs)
	}
}
