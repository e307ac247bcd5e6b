package command

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/bot"
	"latchkey/bot/pass"
	"latchkey/bot/policy"
	"latchkey/bot/vault"
	"latchkey/cmd/latchkey/program"
	"latchkey/store"
	"latchkey/store/storetest"
)

// An office is an installation with two people, and the operator's commands.
type office struct {
	*testing.T
	cfgs []string // of each process
	urls []string // of each process
	db   func(func(*store.DB))
}

const officeStaff = "id,username,email,name,language\n" +
	"e-1,ann,ann@example.org,Ann Lee,en\n" +
	"e-2,carmen,carmen@example.org,Carmen Ruiz,es\n" +
	"x-sign-out,user.sign-out,,Someone,en\nx-unlink,user.unlink,,Someone,en\nx-freeze,user.freeze,,Someone,en\n" +
	"x-disable,user.disable,,Someone,en\nx-erase,user.erase,,Someone,en\n"

// newOffice makes one with as many processes on one PostgreSQL, or one on SQLite.
func newOffice(t *testing.T, dsn string, processes int) *office {
	t.Helper()
	o := &office{T: t}
	where := "store: {path: latchkey.db}\n"
	if dsn != "" {
		file := filepath.Join(t.TempDir(), "dsn")
		if err := os.WriteFile(file, []byte(pgAddress(dsn)), 0o600); err != nil {
			t.Fatal(err)
		}
		where = fmt.Sprintf("store: {postgres_file: %q}\n", file)
	}
	for range processes {
		port := rigs.FreePort(t)
		o.urls = append(o.urls, fmt.Sprintf("http://127.0.0.1:%d", port))
		cfg := install(t, where+"channels: {web: {enabled: true}}\n")
		text, err := os.ReadFile(cfg)
		if err != nil {
			t.Fatal(err)
		}
		text = []byte(strings.Replace(string(text), `http: {addr: "127.0.0.1:0"}`, fmt.Sprintf(`http: {addr: "127.0.0.1:%d", public_url: "http://127.0.0.1:%d"}`, port, port), 1))
		if err := os.WriteFile(cfg, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if len(o.cfgs) > 0 { // all have one key ring
			keys, err := os.ReadFile(filepath.Join(filepath.Dir(o.cfgs[0]), "latchkey.keys"))
			if err == nil {
				err = os.WriteFile(filepath.Join(filepath.Dir(cfg), "latchkey.keys"), keys, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		o.cfgs = append(o.cfgs, cfg)
	}
	o.db = func(do func(*store.DB)) {
		t.Helper()
		d := dsn
		if d == "" {
			d = filepath.Join(filepath.Dir(o.cfgs[0]), "latchkey.db")
		}
		db, err := store.Open(t.Context(), store.Options{DSN: d, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		do(db)
	}
	o.good("import", writeFile(t, officeStaff))
	return o
}

// people runs a command about people.
func (o *office) people(args ...string) (code int, out, errs string) {
	o.Helper()
	return command(o.T, []string{"SUDO_USER=kim"}, append(append([]string{"people"}, args...), "--config", o.cfgs[0])...)
}

// good runs one that must succeed.
func (o *office) good(args ...string) string {
	o.Helper()
	code, out, errs := o.people(args...)
	if code != exitOK {
		o.Fatalf("people %q: exit %d\n%s%s", args, code, out, errs)
	}
	return out
}

// bad runs one that must fail with a code and a sentence.
func (o *office) bad(want int, sentence string, args ...string) {
	o.Helper()
	if code, out, errs := o.people(args...); code != want || !strings.Contains(errs, sentence) {
		o.Errorf("people %q: exit %d, want %d with %q\n%s%s", args, code, want, sentence, out, errs)
	}
}

// says wants a text to hold others.
func (o *office) says(text string, parts ...string) {
	o.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			o.Errorf("no %q in\n%s", part, text)
		}
	}
}

// audit is the audit record, as it is listed.
func (o *office) audit() string {
	o.Helper()
	code, out, errs := command(o.T, nil, "audit", "list", "--config", o.cfgs[0])
	if code != exitOK {
		o.Fatal(errs)
	}
	return out
}

// browser signs a person in to the web chat and returns the cookie of it.
func (o *office) browser(person bot.PersonID, user string) *http.Cookie {
	o.Helper()
	var token bot.Secret
	o.db(func(db *store.DB) {
		err := db.Update(context.Background(), func(tx bot.Tx) error {
			return tx.Link(bot.Identity{Channel: "web", User: user, Person: person, Level: bot.L2})
		})
		if err != nil {
			o.Fatal(err)
		}
		conv := bot.ConversationID("web:" + user)
		token, err = pass.New(pass.Options{Store: db, Policy: policy.Default()}).BeginSession(context.Background(), bot.WebSession{Conversation: conv, User: user, Name: "Ann"})
		if err != nil {
			o.Fatal(err)
		}
	})
	return &http.Cookie{Name: "latchkey-session", Value: string(token)}
}

var csrfField = regexp.MustCompile(`name="csrf" value="([0-9a-f]+)"`)

// say writes in the web chat of a process and returns the status.
func (o *office) say(process int, c *http.Cookie, text string) int {
	o.Helper()
	get := func(method, path, body string) (int, string) {
		r, err := http.NewRequestWithContext(o.Context(), method, o.urls[process]+path, strings.NewReader(body))
		if err != nil {
			o.Fatal(err)
		}
		r.AddCookie(c)
		r.Header.Set("Origin", o.urls[process])
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		if body != "" {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			o.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(b)
	}
	csrf := ""
	if _, page := get(http.MethodGet, "/chat", ""); csrfField.MatchString(page) {
		csrf = csrfField.FindStringSubmatch(page)[1]
	}
	code, _ := get(http.MethodPost, "/chat/say", url.Values{"csrf": {csrf}, "id": {fmt.Sprintf("act-%d-0000", time.Now().UnixNano())}, "text": {text}}.Encode())
	return code
}

// listens opens the event stream of a process; the returned channel gives when
// it said that the session is over, and closes.
func (o *office) listens(process int, c *http.Cookie) <-chan time.Time {
	o.Helper()
	r, err := http.NewRequestWithContext(o.Context(), http.MethodGet, o.urls[process]+"/chat/events", nil)
	if err != nil {
		o.Fatal(err)
	}
	r.AddCookie(c)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || res.StatusCode != http.StatusOK {
		o.Fatal(res, err)
	}
	o.Cleanup(func() { res.Body.Close() })
	over := make(chan time.Time, 1)
	go func() {
		defer close(over)
		for sc := bufio.NewScanner(res.Body); sc.Scan(); {
			if strings.TrimSpace(sc.Text()) == "event: over" {
				over <- time.Now()
				return
			}
		}
	}()
	return over
}

// soon wants a stream to end within three seconds of a moment.
func (o *office) soon(what string, over <-chan time.Time, since time.Time) {
	o.Helper()
	select {
	case at, ok := <-over:
		if !ok {
			o.Errorf("%s: the stream broke off without a word", what)
		}
		if took := at.Sub(since); took > 3*time.Second {
			o.Errorf("%s: the stream ended after %v", what, took)
		}
	case <-time.After(time.Minute):
		o.Errorf("%s: the stream goes on", what)
	}
}

// TestOrdersReachEveryProcess: what an operator does in one process ends the
// web sessions and event streams of all at once.
func TestOrdersReachEveryProcess(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		processes int
	}{{"sqlite", 1}, {"postgres", 2}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dsn := ""
			if c.name == "postgres" {
				dsn = storetest.Postgres(t)
			}
			o := newOffice(t, dsn, c.processes)
			other := o.browser("e-2", "carmens-browser")
			orders := [][]string{{"sign-out"}, {"unlink"}, {"freeze"}, {"disable"}, {"erase", "--also-listed"}}
			cookies := map[string]*http.Cookie{}
			for _, order := range orders {
				cookies[order[0]] = o.browser(bot.PersonID("x-"+order[0]), "browser-"+order[0])
			}
			var running []*service
			for _, cfg := range o.cfgs {
				running = append(running, startService(t, cfg))
			}
			for _, order := range orders {
				cookie, who := cookies[order[0]], "user."+order[0]
				var streams []<-chan time.Time
				for i := range o.urls {
					if code := o.say(i, cookie, "hi"); code != http.StatusSeeOther {
						t.Fatalf("%s: before, process %d answers %d", order[0], i, code)
					}
					streams = append(streams, o.listens(i, cookie))
				}
				if out := o.good(append([]string{order[0], who, "--why", "a test", "--dry-run"}, order[1:]...)...); !strings.Contains(out, "Would "+strings.ReplaceAll(order[0], "-", " ")) {
					t.Errorf("dry run of %s: %s", order[0], out)
				}
				for i := range o.urls {
					if code := o.say(i, cookie, "hi"); code != http.StatusSeeOther {
						t.Errorf("%s: after a dry run process %d answers %d", order[0], i, code)
					}
				}
				out := o.good(append([]string{order[0], who, "--why", "a test"}, order[1:]...)...)
				at := time.Now()
				o.says(out, "Someone", who)
				for i := range o.urls {
					if code := o.say(i, cookie, "hi"); code != http.StatusForbidden {
						t.Errorf("%s: process %d answers %d", order[0], i, code)
					}
				}
				for i, s := range streams {
					o.soon(fmt.Sprintf("%s: process %d", order[0], i), s, at)
				}
			}
			for i := range o.urls {
				if code := o.say(i, other, "hi"); code != http.StatusSeeOther {
					t.Errorf("somebody else's session: process %d answers %d", i, code)
				}
			}
			for i, s := range running {
				log := s.errs.String()
				untold := strings.Count(log, "nobody could be told of a change (identity.unlinked)") // who has no address, and no chat any more
				if strings.Count(log, `"level":"ERROR"`) != untold || strings.Contains(log, "user.erase") {
					t.Errorf("the log of process %d:\n%s", i, log)
				}
			}
			o.says(o.audit(), "person.signed_out", "identity.unlinked", "person.frozen", "person.disabled", "person.erased", "a test  operator:kim")
		})
	}
}

// enrolls gives somebody a phone, an authenticator and recovery codes, sealed
// with the keys of the office, and a linked chat.
func (o *office) enrolls(ids ...bot.PersonID) {
	o.Helper()
	ring, err := vault.Load(filepath.Join(filepath.Dir(o.cfgs[0]), "latchkey.keys"))
	if err != nil {
		o.Fatal(err)
	}
	o.db(func(db *store.DB) {
		check, err := ring.SealCheck()
		if err == nil {
			err = db.SetMeta(context.Background(), program.KeyCheck, check)
		}
		if err != nil {
			o.Fatal(err)
		}
		for _, id := range ids {
			err := db.Update(context.Background(), func(tx bot.Tx) error {
				seal := func(place string) []byte {
					b, err := ring.Seal([]byte("a secret of "+place), place)
					if err != nil {
						o.Fatal(err)
					}
					return b
				}
				for _, kind := range []bot.MethodKind{bot.Phone, bot.Authenticator, bot.Recovery} {
					m := bot.Method{ID: bot.MethodID(string(kind) + string(id)), Person: id, Kind: kind, State: bot.Active, Label: "•••• 48", ProvenAt: tx.Now()}
					m.Sealed = seal(m.Place())
					if err := tx.PutMethod(&m); err != nil {
						return err
					}
					if kind == bot.Recovery {
						s := bot.MethodSecret{Method: m.ID, No: 1}
						s.Sealed = seal(s.Place(id))
						if err := tx.PutSecrets(m.ID, []bot.MethodSecret{s}); err != nil {
							return err
						}
					}
				}
				return tx.Link(bot.Identity{Channel: "slack-acme", User: "U" + string(id), Person: id, Level: bot.L2})
			})
			if err != nil {
				o.Fatal(err)
			}
		}
	})
}

func TestOperate(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "", 1)
	o.enrolls("e-1", "e-2")

	// What is missing or wrong is said, and nothing happens.
	o.bad(exitUsage, `--why "REASON"`, "freeze", "ann")
	o.bad(exitUsage, "--why is empty", "freeze", "ann", "--why", "  ")
	o.bad(exitUsage, "one line", "freeze", "ann", "--why", "a\nb")
	o.bad(exitUsage, "a user name or a work address", "freeze", "--why", "x")
	o.bad(exitUsage, "a user name or a work address", "freeze", "ann", "carmen", "--why", "x")
	o.bad(exitError, `did you mean "carmen" (Carmen Ruiz)?`, "freeze", "carmne", "--why", "x")
	o.bad(exitError, `did you mean "ann@example.org" (Ann Lee)?`, "freeze", "Ann@exmaple.org", "--why", "x")
	o.bad(exitError, "people list --search", "show", "nobody-like-that")
	o.bad(exitError, "no such chat account", "unlink", "ann", "--channel", "teams", "--why", "x")
	o.bad(exitUsage, "--channel, too", "unlink", "ann", "--user", "U1", "--why", "x")
	o.bad(exitUsage, "the old id and the new one", "rename-id", "e-1", "--why", "x")
	if record := o.audit(); strings.Count(record, "operator") != 1 || !strings.Contains(record, "people.imported") {
		t.Errorf("something was recorded:\n%s", record)
	}

	// By user name, address or id; what it did, in words; who did it.
	o.says(o.good("freeze", "--help"), "with a second factor can end it, too", "cannot\nend is latchkey people disable")
	o.says(o.good("freeze", "ann", "--why", "says it was not her", "--dry-run"), "Would freeze: Ann Lee (ann, id e-1)", "a request asks the help desk", "2 notices go out", "Nothing was changed")
	out := o.good("freeze", "ANN@example.org", "--why", "says it was not her")
	o.says(out, "Frozen: Ann Lee (ann, id e-1)", "asks the help desk to call", "2 notices go out")
	number := regexp.MustCompile(`request (\S+) asks`).FindStringSubmatch(out)
	if code, list, _ := command(t, nil, "requests", "list", "--config", o.cfgs[0]); code != exitOK || len(number) != 2 || !strings.Contains(list, number[1]) || !strings.Contains(list, "Ann Lee") {
		t.Errorf("requests: %d %s %q", code, list, number)
	}
	o.says(o.good("freeze", "e-1", "--why", "again"), "Frozen already: Ann Lee", "nothing to do")
	o.says(o.good("list"), "Ann Lee", "(frozen)")
	o.says(o.good("show", "ann"), "frozen since", "phone •••• 48", "slack-acme: Ue-1")
	o.says(o.good("unfreeze", "ann", "--why", "called back", "--as", "lee"), "No longer frozen: Ann Lee")
	o.says(o.good("disable", "ann", "--why", "left"), "Disabled: Ann Lee")
	o.says(o.good("show", "ann"), "disabled here since")
	o.says(o.good("import", writeFile(t, officeStaff)), "added 0")
	o.says(o.good("show", "ann"), "disabled here since")
	o.says(o.good("enable", "ann", "--why", "back"), "Enabled: Ann Lee")
	o.says(o.good("sign-out", "ann", "--why", "laptop lost"), "Signed out: Ann Lee")
	o.says(o.good("unlink", "ann", "--why", "not hers", "--dry-run"), "Would unlink: Ann Lee", "slack-acme: Ue-1, linked since")
	o.says(o.good("show", "ann"), "slack-acme: Ue-1")
	o.says(o.good("unlink", "ann", "--channel", "slack-acme", "--user", "Ue-1", "--why", "not hers"), "Unlinked: Ann Lee")
	if strings.Contains(o.good("show", "ann"), "slack-acme") {
		t.Error("still linked")
	}
	o.says(o.audit(), "person.frozen", "says it was not her  operator:kim", "person.unfrozen", "called back  operator:lee (kim)", "person.disabled", "person.enabled", "person.signed_out", "identity.unlinked")
	off := writeFile(t, "id,username,email,name,status\ne-1,ann,ann@example.org,Ann Lee,disabled\n")
	o.good("import", off)
	o.bad(exitError, "disabled by the staff list", "enable", "ann", "--why", "x")
	o.says(o.good("show", "ann"), "disabled by the staff list")
	o.says(o.good("show", "carmen"), "not in the staff list since")

	// Erasing.
	o.bad(exitError, "--also-listed", "erase", "ann", "--why", "asked for it")
	o.says(o.good("erase", "ann", "--also-listed", "--why", "asked for it", "--dry-run"), "Would erase: Ann Lee", "3 methods", "Nothing was changed")
	o.says(o.good("erase", "ann", "--also-listed", "--why", "asked for it"), "Erased: Ann Lee", "3 methods", "imports leave this id out", "Backups that were made until now", time.Now().Add(35*24*time.Hour).Format("2006-01-02"))
	o.bad(exitError, "nobody has", "show", "ann")
	o.says(o.good("erase", "carmen", "--why", "asked for it"), "Erased: Carmen Ruiz") // is not listed any more
	code, out, errs := o.people("import", writeFile(t, officeStaff))
	if code != exitOK || !strings.Contains(out, "added 1") || !strings.Contains(errs, "1 row left out: erased people") {
		t.Errorf("import after erasing: %d %s%s", code, out, errs)
	}
	o.bad(exitError, "give the id", "erase", "ann", "--let-back", "--why", "wrong person")
	o.says(o.good("erase", "e-1", "--let-back", "--why", "wrong person", "--dry-run"), "Would let back")
	o.says(o.good("erase", "e-1", "--let-back", "--why", "wrong person"), "Let back: id e-1")
	o.says(o.good("import", writeFile(t, officeStaff)), "added 1")
	if record := o.audit(); strings.Contains(record[strings.LastIndex(record, "person.erased")-40:], "e-1") || strings.Count(record, "person.erased") != 2 {
		t.Errorf("the line of an erasure:\n%s", record)
	}
}

func TestRenameIDs(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "", 1)
	o.enrolls("e-1", "e-2", "x-freeze")
	o.bad(exitError, "somebody has that id", "rename-id", "e-1", "e-2", "--why", "x")
	o.bad(exitError, "nobody has this id", "rename-id", "e-9", "n-9", "--why", "x")
	o.says(o.good("rename-id", "e-1", "n-1", "--why", "x", "--dry-run"), "Would rename to n-1: Ann Lee", "Nothing was changed")
	o.says(o.good("show", "e-1"), "Ann Lee")
	// As Entra writes ids, in capitals, and as imports store them.
	o.says(o.good("rename-id", "e-1", "6F1C2B7A-0000-4000-8000-00000000ABCD", "--why", "new directory"), "Renamed to 6f1c2b7a-0000-4000-8000-00000000abcd: Ann Lee")
	o.says(o.good("show", "ann"), "6f1c2b7a-0000-4000-8000-00000000abcd", "slack-acme: Ue-1")

	for text, want := range map[string]string{
		"a,b\n1,2\n":                         "columns old and new",
		"old,new\n":                          "no ids",
		"old,new\ne-2,\n":                    "line 2: an id is missing",
		"old,new\ne-2,n-2\ne-2,n-3\n":        `line 3: "e-2" stands in line 2 already`,
		"old,new\ne-2,n-2\nx-freeze,n-2\n":   `line 3: "n-2" stands in line 2 already`,
		"old,new\ne-2,n-2\nnone,n-3\n":       `"none": nobody has this id`,
		"old,new\ne-2,n-2\nx-freeze,e-2\n":   "use two files",
		"old,new\ne-2,e-2\n":                 "the new id is the old one",
		"old;new\r\ne-2;n-2\r\nx-freeze;\"n": "parse error on line 3",
	} {
		o.bad(exitError, want, "rename-id", "--from-csv", writeFile(t, text), "--why", "x")
		o.bad(exitError, "nothing was changed", "rename-id", "--from-csv", writeFile(t, text), "--why", "x")
	}
	o.says(o.good("show", "e-2"), "Carmen")
	scheme := writeFile(t, "\ufeffnew;name;old\r\nn-2;Carmen;e-2\r\n\r\nn-3;;x-freeze\r\n")
	o.says(o.good("rename-id", "--from-csv", scheme, "--why", "new scheme", "--dry-run"), "would be renamed: 2")
	o.says(o.good("rename-id", "--from-csv", scheme, "--why", "new scheme"), "renamed: 2")
	o.says(o.good("rename-id", "--from-csv", scheme, "--why", "new scheme"), "renamed: 0; renamed before: 2")
	if n := strings.Count(o.audit(), "person.renamed"); n != 3 {
		t.Errorf("%d lines", n)
	}
	// Everything that is sealed opens where it stands now.
	if code, out, errs := command(t, nil, "keys", "rotate", "--config", o.cfgs[0]); code != exitOK || !strings.Contains(out, "12 secrets sealed") {
		t.Errorf("rotate: %d %s%s", code, out, errs)
	}
}

