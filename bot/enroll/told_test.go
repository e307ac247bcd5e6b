package enroll_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/enroll"
	"latchkey/bot/policy"
)

// linked makes a stored conversation of Ann's, linked and proven.
func (r *rig) linked(id bot.ConversationID, user string, held time.Duration) bot.Conversation {
	r.Helper()
	c := r.Talk(id, user)
	err := r.DB.Update(r.Context(), func(tx bot.Tx) error {
		link := bot.Identity{Channel: "test", User: user, Person: prooftest.AnnID, Level: bot.L2, LinkedAt: tx.Now()}
		if held > 0 {
			link.HeldUntil = tx.Now().Add(held)
		}
		return tx.Link(link)
	})
	if err != nil {
		r.Fatal(err)
	}
	c.Person, c.Level = prooftest.AnnID, bot.L2
	return c
}

// tell tells Ann of a change from her first conversation.
func (r *rig) tell(n enroll.News) {
	r.Helper()
	err := r.Enroll.Store.Update(r.Context(), func(tx bot.Tx) error {
		p, err := tx.Person(prooftest.AnnID)
		if err != nil {
			return err
		}
		return r.Enroll.Tell(tx, p, n)
	})
	if err != nil {
		r.Fatal(err)
	}
}

// came lists where notices have come since the last call: addresses, numbers
// and conversations.
func (r *rig) came(mails, texts, chats *int) (to []string) {
	for _, m := range r.Notifier.Sent()[*mails:] {
		to = append(to, m.To)
	}
	for _, m := range r.Phones.Sent()[*texts:] {
		to = append(to, string(m.To))
	}
	for _, ev := range r.Inbox.Events[*chats:] {
		if ev.Signal.Name == bot.SignalTold || ev.Signal.Name == bot.SignalToldOnly {
			to = append(to, string(ev.Conversation))
		}
	}
	*mails, *texts, *chats = len(r.Notifier.Sent()), len(r.Phones.Sent()), len(r.Inbox.Events)
	slices.Sort(to)
	return to
}

// alerts are what operators have to know: "kind person detail count".
func (r *rig) alerts() (lines []string) {
	for _, a := range prooftest.View(r.Rig, func(tx bot.Tx) ([]bot.Alert, error) { return tx.Alerts("") }) {
		lines = append(lines, strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %d", a.Kind, a.Person, a.Detail, a.Count)), " "))
	}
	return lines
}

var refused = &bot.SendError{Kind: bot.SendPermanent, Code: "refused", Err: errors.New("reply 550")}

// TestEverybodyIsTold: all mailboxes, the phones with the one that was replaced,
// and the other linked chats; not the conversation that made the change.
func TestEverybodyIsTold(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.SMSUser, p.SMSNumber = nil, nil })
	var mails, texts, chats int
	here := r.linked("c1", "u1", 0)
	r.Clock.Advance(time.Second)
	r.Phone("7045550148")
	r.Clock.Advance(time.Second)
	r.Want("email.accept", "ann@example.net", "ok")
	r.Want("code.send", "", "sent")
	r.Deliver()
	r.Want("code.check", string(r.Mails.Sent()[0].Code), "ok")
	r.linked("old", "u2", 0) // an older conversation of the same account: the newer one is told
	r.Clock.Advance(time.Second)
	r.linked("c2", "u2", 0)
	r.linked("c3", "u3", 0)
	r.Talk("stranger", "u9")
	r.Conv = here
	r.Deliver()
	r.came(&mails, &texts, &chats)

	phone := r.Methods(bot.Active)[0]
	r.Set("replaces", string(phone.ID), "via", "sms").Want("phone.accept", "7045550149", "ok")
	r.Want("code.send", "", "sent")
	r.Deliver()
	r.came(&mails, &texts, &chats) // that it was begun
	r.Want("code.check", r.Texts.Code(t, r.Texts.Calls()), "ok")
	r.Deliver()
	want := []string{"+17045550148", "ann.lee@example.org", "ann@example.net", "c2", "c3"}
	if got := r.came(&mails, &texts, &chats); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	gone := prooftest.View(r.Rig, func(tx bot.Tx) (*bot.Method, error) { return tx.Method(phone.ID) })
	if gone.State != bot.Removed || gone.Sealed != nil {
		t.Errorf("the number is kept after the last notice: %+v", gone)
	}
	ev := r.Inbox.Events[len(r.Inbox.Events)-1]
	if len(ev.Signal.Facts) != 2 || ev.Signal.Facts[0].Name != "en" || !strings.Contains(ev.Signal.Facts[0].Value, "notice.what.method_replaced") {
		t.Errorf("signal %+v", ev.Signal)
	}

	// Told once, however often the job runs.
	r.tell(enroll.News{Change: "method.removed", From: "c1", Channel: "test"})
	jobs := slices.Clone(r.Jobs)
	r.Deliver()
	r.Jobs = jobs
	n := len(r.Inbox.Events)
	r.Deliver()
	if len(r.Inbox.Events) != n {
		t.Error("a chat was told twice")
	}

	// A phone that is removed, and chats of a channel that is not here.
	r.Deliver()
	r.came(&mails, &texts, &chats)
	r.Enroll.Serves = func(bot.ChannelID) bool { return false }
	r.Clock.Advance(2 * time.Hour) // the budget of texts
	r.Want("prove.begin", "", "needed")
	r.Set("method", string(r.Methods(bot.Active)[1].ID)).Want("code.send", "", "sent")
	r.Work()
	r.Want("code.check", r.Texts.Code(t, r.Texts.Calls()), "ok")
	r.Set("method", string(r.Methods(bot.Active)[1].ID)).Want("methods.remove", "", "ok")
	r.Work()
	if got := r.came(&mails, &texts, &chats); !slices.Equal(got, []string{"+17045550149", "ann.lee@example.org", "ann@example.net"}) {
		t.Errorf("told %q", got)
	}
	if got := r.alerts(); got != nil {
		t.Errorf("alerts %q", got)
	}
}

