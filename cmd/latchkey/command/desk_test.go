package command

import (
	"os"
	"strings"
	"testing"
)

// Who answers at the help desk is said by command, with a reason, and the last
// admin stays.
func TestDeskCommands(t *testing.T) {
	t.Parallel()
	cfg := install(t, "")
	list := writeFile(t, "id,username,email,name\ne1,ann,ann@example.org,Ann Lee\ne2,bob,bob@example.org,Bob Ray\ne3,cho,cho@example.org,Cho Kim\n")
	if code, out, errs := command(t, nil, "people", "import", list, "--config", cfg); code != exitOK {
		t.Fatalf("import: %d %s %s", code, out, errs)
	}
	for _, x := range []struct {
		args string
		code int
		says string // somewhere
	}{
		{"desk agents", exitOK, "make the first one with `latchkey desk grant"},
		{"desk grant ann --role admin", exitUsage, "--why"},
		{"desk grant ann --role boss --why head", exitUsage, "neither agent nor admin"},
		{"desk grant zoe --why new", exitError, "people list --search"},
		{"desk grant ann --role admin --why head --dry-run", exitOK, "Nothing was changed"},
		{"desk agents", exitOK, "make the first one"},
		{"desk grant ann --role admin --why head", exitOK, "Agent (admin): "},
		{"desk grant bob --why new", exitOK, "Agent (agent): "},
		{"desk agents", exitOK, "e2             bob"},
		{"desk revoke cho --why gone", exitError, "is no agent"},
		{"desk revoke ann --why gone", exitError, "last admin"},
		{"desk grant ann --role agent --why less", exitError, "last admin"},
		{"desk grant bob --role admin --why more", exitOK, "Agent (admin)"},
		{"desk revoke ann --why gone", exitOK, "No agent any more: "},
		{"people freeze bob --why asks --dry-run", exitOK, "the last admin of the help desk whose account is on"},
		{"people disable bob --why left", exitOK, "the last admin of the help desk whose account is on"},
		{"people enable bob --why back", exitOK, "Enabled"},
		{"people disable cho --why left", exitOK, "Disabled"},
		{"desk grant cho --why back", exitError, "off or frozen"},
		{"tickets list", exitOK, "nobody is waiting"},
		{"requests list", exitOK, "nobody is waiting"},
		{"desk grant ann --role outside --why x", exitUsage, "ticket-system alone"},
		{"desk grant ticket-system --role outside", exitUsage, "--why"},
		{"desk revoke ticket-system --why x", exitError, "was not granted anything"},
		{"desk grant ticket-system --role outside --why Zammad --dry-run", exitOK, "Nothing was changed"},
		{"desk grant ticket-system --role outside --why Zammad", exitOK, "ticket-system may write back at the desk."},
		{"desk agents", exitOK, "the system for tickets "},
		{"desk revoke ticket-system --why x", exitOK, "ticket-system may not write back any more."},
		{"desk figures", exitOK, "Now: 0 waiting; 0 taken\nThe last 30 days: 0 opened"},
		{"desk figures --days 91", exitUsage, "not 1 to 90"},
		{"desk figures --days 7 --csv", exitOK, "\r\ntime,first_answer,0,,0,0,0,\r\n"},
		{"desk webhooks list", exitOK, "given up: 0; on their way: 0 tickets"},
		{"desk webhooks replay", exitOK, "nothing was given up"},
		{"audit list", exitOK, "agent.revoked"},
	} {
		code, out, errs := command(t, nil, append(strings.Fields(x.args), "--config", cfg)...)
		if code != x.code || !strings.Contains(out+errs, x.says) {
			t.Errorf("%s: %d, want %d and %q\n%s%s", x.args, code, x.code, x.says, out, errs)
		}
	}
}

// Who becomes an agent and has no method for the door of the desk in the browser: the
// command says so, and what to do. Where the provider asks, nothing is to be done.
func TestGrantWithoutAMethod(t *testing.T) {
	t.Parallel()
	cfg := install(t, "desk: {enabled: true}\nchannels: {web: {enabled: true}}\noidc: {issuer: \"https://login.example.org\", client_id: a, client_secret_env: S}\n")
	text, err := os.ReadFile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.NewReplacer("directory: {kind: none}", "directory: {kind: oidc}", `"127.0.0.1:0"}`, `"127.0.0.1:0", public_url: "https://bot.example.org"}`).Replace(string(text)))
	if err := os.WriteFile(cfg, text, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		code, out, errs := command(t, []string{"S=x"}, append(args, "--config", cfg)...)
		if code != exitOK {
			t.Fatalf("%q: %d %s %s", args, code, out, errs)
		}
		return out
	}
	run("people", "import", writeFile(t, "id,username,email,name\ne1,ann,ann@example.org,Ann Lee\n"))
	if out := run("desk", "grant", "ann", "--role", "admin", "--why", "head"); !strings.Contains(out, "they have none yet") || !strings.Contains(out, "grant the role once more") {
		t.Errorf("said %q", out)
	}
	s := strings.Replace(string(text), "client_id: a,", "client_id: a, second_factor: amr,", 1)
	if err := os.WriteFile(cfg, []byte(s), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := run("desk", "grant", "ann", "--role", "admin", "--why", "head"); strings.Contains(out, "none yet") {
		t.Errorf("said %q", out)
	}
}
