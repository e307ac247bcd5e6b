package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/cmd/latchkey/config"
	"latchkey/store"
)

// brittle is a platform whose connection does what it is told.
type brittle struct {
	id    bot.ChannelID
	runs  atomic.Int64
	run   func(ctx context.Context, n int64) error
	found []bot.Finding
}

func (s *brittle) Channel() bot.ChannelID { return s.id }

func (s *brittle) Limits() bot.Limits { return bot.Limits{} }

func (s *brittle) Run(ctx context.Context, _ bot.Inbox) error {
	return s.run(ctx, s.runs.Add(1))
}

func (s *brittle) Send(context.Context, bot.Delivery) (bot.Receipt, error) { return bot.Receipt{}, nil }

func (s *brittle) Examine(context.Context) []bot.Finding {
	if s.found == nil {
		panic("secret value")
	}
	return s.found
}

func forever(ctx context.Context, _ int64) error { <-ctx.Done(); return ctx.Err() }

func smallProgram(t *testing.T, log *bytes.Buffer, as ...bot.Adapter) *Program {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{DSN: t.TempDir() + "/x.db"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	p := &Program{Config: config.Default(), DB: db, Log: slog.New(slog.NewTextHandler(log, nil))}
	for _, a := range as {
		p.Connections.AddChannel(a)
	}
	return p
}

// TestOneChannelFails: a channel that panics, fails or ends by itself starts
// again, says so under its own health address, and the other one goes on.
func TestOneChannelFails(t *testing.T) {
	t.Parallel()
	up := make(chan struct{})
	bad := &brittle{id: "slack-bad", run: func(ctx context.Context, n int64) error {
		switch n {
		case 1:
			panic("boom")
		case 2:
			return errors.New("no route")
		}
		close(up)
		return forever(ctx, n)
	}}
	good := &brittle{id: "slack-good", run: forever}
	var log bytes.Buffer
	p := smallProgram(t, &log, bad, good)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	for _, a := range p.Connections.channels {
		go func() { ended <- p.keepRunning(ctx, a) }()
	}
	ask := func(path string) (int, string) {
		w := httptest.NewRecorder()
		p.Handler().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w.Code, w.Body.String()
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		code, text := ask("/healthz/slack-bad")
		if code == http.StatusServiceUnavailable && strings.HasPrefix(text, "down since 20") && strings.Contains(text, "stopped: ") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("health of the one that stopped: %d %s", code, text)
		}
	}
	if code, text := ask("/healthz/slack-good"); code != http.StatusOK {
		t.Errorf("health of the other: %d %s", code, text)
	}
	if code, _ := ask("/healthz/nobody"); code != http.StatusNotFound {
		t.Errorf("health of no channel: %d", code)
	}
	select {
	case <-up:
	case <-time.After(time.Minute):
		t.Fatal("it did not start again")
	}
	if code, text := ask("/healthz/slack-bad"); code != http.StatusOK {
		t.Errorf("health after it started again: %d %s", code, text)
	}
	stop()
	for range 2 {
		if err := <-ended; err != nil {
			t.Errorf("a failing platform must not end the program: %v", err)
		}
	}
	if n := good.runs.Load(); n != 1 {
		t.Errorf("the other channel was started %d times", n)
	}
	if s := log.String(); !strings.Contains(s, "no route") || strings.Contains(s, "boom") || !strings.Contains(s, "slack-bad") {
		t.Errorf("log:\n%s", s)
	}
}

// examined is what the doctor finds, with what to do about it, and how much of it
// is broken.
func examined(t *testing.T, p *Program, serving bool) (said string, broken int) {
	t.Helper()
	err := p.Examine(t.Context(), serving, func(s Section) {
		said += s.Name + "\n"
		for _, f := range s.Findings {
			if f.State == bot.Broken {
				broken++
			}
			said += fmt.Sprintf("  %s %s: %s\n", [...]string{"good", "look", "BROKEN", "skipped"}[f.State], f.What, f.Text)
			if f.State != bot.Fine {
				said += "    " + f.Fix + "\n"
			}
		}
	})
	if err != nil {
		t.Error(err)
	}
	return said, broken
}

// TestDoctorAsksChannels: a channel that stopped is a finding beside what its
// platform says, and so is an adapter that panics, without the panic's value.
func TestDoctorAsksChannels(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	good := &brittle{id: "slack-good", run: forever, found: []bot.Finding{{What: "bot token", Text: "works"}}}
	p := smallProgram(t, &log, good, &brittle{id: "slack-mad"})
	p.stopped.Store(bot.ChannelID("slack-good"), bot.Health{Text: "stopped: no route"})
	if said, broken := examined(t, p, false); broken != 1 || !strings.Contains(said, "slack-good\n  good bot token: works\nslack-mad\n  BROKEN adapter: panicked: string\n") || strings.Contains(said, "secret value") {
		t.Errorf("without the service %d are broken:\n%s", broken, said)
	}
	if said, broken := examined(t, p, true); broken != 2 || !strings.Contains(said, "BROKEN connection: stopped: no route") {
		t.Errorf("in the service %d are broken:\n%s", broken, said)
	}
}

// TestSecretsAreReadAnew: a new secret in its file counts after SIGHUP, beside
// the old one; a mistake in the configuration changes nothing.
func TestSecretsAreReadAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("token", "xoxb-first-first\n")
	write("signing", "signing-secret\n")
	file := write("latchkey.yaml", `
org: {name: Example, department: IT, address: Main Street 1, help_phone: "1", help_hours: always, domains: [example.org]}
http: {public_url: https://latchkey.example.org}
channels: {slack: {acme: {team: T0123ABCD, bot_token_file: token, signing_secret_file: signing}}}
`)
	cfg, err := config.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	p := smallProgram(t, &log)
	p.Config = cfg
	tokens := p.secrets(func(c *config.Config) []bot.Secret { return c.SlackOf("acme").BotToken })
	want := func(all ...string) {
		t.Helper()
		var got []string
		for _, s := range tokens() {
			got = append(got, string(s))
		}
		if !slices.Equal(got, all) || string(tokens.One()) != all[0] {
			t.Errorf("%q, want %q", got, all)
		}
	}
	want("xoxb-first-first")
	write("token", "xoxb-second-second\nxoxb-first-first\n")
	p.reread()
	want("xoxb-second-second", "xoxb-first-first")
	write("token", "what is this\n")
	p.reread()
	want("xoxb-second-second", "xoxb-first-first")
	if s := log.String(); !strings.Contains(s, "old secrets stay in use") || strings.Contains(s, "second") || strings.Contains(s, "what is this") {
		t.Errorf("log:\n%s", s)
	}
}
