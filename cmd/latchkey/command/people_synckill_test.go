package command

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/adapters/entra/entratest"
	"latchkey/bot"
	"latchkey/bot/audit"
	"latchkey/bot/failpoint"
	"latchkey/bot/vault"
	"latchkey/cmd/latchkey/programtest"
	"latchkey/store"
	"latchkey/store/storetest"
)

const (
	killedPeople = 9000 // made in four steps at least
	killedPage   = 200  // accounts on a page of the pretend tenant
)

// killedAt are the lives of the service: where each is killed, or after how many
// requests to the tenant.
var killedAt = []struct {
	point    string
	hit      int
	requests int
}{
	{failpoint.SyncPage, 1, 0}, {failpoint.StoreCommitBefore, 1, 0}, {failpoint.StoreCommitAfter, 1, 0}, {failpoint.StoreCommitBefore, 4, 0}, {failpoint.StoreCommitAfter, 4, 0},
	{failpoint.SyncPage, 4, 0}, {"", 0, 1}, {"", 0, 3}, {failpoint.StoreCommitBefore, 9, 0}, {failpoint.StoreCommitAfter, 9, 0}, {failpoint.SendBefore, 1, 0}, {failpoint.SendAfter, 1, 0},
	{failpoint.OutboxMark, 1, 0}, {"", 0, 4}, {failpoint.SyncPage, 3, 0},
	// The rest is read in one life, and people are made of it.
	{failpoint.ImportBefore, 1, 0}, {failpoint.ImportAfter, 1, 0}, {failpoint.ImportBefore, 2, 0}, {failpoint.StoreCommitBefore, 3, 0}, {failpoint.ImportAfter, 1, 0},
	{failpoint.StoreCommitAfter, 3, 0}, {failpoint.ImportBefore, 1, 0}, {failpoint.ImportAfter, 1, 0}, {failpoint.SyncPage, 1, 0}, {failpoint.StoreCommitAfter, 1, 0},
}

// TestKillDuringSync kills the real service again and again while it reads a
// tenant and makes people of it, and while somebody talks with it. The next life
// goes on where it was. A killed life changes nobody before all is read, each
// step of the merge is right in itself, and in the end people are those of the
// tenant, the record of changes tells them once, and every line was answered.
func TestKillDuringSync(t *testing.T) {
	if testing.Short() {
		t.Skip("about a minute; run without -short")
	}
	bin := withFailpoints(t)
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			k := newKilled(t, bin, kind)
			for _, at := range killedAt {
				k.live(at.point, at.hit, at.requests)
				k.between()
			}
			if k.kills < len(killedAt) || k.merging < 5 {
				t.Errorf("%d kills, %d of them while people were made: too few to prove anything", k.kills, k.merging)
			}
			k.live("", 0, 0)
			k.end()
			t.Logf("%d kills, %d of them while people were made; %d lines said and answered, %d answers came twice", k.kills, k.merging, k.said, k.repeats)
		})
	}
}

// killed is a service that is killed again and again.
type killed struct {
	*testing.T
	bin, dir, cfg, dsn string
	tenant             *entratest.Tenant
	people             map[bot.PersonID]entratest.Person

	kills, merging int  // merging: of the kills, those that left a part of the people
	known          int  // people, at the last kill
	made           bool // the sync had come to its end then
	said, repeats  int
	answers        map[string]string   // by key
	errs           *programtest.Buffer // what the last life logged
}

