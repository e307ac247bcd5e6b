package discord_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/chat"
	"latchkey/adapters/discord"
	"latchkey/adapters/discord/discordtest"
	"latchkey/bot"
)

func examined(a *discord.Adapter) map[string]bot.Finding {
	m := map[string]bot.Finding{}
	for _, f := range a.Examine(context.Background()) {
		m[f.What] = f
	}
	return m
}

// TestExamine: what is right is Fine, and what is wrong is named with what to do.
func TestExamine(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		set   func(*discord.Options, *discordtest.Server)
		after func(*testing.T, *stage)
		want  map[string]bot.FindingState
		fix   string
	}{
		"all is well": {nil, nil, map[string]bot.FindingState{"bot token": bot.Fine, "application": bot.Fine, "gateway": bot.Fine, "command": bot.Fine, "clock": bot.Fine, "callback address": bot.Skipped}, ""},
		"a wrong token": {func(o *discord.Options, _ *discordtest.Server) {
			o.Token = func() []bot.Secret { return []bot.Secret{"wrong-canary"} }
		}, nil,
			map[string]bot.FindingState{"bot token": bot.Broken, "application": bot.Skipped, "gateway": bot.Skipped, "clock": bot.Fine}, "set token"},
		"another application": {func(o *discord.Options, _ *discordtest.Server) { o.ApplicationID = "100000000000000077" }, nil,
			map[string]bot.FindingState{"bot token": bot.Fine, "application": bot.Broken, "command": bot.Doubtful}, "set application_id"},
		"a server without the bot": {func(o *discord.Options, _ *discordtest.Server) { o.Guild = "100000000000000088" }, nil,
			map[string]bot.FindingState{"command": bot.Doubtful}, "add the bot to the server"},
		"anybody may add it": {func(_ *discord.Options, s *discordtest.Server) { s.SetPublic(true) }, nil,
			map[string]bot.FindingState{"installation": bot.Doubtful}, "Public Bot"},
		"a clock that is off": {func(_ *discord.Options, s *discordtest.Server) { s.SetSkew(7 * time.Minute) }, nil,
			map[string]bot.FindingState{"clock": bot.Broken}, "(NTP)"},
		"a clock that is a little off": {func(_ *discord.Options, s *discordtest.Server) { s.SetSkew(-time.Minute) }, nil,
			map[string]bot.FindingState{"clock": bot.Doubtful}, "(NTP)"},
		"a wrong key": {func(o *discord.Options, _ *discordtest.Server) { o.PublicKey = vectorKey }, nil,
			map[string]bot.FindingState{"public key": bot.Broken, "callback address": bot.Doubtful}, "General Information"},
		"no callback at Discord": {func(o *discord.Options, s *discordtest.Server) {
			o.PublicKey, o.PublicURL = s.PublicKey(), "https://bot.example.org/in/discord-acme"
		}, nil, map[string]bot.FindingState{"public key": bot.Fine, "callback address": bot.Doubtful}, "https://bot.example.org/in/discord-acme"},
		"the callback": {func(o *discord.Options, s *discordtest.Server) {
			o.PublicKey, o.PublicURL = s.PublicKey(), "https://bot.example.org/in/discord-acme"
			s.UseEndpoint(o.PublicURL)
		}, nil, map[string]bot.FindingState{"callback address": bot.Fine}, ""},
		"a callback, and no key": {func(_ *discord.Options, s *discordtest.Server) { s.UseEndpoint("https://bot.example.org/x") }, nil,
			map[string]bot.FindingState{"callback address": bot.Broken}, "set public_key"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			st := perform(t, c.set, nil)
			if c.want["command"] == bot.Fine && what == "all is well" {
				st.until("the command", func() bool { return st.s.Commands("") != nil })
			}
			found := examined(st.a)
			fixes := ""
			for w, state := range c.want {
				f, ok := found[w]
				if !ok || f.State != state {
					t.Errorf("%s: %+v, want state %d", w, f, state)
				}
				fixes += f.Fix + "\n"
			}
			for _, f := range found {
				if (f.State == bot.Broken || f.State == bot.Doubtful) == (f.Fix == "") {
					t.Errorf("a fix for nothing, or none: %+v", f)
				}
				if strings.Contains(f.Text+f.Fix, "canary") || strings.Contains(f.Text+f.Fix, discordtest.Token) {
					t.Errorf("a finding tells a secret: %+v", f)
				}
			}
			if !strings.Contains(fixes, c.fix) {
				t.Errorf("no fix says %q:\n%s", c.fix, fixes)
			}
		})
	}
}

