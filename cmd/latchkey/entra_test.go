package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/cmd/latchkey/config"
	"latchkey/store"
)

// The doctor asks the tenant, too, names a permission that is missing, and lets
// the command fail; nothing secret is said.
func TestDoctorAsksEntra(t *testing.T) {
	roles := `["User.Read.All"]`
	graph := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/token"):
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":3599,"access_token":"canary.%s.canary"}`, base64.RawURLEncoding.EncodeToString([]byte(`{"roles":`+roles+`}`)))
		case r.URL.Path == "/v1.0/users/delta":
			fmt.Fprintf(w, `{"value":[],"@odata.deltaLink":"http://%s/v1.0/users/delta?x"}`, r.Host)
		default:
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"error":{"code":"accessDenied","message":"canary"}}`)
		}
	}))
	defer graph.Close()
	db, err := store.Open(t.Context(), store.Options{DSN: filepath.Join(t.TempDir(), "a.db"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	cfg := config.Default()
	h := &house{db: db, cfg: cfg, log: slog.New(slog.DiscardHandler)}
	if err := plugEntra(h); err != nil || h.outside.source != nil {
		t.Fatalf("without a tenant: %v, %v", h.outside.source, err)
	}
	cfg.Entra.Tenant, cfg.Entra.ClientID = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	cfg.Entra.ClientSecret, cfg.Entra.LoginURL, cfg.Entra.GraphURL = "canary~secret", graph.URL, graph.URL
	if err := plugEntra(h); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = examine(t.Context(), &out, h, false)
	if err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("the doctor's verdict is %v", err)
	}
	for _, want := range []string{"entra\n", "good     people: 0 accounts on the first page, by User.Read.All", "BROKEN   report: ", "lacks the application permission AuditLog.Read.All (it has User.Read.All)", "a reset needs 2"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "canary") {
		t.Errorf("something secret is said:\n%s", out.String())
	}
	t.Log(out.String())
}

// The configuration that the set-up guide shows is one: it passes the check as
// it stands, with the files that the guide makes.
func TestSetUpGuideOfEntra(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../adapters/entra/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, snippet, ok := strings.Cut(string(guide), "```yaml\n")
	snippet, _, closed := strings.Cut(snippet, "```")
	if !ok || !closed {
		t.Fatal("the guide shows no configuration")
	}
	dir := t.TempDir()
	cfg := filepath.Join(dir, "latchkey.yaml")
	for name, text := range map[string]string{"latchkey.yaml": snippet, "entra.pem": "the key and the certificate"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"keys", "new", filepath.Join(dir, "latchkey.keys")}, {"config", "check", "--config", cfg}} {
		if code, out, errs := command(t, nil, args...); code != exitOK {
			t.Errorf("%q: %d\n%s%s", args, code, out, errs)
		}
	}
	c, err := config.Load(cfg, nil)
	if err != nil || c.Directory != "entra" || c.Entra.Tenant == "" || c.Entra.ClientID == "" || c.Entra.Certificate == "" {
		t.Errorf("%+v %v", c, err)
	}
}

// A directory that answers "later" for too long is out of order: the doctor tells
// since when, and the health check says that somebody has to look.
func TestOutageOfTheDirectoryIsTold(t *testing.T) {
	t.Parallel()
	d := &fakeTenant{ids: []string{"a"}, err: &bot.WaitError{After: time.Hour, Asked: true, Err: errors.New("Graph answers 503")}}
	cfg := installTenant(t, 130, d)
	s := startService(t, cfg, secretEnv...)
	doctor := func(want string) {
		t.Helper()
		var out, errs string
		for limit := time.Now().Add(time.Minute); time.Now().Before(limit); time.Sleep(50 * time.Millisecond) {
			if _, out, errs = command(t, secretEnv, "doctor", "--config", cfg); strings.Contains(out, want) {
				return
			}
		}
		t.Fatalf("the doctor does not say %q:\n%s%s", want, out, errs)
	}
	doctor("people: the directory asks to wait until")
	if code := s.end(); code != exitOK {
		t.Fatal(code)
	}
	inStore(t, cfg, func(db *store.DB) { // it has asked so for an hour
		err := db.Update(t.Context(), func(tx bot.Tx) error {
			state, err := tx.SyncState(bot.PeopleReading)
			state.AskedAt, state.Due = tx.Now().Add(-time.Hour), time.Time{}
			return errors.Join(err, tx.PutSyncState(bot.PeopleReading, state))
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	if code, _, errs := syncPeople(t, cfg); code != exitError || !strings.Contains(errs, "Graph answers 503") {
		t.Errorf("sync: %d %s", code, errs)
	}
	s = startService(t, cfg, secretEnv...)
	doctor("BROKEN   people: the directory has asked to wait since")
	r, err := http.Get("http://" + s.addr + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if b, err := io.ReadAll(r.Body); err != nil || !strings.HasPrefix(string(b), "degraded") {
		t.Errorf("health: %s %v", b, err)
	}
}
