package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/vault"
	"latchkey/cmd/latchkey/programtest"
	"latchkey/store"
)

// install makes a configuration with a key file in a folder of its own and
// returns the path of the configuration.
func install(t *testing.T, more string) string {
	t.Helper()
	dir := t.TempDir()
	if code, _, errs := command(t, nil, "keys", "new", filepath.Join(dir, "latchkey.keys")); code != exitOK {
		t.Fatal(errs)
	}
	file := filepath.Join(dir, "latchkey.yaml")
	text := `org:
  name: Example
  department: IT
  address: 1 Main Street
  help_phone: 555-0100
  help_hours: 9 to 5
  domains: [example.org]
directory: {kind: none}
log: {format: json}
http: {addr: "127.0.0.1:0"}
` + more
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const staffList = "id,username,email,name,language\n" +
	"e1,ann,ann@example.org,Ann,en\n" +
	"e2,bea,bea@example.org,=cmd|' /C calc'!A0,es\n"

func writeFile(t *testing.T, text string) string {
	t.Helper()
	f := filepath.Join(t.TempDir(), "staff.csv")
	if err := os.WriteFile(f, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestPeople(t *testing.T) {
	t.Parallel()
	cfg := install(t, "")
	list := writeFile(t, staffList)

	code, out, errs := command(t, nil, "people", "import", list, "--config", cfg, "--dry-run")
	if code != exitOK || !strings.Contains(out, "would add 2") {
		t.Fatalf("dry run: %d %s %s", code, out, errs)
	}
	if code, out, errs = command(t, nil, "people", "list", "--config", cfg); code != exitOK || out != "" || !strings.Contains(errs, "people import") {
		t.Errorf("a dry run stored something: %d %s %s", code, out, errs)
	}
	if code, out, errs = command(t, nil, "people", "import", list, "--config", cfg); code != exitOK || !strings.Contains(out, "added 2, changed 0") {
		t.Fatalf("import: %d %s %s", code, out, errs)
	}
	if code, out, _ = command(t, nil, "people", "import", list, "--config", cfg); code != exitOK || !strings.Contains(out, "added 0, changed 0, left 2") {
		t.Errorf("again: %d %s", code, out)
	}
	if code, out, _ = command(t, nil, "people", "list", "--config", cfg, "--search", "ANN"); code != exitOK || !strings.Contains(out, "not started") || strings.Contains(out, "bea") {
		t.Errorf("list: %d %s", code, out)
	}
	if code, out, _ = command(t, nil, "people", "show", "ann@example.org", "--config", cfg); code != exitOK || !strings.Contains(out, "e1") || !strings.Contains(out, "none") {
		t.Errorf("show: %d %s", code, out)
	}
	inStore(t, cfg, func(db *store.DB) { // who was written to first, who could not be, and who will be
		err := db.Update(t.Context(), func(tx bot.Tx) error {
			for _, ch := range []bot.ChannelID{"discord-acme", "slack-acme", "teams-acme"} {
				if _, err := tx.Direct(ch, "e1"); err != nil {
					return err
				}
			}
			ps, err := tx.OpeningsOf("e1")
			if err != nil || len(ps) != 3 {
				return fmt.Errorf("openings %+v, %w", ps, err)
			}
			ps[2].Why, ps[2].Explained = bot.WhyNoLicence, "assign a licence"
			_, err = tx.NotOpened(&ps[2], "unreachable:no_licence")
			return errors.Join(err, tx.Opened(&ps[1], bot.Opened{Conversation: "slack-acme|T1|U1", User: "U1"}))
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	_, out, _ = command(t, nil, "people", "show", "ann", "--config", cfg)
	lacks(t, out, "Not tried on discord-acme: something waits since 20", "Reachable on slack-acme, written to first at 20", "Not reached on teams-acme at 20", ", no_licence: assign a licence")
	if code, _, errs = command(t, nil, "people", "show", "zoe", "--config", cfg); code != exitError || !strings.Contains(errs, "people list --search") {
		t.Errorf("show nobody: %d %s", code, errs)
	}
	if code, out, _ = command(t, nil, "people", "export", "--config", cfg); code != exitOK || !strings.Contains(out, "'=cmd") {
		t.Errorf("export does not guard formulas: %d %s", code, out)
	}
	if code, _, errs = command(t, nil, "people", "list", "--config", cfg, "--stage", "asleep"); code != exitUsage || !strings.Contains(errs, "not started") {
		t.Errorf("wrong stage: %d %s", code, errs)
	}

	// Rows that are wrong in themselves and rows that the store refuses, all
	// at once, and nothing stored.
	bad := writeFile(t, "id,username,email\n,nobody,x@example.org\ne3,ann,c@example.org\ne4,dan,dan@example.org\n")
	code, _, errs = command(t, nil, "people", "import", bad, "--config", cfg)
	if code != exitError || !strings.Contains(errs, "nothing was stored") || !strings.Contains(errs, "--skip-bad") || !strings.Contains(errs, `belongs to person "e1"`) {
		t.Errorf("bad list: %d %s", code, errs)
	}
	if _, out, _ = command(t, nil, "people", "list", "--config", cfg); strings.Contains(out, "dan") {
		t.Error("a bad list was stored in part")
	}
	if code, out, errs = command(t, nil, "people", "import", bad, "--config", cfg, "--skip-bad"); code != exitOK || !strings.Contains(out, "added 1") || !strings.Contains(out, "2 rows left out") {
		t.Errorf("skip-bad: %d %s %s", code, out, errs)
	}
	odd := writeFile(t, "Badge;Login;Mail\n7;gil;gil@example.org\n")
	if code, _, errs = command(t, nil, "people", "import", odd, "--config", cfg); code != exitError {
		t.Errorf("a list without an id is taken: %s", errs)
	}
	if code, out, errs = command(t, nil, "people", "import", odd, "--config", cfg, "--map", "id=Badge", "--map", "username=Login", "--map", "email=Mail"); code != exitOK || !strings.Contains(out, "added 1") {
		t.Errorf("mapped: %d %s %s", code, out, errs)
	}
	if code, _, errs = command(t, nil, "people", "import", odd, "--config", cfg, "--map", "id"); code != exitUsage || !strings.Contains(errs, "FIELD=COLUMN") {
		t.Errorf("bad map: %d %s", code, errs)
	}
	if code, _, errs = command(t, nil, "people", "import", "/nowhere.csv", "--config", cfg); code != exitError || !strings.Contains(errs, "nowhere.csv") {
		t.Errorf("missing list: %d %s", code, errs)
	}
}

// service runs `serve` in this process until stop.
type service struct {
	t    *testing.T
	addr string
	errs *programtest.Buffer
	stop context.CancelFunc
	done chan int
}

func startService(t *testing.T, cfg string, env ...string) *service {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	s := &service{t: t, errs: &programtest.Buffer{}, stop: stop, done: make(chan int, 1)}
	go func() {
		s.done <- run(ctx, std{in: strings.NewReader(""), out: io.Discard, err: s.errs, env: env}, []string{"serve", "--config", cfg})
	}()
	t.Cleanup(func() { s.end() })
	for limit := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		for line := range strings.SplitSeq(s.errs.String(), "\n") {
			var l struct{ Msg, Addr string }
			if json.Unmarshal([]byte(line), &l) == nil && l.Msg == "serving" {
				s.addr = l.Addr
			}
		}
		if s.addr != "" {
			if r, err := http.Get("http://" + s.addr + "/readyz"); err == nil {
				r.Body.Close()
				if r.StatusCode == http.StatusOK {
					return s
				}
			}
		}
		if time.Now().After(limit) {
			t.Fatalf("the service does not get ready:\n%s", s.errs)
		}
	}
}

func (s *service) end() int {
	s.stop()
	select {
	case code := <-s.done:
		s.done <- code
		return code
	case <-time.After(time.Minute):
		s.t.Fatal("the service does not stop")
		return -1
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	cfg := install(t, "")
	s := startService(t, cfg)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/": 404, "/twilio/status": 404} {
		r, err := http.Get("http://" + s.addr + path)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != want {
			t.Errorf("GET %s: %d, want %d", path, r.StatusCode, want)
		}
	}

	// Operators' commands work while the service has the store.
	list := writeFile(t, staffList)
	if code, out, errs := command(t, nil, "people", "import", list, "--config", cfg); code != exitOK || !strings.Contains(out, "added 2") {
		t.Errorf("import: %d %s %s", code, out, errs)
	}
	if code, _, errs := command(t, nil, "people", "import", "/nowhere.csv", "--config", cfg); code != exitError || !strings.Contains(errs, "nowhere.csv") {
		t.Errorf("a failing command: %d %s", code, errs)
	}
	if code, _, errs := command(t, nil, "people", "list", "--config", cfg, "--stage", "asleep"); code != exitUsage {
		t.Errorf("a wrong command: %d %s", code, errs)
	}
	if code, _, errs := command(t, nil, "requests", "list", "--config", cfg); code != exitOK || !strings.Contains(errs, "nobody is waiting") {
		t.Errorf("requests: %d %s", code, errs)
	}
	if code, _, errs := command(t, nil, "outbox", "list", "--config", cfg); code != exitOK || !strings.Contains(errs, "nothing is waiting") {
		t.Errorf("outbox: %d %s", code, errs)
	}
	if code, out, errs := command(t, nil, "audit", "verify", "--config", cfg); code != exitOK || !strings.Contains(out, "whole") {
		t.Errorf("audit: %d %s %s", code, out, errs)
	}
	copyTo := filepath.Join(t.TempDir(), "copy.db")
	if code, _, errs := command(t, nil, "backup", copyTo, "--config", cfg); code != exitOK {
		t.Errorf("backup: %d %s", code, errs)
	}
	if st, err := os.Stat(copyTo); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the backup: %v %v", st, err)
	}
	if code, out, errs := command(t, nil, "--as", "Ann Lee", "keys", "rotate", "--config", cfg); code != exitOK || !strings.Contains(out, "new key") {
		t.Errorf("rotate: %d %s %s", code, out, errs)
	}

	// Through the socket nobody starts anything that is not for operators.
	c, err := net.Dial("unix", filepath.Join(filepath.Dir(cfg), "latchkey.db.sock"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(c, `{"args":["demo"]}`)
	b, _ := io.ReadAll(c)
	c.Close()
	if !bytes.Contains(b, []byte("(version "+version+") does not know this command: it is of another version")) || b[len(b)-1] != exitError {
		t.Errorf("order for demo: %q", b)
	}
	if st, err := os.Stat(filepath.Join(filepath.Dir(cfg), "latchkey.db.sock")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v %v", st, err)
	}

	if code := s.end(); code != exitOK {
		t.Errorf("a stopped service ends with %d:\n%s", code, s.errs)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(cfg), "latchkey.db.sock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
	for line := range strings.SplitSeq(strings.TrimSpace(s.errs.String()), "\n") {
		if !json.Valid([]byte(line)) {
			t.Errorf("a log line is not JSON: %s", line)
		}
	}
}

// Start-up is honest: each of these ends with 1 in less than five seconds, with
// cause and fix (security 3.3, R25).
func TestRefusals(t *testing.T) {
	t.Parallel()
	dir := func(cfg string) string { return filepath.Dir(cfg) }
	for name, c := range map[string]struct {
		more  string
		spoil func(t *testing.T, cfg string)
		says  []string
	}{
		"missing key":         {"", func(t *testing.T, cfg string) { os.Remove(filepath.Join(dir(cfg), "latchkey.keys")) }, []string{"keys.file", "latchkey keys new"}},
		"key for all to read": {"", func(t *testing.T, cfg string) { os.Chmod(filepath.Join(dir(cfg), "latchkey.keys"), 0o644) }, []string{"keys.file", "chmod"}},
		"garbled key": {"", func(t *testing.T, cfg string) {
			os.WriteFile(filepath.Join(dir(cfg), "latchkey.keys"), []byte("{"), 0o600)
		}, []string{"keys.file"}},
		"another key": {"", func(t *testing.T, cfg string) {
			if code, _, errs := command(t, nil, "people", "list", "--config", cfg); code != exitOK {
				t.Fatal(errs)
			}
			os.Remove(filepath.Join(dir(cfg), "latchkey.keys"))
			if _, err := vault.Create(filepath.Join(dir(cfg), "latchkey.keys")); err != nil {
				t.Fatal(err)
			}
		}, []string{"key"}},
		"not a database": {"", func(t *testing.T, cfg string) {
			os.WriteFile(filepath.Join(dir(cfg), "latchkey.db"), bytes.Repeat([]byte("not a database "), 500), 0o600)
		}, []string{"latchkey.db"}},
		"a folder for a database": {"", func(t *testing.T, cfg string) { os.Mkdir(filepath.Join(dir(cfg), "latchkey.db"), 0o700) }, []string{"latchkey.db"}},
		"no PostgreSQL":           {"store: {postgres_env: DSN}\n", nil, []string{"postgres"}},
		"scripts.dir missing":     {"scripts: {dir: nowhere}\n", nil, []string{"scripts.dir", "not a folder"}},
		"wrong own script": {"scripts: {dir: own}\n", func(t *testing.T, cfg string) {
			own := filepath.Join(dir(cfg), "own")
			os.Mkdir(own, 0o700)
			os.WriteFile(filepath.Join(own, "x.yaml"), []byte("flow: x\nsteps: {a: {sya: hello}}\n"), 0o600)
		}, []string{"x.yaml"}},
		"unknown key in the configuration": {"colour: blue\n", nil, []string{"colour", "not a key"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := install(t, c.more)
			if c.spoil != nil {
				c.spoil(t, cfg)
			}
			began := time.Now()
			code, out, errs := command(t, []string{"DSN=postgres://nobody:canary-secret@127.0.0.1:1/none?connect_timeout=2"}, "serve", "--config", cfg)
			if code != exitError || out != "" {
				t.Errorf("exit %d: %s %s", code, out, errs)
			}
			if d := time.Since(began); d > 5*time.Second {
				t.Errorf("took %s", d)
			}
			for _, s := range c.says {
				if !strings.Contains(strings.ToLower(errs), strings.ToLower(s)) {
					t.Errorf("does not say %q: %s", s, errs)
				}
			}
			if strings.Contains(errs, "canary-secret") {
				t.Error("a password is printed")
			}
		})
	}
	t.Run("port used", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		cfg := install(t, "")
		code, _, errs := command(t, []string{"LATCHKEY_HTTP_ADDR=" + l.Addr().String()}, "serve", "--config", cfg)
		if code != exitError || !strings.Contains(errs, "http.addr") || !strings.Contains(errs, "another port") {
			t.Errorf("exit %d: %s", code, errs)
		}
	})
}

// A backup of a demo comes back in another place: what was enrolled is there,
// and with another key it is refused and leaves nothing behind.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	cfg := install(t, "store: {path: here.db}\n")
	file := filepath.Join(t.TempDir(), "copy.db")
	there := filepath.Join(filepath.Dir(cfg), "here.db")
	if code, _, errs := command(t, nil, "backup", file, "--config", cfg); code != exitError || !strings.Contains(errs, "there is no store "+there) {
		t.Errorf("a backup of nothing: %d %s", code, errs)
	}
	for _, path := range []string{there, file} {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("a backup of nothing made %s", path)
		}
	}
	if code, _, errs := command(t, nil, "people", "import", writeFile(t, staffList), "--config", cfg); code != exitOK {
		t.Fatal(errs)
	}
	if code, _, errs := command(t, nil, "backup", file, "--config", cfg); code != exitOK {
		t.Fatal(errs)
	}
	if code, _, errs := command(t, nil, "backup", file, "--config", cfg); code != exitError || !strings.Contains(errs, "exists already") {
		t.Errorf("a backup over a backup: %d %s", code, errs)
	}
	if code, _, errs := command(t, nil, "restore", file, "--config", cfg); code != exitError || !strings.Contains(errs, "exists already") {
		t.Errorf("a restore over the store: %d %s", code, errs)
	}

	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// No canary is short: three letters stand somewhere in every fortieth file of random bytes.
	for _, canary := range []string{"SQLite format", "ann@example.org", "example.org", "CREATE TABLE"} {
		if bytes.Contains(whole, []byte(canary)) {
			t.Errorf("%q stands in clear in the backup", canary)
		}
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(cfg), "*.copy"))
	if err != nil || len(left) > 0 {
		t.Errorf("a copy in clear is left behind: %v %v", left, err)
	}

	other := install(t, "")
	if code, _, errs := command(t, nil, "restore", file, "--config", other); code != exitError || !strings.Contains(errs, "key") {
		t.Errorf("with another key: %d %s", code, errs)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(other), "latchkey.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a refused restore leaves a store behind: %v", err)
	}
	keys, err := os.ReadFile(filepath.Join(filepath.Dir(cfg), "latchkey.keys"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(other), "latchkey.keys"), keys, 0o600); err != nil {
		t.Fatal(err)
	}
	bad := bytes.Clone(whole)
	bad[len(bad)/2] ^= 1
	for what, b := range map[string][]byte{"changed": bad, "cut off": whole[:len(whole)-100]} {
		damaged := filepath.Join(t.TempDir(), "damaged.db")
		if err := os.WriteFile(damaged, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if code, _, errs := command(t, nil, "restore", damaged, "--config", other); code != exitError || !strings.Contains(errs, "is damaged") || !strings.Contains(errs, "take an older one") {
			t.Errorf("%s: %d %s", what, code, errs)
		}
	}
	if code, out, errs := command(t, nil, "restore", file, "--config", other); code != exitOK || !strings.Contains(out, "restored") {
		t.Fatalf("restore: %d %s %s", code, out, errs)
	}
	if code, out, errs := command(t, nil, "people", "list", "--config", other); code != exitOK || !strings.Contains(out, "ann") {
		t.Errorf("after the restore: %d %s %s", code, out, errs)
	}
	if code, _, errs := command(t, nil, "restore", "--config", other); code != exitUsage {
		t.Errorf("restore without a file: %d %s", code, errs)
	}
}

func TestConfigCommands(t *testing.T) {
	t.Parallel()
	code, out, errs := command(t, nil, "config", "describe")
	if code != exitOK || errs != "" {
		t.Fatalf("describe: %d %s", code, errs)
	}
	file := filepath.Join(t.TempDir(), "latchkey.yaml")
	if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs = command(t, nil, "config", "check", "--config", file); code != exitError || !strings.Contains(errs, "latchkey keys new") {
		t.Errorf("without a key file: %d %s", code, errs)
	}
	if code, _, errs = command(t, nil, "keys", "new", filepath.Join(filepath.Dir(file), "latchkey.keys")); code != exitOK {
		t.Fatal(errs)
	}
	if code, out, errs = command(t, nil, "config", "check", "--config", file); code != exitOK || !strings.Contains(out, "good") || !strings.Contains(errs, "nobody can sign in") {
		t.Errorf("described file: %d %s %s", code, out, errs)
	}
	if code, _, errs = command(t, []string{"LATCHKEY_POLICY_CODES_TRIES=500"}, "config", "check", "--config", file); code != exitError || !strings.Contains(errs, "policy.codes.tries: 500 is above the cap 10") {
		t.Errorf("environment over the cap: %d %s", code, errs)
	}
	if code, _, errs = command(t, nil, "keys", "new", filepath.Join(filepath.Dir(file), "latchkey.keys")); code != exitError || !strings.Contains(errs, "is there already") {
		t.Errorf("a key over a key: %d %s", code, errs)
	}
	if code, out, _ = command(t, nil, "keys", "list", "--config", file); code != exitOK || !strings.Contains(out, "in use") {
		t.Errorf("keys list: %d %s", code, out)
	}
}

// What is not understood ends with 2 and one line.
func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"dmeo"}, {"demo", "--nonsense"}, {"demo", "extra"}, {"people", "impot"}, {"people", "import"}, {"people", "show"},
		{"serve"}, {"chat"}, {"config", "check"}, {"keys", "new"}, {"outbox", "drop", "x"}, {"audit", "verify", "--head", "x", "--config", "y"},
		{"flows", "tset"}, {"flows", "show", "a", "b"}, {"restore", "--mark", "x"}, {"people", "list", "--limit", "many"},
	} {
		code, out, errs := command(t, nil, args...)
		if code != exitUsage || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "--help") {
			t.Errorf("%v: exit %d %q %q", args, code, out, errs)
		}
	}
}

