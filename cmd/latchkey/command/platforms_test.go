package command

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/discord/discordtest"
	"latchkey/adapters/slack/slacktest"
	"latchkey/adapters/teams/teamstest"
)

// TestPlatformsSideBySide: two Slack workspaces, a Teams tenant and two Discord
// applications in one program. Two of them have nothing on the other side; the
// others do not notice, their people are answered, and operators see which is
// which.
func TestPlatformsSideBySide(t *testing.T) {
	t.Parallel()
	slack, cloud, discord := slacktest.New(t), teamstest.New(t), discordtest.New(t)
	nobody := fmt.Sprintf("http://127.0.0.1:%d", rigs.FreePort(t))
	s := newWebSite(t, false, fmt.Sprintf(`channels:
  slack:
    acme: {bot_token_file: %[1]s, app_token_file: %[2]s, team: %[3]s, api_url: "%[4]s"}
    lost: {bot_token_file: %[1]s, app_token_file: %[2]s, team: T0000LOST, api_url: "%[5]s/api/"}
  teams:
    riverbend: {app_id: %[6]s, tenant: %[7]s, client_secret_file: %[8]s, login_url: "%[9]s", keys_url: "%[10]s", service_hosts: ["%[11]s"]}
  discord:
    staff: {application_id: "%[12]s", token_file: %[13]s, api_url: "%[14]s"}
    lost: {application_id: "100000000000000009", token_file: %[13]s, api_url: "%[5]s/api/v10"}
`, secretFile(t, slacktest.BotToken), secretFile(t, slacktest.AppToken), slacktest.Team, slack.API(), nobody,
		teamstest.AppID, teamstest.Tenant, secretFile(t, teamstest.Secret), cloud.LoginURL(), cloud.KeysURL(), cloud.Host(),
		discordtest.ApplicationID, secretFile(t, discordtest.Token), discord.API))
	cloud.Endpoint(s.public + "/in/teams-riverbend")

	health := func(channel string) (int, string) {
		r, err := http.Get("http://" + s.addr + "/healthz/" + channel)
		if err != nil {
			return 0, err.Error()
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return 0, err.Error()
		}
		return r.StatusCode, string(b)
	}
	for channel, want := range map[string]int{"slack-acme": 200, "slack-lost": 503, "teams-riverbend": 200, "discord-staff": 200, "discord-lost": 503, "web": 404} {
		code, text := 0, ""
		rigs.Until(t, channel+" to be known as it is", func() bool { code, text = health(channel); return code == want })
		if code == http.StatusServiceUnavailable && !strings.Contains(text, "down since 20") {
			t.Errorf("%s: %s", channel, text)
		}
	}

	const hello = "help-desk assistant of Riverbend Schools"
	u := slack.Add(slacktest.User{Name: "ada", Locale: "en-US"})
	h, err := slack.Says(u.ID, "hi")
	if err != nil {
		t.Fatal(err)
	}
	rigs.Until(t, "Slack's acknowledgement", func() bool { ok, _, _ := slack.Send(h, 0); return ok })
	rigs.Until(t, "the answer in Slack", func() bool {
		for _, m := range slack.Messages(slack.Room(u.ID)) {
			if m.User == slacktest.BotUser && strings.Contains(m.Text, hello) {
				return true
			}
		}
		return false
	})
	p := &teamsPerson{Person: cloud.Person(7), t: t, s: &teamsSite{webSite: s, cloud: cloud}, seen: map[string]bool{}}
	p.Lang = "en-US"
	p.says("hi")
	p.hears(hello)
	w := &writer{Person: discord.Person(1), t: t, s: &discordSite{s, discord}}
	w.Speak("en-US")
	w.says("hi")
	w.hears(hello)

	out, code := s.run(t, "doctor", "--config", s.cfg)
	if code == 0 {
		t.Error("the doctor finds nothing broken")
	}
	parts := map[string]string{}
	name := ""
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, " ") {
			name = strings.TrimSpace(line)
		}
		parts[name] += line
	}
	for _, channel := range []string{"slack-acme", "teams-riverbend", "discord-staff"} {
		if !strings.Contains(parts[channel], "good     connection: up") {
			t.Errorf("the doctor says of %s:\n%s", channel, parts[channel])
		}
	}
	for _, channel := range []string{"slack-lost", "discord-lost"} {
		if !strings.Contains(parts[channel], "BROKEN   connection: ") {
			t.Errorf("the doctor says of %s:\n%s", channel, parts[channel])
		}
	}
	s.noSecrets(t, out)
}

// secretFile keeps a secret where only its owner reads it.
func secretFile(t *testing.T, secret string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
