package command

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/program"
	"latchkey/store"
)

// The configuration that the set-up guide shows is one: it passes the check as
// it stands, with the files that the guide makes.
func TestSetUpGuideOfEntra(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../../adapters/entra/README.md")
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
	for name, text := range map[string]string{"latchkey.yaml": snippet, "entra.pem": certificatePEM(t)} {
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

// certificatePEM is a key and its certificate, as the set-up guide makes them.
func certificatePEM(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})) + string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// A certificate that is none is told by the check and not at the start; the
// doctor tells of it, and goes on with everything else.
func TestCertificateThatIsNone(t *testing.T) {
	t.Parallel()
	const id = "00000000-0000-4000-8000-000000000141"
	cfg := install(t, "entra: {tenant: "+id+", client_id: "+id+", certificate_file: entra.pem}\nsmtp: {host: mail.example.org, from: it@example.org, ca_file: ca.pem}\n")
	for _, name := range []string{"entra.pem", "ca.pem"} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(cfg), name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code, out, errs := command(t, nil, "config", "check", "--config", cfg)
	if code != exitError || strings.Contains(out, "good") {
		t.Errorf("%d %s", code, out)
	}
	lacks(t, errs, "smtp.ca_file: ", "holds no certificate in PEM form", "certificate_file: ", "holds no private key in PEM form; put the key and its certificate into it")
	code, out, errs = command(t, nil, "doctor", "--config", cfg)
	if code != exitError {
		t.Errorf("doctor: %d", code)
	}
	lacks(t, out, "configuration", "BROKEN   entra: entra: certificate_file: ", "the service does not start until this is mended", "good     clock: no step seen")
	lacks(t, errs, "broken; see above what to do")
}

// What the doctor says of a reading that did not come to its end is true of now,
// and names what to do.
func TestDoctorOnAReadingUnderWay(t *testing.T) {
	t.Parallel()
	now := time.Now()
	running := bot.SyncState{Run: 1, Step: 3, Phase: bot.SyncAccounts, StartedAt: now.Add(-time.Minute), Pages: 1, Read: 2}
	with := func(change func(s *bot.SyncState)) bot.SyncState {
		s := running
		change(&s)
		return s
	}
	failed := func(times int) func(s *bot.SyncState) {
		return func(s *bot.SyncState) {
			s.Failures, s.Error, s.ErrorAt, s.Due = times, "Graph answers 403", now.Add(-time.Minute), now.Add(time.Hour)
		}
	}
	asked := func(since time.Duration) func(s *bot.SyncState) {
		return func(s *bot.SyncState) { s.AskedAt, s.Due = now.Add(-since), now.Add(time.Hour) }
	}
	states := []struct {
		state bot.SyncState
		want  string
	}{
		{running, "look     people: not read to its end yet: begun "},
		{running, ", 1 page, 2 accounts\n           the service goes on with it, and so does `latchkey people sync`"},
		{with(failed(1)), "look     people: cannot be read, tried once: Graph answers 403\n           it is tried again at "},
		{with(failed(3)), "BROKEN   people: cannot be read, tried 3 times: Graph answers 403"},
		{with(failed(3)), "; once it is mended, `latchkey people sync` does so at once"},
		{with(asked(time.Second)), "good     people: the directory asks to wait until "},
		{with(func(s *bot.SyncState) { failed(1)(s); asked(time.Second)(s) }), "look     people: the directory asks to wait until "},
		{with(func(s *bot.SyncState) { failed(1)(s); asked(time.Second)(s) }), "; before that it could not be read, tried once: Graph answers 403\n           it is tried again then"},
		{with(func(s *bot.SyncState) { failed(3)(s); asked(time.Hour)(s) }), "BROKEN   people: the directory has asked to wait since "},
		{bot.SyncState{Last: &bot.SyncResult{At: now, Rows: 1}}, "good     people: last read "},
	}
	cfg := installTenant(t, 142, &fakeTenant{})
	for _, c := range states {
		inStore(t, cfg, func(db *store.DB) {
			err := db.Update(t.Context(), func(tx bot.Tx) error {
				return errors.Join(tx.PutSyncState(bot.PeopleReading, c.state), tx.PutSyncState(bot.ReportReading, bot.SyncState{Last: &bot.SyncResult{At: now}}))
			})
			if err != nil {
				t.Fatal(err)
			}
		})
		_, out, _ := command(t, secretEnv, "doctor", "--config", cfg)
		if !strings.Contains(out, c.want) {
			t.Errorf("%+v: lacks %q:\n%s", c.state, c.want, out)
		}
	}
	// Whoever follows the sync sees that it waits, whatever was before.
	wait := with(func(s *bot.SyncState) { failed(1)(s); asked(time.Second)(s) })
	if got := program.SyncProgress(wait, now); !strings.HasPrefix(got, "1 page, 2 accounts; the directory asks to wait until ") {
		t.Error(got)
	}
	if got := program.SyncProgress(with(failed(1)), now); got != "1 page, 2 accounts" {
		t.Error(got)
	}
}
