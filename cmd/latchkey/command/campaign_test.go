package command

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"latchkey/store/storetest"
)

// A campaign from its draft to its report, by commands; whatever is wrong is named,
// and nothing is sent before send.
func TestCampaignCommands(t *testing.T) {
	t.Parallel()
	cfg := install(t, "")
	list := writeFile(t, "id,username,email,name,site\ne1,ann,ann@example.org,Ann Lee,North\ne2,bob,bob@example.org,Bob Ray,North\ne3,cho,cho@example.org,Cho Kim,South\n")
	if code, out, errs := command(t, nil, "people", "import", list, "--config", cfg); code != exitOK {
		t.Fatalf("import: %d %s %s", code, out, errs)
	}
	soon := time.Now().AddDate(0, 1, 0).Format(time.DateOnly)
	file := func(text string) string { return writeFile(t, strings.ReplaceAll(text, "SOON", soon)) }
	full := file("kind: first_enrollment\ndeadline: SOON\naudience: {sites: [north], not_people: [bob]}\nper_day: 1\nsecond: 1\ntexts:\n  en: \"Hello {name}: {days} days\"\n  es: \"Hola {name}\"\n")
	seen := "" // as preview printed it last
	for _, x := range []struct {
		as, args string
		code     int
		says     string // somewhere
	}{
		{"", "campaign list", exitOK, "there is no campaign yet"},
		{"", "campaign new", exitUsage, "needs a name"},
		{"", "campaign new a --kind first_enrollment --file x", exitUsage, "either --kind or --file"},
		{"", "campaign new a --kind first", exitError, "deadline is missing"},
		{"", "campaign new a --kind first --deadline " + soon, exitError, `kind "first" is none: one of first_enrollment`},
		{"", "campaign new a --kind first_enrollment --deadline 2020-01-01", exitError, "deadline 2020-01-01 is past"},
		{"", "campaign new a --kind first_enrollment --deadline tomorrow", exitError, `deadline "tomorrow" is no day`},
		{"", "campaign new later --kind first_enrollment --deadline " + soon, exitError, `the name "later" is none`},
		{"", "campaign new a --file nowhere.yaml", exitError, "nowhere.yaml"},
		{"", "campaign new a --file " + file("knd: x\n"), exitError, "line 1: field knd not found"},
		{"", "campaign new a --file " + file("kind: half_way\ndeadline: SOON\nzone: Riverbend\n"), exitError, `zone "Riverbend" does not exist`},
		{"", "campaign new a --file " + file("kind: half_way\ndeadline: SOON\nstarts: noon\n"), exitError, `starts "noon" is no time`},
		{"", "campaign new a --file " + file("kind: half_way\ndeadline: SOON\ncalendar: none.ics\n"), exitError, "none.ics"},
		{"", "campaign new a --file " + file("kind: half_way\ndeadline: SOON\ncalendar: "+writeFile(t, "Christmas")+"\n"), exitError, `line 1: "Christmas" is no day`},
		{"", "campaign new a --file " + file("kind: half_way\ndeadline: SOON\naudience: {people: [zoe]}\n"), exitError, `names "zoe", and nobody of the staff list`},
		{"", "campaign new a --file " + file("kind: half_way\ndeadline: SOON\ntexts: {en: \"Hi {nme}\"}\n"), exitError, "{nme}, which is not known"},
		{"", "campaign new a --file " + file("kind: half_way\ndeadline: SOON\ntexts: {en: Hi}\n"), exitError, "the text in es is missing"},
		{"", "campaign new a --file " + file("kind: half_way\ndeadline: SOON\n---\nkind: half_way\n"), exitError, "something follows the first document"},
		{"", "campaign new a --file " + file("kind: half_way\ndeadline: SOON\nzone: Local\n"), exitError, `zone "Local" does not exist`},
		{"", "campaign new odd --file " + file("kind: first_enrollment\ndeadline: SOON\naudience: {not_sites: [Nroth]}\n"), exitOK, `the site "Nroth"`},
		{"", "campaign preview odd", exitOK, `the site "Nroth"`},
		{"", "campaign new --example", exitOK, "kind: first_enrollment"},
		{"", "campaign new empty --kind half_way --deadline " + soon, exitOK, "nobody is in its audience now"},
		{"", "campaign send empty --untested", exitError, "nobody is in the audience of empty now"},
		{"", "campaign new a --file " + full, exitOK, "campaign a is a draft for 1 people now"},
		{"", "campaign new a --file " + full, exitError, "there is a campaign a already"},
		{"", "campaign new b --kind first_enrollment --deadline " + soon, exitOK, "a draft for 3 people"},
		{"", "campaign preview b", exitOK, "3 people are in its audience now (not_enrolled)"},
		{"", "campaign preview b", exitOK, "Hola, Carmen"},
		{"", "campaign preview b", exitOK, "Ann Lee (ann): no way leads to them: no chat"},
		{"", "campaign preview c", exitError, "there is no such campaign"},
		{"", "campaign test b", exitUsage, "--to PERSON"},
		{"", "campaign test b --to zoe", exitError, "people list --search"},
		{"", "campaign test b --to ann", exitError, "on no channel"},
		{"", "campaign send b", exitError, "--untested"},
		{"", "campaign pause b", exitError, "campaign b is draft"},
		{"", "campaign edit b", exitUsage, "needs --file, or --deadline"},
		{"", "campaign edit b --deadline 2020-01-01", exitError, "deadline 2020-01-01 is past"},
		{"", "campaign edit b --file " + file("kind: first_enrollment\ndeadline: SOON\naudience: {people: [ann]}\n"), exitOK, "campaign b is still a draft for 1 people now"},
		{"", "campaign edit b --deadline " + soon, exitOK, "for 1 people now"},
		{"", "campaign edit b --file " + file("kind: first_enrollment\ndeadline: SOON\n"), exitOK, "for 3 people now"},
		{"", "campaign edit c --deadline " + soon, exitError, "there is no such campaign"},
		{"", "campaign new gone --kind first_enrollment --deadline " + soon, exitOK, "3 people"},
		{"", "campaign delete gone", exitOK, "campaign gone is deleted"},
		{"", "campaign delete gone", exitError, "there is no such campaign"},
		{"", "audit list", exitOK, "campaign.deleted"},
		{"", "campaign send b --untested", exitOK, "no chat and no mail leads to 3: Ann Lee (ann)"},
		{"", "campaign edit b --deadline " + soon, exitError, "only a draft is edited"},
		{"", "campaign delete b", exitError, "only a draft is deleted"},
		{"", "campaign send b --untested", exitError, "campaign b is scheduled already"},
		{"", "campaign status b", exitOK, "is scheduled"},
		{"", "campaign status b --people lost", exitUsage, "is no state"},
		{"", "campaign status b --people waiting", exitOK, "0 people, as of"},
		{"", "campaign pause b", exitOK, "campaign b is paused: 0 messages taken back"},
		{"", "campaign list", exitOK, "paused"},
		{"", "campaign resume b", exitOK, "campaign b goes on"},
		{"", "campaign resend b", exitOK, "campaign b: 0 people are written to again"},
		{"", "campaign stop b", exitOK, "campaign b is stopped"},
		{"", "campaign resume b", exitError, "is stopped, and neither paused nor halted"},
		{"", "campaign report b", exitOK, "not reached"},
		{"", "campaign report b --csv", exitOK, "site,people,done,begun,not_yet,not_reached\r\nall,0,0,0,0,0"},
		{"Ann@root", "campaign new big --file " + file("kind: first_enrollment\ndeadline: SOON\nsecond: 2\n"), exitOK, "3 people"},
		{"Ann@root", "campaign send big --untested", exitOK, "when a second operator gives the same command"},
		{"", "campaign status big", exitOK, "It waits: for the second operator"},
		{"Ann@root", "campaign send big --untested", exitError, "both are the same"},
		{"operator:root@root", "campaign send big --untested", exitError, "both are the same"},
		{"Bob@bob", "campaign send big --untested", exitError, "name what it prints as --seen"},
		{"Bob@bob", "campaign send big --untested --seen AAAAAAAA.1", exitError, "was changed meanwhile"},
		{"Bob@bob", "campaign preview big", exitOK, "Seen as "},
		{"Ann@root", "campaign edit big --seen AAAAAAAA.1 --deadline " + soon, exitError, "was changed meanwhile"},
		{"Bob@bob", "campaign send big --untested --seen SEEN", exitOK, "begins "},
		{"", "audit list", exitOK, "campaign.stopped"},
	} {
		args := append(strings.Fields(strings.ReplaceAll(x.args, "SEEN", seen)), "--config", cfg)
		env := []string{"USER=root"}
		if name, account, _ := strings.Cut(x.as, "@"); name != "" {
			args, env = append(args, "--as", name), []string{"USER=" + account}
		}
		code, out, errs := command(t, env, args...)
		if _, after, ok := strings.Cut(out, "Seen as "); ok {
			seen, _, _ = strings.Cut(after, "\n")
		}
		if code != x.code || !strings.Contains(out+errs, x.says) {
			t.Errorf("%s: %d, want %d and %q\n%s%s", x.args, code, x.code, x.says, out, errs)
		}
	}
	for _, c := range []string{"new", "edit", "delete", "preview", "test", "send", "pause", "resume", "resend", "stop", "status", "report", "slips", "list"} {
		if code, out, _ := command(t, nil, "campaign", c, "--help"); code != exitOK || !strings.Contains(out, fmt.Sprint("latchkey campaign ", c)) || len(out) < 300 {
			t.Errorf("the help of %s teaches nothing:\n%s", c, out)
		}
	}
}

