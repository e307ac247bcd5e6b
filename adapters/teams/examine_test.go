package teams_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/teams"
	"latchkey/adapters/teams/teamstest"
	"latchkey/bot"
)

// TestExamine: the doctor finds what is broken, says what to do, and calls no
// conversation.
func TestExamine(t *testing.T) {
	t.Parallel()
	find := func(b *bench, what string) bot.Finding {
		t.Helper()
		for _, f := range b.a.Examine(t.Context()) {
			if (f.Fix == "") != (f.State == bot.Fine || f.State == bot.Skipped) || f.Text == "" {
				t.Errorf("finding %+v", f)
			}
			if strings.HasPrefix(f.What, what) {
				return f
			}
		}
		t.Fatalf("nothing about %s", what)
		return bot.Finding{}
	}
	for _, c := range []struct {
		name, what string
		spoil      func(*teams.Options)
		cloud      func(*teamstest.Cloud)
		state      bot.FindingState
		text       string
	}{
		{"all is well", "token", nil, nil, bot.Fine, "gives one"},
		{"all is well", "key server", nil, nil, bot.Fine, "1 keys"},
		{"all is well", "clock", nil, nil, bot.Fine, "right"},
		{"all is well", "service host", nil, nil, bot.Fine, "answers"},
		{"one secret is over", "token", func(o *teams.Options) {
			o.ClientSecret = func() []bot.Secret { return []bot.Secret{"over", teamstest.Secret} }
		}, nil, bot.Doubtful, "1 of 2 is refused"},
		{"no secret is good", "token", nil, func(c *teamstest.Cloud) { c.Accept() }, bot.Broken, "no client secret"},
		{"another tenant", "token", func(o *teams.Options) { o.Tenant = "99999999-aaaa-4bbb-8ccc-000000000002" }, nil, bot.Broken, "invalid_request"},
		{"keys are away", "key server", nil, func(c *teamstest.Cloud) { c.KeysDown(true) }, bot.Broken, "500"},
		{"keys of others", "key server", nil, func(c *teamstest.Cloud) { c.PublishKey(teamstest.KeyID, teamstest.ConnectorKey(), "webchat") }, bot.Broken, "none speaks for Teams"},
		{"the clock is wrong", "clock", func(o *teams.Options) {
			o.Now = func() time.Time { return time.Now().Add(10*time.Minute + 20*time.Second) }
		}, nil, bot.Broken, "10m"},
		{"the clock is not quite right", "clock", func(o *teams.Options) { o.Now = func() time.Time { return time.Now().Add(-150 * time.Second) } }, nil, bot.Doubtful, "2m"},
		{"a host is away", "service host 127.0.0.1:1", func(o *teams.Options) { o.ServiceHosts = append(o.ServiceHosts, "127.0.0.1:1") }, nil, bot.Broken, "refused"},
		{"a whole domain", "service host *.", func(o *teams.Options) { o.ServiceHosts = append(o.ServiceHosts, "*.botframework.com") }, nil, bot.Skipped, "domain"},
		{"no public address", "messaging endpoint", func(o *teams.Options) { o.PublicURL = "http://127.0.0.1:8080" }, nil, bot.Broken, "cannot be reached by Microsoft"},
		{"an address that nobody can reach", "messaging endpoint", func(o *teams.Options) { o.PublicURL = "https://latchkey.invalid" }, nil, bot.Doubtful, "cannot be reached from here"},
		{"writing first", "writing first", func(o *teams.Options) { o.Desk = true }, nil, bot.Fine, "/amer"},
		{"by another host", "writing first", func(o *teams.Options) { o.Desk, o.ServiceURL = true, "https://smba.trafficmanager.net/teams" }, nil, bot.Broken, "service_hosts"},
		{"installing", "installing the app", func(o *teams.Options) { o.CatalogApp = teamstest.CatalogApp }, nil, bot.Fine, "may install"},
		{"installing without the right", "installing the app", func(o *teams.Options) { o.CatalogApp = teamstest.CatalogApp }, func(c *teamstest.Cloud) { c.Roles() }, bot.Broken, "lacks the permission TeamsAppInstallation"},
		{"installing with more rights", "installing the app", func(o *teams.Options) { o.CatalogApp = teamstest.CatalogApp }, func(c *teamstest.Cloud) {
			c.Roles("TeamsAppInstallation.ReadWriteSelfForUser.All", "User.ReadWrite.All")
		}, bot.Doubtful, "2 permissions"},
	} {
		t.Run(fmt.Sprint(c.name, ", ", c.what), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, c.spoil)
			if c.cloud != nil {
				c.cloud(b.cloud)
			}
			if f := find(b, c.what); f.State != c.state || !strings.Contains(f.Text, c.text) {
				t.Errorf("found %+v", f)
			}
			if here, _ := b.cloud.Requests(); len(here) > 0 {
				t.Errorf("the connector was called: %v", here)
			}
			if strings.Contains(fmt.Sprint(b.a.Examine(t.Context())), teamstest.Secret) {
				t.Error("a secret stands in a finding")
			}
		})
	}
	b := newBench(t, func(o *teams.Options) { o.Emulator, o.Listen, o.PublicURL = true, "127.0.0.1:8080", "" })
	if f := find(b, "emulator"); f.State != bot.Doubtful {
		t.Errorf("emulator: %+v", f)
	}
}
