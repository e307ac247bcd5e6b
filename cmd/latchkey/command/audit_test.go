package command

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/bot"
	"latchkey/bot/audit"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/program"
	"latchkey/store/storetest"
)

// good runs a command that must work, as somebody.
func good(t *testing.T, user string, args ...string) string {
	t.Helper()
	code, out, errs := command(t, []string{"USER=" + user}, args...)
	if code != exitOK {
		t.Fatalf("%q: %d %s", args, code, errs)
	}
	return out
}

// openProgram opens the store of a configuration for one test.
func openProgram(t *testing.T, cfg string) *program.Program {
	t.Helper()
	c, err := config.Load(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := program.Open(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// enrolled gives a person of the list a method, with its line.
func enrolled(t *testing.T, cfg, person string) {
	t.Helper()
	p := openProgram(t, cfg)
	defer p.Close()
	err := p.DB.Update(t.Context(), func(tx bot.Tx) error {
		_, err := tx.Audit(bot.AuditEntry{Person: bot.PersonID(person), Actor: "person", Action: "method.proven", Subject: "phone •••• 48"})
		return errors.Join(err, tx.PutMethod(&bot.Method{ID: bot.MethodID("m-" + person), Person: bot.PersonID(person), Kind: bot.Phone, State: bot.Active, ProvenAt: tx.Now()}))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func beside(cfg, name string) string { return filepath.Join(filepath.Dir(cfg), name) }

// tamper changes the database of a configuration behind Latchkey's back.
func tamper(t *testing.T, cfg, text string) {
	t.Helper()
	db, err := sql.Open("sqlite3", beside(cfg, "latchkey.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(text); err != nil {
		t.Fatal(err)
	}
}

// Whatever an operator does leaves a line that says who it was, whether the
// service runs or not.
func TestOperatorsLeaveLines(t *testing.T) {
	t.Parallel()
	cfg := install(t, "")
	list := writeFile(t, staffList)
	out := t.TempDir()
	all := func(n string) {
		good(t, "ann", "people", "import", list, "--config", cfg)
		good(t, "ann", "people", "import", list, "--config", cfg, "--dry-run")
		good(t, "ann", "people", "export", "--config", cfg)
		good(t, "ann", "backup", filepath.Join(out, n+".db"), "--config", cfg)
		good(t, "ann", "audit", "export", "--config", cfg, "--out", filepath.Join(out, n+".jsonl"), "--person", "bea")
		good(t, "ann", "keys", "rotate", "--config", cfg, "--as", "Bea Fox")
		p := openProgramOrNot(t, cfg)
		if p != nil {
			p.Close()
		}
	}
	all("alone")
	s := startService(t, cfg)
	all("running")
	// sudo says who it was before.
	if code, _, errs := command(t, []string{"USER=root", "SUDO_USER=cem"}, "people", "export", "--config", cfg); code != exitOK {
		t.Fatal(errs)
	}
	s.end()
	os.Rename(beside(cfg, "latchkey.db"), beside(cfg, "old.db"))
	good(t, "ann", "restore", filepath.Join(out, "running.db"), "--config", cfg)

	got := good(t, "ann", "audit", "list", "--config", cfg)
	for _, want := range []string{
		`people.imported +staff.csv added 2, changed 0, left 0, switched off 0, 0 rows left out; missing: false, brake: true +operator:ann`,
		`people.imported +staff.csv added 0, changed 0, left 2, switched off 0, 0 rows left out; missing: false, brake: true +operator:ann`,
		`people.exported .* operator:ann`,
		`store.backup +alone.db, with the record up to line 2 +operator:ann`,
		`e2 +audit.exported +about one person +operator:ann`,
		`keys.rotated +key ([0-9a-f]{8}) follows key [0-9a-f]{8} +operator:Bea Fox \(ann\)`,
		`store.restored +epoch 1 the record had come to line \d+ before +operator:ann`,
	} {
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("no line like %q in\n%s", want, got)
		}
	}
	if n := strings.Count(got, "people.imported"); n != 2 {
		t.Errorf("%d imports, want 2: a dry run changes nothing", n)
	}
	if out := good(t, "ann", "audit", "verify", "--config", cfg); !strings.Contains(out, "whole") {
		t.Error(out)
	}
}

// openProgramOrNot opens the store unless a service has it.
func openProgramOrNot(t *testing.T, cfg string) *program.Program {
	t.Helper()
	c, err := config.Load(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := program.Open(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil
	}
	return p
}

// TestLostDatabaseIsNotReplaced: a command that finds the head file of a record
// but no database says so, makes none, and goes on when it is put back.
func TestLostDatabaseIsNotReplaced(t *testing.T) {
	t.Parallel()
	cfg := install(t, "")
	good(t, "ann", "people", "import", writeFile(t, staffList), "--config", cfg)
	db := beside(cfg, "latchkey.db")
	if err := os.Rename(db, db+".away"); err != nil {
		t.Fatal(err)
	}
	for _, order := range [][]string{{"people", "list"}, {"audit", "verify"}, {"serve"}} {
		code, _, errs := command(t, nil, append(order, "--config", cfg)...)
		if code != exitError || !strings.Contains(errs, db+" is gone") || !strings.Contains(errs, "latchkey restore") {
			t.Errorf("%v: exit %d, %q", order, code, errs)
		}
		if _, err := os.Stat(db); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%v made an empty database: %v", order, err)
		}
	}
	if err := os.Rename(db+".away", db); err != nil {
		t.Fatal(err)
	}
	good(t, "ann", "audit", "verify", "--config", cfg)
}

// T10, from outside: what `audit verify` says, with exit code 1.
func TestAuditVerifyFindsWhatIsGone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(t *testing.T, cfg string)
		want []string
	}{
		"last line deleted and the head moved": {func(t *testing.T, cfg string) {
			tamper(t, cfg, `DELETE FROM audit WHERE seq = 3; UPDATE audit_head SET seq = 2, hash = (SELECT hash FROM audit WHERE seq = 2)`)
		}, []string{"line 3 was cut off at the end: the head file ", "of 2 proven methods, 1 have no line"}},
		"record emptied": {func(t *testing.T, cfg string) {
			tamper(t, cfg, `DELETE FROM audit; UPDATE audit_head SET seq = 0, hash = NULL`)
		},
			[]string{"lines 1 to 3 were cut off at the end: the head file ", "the record is empty, but proven methods are there (2)"}},
		"record emptied and the head file deleted": {func(t *testing.T, cfg string) {
			tamper(t, cfg, `DELETE FROM audit; UPDATE audit_head SET seq = 0, hash = NULL`)
			os.Remove(beside(cfg, "latchkey.db.head"))
		}, []string{"the record is empty, but proven methods are there (2)"}},
		"head file deleted": {func(t *testing.T, cfg string) { os.Remove(beside(cfg, "latchkey.db.head")) },
			[]string{"the head file", "is not there"}},
		"head file garbled": {func(t *testing.T, cfg string) { os.WriteFile(beside(cfg, "latchkey.db.head"), []byte("?\n"), 0o600) },
			[]string{"head file", "garbled"}},
		"another line edited": {func(t *testing.T, cfg string) { tamper(t, cfg, `UPDATE audit SET actor = 'system' WHERE seq = 1`) },
			[]string{"line 1 was changed after being written"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := install(t, "")
			good(t, "ann", "people", "import", writeFile(t, staffList), "--config", cfg)
			enrolled(t, cfg, "e1")
			enrolled(t, cfg, "e2")
			if out := good(t, "ann", "audit", "verify", "--config", cfg); !strings.Contains(out, "3 lines, with all of 2 methods, whole; head 3:") {
				t.Fatal(out)
			}
			c.do(t, cfg)
			for range 2 { // it stays so
				code, out, errs := command(t, nil, "audit", "verify", "--config", cfg)
				if code != exitError || out != "" {
					t.Errorf("exit %d, %q", code, out)
				}
				for _, want := range c.want {
					if !strings.Contains(errs, want) {
						t.Errorf("got %q, want %q", errs, want)
					}
				}
			}
			// Nobody gets a signature for it, unless the file says so.
			file, pub := filepath.Join(t.TempDir(), "record.jsonl"), filepath.Join(t.TempDir(), "key.pub")
			if code, _, errs := command(t, nil, "audit", "export", "--out", file, "--config", cfg); code != exitError || !strings.Contains(errs, c.want[0]) {
				t.Errorf("export: exit %d, %q", code, errs)
			}
			if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a refused export leaves a file: %v", err)
			}
			if strings.Contains(name, "garbled") {
				return // there is nothing to compare with, so there is no --anyway either
			}
			good(t, "ann", "audit", "export", "--out", file, "--anyway", "--config", cfg)
			if err := os.WriteFile(pub, []byte(good(t, "ann", "keys", "public", "--config", cfg)), 0o600); err != nil {
				t.Fatal(err)
			}
			if code, _, errs := command(t, nil, "verify", file, "--key", pub); code != exitError || !strings.Contains(errs, c.want[0]) {
				t.Errorf("verify of it: exit %d, %q", code, errs)
			}
		})
	}
}

// The service notices at its start, and while it runs, that the record is not
// the one it knew, and does not write over the proof.
func TestServiceNoticesAnOlderRecord(t *testing.T) {
	t.Parallel()
	cfg := install(t, "")
	good(t, "ann", "people", "import", writeFile(t, staffList), "--config", cfg)
	enrolled(t, cfg, "e1")
	kept, err := os.ReadFile(beside(cfg, "latchkey.db.head"))
	if err != nil {
		t.Fatal(err)
	}
	tamper(t, cfg, `DELETE FROM audit WHERE seq = 2; UPDATE audit_head SET seq = 1, hash = (SELECT hash FROM audit WHERE seq = 1)`)
	s := startService(t, cfg)
	for range 3 { // the record grows past the number that the file names
		good(t, "ann", "people", "export", "--config", cfg)
	}
	waitLog(t, s, "the record does not have line 2:")
	s.end()
	if now, err := os.ReadFile(beside(cfg, "latchkey.db.head")); err != nil || string(now) != string(kept) {
		t.Errorf("the head file is now %s, %v", now, err)
	}
	if code, _, errs := command(t, nil, "audit", "verify", "--config", cfg); code != exitError || !strings.Contains(errs, "line 2 is not the line that the head file") {
		t.Errorf("%d %s", code, errs)
	}
	// A restore by hand is told, and from then on all is well.
	good(t, "ann", "restore", "--mark", "--config", cfg)
	if out := good(t, "ann", "audit", "list", "--config", cfg); !strings.Contains(out, "the record had come to line 2 before") {
		t.Error(out)
	}
	tamper(t, cfg, `DELETE FROM method`)
	good(t, "ann", "audit", "verify", "--config", cfg)
}

func waitLog(t *testing.T, s *service, text string) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); !strings.Contains(s.errs.String(), text); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("the log never says %q:\n%s", text, s.errs)
		}
	}
}