// TestWhoseLinkIsTold: the chat account that was just linked is not told of it.
func TestWhoseLinkIsTold(t *testing.T) {
	r := newRig(t)
	var mails, texts, chats int
	r.linked("c2", "u2", 0)
	r.Talk("new", "u5")
	if _, err := r.Enroll.SignInAs(t.Context(), "test", "u5", bot.External{Person: prooftest.AnnID}); err != nil {
		t.Fatal(err)
	}
	r.Deliver()
	if got := r.came(&mails, &texts, &chats); !slices.Equal(got, []string{"ann.lee@example.org", "c2"}) {
		t.Errorf("told %q", got)
	}
}

// TestUntold: one way that works is enough; when none does, operators are
// alerted, once for each change, and the record has a line.
func TestUntold(t *testing.T) {
	news := enroll.News{Change: "method.removed", From: "c1", Channel: "test"}
	for _, c := range []struct {
		name  string
		set   func(r *rig)
		alert bool
	}{
		{"mail works", func(r *rig) {}, false},
		{"550 and nothing else", func(r *rig) { r.Notifier.FailNext(refused) }, true},
		{"550, and a chat", func(r *rig) { r.linked("c2", "u2", 0); r.Notifier.FailNext(refused) }, false},
		{"550, and a chat whose link is held", func(r *rig) { r.linked("c2", "u2", time.Hour); r.Notifier.FailNext(refused) }, true},
		{"550, and a chat that is not served", func(r *rig) {
			r.linked("c2", "u2", 0)
			r.Enroll.Serves = func(bot.ChannelID) bool { return false }
			r.Notifier.FailNext(refused)
		}, true},
		{"no address", func(r *rig) { p := prooftest.Ann(); p.Email = ""; r.People(p) }, true},
		{"the address went meanwhile", func(r *rig) {}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			c.set(r)
			r.tell(news)
			if strings.Contains(c.name, "meanwhile") {
				p := prooftest.Ann()
				p.Email = ""
				r.People(p)
			}
			r.Work()
			r.Work() // the alert's own job
			got, lines := r.alerts(), r.audits()
			mailed := slices.ContainsFunc(r.Notifier.Sent(), func(m bot.NoticeMessage) bool {
				return m.To == "ops@example.org" && strings.Contains(m.Body, "alert.line.untold(who=ann (p1) detail=notice.short.method_removed n=1")
			})
			if c.alert != slices.Equal(got, []string{"untold p1 method.removed 1"}) || c.alert != slices.Contains(lines, "notice.untold method.removed") || c.alert != mailed {
				t.Errorf("alerts %q, record %q, mail to operators %v; want an alert: %v", got, lines, mailed, c.alert)
			}
		})
	}
}