// A command beside the service of a PostgreSQL store, which no socket leads to, knows
// how people are written to, and what it leaves in the store is listed until the
// service sends it.
func TestCampaignCommandKnowsTheWays(t *testing.T) {
	t.Parallel()
	soon := time.Now().AddDate(0, 1, 0).Format(time.DateOnly)
	for _, x := range []struct{ ways, via, listed string }{
		{"smtp: {host: 127.0.0.1, port: 1, security: none, from: bot@example.org}\n", "mail", "test by mail of campaign a for Ann Lee"},
		{"channels: {slack: {acme: {bot_token_env: SLACK, signing_secret_env: SECRET, team: T0123ABCD}}}\n", "slack-acme", "unopened-"},
	} {
		cfg := install(t, "store: {postgres_env: DSN}\n"+x.ways)
		env := []string{"DSN=" + pgAddress(storetest.Postgres(t)), "SLACK=xoxb-0123456789", "SECRET=0123456789abcdef0123456789abcdef", "LATCHKEY_HTTP_PUBLIC_URL=https://bot.example.org"}
		run := func(says string, args ...string) {
			t.Helper()
			if code, out, errs := command(t, env, append(args, "--config", cfg)...); code != exitOK || !strings.Contains(out, says) {
				t.Errorf("%s: %d %s%s, want %q", args, code, out, errs, says)
			}
		}
		run("", "people", "import", writeFile(t, "id,username,email,name\ne1,ann,ann@example.org,Ann Lee\n"))
		run("is a draft for 1 people", "campaign", "new", "a", "--kind", "first_enrollment", "--deadline", soon)
		run("Ann Lee (ann): by "+x.via, "campaign", "preview", "a")
		run("goes to Ann Lee (ann, id e1) by "+x.via, "campaign", "test", "a", "--to", "ann")
		run(x.listed, "outbox", "list")
	}
}

