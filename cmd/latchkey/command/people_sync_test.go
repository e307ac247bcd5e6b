package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/programtest"
)

// tenants are the pretend directories by the tenant's id, for configurations
// that name one.
var tenants sync.Map

func init() {
	configured := program.EntraSource
	program.EntraSource = func(p *program.Program) (bot.DirectorySource, error) {
		if d, ok := tenants.Load(p.Config.Entra.Tenant); ok {
			return d.(bot.DirectorySource), nil
		}
		return configured(p)
	}
}

// A fakeTenant gives its accounts in pages of two, all of them at every reading.
type fakeTenant struct {
	mu     sync.Mutex
	ids    []string
	report []string // ids
	err    error
	hold   chan bool // each page of accounts waits for one; nil: none does
}

func (d *fakeTenant) People(ctx context.Context, cursor string) (*bot.DirectoryPage, error) {
	if d.hold != nil {
		select {
		case <-d.hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return nil, d.err
	}
	page := &bot.DirectoryPage{Next: "changes", Last: true}
	for _, id := range d.ids {
		if cursor == "changes" || id <= cursor {
			continue
		}
		if len(page.Changes) == 2 {
			page.Next, page.Last = string(page.Changes[1].ID), false
			break
		}
		page.Changes = append(page.Changes, bot.DirectoryChange{ID: bot.PersonID(id), Body: []byte(`{"name":"Name of ` + id + `"}`)})
	}
	return page, nil
}

func (*fakeTenant) Members(context.Context, string, string) ([]bot.PersonID, string, error) {
	return nil, "", errors.New("no groups")
}

func (*fakeTenant) Person(id bot.PersonID, merged json.RawMessage) (bot.Person, bot.PersonFields, error) {
	var a struct{ Name string }
	err := json.Unmarshal(merged, &a)
	return bot.Person{ID: id, Username: string(id), Name: a.Name}, ^(bot.FieldUsername | bot.FieldName | bot.FieldDisabled), err
}

func (d *fakeTenant) Registrations(context.Context, string) (page []bot.Registration, next string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range d.report {
		page = append(page, bot.Registration{Person: bot.PersonID(id), Methods: []string{"email"}})
	}
	return page, "", nil
}

func (*fakeTenant) MethodsOf(context.Context, bot.PersonID) ([]string, error) { return nil, nil }

func (*fakeTenant) TenantPolicy(context.Context) (*bot.TenantPolicy, error) {
	return &bot.TenantPolicy{}, nil
}

// installTenant makes an installation whose people come from a pretend directory.
func installTenant(t *testing.T, no int, d *fakeTenant) string {
	t.Helper()
	id := fmt.Sprintf("00000000-0000-0000-0000-%012d", no)
	tenants.Store(id, d)
	cfg := install(t, fmt.Sprintf("entra: {tenant: %s, client_id: %s, client_secret_env: ENTRA_SECRET}\n", id, id))
	text, err := os.ReadFile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := strings.NewReplacer("directory: {kind: none}", "directory: {kind: entra}", `"127.0.0.1:0"}`, `"127.0.0.1:0", public_url: "https://bot.example.org"}`).Replace(string(text))
	if err := os.WriteFile(cfg, []byte(s), 0o600); err != nil {
		t.Fatal(err)
	}
	return cfg
}

var secretEnv = []string{"ENTRA_SECRET=x", "SUDO_USER=kim"}

// syncPeople runs the command.
func syncPeople(t *testing.T, cfg string, args ...string) (code int, out, errs string) {
	t.Helper()
	return command(t, secretEnv, append([]string{"people", "sync", "--config", cfg}, args...)...)
}

// `people sync` reads people, tells what changes, and is refused and gone on
// with like an import: with the service, and without it.
func TestPeopleSync(t *testing.T) {
	t.Parallel()
	for i, running := range []bool{false, true} {
		t.Run(fmt.Sprintf("service %v", running), func(t *testing.T) {
			d := &fakeTenant{report: []string{"p01", "pupil"}}
			for n := range 50 {
				d.ids = append(d.ids, fmt.Sprintf("p%02d", n))
			}
			cfg := installTenant(t, 100+i, d)
			want := func(what string, gotCode int, out, errs string, code int, texts ...string) {
				t.Helper()
				for _, text := range texts {
					if gotCode != code || !strings.Contains(out+errs, text) {
						t.Errorf("%s: exit %d, want %d and %q\n%s%s", what, gotCode, code, text, out, errs)
					}
				}
			}
			if running {
				d.err = errors.New("not now") // until the first command; the service begins by itself
				startService(t, cfg, secretEnv...)
				d.mu.Lock()
				d.err = nil
				d.mu.Unlock()
			}
			if !running {
				code, out, errs := syncPeople(t, cfg, "--dry-run")
				want("dry run", code, out, errs, exitOK, "would add 50", "p00  Name of p00", "nobody was changed (--dry-run)", "would change (nothing is stored)")
				if strings.Contains(out, "no known kind") {
					t.Errorf("dry run: members of the directory are strangers to it:\n%s", out)
				}
				if _, out, _ := command(t, secretEnv, "people", "list", "--config", cfg); out != "" {
					t.Errorf("a dry run stored people: %s", out)
				}
			}
			code, out, errs := syncPeople(t, cfg, "--report")
			want("first", code, out, errs, exitOK, "the directory: 50 rows; added 50, changed 0", "the report: 1 row on people here")
			code, out, errs = syncPeople(t, cfg)
			want("again", code, out, errs, exitOK, "added 0, changed 0, left 50 as they are, switched off 0")
			d.mu.Lock()
			d.ids = d.ids[:25]
			d.mu.Unlock()
			code, out, errs = syncPeople(t, cfg, "--full")
			want("halved", code, out, errs, exitError, "25 of 50 active people would be switched off", "--yes", "nobody was changed")
			code, out, errs = command(t, secretEnv, "doctor", "--config", cfg)
			want("doctor", code, out, errs, exitError, "BROKEN", "25 of 50 active people would be switched off")
			code, out, errs = syncPeople(t, cfg, "--yes")
			want("with --yes", code, out, errs, exitOK, "switched off 25")
			code, out, errs = command(t, secretEnv, "audit", "list", "--config", cfg)
			want("audit", code, out, errs, exitOK, "people.synced", "operator:kim", "switched off 25, 0 rows left out; brake: false")

			d.mu.Lock()
			d.err = errors.New("the permission User.Read.All is missing")
			d.mu.Unlock()
			ctx, stop := context.WithCancel(t.Context())
			var o, e programtest.Buffer
			ended := make(chan int)
			go func() {
				ended <- run(ctx, std{in: strings.NewReader(""), out: &o, err: &e, env: secretEnv}, []string{"people", "sync", "--config", cfg})
			}()
			for limit := time.Now().Add(bottest.Patience); !strings.Contains(e.String(), "cannot be read: read accounts: the permission User.Read.All is missing") && time.Now().Before(limit); {
				time.Sleep(20 * time.Millisecond)
			}
			stop()
			if code := <-ended; code != exitError || !strings.Contains(e.String(), map[bool]string{true: "interrupted; the running service goes on with the sync", false: "interrupted; the sync keeps its place"}[running]) {
				t.Errorf("exit %d\n%s%s", code, o.String(), e.String())
			}
		})
	}
}

// A sync that was interrupted goes on where it was.
func TestPeopleSyncInterrupted(t *testing.T) {
	t.Parallel()
	d := &fakeTenant{ids: []string{"a", "b", "c", "d", "e"}, hold: make(chan bool)}
	cfg := installTenant(t, 110, d)
	ctx, stop := context.WithCancel(t.Context())
	var o, e programtest.Buffer
	ended := make(chan int)
	go func() {
		ended <- run(ctx, std{in: strings.NewReader(""), out: &o, err: &e, env: secretEnv}, []string{"people", "sync", "--config", cfg})
	}()
	d.hold <- true // one page is read
	d.hold <- true // and another one asked for
	stop()
	if code := <-ended; code != exitError || !strings.Contains(e.String(), "interrupted; the sync keeps its place") {
		t.Fatalf("exit %d\n%s%s", code, o.String(), e.String())
	}
	close(d.hold)
	code, out, errs := syncPeople(t, cfg)
	if code != exitOK || !strings.Contains(out, "5 rows; added 5") || !strings.Contains(errs, "under way; this goes on with it") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
}

// A dry run works also after a sync that was interrupted; beside one that goes
// on in the service it says what to type.
func TestDryRunAfterAnInterruptedSync(t *testing.T) {
	t.Parallel()
	d := &fakeTenant{ids: []string{"a", "b", "c", "d", "e"}, hold: make(chan bool)}
	cfg := installTenant(t, 111, d)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int)
	go func() {
		ended <- run(ctx, std{in: strings.NewReader(""), out: &programtest.Buffer{}, err: &programtest.Buffer{}, env: secretEnv}, []string{"people", "sync", "--config", cfg})
	}()
	d.hold <- true
	d.hold <- true
	stop()
	<-ended
	more := make(chan bool, 2)
	more <- true
	more <- true
	d.hold = more
	code, out, errs := syncPeople(t, cfg, "--dry-run")
	if code != exitOK || !strings.Contains(out, "would add 5") || !strings.Contains(errs, "was interrupted; this reads on where it was") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if _, out, _ := command(t, secretEnv, "people", "list", "--config", cfg); out != "" {
		t.Errorf("the dry run stored people: %s", out)
	}
	d.hold = make(chan bool)
	startService(t, cfg, secretEnv...)
	d.hold <- true // it has read a page of its own sync
	code, out, errs = syncPeople(t, cfg, "--dry-run")
	close(d.hold)
	if code != exitError || !strings.Contains(errs, "`latchkey people sync` follows it to its end; after that, give --dry-run again") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
}