// TestOptions: what cannot work is refused, with the key to set.
func TestOptions(t *testing.T) {
	t.Parallel()
	good := func() discord.Options {
		return discord.Options{Options: chat.Options{Channel: "x", Phrases: phrases}, House: newBox(), ApplicationID: "1", Token: func() []bot.Secret { return nil }}
	}
	for says, set := range map[string]func(*discord.Options){
		"no channel":     func(o *discord.Options) { o.Channel = "" },
		"no house":       func(o *discord.Options) { o.House = nil },
		"no token":       func(o *discord.Options) { o.Token = nil },
		"application_id": func(o *discord.Options) { o.ApplicationID = "latchkey" },
		"guild":          func(o *discord.Options) { o.Guild = "staff" },
		"public_key":     func(o *discord.Options) { o.PublicKey = "abcd" },
		"https":          func(o *discord.Options) { o.APIURL = "http://emulator.example/api" },
		"no address":     func(o *discord.Options) { o.APIURL = "127.0.0.1:80" },
	} {
		o := good()
		set(&o)
		if _, err := discord.New(o); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
	for _, u := range []string{"", "https://discord.example.gov/api/v10", "http://127.0.0.1:8080/api/", "http://[::1]:80/api", "http://localhost:1/api"} {
		o := good()
		o.APIURL = u
		if _, err := discord.New(o); err != nil {
			t.Errorf("%q: %v", u, err)
		}
	}
}

// TestCommandsAreRegistered where they should be, once connected.
func TestCommandsAreRegistered(t *testing.T) {
	t.Parallel()
	for _, guild := range []string{"", discordtest.GuildID} {
		t.Run("guild "+guild, func(t *testing.T) {
			t.Parallel()
			st := perform(t, func(o *discord.Options, _ *discordtest.Server) { o.Guild = guild }, nil)
			st.until("the commands", func() bool { return st.s.Commands(guild) != nil })
			raw, err := json.Marshal(st.s.Commands(guild))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{`"name":"setup"`, "Set up ways to prove that it is you", "Configurar formas de demostrar", `"value":"help"`, `"es-419":"ayuda"`} {
				if !strings.Contains(string(raw), want) {
					t.Errorf("%s is missing in %s", want, raw)
				}
			}
			if got := strings.Contains(string(raw), `"contexts":[0,1]`); got != (guild == "") {
				t.Errorf("contexts: %s", raw)
			}
		})
	}
}

// TestManifest tells the install link, scopes, intents and commands.
func TestManifest(t *testing.T) {
	t.Parallel()
	raw, err := discord.Manifest(discord.Options{Options: chat.Options{Phrases: phrases, Lang: "en", BotName: "Latchkey"}, ApplicationID: discordtest.ApplicationID}, "https://bot.example.org/in/discord-acme")
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Link     string            `json:"install_link"`
		Scopes   []string          `json:"scopes"`
		Bits     int               `json:"intents_bits"`
		Priv     []string          `json:"privileged_intents"`
		Settings map[string]string `json:"developer_portal"`
		Commands []any             `json:"commands"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	if m.Link != "https://discord.com/oauth2/authorize?client_id="+discordtest.ApplicationID+"&integration_type=0&permissions=0&scope=bot+applications.commands" {
		t.Errorf("link %s", m.Link)
	}
	if fmt.Sprint(m.Scopes) != "[bot applications.commands]" || m.Bits != 4608 || m.Priv == nil || len(m.Priv) != 0 || len(m.Commands) != 1 {
		t.Errorf("%+v", m)
	}
	if s := m.Settings["General Information / Interactions Endpoint URL"]; !strings.HasPrefix(s, "https://bot.example.org/in/discord-acme ") {
		t.Errorf("endpoint %q", s)
	}
	if n := discord.Notes(discordtest.ApplicationID, false); !strings.Contains(n, m.Link) {
		t.Errorf("notes %s", n)
	}
}