// Slips are pages of paper by school: in each person's language, with the address, its
// picture and a code.
func TestCampaignSlips(t *testing.T) {
	t.Parallel()
	cfg := install(t, "channels: {web: {enabled: true}}\n")
	env := []string{"LATCHKEY_HTTP_PUBLIC_URL=https://bot.example.org"}
	list := writeFile(t, "id,username,name,site,department,language\ne1,ann,Ann <b>Lee,North School,Kitchen,en\ne2,bo,Bo Ray,North School,Buses,es\ne3,cho,Cho Kim,,,en\n")
	out := filepath.Join(t.TempDir(), "slips")
	soon := time.Now().AddDate(0, 1, 0).Format(time.DateOnly)
	for _, x := range []struct {
		args string
		code int
		says string
	}{
		{"people import " + list, exitOK, ""},
		{"campaign new a --kind first_enrollment --deadline " + soon, exitOK, "3 people"},
		{"campaign slips a", exitUsage, "needs --out"},
		{"campaign slips a --out " + out, exitError, "campaign a is draft"},
		{"campaign send a --untested", exitOK, "begins "},
		{"campaign slips a --out " + out, exitOK, "north-school.html: 2 slips"},
		{"campaign slips a --out " + out, exitError, "exists already"},
		{"campaign slips a --site West --out " + out + "2", exitOK, "nobody to print a slip for"},
		{"audit list", exitOK, "campaign.printed"},
	} {
		code, o, errs := command(t, env, append(strings.Fields(x.args), "--config", cfg)...)
		if code != x.code || !strings.Contains(o+errs, x.says) {
			t.Errorf("%s: %d %s%s", x.args, code, o, errs)
		}
	}
	b, err := os.ReadFile(filepath.Join(out, "north-school.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Ann &lt;b&gt;Lee", "Bo Ray", `lang="es"`, "Abra esta página", "Open this page", "https://bot.example.org/chat", "data:image/png;base64,", "555-0100"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("without %q", want)
		}
	}
	if regexp.MustCompile(`(?i)<script|src="http|href=`).Match(b) || strings.Contains(string(b), "Cho") {
		t.Errorf("the page:\n%s", b)
	}
	if st, err := os.Stat(filepath.Join(out, "no-site.html")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
	if dir := os.Getenv("LATCHKEY_SHOW"); dir != "" { // to look at it
		if err := os.WriteFile(filepath.Join(dir, "slips.html"), b, 0o600); err != nil {
			t.Error(err)
		}
	}
}