// The progress says how far it is, and why it stands still.
func TestSyncProgress(t *testing.T) {
	now := time.Now()
	for want, s := range map[string]bot.SyncState{
		"3 pages, 2500 accounts": {Phase: bot.SyncAccounts, Pages: 3, Read: 2500, Due: now.Add(-time.Second)},
		"1 page, 7 lines; the directory asks to wait until " + now.Add(time.Minute).Format("15:04:05"): {Phase: bot.SyncReport, Pages: 1, Read: 7, Due: now.Add(time.Minute)},
		"9 pages, 2600 accounts and members": {Phase: bot.SyncMembers, Pages: 9, Read: 2600, Due: now.Add(time.Minute), Failures: 1},
	} {
		if got := program.SyncProgress(s, now); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// What is not configured is named.
func TestPeopleSyncNotConfigured(t *testing.T) {
	t.Parallel()
	cfg := install(t, "")
	if code, _, errs := command(t, nil, "people", "sync", "--config", cfg); code != exitError || !strings.Contains(errs, "directory.kind") || !strings.Contains(errs, "set it to entra") {
		t.Errorf("exit %d %s", code, errs)
	}
	if code, _, errs := command(t, nil, "people", "sync", "--report", "--config", cfg); code != exitError || !strings.Contains(errs, "entra.tenant") {
		t.Errorf("exit %d %s", code, errs)
	}
}

// Lists go on beside the directory: none misses whom it has.
func TestListBesideTheDirectory(t *testing.T) {
	t.Parallel()
	cfg := installTenant(t, 120, &fakeTenant{ids: []string{"a", "b"}})
	list := writeFile(t, "id,username,name\ncleaner,cleaner,Cleaner\n")
	for _, args := range [][]string{{"import", list}, {"sync"}, {"import", list, "--missing", "disable"}, {"sync"}} {
		if code, out, errs := command(t, secretEnv, append([]string{"people", "--config", cfg}, args...)...); code != exitOK {
			t.Fatalf("%q: exit %d\n%s%s", args, code, out, errs)
		}
		if _, out, _ := command(t, secretEnv, "people", "list", "--config", cfg); strings.Contains(out, "disabled") {
			t.Errorf("after %q:\n%s", args, out)
		}
	}
	if _, out, _ := command(t, secretEnv, "people", "list", "--config", cfg); strings.Count(out, "\n") != 3 {
		t.Errorf("people:\n%s", out)
	}
}

// A directory that does not answer is a failure: the command ends, the doctor
// tells it, and the next command tries it anew.
func TestPeopleSyncWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	d := &fakeTenant{ids: []string{"a"}, err: &bot.WaitError{Err: errors.New("no answer: connection refused")}}
	cfg := installTenant(t, 121, d)
	for range 2 { // the second one does not end by what the first one met
		code, _, errs := syncPeople(t, cfg)
		if code != exitError || strings.Count(errs, "no answer: connection refused; again at") != program.SyncFailures || !strings.Contains(errs, "the directory cannot be read: read accounts: no answer: connection refused; people stay as they are") {
			t.Fatalf("exit %d\n%s", code, errs)
		}
	}
	if _, out, errs := command(t, secretEnv, "doctor", "--config", cfg); !strings.Contains(out+errs, "cannot be read, tried 6 times: read accounts: no answer") {
		t.Errorf("doctor:\n%s%s", out, errs)
	}
	// Its own pause is longer than anybody waits.
	d.err = &bot.WaitError{After: time.Hour, Err: errors.New("no answer: connection refused")}
	if code, _, errs := syncPeople(t, cfg); code != exitError || strings.Count(errs, "again at") != 1 {
		t.Errorf("exit %d\n%s", code, errs)
	}
	d.err = nil
	if code, out, errs := syncPeople(t, cfg); code != exitOK || !strings.Contains(out, "1 row; added 1") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
}

// A report of other people than those of the staff list is told where it is read.
func TestReportOfNobodyHere(t *testing.T) {
	t.Parallel()
	cfg := installTenant(t, 143, &fakeTenant{ids: []string{"a"}, report: []string{"b"}})
	code, out, errs := syncPeople(t, cfg, "--report")
	if code != exitOK || !strings.Contains(out, "the report: 0 rows on people here") || !strings.Contains(errs, "the report has nobody of the people here: people who came in the last 36 hours are not in it yet") {
		t.Errorf("%d\n%s%s", code, out, errs)
	}
}

// Whoever reads only the beginning of what a running service says is not told of
// a pipe.
func TestOutputThatNobodyReadsToItsEnd(t *testing.T) {
	t.Parallel()
	cfg := installTenant(t, 144, &fakeTenant{ids: []string{"a", "b"}})
	if code, _, errs := syncPeople(t, cfg); code != exitOK {
		t.Fatal(errs)
	}
	s := startService(t, cfg, secretEnv...)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	var errs bytes.Buffer
	if code := run(t.Context(), std{in: strings.NewReader(""), out: w, err: &errs, env: secretEnv}, []string{"people", "list", "--config", cfg}); code != exitError || errs.Len() > 0 {
		t.Errorf("%d %s", code, errs.String())
	}
	if code := s.end(); code != exitOK {
		t.Error(code)
	}
}

func TestCommandName(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"people sync": {"people", "sync", "--full"}, "people erase": {"people", "erase", "mgarcia"},
		"doctor": {"doctor", "--config", "latchkey.yaml"}, "": nil,
		"campaign send": {"--as", "Ann", "campaign", "send", "autumn"}, "audit list": {"--as=Ann", "audit", "list"},
	} {
		if got := commandName(args); got != want {
			t.Errorf("%q: %q, want %q", args, got, want)
		}
	}
}