// TestKilledOrders kills the program at each commit of an erasure and of a new
// scheme of ids: everything of a person is there or nothing is, and the same
// command goes on.
func TestKilledOrders(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program; run without -short")
	}
	t.Parallel()
	bin := withFailpoints(t)
	// killed runs a command until it ends by itself, killed at the n-th hit of a
	// point in its first run, and reports whether it was.
	killed := func(o *office, point string, check func(), args ...string) (was bool) {
		args = append(append([]string{"people"}, args...), "--config", o.cfgs[0])
		for env := []string{"LATCHKEY_FAILPOINT=" + point}; ; env = nil {
			cmd := exec.Command(bin, args...)
			cmd.Env = append(os.Environ(), env...)
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState == nil {
				t.Fatal(err)
			}
			check()
			if cmd.ProcessState.ExitCode() >= 0 {
				if nobody := strings.Contains(string(out), "nobody has"); err != nil && !nobody {
					t.Fatalf("%s: %v\n%s", point, err, out)
				}
				return was
			}
			was = true
		}
	}
	rows := func(o *office, id bot.PersonID) (n int) {
		o.db(func(db *store.DB) {
			err := db.View(context.Background(), func(tx bot.Tx) error {
				if _, err := tx.Person(id); err == nil {
					n++
				}
				ms, err := tx.Methods(id)
				if err != nil {
					return err
				}
				ids, err := tx.IdentitiesOf(id)
				n += len(ms) + len(ids)
				for _, m := range []bot.MethodKind{bot.Phone, bot.Authenticator, bot.Recovery} {
					ss, err := tx.Secrets(bot.MethodID(string(m) + "e-1"))
					if err != nil {
						return err
					}
					if id == "e-1" {
						n += len(ss)
					}
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
		return n
	}
	for _, when := range []string{"before", "after"} {
		kills := 0
		for n := 1; ; n++ {
			o := newOffice(t, "", 1)
			o.enrolls("e-1")
			point := fmt.Sprintf("store.commit.%s:%d", when, n)
			was := killed(o, point, func() {
				if k := rows(o, "e-1"); k != 0 && k != 6 {
					t.Errorf("%s: %d rows of somebody who was half erased", point, k)
				}
			}, "erase", "ann", "--also-listed", "--why", "asked for it")
			if k := rows(o, "e-1"); k != 0 {
				t.Errorf("%s: %d rows are left", point, k)
			}
			if n := strings.Count(o.audit(), "person.erased"); n != 1 {
				t.Errorf("%s: %d lines", point, n)
			}
			if !was {
				break
			}
			kills++
		}
		if kills < 1 {
			t.Errorf("erase: nothing was killed at a commit (%s)", when)
		}
		kills = 0
		for n := 1; ; n++ {
			o := newOffice(t, "", 1)
			o.enrolls("e-1", "e-2", "x-freeze")
			scheme := writeFile(t, "old,new\ne-1,n-1\ne-2,n-2\nx-freeze,n-3\n")
			point := fmt.Sprintf("store.commit.%s:%d", when, n)
			was := killed(o, point, func() {
				for _, ids := range [][2]bot.PersonID{{"e-2", "n-2"}, {"x-freeze", "n-3"}} {
					if a, b := rows(o, ids[0]), rows(o, ids[1]); a+b != 5 || a*b != 0 {
						t.Errorf("%s: %d rows under the old id, %d under the new", point, a, b)
					}
				}
			}, "rename-id", "--from-csv", scheme, "--why", "new scheme")
			if n := strings.Count(o.audit(), "person.renamed"); n != 3 {
				t.Errorf("%s: %d lines", point, n)
			}
			if code, out, errs := command(t, nil, "keys", "rotate", "--config", o.cfgs[0]); code != exitOK || !strings.Contains(out, "12 secrets sealed") {
				t.Errorf("%s: not everything opens: %d %s%s", point, code, out, errs)
			}
			if !was {
				break
			}
			kills++
		}
		if kills < 3 {
			t.Errorf("rename-id: %d kills at a commit (%s)", kills, when)
		}
	}
}

// A flag with an empty value is not taken for no flag at all: of every command,
// as a program gives it whose variable is not set.
func TestEmptyFlags(t *testing.T) {
	t.Parallel()
	tried := 0
	var try func(cmd *cobra.Command)
	try = func(cmd *cobra.Command) {
		each := func(f *pflag.Flag) {
			if !slices.Contains([]string{"string", "stringSlice", "stringArray"}, f.Value.Type()) {
				return // these say themselves that they are empty
			}
			tried++
			for _, value := range []string{"", " "} {
				args := append(strings.Fields(cmd.CommandPath())[1:], "--"+f.Name+"="+value)
				want := "--" + f.Name + " is empty: give it a value, or leave it out"
				for n := range 3 { // arguments that the command wants
					code, out, errs := command(t, nil, args...)
					if strings.Contains(errs, want) && code == exitUsage && out == "" {
						break
					}
					if n == 2 {
						t.Errorf("%q: %d %s%s", args, code, out, errs)
					}
					args = append(args, "x")
				}
			}
		}
		if cmd.Runnable() {
			cmd.LocalFlags().VisitAll(each)
			cmd.InheritedFlags().VisitAll(each)
		}
		for _, c := range cmd.Commands() {
			try(c)
		}
	}
	try(rootCommand(std{}))
	if tried < 30 {
		t.Errorf("only %d flags were tried", tried)
	}
	cfg := readTenant(t, "")
	if code, out, errs := command(t, entraEnv, "status", "entra", "--config", cfg, "--person", ""); code != exitUsage || out != "" || !strings.Contains(errs, "--person is empty: give it a value, or leave it out") {
		t.Errorf("%d %s%s", code, out, errs)
	}
}

// An account that is off says who has it off, each of them; whoever only Microsoft
// has methods of has none here.
func TestWhoHasAnAccountOff(t *testing.T) {
	t.Parallel()
	cfg := installTenant(t, 131, &fakeTenant{ids: []string{"p-01"}})
	for _, args := range [][]string{{"sync"}, {"import", writeFile(t, "id,username,name,status\np-01,ann,Ann,disabled\n")}, {"disable", "ann", "--why", "left"}} {
		if code, out, errs := command(t, secretEnv, append([]string{"people", "--config", cfg}, args...)...); code != exitOK {
			t.Fatalf("%q: %d %s%s", args, code, out, errs)
		}
	}
	show := func(args ...string) string {
		t.Helper()
		code, out, errs := command(t, secretEnv, append(args, "--config", cfg)...)
		if code != exitOK {
			t.Fatalf("%q: %d %s%s", args, code, out, errs)
		}
		return strings.Join(strings.Fields(out), " ")
	}
	inStore(t, cfg, func(db *store.DB) {
		err := db.Update(t.Context(), func(tx bot.Tx) error {
			return tx.PutRegistration(&bot.Registration{Person: "p-01", ReadAt: tx.Now(), Methods: []string{"mobilePhone"}, MFACapable: true})
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	here, list := "here since ", "(people disable), and by the staff list"
	for _, out := range []string{show("people", "show", "ann"), show("status", "entra", "--person", "ann")} {
		lacks(t, out, "disabled "+here, list)
	}
	lacks(t, show("people", "show", "ann"), "Methods none set up in Latchkey", "At Microsoft mobilePhone, as of ")
	lacks(t, show("people", "list"), "(disabled "+here)
	inStore(t, cfg, func(db *store.DB) { // the directory blocks it, and nobody else
		one := bot.Person{ID: "p-01", Username: "ann", Name: "Ann", Kind: bot.Pupil}
		_, err := db.ImportPeople(t.Context(), storetest.Rows(one), store.ImportOptions{Whose: store.BesideSync})
		if one.Disabled = true; err == nil {
			_, err = db.ImportPeople(t.Context(), storetest.Rows(one), store.ImportOptions{Whose: store.OfSync})
		}
		if err == nil {
			err = db.Update(t.Context(), func(tx bot.Tx) error { return tx.SetStopped("p-01", time.Time{}) })
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	lacks(t, show("people", "show", "ann"), "Account disabled in the directory (Microsoft Entra: sign-in blocked): nothing is enrolled")
	lacks(t, show("status", "entra", "--person", "ann"), "Not counted: the account is disabled in the directory (Microsoft Entra: sign-in blocked).", "of the kind pupil, and only staff count")
}
