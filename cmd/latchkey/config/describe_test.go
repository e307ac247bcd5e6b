package config_test

import (
	"bytes"
	"strings"
	"testing"

	"latchkey/cmd/latchkey/config"
)

func TestDescribeIsAValidFile(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := config.Describe(&b); err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse("latchkey.yaml", b.Bytes(), nil)
	if err != nil {
		t.Fatalf("the described file does not pass the check:\n%v", err)
	}
	if c.Org.Name == "" || c.Store.Path != "latchkey.db" || c.Policy.CodeTries != 5 {
		t.Errorf("unexpected values: %+v", c)
	}
	for _, k := range config.Keys() {
		if k.Doc == "" || !strings.HasSuffix(k.Doc, ".") {
			t.Errorf("%s: its explanation is not a sentence: %q", k.Path, k.Doc)
		}
		if !strings.Contains(b.String(), k.Doc) {
			t.Errorf("%s: not explained in the file", k.Path)
		}
		if k.Default == "" && k.Example == "" && !k.Secret() {
			t.Errorf("%s: neither a default nor an example", k.Path)
		}
	}
}

// With every setting uncommented, the file still passes: defaults and examples
// are values that the check takes.
func TestDescribeUncommented(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := config.Describe(&b); err != nil {
		t.Fatal(err)
	}
	var lines []string
	n := 0
	for l := range strings.SplitSeq(b.String(), "\n") {
		trimmed := strings.TrimLeft(l, " ")
		if rest, ok := strings.CutPrefix(trimmed, "#"); ok && rest != "" && rest[0] != ' ' {
			if strings.HasPrefix(rest, "postgres_env") {
				continue // one of the two stores
			}
			// What is off by default makes the keys that belong to it a mistake.
			rest = strings.NewReplacer("enabled: false", "enabled: true", "kind: none", "kind: oidc").Replace(rest)
			l = l[:len(l)-len(trimmed)] + rest
			n++
		}
		lines = append(lines, l)
	}
	env := []string{"SMTP_PASSWORD=correct horse", "TWILIO_AUTH_TOKEN=" + strings.Repeat("a", 32), "DESK_WEBHOOK_SECRET=whsec_" + strings.Repeat("c2Vj", 8), "DESK_WEBHOOK_BACK_SECRET=whsec_" + strings.Repeat("YmFj", 8), "DESK_WEBHOOK_PREVIOUS_SECRET=whsec_" + strings.Repeat("b2xk", 8), "DESK_ZAMMAD_TOKEN=zammad", "DESK_ZAMMAD_WEBHOOK_SECRET=" + strings.Repeat("b", 24), "OIDC_CLIENT_SECRET=battery staple", "ENTRA_CLIENT_SECRET=entra~secret",
		"CHANNELS_SLACK_ACME_BOT_TOKEN=xoxb-1111-2222\nxoxb-0000-0000", "CHANNELS_SLACK_ACME_APP_TOKEN=xapp-1111-2222", "CHANNELS_SLACK_ACME_SIGNING_SECRET=0123456789abcdef",
		"CHANNELS_TEAMS_DISTRICT_CLIENT_SECRET=teams~secret", "CHANNELS_DISCORD_STAFF_TOKEN=discord.token"}
	text := strings.Join(lines, "\n")
	hook, zammad := strings.Index(text, "\n  webhook:\n"), strings.Index(text, "\n  zammad:\n") // one of the two systems for tickets
	after := strings.Index(text, "\n\n# The server for the web chat")
	if _, err := config.Parse("/etc/latchkey/latchkey.yaml", []byte(text[:hook]+text[zammad:]), env); err != nil {
		t.Fatalf("uncommented, with a Zammad:\n%v", err)
	}
	c, err := config.Parse("/etc/latchkey/latchkey.yaml", []byte(text[:zammad]+text[after:]), env)
	if err != nil {
		t.Fatalf("uncommented:\n%v", err)
	}
	if want := len(config.Keys()) - 7; n != want {
		t.Errorf("%d settings were commented out, want %d", n, want)
	}
	if c.SMTP.Host == "" || c.Twilio.From == "" || string(c.SMTP.Password) != "correct horse" || string(c.OIDC.ClientSecret) != "battery staple" || len(c.Web.Embed) != 1 {
		t.Errorf("values are missing: %+v", c)
	}
	if len(c.Slack) != 1 || len(c.Teams) != 1 || len(c.Discord) != 1 {
		t.Fatalf("accounts: %+v %+v %+v", c.Slack, c.Teams, c.Discord)
	}
	if s := c.Slack[0]; s.Channel() != "slack-acme" || s.HookPath() != "/in/slack-acme" || s.Team == "" || s.Command != "/sspr" || len(s.BotToken) != 2 || string(s.BotToken[0]) != "xoxb-1111-2222" {
		t.Errorf("slack: %+v", s)
	}
	if c.Scripts != "/etc/latchkey/scripts" || c.KeysFile != "/etc/latchkey/latchkey.keys" {
		t.Errorf("paths are not relative to the file: %q %q", c.Scripts, c.KeysFile)
	}
}
