package directory_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/directory"
	"latchkey/store/storetest"
)

// registrations are what is known of people: "id methods/direct".
func (r *rig) registrations(ids ...bot.PersonID) string {
	r.t.Helper()
	var all []string
	err := r.db.View(context.Background(), func(tx bot.Tx) error {
		all = nil
		for _, id := range ids {
			g, err := tx.Registration(id)
			switch {
			case errors.Is(err, bot.ErrNotFound):
				all = append(all, string(id)+" ?")
			case err != nil:
				return err
			default:
				s := fmt.Sprintf("%s %s", id, strings.Join(g.Methods, "+"))
				if g.ReadAt.IsZero() {
					s += "not in the report"
				}
				if g.Direct != nil {
					s += "/" + strings.Join(g.Direct, "+")
				}
				all = append(all, s)
			}
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.Join(all, ", ")
}

func line(id string, methods ...string) bot.Registration {
	return bot.Registration{Person: bot.PersonID(id), Methods: methods}
}

func TestReport(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		src := newTenant(2)
		r := newRig(t, dsn, src)
		storetest.Seed(t, r.db, bot.Person{ID: "a"}, bot.Person{ID: "b"}, bot.Person{ID: "c"}, bot.Person{ID: "d"})
		want := func(when, all string) {
			t.Helper()
			if got := r.registrations("a", "b", "c", "d", "pupil"); got != all {
				t.Errorf("%s: %s, want %s", when, got, all)
			}
		}
		report := func(o directory.Order) *bot.SyncResult {
			t.Helper()
			r.now.pass(time.Hour)
			r.begin(bot.ReportReading, o)
			return r.finish(bot.ReportReading)
		}
		src.report = []bot.Registration{line("a", "email"), line("pupil", "email"), line("b", "mobilePhone"), line("c"), line("d", "fido2")}
		last := report(directory.Order{})
		want("first", "a email, b mobilePhone, c , d fido2, pupil ?")
		is(t, "lines", last.Rows, 4)
		err := r.db.View(t.Context(), func(tx bot.Tx) error {
			p, err := tx.TenantPolicy()
			if err == nil && (p.Migration != "migrationComplete" || !p.ReadAt.Equal(tx.Now())) {
				t.Errorf("policy %+v", p)
			}
			g, gerr := tx.Registration("a")
			if gerr == nil && !g.ReadAt.Equal(tx.Now()) {
				t.Errorf("registration %+v", g)
			}
			return errors.Join(err, gerr)
		})
		if err != nil {
			t.Error(err)
		}

		// What was read of a person alone stays beside a newer report, and alone
		// when the report does not have them any more.
		src.methods["b"], src.methods["d"] = []string{"email", "fido2"}, nil
		for _, p := range []bot.PersonID{"b", "d", "erased"} {
			if err := r.HandleLook(t.Context(), directory.Look{Person: p, Conversation: "nowhere"}); err != nil {
				t.Error(err)
			}
		}
		want("after a look", "a email, b mobilePhone/email+fido2, c , d fido2/, pupil ?")
		is(t, "of somebody who is not here", r.registrations("erased"), "erased ?")
		src.report = []bot.Registration{line("b", "mobilePhone"), line("c", "email"), line("pupil")}
		r.now.pass(time.Hour)
		r.begin(bot.ReportReading, directory.Order{})
		r.advance(bot.ReportReading)
		r.advance(bot.ReportReading)
		want("not complete", "a email, b mobilePhone/email+fido2, c email, d fido2/, pupil ?")
		last = r.finish(bot.ReportReading)
		want("complete", "a ?, b mobilePhone/email+fido2, c email, d not in the report/, pupil ?")
		is(t, "dropped", last.Off, 2)

		// A report without a line is refused, and so is one that lacks too many.
		src.report = nil
		last = report(directory.Order{})
		if !last.Refused || r.state(bot.ReportReading).Refused == "" {
			t.Errorf("%+v", last)
		}
		want("an empty report", "a ?, b mobilePhone/email+fido2, c email, d not in the report/, pupil ?")
		if last = report(directory.Order{Force: true}); last.Refused || last.Off != 2 {
			t.Errorf("%+v", last)
		}
		want("which is meant", "a ?, b not in the report/email+fido2, c ?, d not in the report/, pupil ?")
	})
}

// A line is of whoever has its id, in whatever spelling. An administrator stays one
// until a line says otherwise.
func TestReportTellsAdministrators(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		src := newTenant(2)
		r := newRig(t, dsn, src)
		plain := []string{"abcdef00-0000-0000-0000-00000000000a", "abcdef00-0000-0000-0000-00000000000b", "abcdef00-0000-0000-0000-00000000000c", "abcdef00-0000-0000-0000-00000000000d"}
		spelled := []bot.PersonID{bot.PersonID(strings.ToUpper(plain[0])), bot.PersonID("{" + plain[1] + "}"), bot.PersonID("{" + strings.ToUpper(plain[2]) + "}"), bot.PersonID(plain[3])}
		other := bot.PersonID(strings.ToUpper(plain[3])) // somebody has the directory's own spelling
		people := []bot.Person{{ID: other}}
		for i, id := range spelled {
			people = append(people, bot.Person{ID: id})
			l := line(plain[i], "email")
			l.Admin = true
			src.report = append(src.report, l)
		}
		storetest.Seed(t, r.db, people...)
		read := func(when string) {
			t.Helper()
			r.now.pass(time.Hour)
			r.begin(bot.ReportReading, directory.Order{Force: true})
			r.finish(bot.ReportReading)
			err := r.db.View(t.Context(), func(tx bot.Tx) error {
				for _, id := range spelled {
					if g, err := tx.Registration(id); err != nil || !g.Admin {
						t.Errorf("%s: %s is %+v %v", when, id, g, err)
					}
				}
				if _, err := tx.Registration(other); !errors.Is(err, bot.ErrNotFound) {
					t.Errorf("%s: somebody else has a line, too: %v", when, err)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		read("in the report")
		if err := r.HandleLook(t.Context(), directory.Look{Person: spelled[0], Conversation: "nowhere"}); err != nil {
			t.Error(err)
		}
		lines := src.report
		src.report = lines[2:3]
		read("not in the report any more")
		if err := r.HandleLook(t.Context(), directory.Look{Person: spelled[1], Conversation: "nowhere"}); err != nil {
			t.Error(err)
		}
		read("after a look")
		lines[0].Admin = false
		src.report = lines[:1]
		r.now.pass(time.Hour)
		r.begin(bot.ReportReading, directory.Order{})
		r.finish(bot.ReportReading)
		err := r.db.View(t.Context(), func(tx bot.Tx) error {
			g, err := tx.Registration(spelled[0])
			if err == nil && g.Admin {
				t.Errorf("a line says otherwise: %+v", g)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// Many lines fewer are hardly meant.
func TestReportThatLacksTooMany(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		src := newTenant(50)
		r := newRig(t, dsn, src)
		var people []bot.Person
		for i := range 40 {
			id := fmt.Sprintf("p%02d", i)
			people, src.report = append(people, bot.Person{ID: bot.PersonID(id)}), append(src.report, line(id, "email"))
		}
		storetest.Seed(t, r.db, people...)
		r.begin(bot.ReportReading, directory.Order{})
		r.finish(bot.ReportReading)
		src.report = src.report[:35]
		r.now.pass(time.Hour)
		r.begin(bot.ReportReading, directory.Order{})
		if last := r.finish(bot.ReportReading); !last.Refused || last.Off != 0 {
			t.Errorf("%+v", last)
		}
		if got := r.registrations("p00", "p39"); got != "p00 email, p39 email" {
			t.Error(got)
		}
		r.begin(bot.ReportReading, directory.Order{Force: true})
		if last := r.finish(bot.ReportReading); last.Refused || last.Off != 5 {
			t.Errorf("%+v", last)
		}
	})
}

// The policy is not to be had: the report is read all the same, with a warning.
func TestReportWithoutThePolicy(t *testing.T) {
	for name, policy := range map[string]error{"refused": errTenant, "out of order": &bot.WaitError{After: time.Minute, Err: errTenant}} {
		t.Run(name, func(t *testing.T) { reportWithoutThePolicy(t, policy) })
	}
}

func reportWithoutThePolicy(t *testing.T, policy error) {
	src := newTenant(2)
	r := newRig(t, t.TempDir()+"/bot.db", src)
	storetest.Seed(t, r.db, bot.Person{ID: "a"})
	src.report, src.policy = []bot.Registration{line("a", "email")}, policy
	r.begin(bot.ReportReading, directory.Order{})
	for range 2 {
		wait, err := r.Advance(t.Context(), bot.ReportReading)
		if !errors.Is(err, errTenant) {
			t.Fatal(err)
		}
		r.now.pass(wait)
	}
	r.finish(bot.ReportReading)
	if got := r.registrations("a"); got != "a email" {
		t.Error(got)
	}
	if s := r.state(bot.ReportReading); !strings.Contains(s.Warning, errTenant.Error()) || s.Last == nil {
		t.Errorf("%+v", s)
	}
	src.policy = nil
	r.begin(bot.ReportReading, directory.Order{})
	r.finish(bot.ReportReading)
	if s := r.state(bot.ReportReading); s.Warning != "" {
		t.Errorf("%+v", s)
	}
}

// What only an operator can mend is known as that from its first failure, and
// tried again; the policy is then gone without at once.
func TestRefusedForGood(t *testing.T) {
	src := newTenant(2)
	r := newRig(t, t.TempDir()+"/bot.db", src)
	storetest.Seed(t, r.db, bot.Person{ID: "a"})
	src.report = []bot.Registration{line("a", "email")}
	refused := func(what string) func(string) error {
		return func(call string) error {
			if strings.HasPrefix(call, what) {
				return fmt.Errorf("asked: %w", &bot.RefusedError{Err: errTenant})
			}
			return nil
		}
	}
	src.fail = refused("report")
	r.begin(bot.ReportReading, directory.Order{})
	for n := 1; ; n++ {
		wait, err := r.Advance(t.Context(), bot.ReportReading)
		if s := r.state(bot.ReportReading); err != nil {
			if !errors.Is(err, errTenant) || !s.Hopeless || s.Failures != 1 || wait == 0 {
				t.Errorf("%v, wait %s, %+v", err, wait, s)
			}
			r.now.pass(wait)
			break
		}
		if n > 3 {
			t.Fatal("nothing failed")
		}
	}
	src.fail = nil
	r.finish(bot.ReportReading)
	if s := r.state(bot.ReportReading); s.Hopeless || s.Last.Rows != 1 {
		t.Errorf("mended: %+v", s)
	}

	src.policy = &bot.RefusedError{Err: errTenant}
	r.begin(bot.ReportReading, directory.Order{})
	if wait, err := r.Advance(t.Context(), bot.ReportReading); err != nil || wait != 0 {
		t.Errorf("without the policy: %v, wait %s", err, wait)
	}
	if s := r.state(bot.ReportReading); !strings.Contains(s.Warning, errTenant.Error()) {
		t.Errorf("%+v", s)
	}
}

// An organisation without the licence has no report: the reading ends, what was
// known stays, and the next one asks again.
func TestReportWithoutALicence(t *testing.T) {
	src := newTenant(2)
	log := &lines{}
	r := newRig(t, t.TempDir()+"/bot.db", src, func(d *directory.Deps) { d.Log = slog.New(slog.NewTextHandler(log, nil)) })
	storetest.Seed(t, r.db, bot.Person{ID: "a"}, bot.Person{ID: "b"})
	src.report = []bot.Registration{line("a", "email"), line("b"), line("stranger")}
	read := func() bot.SyncState {
		t.Helper()
		r.now.pass(time.Hour)
		r.begin(bot.ReportReading, directory.Order{})
		r.finish(bot.ReportReading)
		return r.state(bot.ReportReading)
	}
	read()
	if said := log.String(); !strings.Contains(said, `"the report was read"`) || !strings.Contains(said, "lines=3 on_people_here=2 not_in_it_any_more=0") || strings.Contains(said, "added=") {
		t.Errorf("the log says\n%s", said)
	}
	src.fail = func(call string) error {
		if strings.HasPrefix(call, "report") {
			return &bot.RefusedError{Err: errTenant, NoLicence: true}
		}
		return nil
	}
	if s := read(); !s.NoLicence || s.Failures != 0 || s.Warning != errTenant.Error() || s.Running() {
		t.Errorf("%+v", s)
	}
	if got := r.registrations("a", "b"); got != "a email, b " {
		t.Errorf("what was known is %q now", got)
	}
	src.fail = nil
	if s := read(); s.NoLicence || s.Warning != "" || s.Last.Rows != 2 {
		t.Errorf("with a licence: %+v", s)
	}
}

// lines is a log.
type lines struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// inbox keeps what is raised.
type inbox struct{ events []bot.Event }

func (b *inbox) Accept(_ context.Context, ev bot.Event) error {
	b.events = append(b.events, ev)
	return nil
}

// The check asks for a look at most once a minute; the outcome comes to the
// conversation.
func TestLook(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		src := newTenant(2)
		r := newRig(t, dsn, src)
		storetest.Seed(t, r.db, bot.Person{ID: "a"}, bot.Person{ID: "b"})
		in := &inbox{}
		r.Connect(in)
		conv := bot.Conversation{ID: "talk", Channel: "test", Person: "a", Level: bot.L2}
		err := r.db.Turn(t.Context(), &bot.Event{ID: "1", Channel: "test", Conversation: "talk", From: "u"}, func(tx bot.Tx, c *bot.Conversation) error { return tx.SaveConversation(c) })
		if err != nil {
			t.Fatal(err)
		}
		spec := r.Specs()[0]
		ask := func(c bot.Conversation) (oc bot.Outcome) {
			t.Helper()
			err := r.db.Update(t.Context(), func(tx bot.Tx) (err error) {
				oc, err = spec.Ask(nil, tx, &bot.Call{Conversation: &c, Session: &bot.Session{}})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := spec.Outcomes[oc.Name]; !ok {
				t.Errorf("outcome %q is not declared", oc.Name)
			}
			return oc
		}
		is(t, "of nobody", ask(bot.Conversation{ID: "talk", Level: bot.L1, Person: "a"}).Name, "off")
		asked := ask(conv)
		is(t, "first", asked.Name, "asked")
		is(t, "at once again", ask(conv).Name, "soon")
		is(t, "somebody else", ask(bot.Conversation{ID: "other", Person: "b", Level: bot.L2}).Name, "asked")
		r.now.pass(61 * time.Second)
		is(t, "a minute later", ask(conv).Name, "asked")
		n, err := r.db.PendingJobs(t.Context())
		if err != nil || n["directory_look"] != 3 {
			t.Errorf("jobs %v %v", n, err)
		}

		j := directory.Look{Person: "a", Conversation: "talk", At: r.now.Now().Add(-61 * time.Second).UnixMilli()}
		src.methods["a"] = []string{"email"}
		tell := func(want string) {
			t.Helper()
			if err := r.HandleLook(t.Context(), j); err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, ev := range in.events {
				got += ev.Signal.Name
				if ev.Signal.Ref != asked.Facts[0].Value || ev.Conversation != "talk" || ev.Channel != "test" || ev.Kind != bot.Notice || ev.ID == "" {
					t.Errorf("event %+v", ev)
				}
			}
			is(t, "signals", got, want)
			in.events = nil
		}
		tell("looked")
		is(t, "stored", r.registrations("a"), "a not in the report/email")

		// The directory asks to wait: so does the person, but not for long.
		src.once("methods", &bot.WaitError{After: 10 * time.Second, Err: errTenant})
		tell("")
		if n, err = r.db.PendingJobs(t.Context()); err != nil || n["directory_look"] != 4 {
			t.Errorf("jobs %v %v", n, err)
		}
		src.once("methods", &bot.WaitError{After: 10 * time.Minute, Err: errTenant})
		tell("look_failed")
		src.once("methods", errTenant)
		tell("look_failed")
		is(t, "stays", r.registrations("a"), "a not in the report/email")
	})
}

// Without a source the check says so.
func TestLookWithoutASource(t *testing.T) {
	oc, err := directory.New(directory.Deps{}).Specs()[0].Ask(nil, nil, &bot.Call{Conversation: &bot.Conversation{Person: "a", Level: bot.L2}})
	if err != nil || oc.Name != "off" {
		t.Errorf("%+v %v", oc, err)
	}
}

// What is read is stored with the verdict on it: from the report, from a person's own
// page, and when the report has the person no more.
func TestVerdictIsStored(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		src := newTenant(2)
		r := newRig(t, dsn, src, func(d *directory.Deps) {
			d.Judge = func(g *bot.Registration, pol *bot.TenantPolicy) bot.Survival {
				methods, _ := g.Has()
				return bot.Survival(fmt.Sprint(pol.Migration, " ", strings.Join(methods, "+")))
			}
		})
		storetest.Seed(t, r.db, bot.Person{ID: "a"}, bot.Person{ID: "b"}, bot.Person{ID: "c"})
		want := func(id bot.PersonID, verdict bot.Survival) {
			t.Helper()
			err := r.db.View(t.Context(), func(tx bot.Tx) error {
				g, err := tx.Registration(id)
				if err == nil && g.Survives != verdict {
					t.Errorf("%s: %q, want %q", id, g.Survives, verdict)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
		src.report = []bot.Registration{line("a", "mobilePhone"), line("b", "fido2"), line("c", "email")}
		r.begin(bot.ReportReading, directory.Order{})
		r.finish(bot.ReportReading)
		want("a", "migrationComplete mobilePhone")
		want("b", "migrationComplete fido2")
		r.now.pass(time.Minute)
		src.methods["a"] = []string{"email"}
		if err := r.HandleLook(t.Context(), directory.Look{Person: "a", Conversation: "nowhere"}); err != nil {
			t.Fatal(err)
		}
		want("a", "migrationComplete email")
		src.report = []bot.Registration{line("b", "sms"), line("c", "email")}
		r.now.pass(time.Hour)
		r.begin(bot.ReportReading, directory.Order{})
		r.finish(bot.ReportReading)
		want("a", "migrationComplete email")
		want("b", "migrationComplete sms")
	})
}