// --help teaches: every command that people are shown says what it is for,
// with an example.
func TestHelp(t *testing.T) {
	t.Parallel()
	root := rootCommand(std{out: io.Discard, err: io.Discard})
	for _, c := range root.Commands() {
		for _, leaf := range append(c.Commands(), c) {
			if leaf.Hidden || leaf.Name() == "help" || leaf.Name() == "version" || leaf.HasSubCommands() && leaf != c {
				continue
			}
			if leaf.Short == "" || leaf.Runnable() && leaf.Long == "" || !leaf.HasSubCommands() && !strings.Contains(leaf.Long, "  latchkey ") {
				t.Errorf("%s: no explanation or no example", leaf.CommandPath())
			}
		}
	}
	code, out, _ := command(t, nil, "--help")
	if code != exitOK || !strings.Contains(out, "latchkey demo") {
		t.Errorf("%d %s", code, out)
	}
}

// chat holds the conversation on the configured senders; without one, what
// needs it says so, and log lines stay off the conversation.
func TestChat(t *testing.T) {
	t.Parallel()
	cfg := install(t, "channels: {terminal: {user: kiosk-1}}\n")
	text, err := os.ReadFile(cfg)
	if err == nil { // its warning is a line of the log
		err = os.WriteFile(cfg, bytes.Replace(text, []byte("kind: none"), []byte("kind: demo"), 1), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if code, _, errs := command(t, nil, "people", "import", writeFile(t, staffList), "--config", cfg); code != exitOK {
		t.Fatal(errs)
	}
	p := sit(t, context.Background(), nil, "chat", "--plain", "--config", cfg)
	p.hears("of Example")
	p.hears("[1] Start")
	if code := p.leaves(); code != exitOK {
		t.Errorf("exit %d: %s", code, p.all())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if strings.Contains(p.buf.String(), "level") || !strings.Contains(p.errs.String(), "well-known password") {
		t.Errorf("log lines: %q", p.errs.String())
	}
}

// The process ends in order when it is told to, in the middle of a
// conversation too.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(context.Background())
	p := sit(t, ctx, nil, "demo", "--plain", "--data", t.TempDir())
	p.hears("[1] Start")
	stop()
	if code := p.ends(); code != exitOK {
		t.Errorf("exit %d: %s", code, p.all())
	}
}

// Twilio's callbacks are there when they are configured, and believe nobody
// who cannot sign.
func TestCallbacks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte(strings.Repeat("a1", 16)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := install(t, "twilio:\n  account_sid: AC"+strings.Repeat("0", 32)+"\n  auth_token_file: "+token+"\n  from: '+15555550100'\n")
	text, err := os.ReadFile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("http: {"), []byte("http: {public_url: 'https://latchkey.example.org/', "), 1)
	if err := os.WriteFile(cfg, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s := startService(t, cfg)
	for _, path := range []string{"/twilio/status", "/twilio/voice/abc"} {
		r, err := http.Post("http://"+s.addr+path, "application/x-www-form-urlencoded", strings.NewReader("MessageSid=SM1&MessageStatus=delivered"))
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusUnauthorized && r.StatusCode != http.StatusForbidden {
			t.Errorf("POST %s without a signature: %d", path, r.StatusCode)
		}
	}
}

// Whoever cleans up under a running service lets no second one in, and commands
// still reach it.
func TestLockAndSocketDeleted(t *testing.T) {
	t.Parallel()
	cfg := install(t, "store: {path: latchkey.db}\n")
	s := startService(t, cfg)
	db := filepath.Join(filepath.Dir(cfg), "latchkey.db")
	for _, f := range []string{db + ".lock", db + ".sock"} {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	if runtime.GOOS == "linux" {
		if code, _, errs := command(t, nil, "serve", "--config", cfg); code != exitError || !strings.Contains(errs, "in use by another Latchkey process") {
			t.Errorf("a second service: %d %s", code, errs)
		}
	}
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(db + ".sock"); err == nil {
			break
		}
	}
	if code, _, errs := command(t, nil, "people", "list", "--config", cfg); code != exitOK || !strings.Contains(errs, "nobody is like this") {
		t.Errorf("a command: %d %s", code, errs)
	}
	if code := s.end(); code != exitOK {
		t.Errorf("the service ends with %d:\n%s", code, s.errs)
	}
}