// TestLateNotice: a mail server that is down for long makes nobody lose a
// notice, and after two days it is an alert.
func TestLateNotice(t *testing.T) {
	r := newRig(t)
	down := &bot.SendError{Kind: bot.SendRetry, Err: errors.New("connection refused")}
	r.tell(enroll.News{Change: "method.removed", Channel: "test"})
	r.Notifier.FailNext(down, down)
	job := r.Jobs[0]
	if errs := r.Work(); errs[0] == nil {
		t.Error("the first attempt asks for no retry")
	}
	r.Clock.Advance(2 * time.Hour) // the store gives a job up about now
	r.Jobs = []bot.Job{job}
	if errs := r.Work(); errs[0] != nil || len(r.Jobs) != 1 || r.Jobs[0] != job {
		t.Fatalf("%v, and then %v", errs, r.Jobs)
	}
	r.Deliver()
	if len(r.Notifier.Sent()) != 1 || r.alerts() != nil {
		t.Errorf("%d notices, alerts %q", len(r.Notifier.Sent()), r.alerts())
	}
	r.Clock.Advance(48 * time.Hour)
	r.Notifier.FailNext(down)
	r.Jobs = []bot.Job{job}
	if errs := r.Work(); !errors.As(errs[0], new(*bot.DropJob)) {
		t.Errorf("after two days: %v", errs)
	}
	if got := r.alerts(); !slices.Equal(got, []string{"untold p1 method.removed 1"}) {
		t.Errorf("alerts %q", got)
	}
}

// TestAlertsArePaced: a burst is one mail now and one mail later; what cannot
// be mailed makes no loop.
func TestAlertsArePaced(t *testing.T) {
	r := newRig(t)
	p := prooftest.Ann()
	p.Email = ""
	r.People(p)
	raise := func() (jobs int) {
		r.tell(enroll.News{Change: "method.removed", Channel: "test"})
		for _, j := range r.Jobs {
			if _, ok := j.(enroll.Alerts); ok {
				jobs++
			}
		}
		return jobs
	}
	for i := range 5 {
		if n := raise(); n != 1 {
			t.Fatalf("%d alert jobs after alert %d", n, i+1)
		}
		r.Clock.Advance(time.Second)
	}
	r.Deliver()
	for range 5 {
		r.Clock.Advance(time.Second)
		raise()
	}
	if len(r.Jobs) != 1 {
		t.Errorf("%d jobs for the second five", len(r.Jobs))
	}
	if due := r.Due[len(r.Due)-1]; due.Sub(r.Clock.Now()) < 4*time.Minute {
		t.Errorf("the second mail is due at %v, now is %v", due, r.Clock.Now())
	}
	r.Deliver()
	if got := r.Notifier.Sent(); len(got) != 2 || !strings.Contains(got[0].Body, "n=5") || !strings.Contains(got[1].Body, "n=10") {
		t.Errorf("mails %+v", got)
	}
	r.Clock.Advance(time.Minute)
	raise()
	r.Notifier.FailNext(refused)
	r.Deliver()
	if len(r.Jobs) != 0 || r.Notifier.Calls() != 3 {
		t.Errorf("%d jobs and %d attempts after an alert that is refused", len(r.Jobs), r.Notifier.Calls())
	}
	r.Clock.Advance(8 * 24 * time.Hour)
	if err := r.Enroll.ForgetAlerts(t.Context()); err != nil || r.alerts() != nil {
		t.Errorf("%v, alerts %q a week later", err, r.alerts())
	}
}