// The head is in the head file, in the log and in every backup, and each of
// them serves `audit verify`.
func TestHeadIsKeptOutside(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "elsewhere.head")
	cfg := install(t, "audit: {head_file: "+file+"}\n")
	good(t, "ann", "people", "import", writeFile(t, staffList), "--config", cfg)
	s := startService(t, cfg)
	waitLog(t, s, `"head":"1:`)
	copied := filepath.Join(t.TempDir(), "copy.db")
	if out := good(t, "ann", "backup", copied, "--config", cfg); !strings.Contains(out, "audit head 1:") {
		t.Error(out)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(beside(cfg, "latchkey.db.head")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a second head file: %v", err)
	}
	log := filepath.Join(t.TempDir(), "latchkey.log")
	if err := os.WriteFile(log, []byte(s.errs.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	s.end()
	f := audit.HeadFile{Path: file}
	heads, err := f.Read()
	if err != nil || len(heads) != 2 || heads[0].Seq != 2 || heads[1].Seq != 1 || !strings.HasPrefix(heads[1].Where, "the backup copy.db of 20") {
		t.Errorf("head file: %+v %v", heads, err)
	}
	outside := []string{"--head", log, "--head", copied, "--head", file}
	good(t, "ann", append([]string{"audit", "verify", "--config", cfg}, outside...)...)
	// Everything beside the database is gone; each of the others still tells.
	tamper(t, cfg, `DELETE FROM audit; UPDATE audit_head SET seq = 0, hash = NULL`)
	os.Remove(file)
	for i, where := range []string{log, "the backup " + copied} {
		code, _, errs := command(t, nil, append([]string{"audit", "verify", "--config", cfg}, outside[2*i:2*i+2]...)...)
		if code != exitError || !strings.Contains(errs, "line 1 was cut off at the end: "+where+" names line 1") {
			t.Errorf("%s: %d %s", where, code, errs)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "latchkey-head-*")); len(left) > 0 {
		t.Errorf("a backup in clear is left: %q", left)
	}
	if code, _, errs := command(t, nil, "audit", "verify", "--config", cfg, "--head", cfg); code != exitError || !strings.Contains(errs, "there is no head") {
		t.Errorf("a file without heads: %d %s", code, errs)
	}
}

// The key that is taken out stays for checking until its last line is gone.
func TestRotationAndTheRecord(t *testing.T) {
	t.Parallel()
	cfg := install(t, "")
	good(t, "ann", "people", "import", writeFile(t, staffList), "--config", cfg)
	good(t, "ann", "keys", "rotate", "--config", cfg)
	p := openProgram(t, cfg)
	old := p.Keys.Keys()[0].ID
	var keys []string
	err := p.DB.AuditLines(t.Context(), 0, func(e bot.AuditEntry) error {
		if e.Action == "keys.rotated" {
			keys = append(keys, e.Key)
		}
		return nil
	})
	if err != nil || !slices.Equal(keys, []string{old, p.Keys.KeyID()}) {
		t.Errorf("the rotation's lines have the keys %q, want the old one and the new one; %v", keys, err)
	}
	if err := p.Keys.Remove(old); err != nil { // as --drop-old does a day later
		t.Fatal(err)
	}
	p.Close()
	good(t, "ann", "audit", "verify", "--config", cfg)
	if out := good(t, "ann", "keys", "list", "--config", cfg); !strings.Contains(out, old) || !strings.Contains(out, "checks the audit record") {
		t.Error(out)
	}
	if out := good(t, "ann", "keys", "rotate", "--drop-old", "--config", cfg); !strings.Contains(out, "key "+old+" stays for checking the audit record only") {
		t.Error(out)
	}
	// Its lines are past retention: nothing needs it any more.
	p = openProgram(t, cfg)
	if err := p.DB.Update(t.Context(), func(tx bot.Tx) error { _, err := tx.Audit(bot.AuditEntry{Action: "x"}); return err }); err != nil {
		t.Fatal(err)
	}
	p.Close()
	tamper(t, cfg, `DELETE FROM audit WHERE key = '`+old+`'; UPDATE audit_head SET from_key = ''`)
	good(t, "ann", "keys", "rotate", "--drop-old", "--config", cfg)
	if out := good(t, "ann", "keys", "list", "--config", cfg); strings.Contains(out, old) {
		t.Error(out)
	}
}

// An export goes to somebody who has neither the store nor the key ring.
func TestSignedExport(t *testing.T) {
	t.Parallel()
	cfg := install(t, "")
	good(t, "ann", "people", "import", writeFile(t, staffList), "--config", cfg)
	enrolled(t, cfg, "e1")
	enrolled(t, cfg, "e2")
	dir := t.TempDir()
	file, pub := filepath.Join(dir, "all.jsonl"), filepath.Join(dir, "latchkey.pub")
	key := good(t, "ann", "keys", "public", "--config", cfg)
	if err := os.WriteFile(pub, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := good(t, "ann", "audit", "export", "--config", cfg, "--out", file); !strings.Contains(out, "4 lines, signed with key "+key[:8]) {
		t.Error(out)
	}
	for _, k := range []string{pub, strings.TrimSpace(key), strings.Fields(key)[1]} {
		if out := good(t, "x", "verify", file, "--key", k); !strings.Contains(out, "as it was signed with key "+key[:8]) || !strings.Contains(out, "by operator:ann of Example: 4 lines, 1 to 4") {
			t.Error(out)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v %v", st.Mode(), err)
	}
	var row struct{ Person, Action, Ref string }
	if err := json.Unmarshal([]byte(strings.Split(string(b), "\n")[1]), &row); err != nil || row.Person != "e1" || row.Action != "method.proven" || len(row.Ref) != 32 {
		t.Errorf("%+v %v", row, err)
	}
	bad := filepath.Join(dir, "bad.jsonl")
	for name, text := range map[string]string{
		"a word":     strings.Replace(string(b), `"operator:ann"`, `"operator:eve"`, 1),
		"a line":     strings.Join(slices.Delete(strings.SplitAfter(string(b), "\n"), 1, 2), ""),
		"the end":    string(b[:len(b)-100]),
		"not at all": "hello\n",
	} {
		if err := os.WriteFile(bad, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, out, errs := command(t, nil, "verify", bad, "--key", pub); code != exitError || out != "" || !strings.Contains(errs, "changed after it was signed") && !strings.Contains(errs, "no signed export") {
			t.Errorf("%s: %d %s %s", name, code, out, errs)
		}
	}
	other := good(t, "ann", "keys", "public", "--config", install(t, ""))
	if code, _, errs := command(t, nil, "verify", file, "--key", strings.TrimSpace(other)); code != exitError || !strings.Contains(errs, "signed with another key than the given one: key "+key[:8]) {
		t.Errorf("another key: %d %s", code, errs)
	}
	// After a rotation the old file still passes, with the old key in the list.
	good(t, "ann", "keys", "rotate", "--config", cfg)
	if err := os.WriteFile(pub, []byte(good(t, "ann", "keys", "public", "--config", cfg)), 0o600); err != nil {
		t.Fatal(err)
	}
	good(t, "x", "verify", file, "--key", pub)

	one := filepath.Join(dir, "one.jsonl")
	if out := good(t, "ann", "audit", "export", "--config", cfg, "--out", one, "--person", "bea", "--from", "2020-01-01", "--to", "2099-01-01"); !strings.Contains(out, "2 lines") { // and that of this export
		t.Error(out)
	}
	if out := good(t, "ann", "audit", "export", "--config", cfg, "--out", filepath.Join(dir, "none.jsonl"), "--to", "2020-01-01"); !strings.Contains(out, "0 lines") {
		t.Error(out)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"audit", "export", "--config", cfg}, exitUsage, "--out"},
		{[]string{"audit", "export", "--config", cfg, "--out", one}, exitError, "exists already"},
		{[]string{"audit", "export", "--config", cfg, "--out", bad + "2", "--from", "yesterday"}, exitUsage, "2026-01-31"},
		{[]string{"audit", "export", "--config", cfg, "--out", bad + "2", "--person", "zoe"}, exitError, "people list --search"},
		{[]string{"verify", file}, exitUsage, "latchkey keys public"},
		{[]string{"verify", file, "--key", "x"}, exitUsage, "is not a public key"},
		{[]string{"verify", "/nowhere", "--key", pub}, exitError, "nowhere"},
	} {
		if code, _, errs := command(t, nil, c.args...); code != c.code || !strings.Contains(errs, c.want) {
			t.Errorf("%q: %d %s", c.args, code, errs)
		}
	}
}

// A name that is nobody's is answered with the one that was meant.
func TestAuditOfAMisspeltPerson(t *testing.T) {
	t.Parallel()
	cfg := install(t, "")
	good(t, "kim", "people", "import", writeFile(t, staffList), "--config", cfg)
	for _, use := range []string{"list", "show"} {
		if code, _, errs := command(t, nil, "audit", use, "--person", "anm", "--config", cfg); code != exitError || !strings.Contains(errs, `did you mean "ann" (Ann)?`) {
			t.Errorf("audit %s: %d %s", use, code, errs)
		}
	}
}

// Lines name people by a reference, and lists say who it is while it leads to
// somebody.
func TestAuditShowsPeopleByTheirReference(t *testing.T) {
	t.Parallel()
	cfg := install(t, "")
	good(t, "ann", "people", "import", writeFile(t, staffList), "--config", cfg)
	enrolled(t, cfg, "e1")
	enrolled(t, cfg, "e2")
	for _, who := range []string{"bea", "BEA@example.org", "e2"} {
		if out := good(t, "ann", "audit", "show", "--person", who, "--config", cfg); strings.Count(out, "\n") != 1 || !strings.Contains(out, "e2 ") {
			t.Errorf("%s: %s", who, out)
		}
	}
	if code, _, errs := command(t, nil, "audit", "show", "--config", cfg); code != exitUsage || !strings.Contains(errs, "--person") {
		t.Errorf("%d %s", code, errs)
	}
	if code, _, errs := command(t, nil, "audit", "show", "--config", cfg, "--person", "zoe"); code != exitError || !strings.Contains(errs, "nobody has") {
		t.Errorf("%d %s", code, errs)
	}
	var stored string
	db, err := sql.Open("sqlite3", beside(cfg, "latchkey.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(`SELECT group_concat(ref || actor || action || subject || channel || evidence) FROM audit`).Scan(&stored); err != nil || strings.Contains(stored, "e1") && regexp.MustCompile(`\be[12]\b`).MatchString(stored) {
		t.Errorf("the record names people: %s %v", stored, err)
	}
	// Erased: nothing leads from the line to the person, and the line stays.
	if _, err := db.Exec(`DELETE FROM method WHERE person = 'e2'; DELETE FROM person WHERE id = 'e2'`); err != nil {
		t.Fatal(err)
	}
	if out := good(t, "ann", "audit", "list", "--config", cfg); !regexp.MustCompile(`3 .* \([0-9a-f]{8}\) +method.proven`).MatchString(out) || regexp.MustCompile(`\be2\b`).MatchString(out) {
		t.Error(out)
	}
	good(t, "ann", "audit", "verify", "--config", cfg)
}

// What the configuration lets through is as good a way in as any command: what
// changed since the last start stands in the record.
func TestChangedConfigurationLeavesLines(t *testing.T) {
	t.Parallel()
	cfg := install(t, "twilio: {account_sid: AC00000000000000000000000000000000, auth_token_env: TOKEN, from: '+15555550100'}\n")
	env := []string{"USER=svc", "TOKEN=canary1canary1canary1canary1canary1"}
	startService(t, cfg, env...).end()
	startService(t, cfg, env...).end()
	text, err := os.ReadFile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	more := strings.Replace(string(text), "name: Example", "name: Example Two", 1) + "policy: {codes: {tries: 4}}\n"
	if err := os.WriteFile(cfg, []byte(more), 0o600); err != nil {
		t.Fatal(err)
	}
	env[1] = "TOKEN=canary2canary2canary2canary2canary2"
	startService(t, cfg, env...).end()
	code, out, errs := command(t, env, "audit", "list", "--config", cfg)
	want := regexp.MustCompile(`^ +1 .* config.changed +org.name +operator:svc\n +2 .* config.changed +policy.codes.tries 4, before 5 +operator:svc\n$`)
	if code != exitOK || !want.MatchString(out) {
		t.Errorf("%d %s %s", code, out, errs)
	}
	raw, err := os.ReadFile(beside(cfg, "latchkey.db"))
	if err != nil || strings.Contains(string(raw), "canary") {
		t.Errorf("a secret of the configuration is in the store: %v", err)
	}
}

// killedDir tells the test binary that it is the process that gets killed.
const killedDir = "LATCHKEY_TEST_KILLED"

// TestKilledWriterPeer writes lines and heads as fast as it can until it is killed.
func TestKilledWriterPeer(t *testing.T) {
	cfg := os.Getenv(killedDir)
	if cfg == "" {
		t.Skip("only as a process of TestKilledWritersLeaveAWholeRecord")
	}
	c, err := config.Load(cfg, os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	p, err := program.Open(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for {
		if err := record(t.Context(), p, std{user: "ann"}, "x", "y"); err != nil {
			t.Fatal(err)
		}
		if err := p.NoteHead(t.Context()); err != nil {
			t.Fatal(err)
		}
		fmt.Println("noted")
	}
}

// kill -9 at any time: the head outside may lag behind, and never names a line
// that is not there. Two processes share the PostgreSQL store and the file.
func TestKilledWritersLeaveAWholeRecord(t *testing.T) {
	t.Parallel()
	kill := func(t *testing.T, cfg string, writers int, env ...string) {
		for round := range 8 {
			var peers []*exec.Cmd
			for range writers {
				p := exec.Command(os.Args[0], "-test.run=^TestKilledWriterPeer$")
				p.Env = append(append(os.Environ(), killedDir+"="+cfg), env...)
				out, err := p.StdoutPipe()
				if err == nil {
					err = p.Start()
				}
				if err != nil {
					t.Fatal(err)
				}
				peers = append(peers, p)
				bufio.NewReader(out).ReadString('\n') // it writes now
			}
			time.Sleep(time.Duration(1+7*round) * time.Millisecond)
			for _, p := range peers {
				p.Process.Kill()
				p.Wait()
			}
			code, out, errs := command(t, env, "audit", "verify", "--config", cfg)
			if code != exitOK {
				t.Fatalf("round %d: %d %s", round, code, errs)
			}
			t.Log(strings.TrimSpace(out))
		}
	}
	t.Run("sqlite", func(t *testing.T) { kill(t, install(t, ""), 1) })
	t.Run("postgres", func(t *testing.T) {
		c, err := pgx.ParseConfig(storetest.Postgres(t))
		if err != nil {
			t.Fatal(err)
		}
		q := url.Values{"host": {c.Host}, "port": {fmt.Sprint(c.Port)}}
		dsn := url.URL{Scheme: "postgres", User: url.UserPassword(c.User, c.Password), Path: "/" + c.Database, RawQuery: q.Encode()}
		kill(t, install(t, "store: {postgres_env: DSN}\n"), 2, "DSN="+dsn.String())
	})
}