func newKilled(t *testing.T, bin, kind string) *killed {
	k := &killed{T: t, bin: bin, dir: t.TempDir(), people: map[bot.PersonID]entratest.Person{}, answers: map[string]string{}}
	storeLine := "store: {path: latchkey.db}"
	k.dsn = filepath.Join(k.dir, "latchkey.db")
	if kind == "postgres" {
		k.dsn, storeLine = pgAddress(storetest.Postgres(t)), "store: {postgres_env: KILLED_DSN}"
	}
	k.tenant = entratest.NewTenant(entratest.Options{People: killedPeople})
	for p := range k.tenant.All() {
		k.people[bot.PersonID(p.ID)] = p
	}
	server, err := k.tenant.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	if code, _, errs := command(t, nil, "keys", "new", filepath.Join(k.dir, "latchkey.keys")); code != exitOK {
		t.Fatal(errs)
	}
	k.cfg = filepath.Join(k.dir, "latchkey.yaml")
	text := fmt.Sprintf(`org: {name: Example, department: IT, address: 1 Main Street, help_phone: 555-0100, help_hours: 9 to 5, domains: [example.org]}
%s
http: {addr: "127.0.0.1:0", public_url: "http://127.0.0.1:8080"}
directory: {kind: entra}
entra: {tenant: %s, client_id: %s, client_secret_env: KILLED_SECRET, login_url: %q, graph_url: %q}
log: {format: json}
`, storeLine, entratest.TenantID, entratest.ClientID, server.URL, server.URL)
	if err := os.WriteFile(k.cfg, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return k
}

// live runs the service until it is killed; without a point and a number, until
// it has made people of all and has answered.
func (k *killed) live(point string, hit, requests int) {
	k.Helper()
	cmd := exec.Command(k.bin, "sweep-peer", "--config", k.cfg)
	cmd.Env = append(os.Environ(), "KILLED_SECRET="+entratest.Secret, "KILLED_DSN="+k.dsn)
	if point != "" {
		cmd.Env = append(cmd.Env, fmt.Sprintf("LATCHKEY_FAILPOINT=%s:%d", point, hit))
	}
	k.errs = &programtest.Buffer{}
	cmd.Stderr = k.errs
	in, err := cmd.StdinPipe()
	if err != nil {
		k.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		k.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		k.Fatal(err)
	}
	limit := time.AfterFunc(2*time.Minute, func() { cmd.Process.Kill() })
	dead := make(chan struct{})
	go func() {
		for from := len(k.tenant.Calls()); requests > 0; time.Sleep(time.Millisecond) {
			select {
			case <-dead:
				return
			default:
			}
			if len(k.tenant.Calls())-from >= requests {
				cmd.Process.Kill()
				return
			}
		}
	}()
	last := point == "" && requests == 0
	k.talk(in, out, last)
	if last {
		in.Close()
	}
	err = cmd.Wait()
	close(dead)
	if !limit.Stop() || last != (err == nil) || err != nil && cmd.ProcessState.Exited() {
		k.Fatalf("%s:%d, %d requests: the service ended with %v; kills before: %d\n%s", point, hit, requests, err, k.kills, k.errs)
	}
	if !last {
		k.kills++
	}
}

// talk says one line after the other, each until it is acknowledged and
// answered, until the service is dead, or of the last life until all is done.
func (k *killed) talk(in io.Writer, out io.Reader, last bool) {
	lines := make(chan sweepLine, 64)
	go func() {
		defer close(lines)
		for sc := bufio.NewScanner(out); sc.Scan(); {
			var l sweepLine
			if json.Unmarshal(sc.Bytes(), &l) == nil {
				lines <- l
			}
		}
	}()
	for n := 0; ; n++ {
		if !k.hear(lines, 100*time.Millisecond, func() bool { return false }) {
			return
		}
		if n > 0 && last && (k.made || strings.Contains(k.errs.String(), "the directory was read")) {
			return
		}
		if n >= 3 { // more would be too many for one person
			continue
		}
		id := fmt.Sprintf("line-%d", k.said+1)
		line, err := json.Marshal(map[string]string{"id": id, "text": []string{"hi", "help", "what is this"}[k.said%3]})
		if err != nil {
			k.Fatal(err)
		}
		in.Write(append(line, '\n')) // a dead service is noticed below
		acknowledged := false
		if !k.hear(lines, time.Minute, func() bool { return acknowledged && len(k.answers) > k.said }, func(l sweepLine) { acknowledged = acknowledged || l.Ack == id }) {
			return
		}
		k.said++
	}
}

// hear takes what the service says until enough, or for a while. It reports false
// when the service is dead.
func (k *killed) hear(lines chan sweepLine, while time.Duration, enough func() bool, each ...func(sweepLine)) bool {
	for end := time.After(while); !enough(); {
		select {
		case l, ok := <-lines:
			if !ok {
				return false
			}
			for _, f := range each {
				f(l)
			}
			if l.Error != "" {
				k.Fatalf("a line was refused: %s", l.Error)
			}
			if l.Key == "" {
				continue
			}
			if old, known := k.answers[l.Key]; known {
				if k.repeats++; old != l.Text {
					k.Errorf("answer %s came again as %q, it was %q", l.Key, l.Text, old)
				}
			}
			k.answers[l.Key] = l.Text
		case <-end:
			if while >= time.Minute {
				k.Fatalf("no answer to line %d after %d kills\n%s", k.said+1, k.kills, k.errs)
			}
			return true
		}
	}
	return true
}

// open opens the store while no service has it.
func (k *killed) open() *store.DB {
	ring, err := vault.Load(filepath.Join(k.dir, "latchkey.keys"))
	if err != nil {
		k.Fatal(err)
	}
	db, err := store.Open(k.Context(), store.Options{DSN: k.dsn, Audit: ring})
	if err != nil {
		k.Fatal(err)
	}
	return db
}

// shared reports whether several processes may have the store.
func (k *killed) shared() bool { return strings.HasPrefix(k.dsn, "postgres:") }

// between looks at what a killed life has left, and lets time pass: with
// PostgreSQL the next life waits until it is seen that the last one is dead.
func (k *killed) between() {
	k.Helper()
	db := k.open()
	defer db.Close()
	var s bot.SyncState
	entries := 0
	err := db.Update(k.Context(), func(tx bot.Tx) (err error) {
		if s, err = tx.SyncState(bot.PeopleReading); err != nil {
			return err
		}
		if entries, err = tx.CountEntries(); err != nil || s.Run == 0 {
			return err
		}
		later := s
		later.StartedAt, later.HeldAt = s.StartedAt.Add(-time.Hour), s.HeldAt.Add(-time.Hour)
		return tx.PutSyncState(bot.PeopleReading, later)
	})
	if err != nil {
		k.Fatal(err)
	}
	if k.shared() {
		c, err := pgx.Connect(k.Context(), k.dsn)
		if err != nil {
			k.Fatal(err)
		}
		if _, err := c.Exec(k.Context(), `DELETE FROM worker`); err != nil {
			k.Fatal(err)
		}
		c.Close(context.Background())
	}
	if want := min(s.Pages*killedPage, killedPeople); s.Phase == bot.SyncAccounts && entries != want {
		k.Errorf("kill %d: %d accounts of %d pages are stored, want %d", k.kills, entries, s.Pages, want)
	}
	n := k.look(db)
	if s.Phase != bot.SyncMerge && s.Last == nil && n > 0 {
		k.Errorf("kill %d: there are %d people before all is read", k.kills, n)
	}
	if n < k.known {
		k.Errorf("kill %d: %d people, there were %d", k.kills, n, k.known)
	}
	if n > 0 && n < len(k.people) {
		k.merging++
	}
	k.known, k.made = n, s.Last != nil
}

// look holds the people that there are against the tenant, and counts them.
func (k *killed) look(db *store.DB) (n int) {
	k.Helper()
	err := db.People(k.Context(), store.PeopleFilter{}, func(p bot.Person) error {
		n++
		want, ok := k.people[p.ID]
		if name, _, _ := strings.Cut(want.UPN, "@"); !ok || p.Disabled == want.Enabled || !p.UnlistedAt.IsZero() || p.Name != want.Name || p.Username != name && want.Kind != entratest.Guest {
			k.Errorf("kill %d: %+v, in the tenant %+v", k.kills, p, want)
		}
		return nil
	})
	if err != nil {
		k.Fatal(err)
	}
	return n
}

// end looks at what there is after all.
func (k *killed) end() {
	k.Helper()
	db := k.open()
	defer db.Close()
	if n := k.look(db); n != len(k.people) {
		k.Errorf("%d people, the tenant has %d", n, len(k.people))
	}
	err := db.View(k.Context(), func(tx bot.Tx) error {
		s, err := tx.SyncState(bot.PeopleReading)
		if s.Last == nil || s.Last.Added != len(k.people) || s.Last.Refused || s.Running() || s.Run != 1 {
			k.Errorf("the sync ended as %+v", s.Last)
		}
		rows, err2 := tx.Pending(100)
		if err == nil && err2 == nil && len(rows) > 0 {
			k.Errorf("%d answers are not delivered", len(rows))
		}
		if err == nil {
			err = err2
		}
		return err
	})
	if err != nil {
		k.Fatal(err)
	}
	var told []string
	err = db.AuditLines(k.Context(), 0, func(e bot.AuditEntry) error {
		if e.Action == "people.synced" {
			told = append(told, e.Evidence)
		}
		return nil
	})
	if err != nil {
		k.Fatal(err)
	}
	if want := fmt.Sprintf("added %d, changed 0, left 0, switched off 0, 0 rows left out; brake: true", len(k.people)); !slices.Equal(told, []string{want}) {
		k.Errorf("the record of changes tells %q, want %q", told, want)
	}
	outside := audit.HeadFile{Path: filepath.Join(k.dir, "latchkey.db.head")}
	head, err := outside.Read()
	if err != nil {
		k.Fatal(err)
	}
	if rep, err := db.VerifyAudit(k.Context(), head); err != nil || len(rep.Problems) > 0 {
		k.Errorf("the record of changes does not verify: %v %v", rep.Problems, err)
	}
	if len(k.answers) < k.said {
		k.Errorf("%d lines were said and %d answered", k.said, len(k.answers))
	}
}