// TestBurst: twenty changes in a minute send twenty mails, and no more texts
// than the budgets allow; asking for codes does not use these up.
func TestBurst(t *testing.T) {
	r := newRig(t)
	r.Phone("7045550148")
	r.Deliver()
	mails, texts := len(r.Notifier.Sent()), len(r.Phones.Sent())
	for range 20 {
		r.tell(enroll.News{Change: "method.removed", From: "c1", Channel: "test"})
		r.Work()
		r.Clock.Advance(3 * time.Second)
	}
	if m, n := len(r.Notifier.Sent())-mails, len(r.Phones.Sent())-texts; m != 20 || n != 3 {
		t.Errorf("%d mails and %d texts, want 20 and 3", m, n)
	}
	if got := r.alerts(); got != nil {
		t.Errorf("alerts %q", got)
	}
	// An attempt that is repeated is counted once.
	r.Clock.Advance(24 * time.Hour)
	r.tell(enroll.News{Change: "method.removed", From: "c1", Channel: "test"})
	again := r.Jobs
	for range 5 {
		r.Jobs = again
		r.Phones.FailNext(&bot.SendError{Kind: bot.SendRetry, Err: errors.New("not reached")})
		r.Work()
	}
	r.Jobs = again
	r.Work()
	if n := len(r.Phones.Sent()) - texts; n != 4 {
		t.Errorf("%d texts in all, want 4", n)
	}
}

// TestWrongProofsAreTold: every third wrong proof and every lock, to the owner,
// with a line, in the transaction that counted the try.
func TestWrongProofsAreTold(t *testing.T) {
	r := newRig(t)
	r.Want("totp.begin", "", "ready")
	r.Want("totp.prove", r.totp(), "ok")
	r.Deliver()
	seen := len(r.Notifier.Sent())
	for i := range 5 {
		r.Clock.Advance(time.Minute)
		want := "wrong"
		if i == 4 {
			want = "locked"
		}
		r.Set("method", string(r.Methods(bot.Active)[0].ID)).Want("prove.totp", "000000", want)
		tail := r.audits()[len(r.audits())-1]
		got := r.notices(&seen)
		switch i {
		case 2:
			if tail != "proof.failed wrong tries" || !slices.Equal(got, []string{"ann.lee@example.org: proof_failed"}) {
				t.Errorf("try 3: %q, told %q", tail, got)
			}
		case 4:
			if tail != "proof.locked wrong tries" || !slices.Equal(got, []string{"ann.lee@example.org: proof_locked"}) {
				t.Errorf("try 5: %q, told %q", tail, got)
			}
		default:
			if got != nil {
				t.Errorf("try %d: told %q", i+1, got)
			}
		}
	}
}

// TestSignInLockIsTold: the person as whom somebody signs in wrongly from many
// chat accounts is told once.
func TestSignInLockIsTold(t *testing.T) {
	r := newRig(t)
	r.Set("username", "ann")
	for i := range 12 {
		c := r.Talk(bot.ConversationID(fmt.Sprint("s", i)), fmt.Sprint("s", i))
		r.Conv = c
		r.Submit("sign_in", "person.sign_in", "password", "wrong")
	}
	var told []string
	for _, j := range r.Jobs {
		told = append(told, j.(enroll.Notify).Change)
	}
	if !slices.Equal(told, []string{"sign_in.locked"}) || !slices.Contains(r.audits(), "sign_in.locked chat account") {
		t.Errorf("told %q, record %q", told, r.audits())
	}
}

