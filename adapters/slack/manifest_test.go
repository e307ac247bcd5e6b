package slack_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	slackgo "github.com/slack-go/slack"

	"latchkey/adapters/slack"
	"latchkey/adapters/slack/slacktest"
)

func manifest(t testing.TB, o slack.ManifestOptions) (m slackgo.Manifest, raw []byte) {
	t.Helper()
	raw, err := slack.Manifest(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return m, raw
}

// TestManifest: what Slack wants to know of the app, for both ways in.
func TestManifest(t *testing.T) {
	t.Parallel()
	o := slack.ManifestOptions{Name: "Latchkey, the help-desk assistant of us", Description: strings.Repeat("d", 200), Command: "/sspr", Hint: "start | help", Socket: true}
	m, raw := manifest(t, o)
	if !m.Settings.SocketModeEnabled || m.Settings.EventSubscriptions.RequestUrl != "" || m.Settings.Interactivity.RequestUrl != "" || m.Features.SlashCommands[0].Url != "" {
		t.Errorf("Socket Mode: %s", raw)
	}
	if !m.Features.AppHome.HomeTabEnabled || !m.Features.AppHome.MessagesTabEnabled || !strings.Contains(string(raw), `"messages_tab_read_only_enabled": false`) {
		t.Errorf("nobody could write to the bot: %s", raw)
	}
	if len([]rune(m.Display.Name)) > 35 || len([]rune(m.Display.Description)) > 140 || !m.Settings.Interactivity.IsEnabled || m.Settings.TokenRotationEnabled {
		t.Errorf("%s", raw)
	}
	if want := []string{"app_home_opened", "app_mention", "app_uninstalled", "message.im", "tokens_revoked"}; !slices.Equal(m.Settings.EventSubscriptions.BotEvents, want) {
		t.Errorf("events %q", m.Settings.EventSubscriptions.BotEvents)
	}
	if slices.Contains(m.OAuthConfig.Scopes.Bot, "users:read.email") {
		t.Error("addresses are asked for, and nobody wants them")
	}
	link, err := url.Parse(slack.InstallLink(raw))
	if err != nil || link.Host != "api.slack.com" || link.Query().Get("new_app") != "1" {
		t.Errorf("%v %v", link, err)
	}
	var again slackgo.Manifest
	if err := json.Unmarshal([]byte(link.Query().Get("manifest_json")), &again); err != nil || again.Display.Name != m.Display.Name {
		t.Errorf("the link carries another manifest: %v", err)
	}
	o.Socket, o.SSO, o.CallbackURL = false, true, "https://bot.example.org/in/slack-acme"
	m, raw = manifest(t, o)
	if m.Settings.SocketModeEnabled || m.Settings.EventSubscriptions.RequestUrl != o.CallbackURL || m.Settings.Interactivity.RequestUrl != o.CallbackURL || m.Features.SlashCommands[0].Url != o.CallbackURL {
		t.Errorf("events over HTTP: %s", raw)
	}
	if slices.Contains(m.OAuthConfig.Scopes.Bot, "channels:history") {
		t.Error("channels are read, and there is no desk")
	}
	// With single sign-on and the desk, these are all the scopes that the double
	// knows.
	o.Desk = true
	m, _ = manifest(t, o)
	have := slices.Sorted(slices.Values(m.OAuthConfig.Scopes.Bot))
	if want := strings.Split(slacktest.AllScopes, ","); !slices.Equal(have, want) {
		t.Errorf("scopes %q, want %q", have, want)
	}
	for _, s := range slack.Needs(true, true) {
		if s.Why == "" {
			t.Errorf("nobody knows what %s is for", s.Name)
		}
	}
	o.CallbackURL = ""
	if _, err := slack.Manifest(o); err == nil || !strings.Contains(err.Error(), "http.public_url") {
		t.Errorf("without an address: %v", err)
	}
}