// TestTripwire: many wrong proofs of people who are known pull it, those of
// strangers never do; it holds until somebody clears it.
func TestTripwire(t *testing.T) {
	wrong := func(r *rig, p bot.PersonID, n int) {
		t.Helper()
		err := r.Enroll.Store.Update(t.Context(), func(tx bot.Tx) error {
			for range n {
				if err := r.Enroll.Wrong(tx, p); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	pulled := func(r *rig) bool {
		return prooftest.View(r.Rig, func(tx bot.Tx) (bool, error) { return r.Enroll.Tripped(tx) })
	}
	for _, c := range []struct {
		name string
		do   func(r *rig)
		want bool
	}{
		{"50 in an hour of 10 people", func(r *rig) {
			for i := range 10 {
				wrong(r, bot.PersonID(fmt.Sprint("x", i)), 5)
				r.Clock.Advance(5 * time.Minute)
			}
		}, true},
		{"50 in an hour of 9 people", func(r *rig) {
			for i := range 9 {
				wrong(r, bot.PersonID(fmt.Sprint("x", i)), 5)
			}
			wrong(r, "x1", 5)
		}, false},
		{"49 in an hour", func(r *rig) {
			for i := range 10 {
				wrong(r, bot.PersonID(fmt.Sprint("x", i)), 4)
			}
			wrong(r, "x1", 9)
		}, false},
		{"50 in an hour of 9 people, and a tenth before", func(r *rig) {
			wrong(r, "x9", 1)
			r.Clock.Advance(2 * time.Hour)
			for i := range 9 {
				wrong(r, bot.PersonID(fmt.Sprint("x", i)), 6)
			}
		}, false},
		{"50 in two hours", func(r *rig) {
			for i := range 10 {
				wrong(r, bot.PersonID(fmt.Sprint("x", i)), 5)
				r.Clock.Advance(12 * time.Minute)
			}
		}, false},
		{"200 in a day of 5 people", func(r *rig) {
			for i := range 20 {
				wrong(r, bot.PersonID(fmt.Sprint("x", i%5)), 10)
				r.Clock.Advance(70 * time.Minute)
			}
		}, true},
		{"199 in a day", func(r *rig) { wrong(r, "x", 199) }, false},
		{"strangers at the sign-in", func(r *rig) {
			r.Policy.SignInName.N = 1000
			r.Policy.TripwireDay, r.Policy.TripwireHour, r.Policy.TripwirePeople = 10, 4, 1
			for i := range 60 {
				r.Conv = r.Talk(bot.ConversationID(fmt.Sprint("s", i)), fmt.Sprint("s", i))
				r.Set("username", "ann").Submit("sign_in", "person.sign_in", "password", "wrong")
			}
		}, false},
		{"somebody who is signed in, at the sign-in of others", func(r *rig) {
			r.Policy.TripwireHour, r.Policy.TripwirePeople = 4, 1
			for range 4 {
				r.Set("username", "bob").Submit("sign_in", "person.sign_in", "password", "wrong")
				r.Clock.Advance(time.Minute)
			}
		}, true},
		{"wrong codes of the app", func(r *rig) {
			r.Policy.TripwireHour, r.Policy.TripwirePeople = 4, 1
			r.Want("totp.begin", "", "ready")
			r.Want("totp.prove", r.totp(), "ok")
			for range 4 {
				r.Clock.Advance(time.Minute)
				r.Set("method", string(r.Methods(bot.Active)[0].ID)).Want("prove.totp", "000000", "wrong")
			}
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, func(p *policy.Policy) {})
			c.do(r)
			if got := pulled(r); got != c.want {
				t.Fatalf("pulled: %v, want %v", got, c.want)
			}
			if !c.want {
				return
			}
			wrong(r, "y", 3) // once is enough
			r.Work()
			r.Work()
			n := 0
			for _, l := range r.audits() {
				if strings.HasPrefix(l, "tripwire.pulled") {
					n++
				}
			}
			last := r.Notifier.Sent()[len(r.Notifier.Sent())-1]
			if n != 1 || last.To != "ops@example.org" || !strings.Contains(last.Body, "alert.line.tripwire(who= detail=alert.tripwire(n=") {
				t.Errorf("%d lines, last mail %+v", n, last)
			}
			r.Clock.Advance(30 * 24 * time.Hour)
			if err := r.Enroll.ForgetAlerts(t.Context()); err != nil || !pulled(r) {
				t.Errorf("it ended by itself: %v", err)
			}
			was := false
			err := r.DB.Update(t.Context(), func(tx bot.Tx) (err error) {
				was, err = r.Enroll.ClearTripwire(tx, "operator:kim", "training day")
				return err
			})
			lines := r.audits()
			if err != nil || !was || pulled(r) || !strings.HasSuffix(lines[len(lines)-1], "training day") {
				t.Errorf("cleared: %v %v, record %q", was, err, lines[len(lines)-1])
			}
			wrong(r, "y", 1)
			if pulled(r) {
				t.Error("it is pulled again by what was before")
			}
		})
	}
}
