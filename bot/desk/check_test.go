package desk_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/desk"
	"latchkey/bot/enroll"
	"latchkey/store/storetest"
)

// A caller is Ann, whose ticket Maria has. She has an authenticator, a phone, a
// mailbox and a chat, all for more than a day.
type caller struct {
	*house
	q    *bot.Ticket
	chat *bottest.Conversation
}

func newCaller(t *testing.T, change func(*desk.Options)) *caller {
	t.Helper()
	return newCallerOn(t, prooftest.New(t), change)
}

// both runs a test on each database.
func both(t *testing.T, test func(c *caller)) {
	t.Run("sqlite", func(t *testing.T) { test(newCaller(t, nil)) })
	t.Run("postgres", func(t *testing.T) { test(newCallerOn(t, prooftest.NewOn(t, storetest.Postgres(t)), nil)) })
}

func newCallerOn(t *testing.T, rig *prooftest.Rig, change func(*desk.Options)) *caller {
	t.Helper()
	c := &caller{}
	h := newHouseOn(t, rig, func(o *desk.Options) {
		o.Acts = 3
		if change != nil {
			change(o)
		}
	}, nil)
	c.house = h
	h.People(bot.Person{ID: "maria", Username: "maria", Email: "maria@example.org", Name: "Maria Agent"}, bot.Person{ID: "omar", Username: "omar", Email: "omar@example.org", Name: "Omar Agent"},
		bot.Person{ID: "ann", Username: "anna", Email: "anna.lee@example.org", Name: "Ann Lee", WorkPhone: "+17042963143", Manager: "boss"}, bot.Person{ID: "boss", Username: "boss", Name: "Bea Boss"},
		bot.Person{ID: "eve", Username: "eve", Email: "eve@example.org", Name: "Eve Other", WorkPhone: "+17045550199"})
	c.chat = h.talk("home", "ann")
	c.chat.Say("hello").Expect() // before the clock goes on
	for _, p := range []bot.PersonID{"ann", "eve"} {
		h.owns(p)
	}
	h.update(func(tx bot.Tx) error {
		return tx.Link(bot.Identity{Channel: "test", User: "ann", Person: "ann", Level: bot.L2, LinkedAt: tx.Now(), Evidence: "sign-in"})
	})
	h.Clock.Advance(25 * time.Hour)
	c.q = h.calls("ann")
	return c
}

// owns gives a person an authenticator, a phone and a mailbox.
func (h *house) owns(p bot.PersonID) {
	h.update(func(tx bot.Tx) error {
		for kind, plain := range map[bot.MethodKind]string{bot.Authenticator: "seed", bot.Phone: "+17045550142", bot.Email: string(p) + "@home.example"} {
			m := &bot.Method{ID: bot.MethodID(string(p) + "-" + string(kind)), Person: p, Kind: kind, State: bot.Active, CreatedAt: tx.Now(), ProvenAt: tx.Now(), Label: "•••• 42"}
			if kind == bot.Phone {
				m.Via = string(bot.SMS)
			}
			var err error
			if m.Sealed, err = h.Ring.Seal([]byte(plain), m.Place()); err == nil {
				err = tx.PutMethod(m)
			}
			if err != nil {
				return err
			}
		}
		return tx.SetFirstMethod(p, tx.Now())
	})
}

// calls is a ticket of a person who calls, and Maria takes it.
func (h *house) calls(p bot.PersonID) *bot.Ticket {
	h.Helper()
	id := ""
	h.update(func(tx bot.Tx) (err error) {
		id, _, err = desk.Ask(tx, bot.Ticket{Person: p, Conversation: bot.ConversationID("call of " + p), Lang: "en"})
		return err
	})
	h.must("maria", desk.DoTake, id, "")
	return h.read(id)
}

func (h *house) read(id string) (q *bot.Ticket) {
	h.Helper()
	if err := h.DB.View(h.Context(), func(tx bot.Tx) (err error) { q, err = tx.Ticket(id); return err }); err != nil {
		h.Fatal(err)
	}
	return q
}

// acts sends an act, and gives why it is refused, or nothing.
func (h *house) acts(a bot.AgentAct) string {
	h.Helper()
	h.n++
	err := h.desk.Do(context.Background(), desk.Act{Key: fmt.Sprint("k", h.n), AgentAct: a})
	r := new(desk.Refusal)
	if errors.As(err, &r) {
		return r.Code
	}
	if err != nil {
		h.Fatalf("%+v: %v", a, err)
	}
	return ""
}

// verify begins a check for Maria.
func (h *house) verify(ticket, act string, m bot.MethodID, way bot.CheckWay, target string) string {
	h.Helper()
	return h.acts(bot.AgentAct{Ticket: ticket, By: "maria", Do: desk.DoVerify, Act: act, Method: m, Way: way, Target: target, Text: "because"})
}

func (h *house) newest(p bot.PersonID) *bot.CallerCheck {
	h.Helper()
	var ks []bot.CallerCheck
	if err := h.DB.View(h.Context(), func(tx bot.Tx) (err error) { ks, err = tx.CallerChecksOf(p, time.Time{}); return err }); err != nil {
		h.Fatal(err)
	}
	if len(ks) == 0 {
		return nil
	}
	return &ks[0]
}

// alerts are the kinds of what stands.
func (h *house) alerts() (kinds []string) {
	h.Helper()
	if err := h.DB.View(h.Context(), func(tx bot.Tx) error {
		all, err := tx.Alerts("")
		kinds = nil
		for _, a := range all {
			kinds = append(kinds, string(a.Kind)+" "+string(a.Person))
		}
		return err
	}); err != nil {
		h.Fatal(err)
	}
	slices.Sort(kinds)
	return kinds
}

// words runs the job of a check and gives what was sent.
func (h *house) words() string {
	h.Helper()
	for _, j := range h.Jobs {
		if w, ok := j.(desk.Words); ok {
			if err := h.desk.HandleWords(h.Context(), w); err != nil {
				h.Fatal(err)
			}
		}
	}
	h.Jobs = slices.DeleteFunc(h.Jobs, func(j bot.Job) bool { _, ok := j.(desk.Words); return ok })
	if sent := h.Notifier.Sent(); len(sent) > 0 {
		_, words, _ := strings.Cut(sent[len(sent)-1].Body, "\n\n    ")
		words, _, _ = strings.Cut(words, "\n")
		return words
	}
	return ""
}

// What cannot be sent is not offered, and not done by whoever asks for it all the same.
func TestOnlyWaysThatAreSent(t *testing.T) {
	sends := map[bot.Via]bool{bot.SMS: true, bot.Mail: true}
	c := newCaller(t, func(o *desk.Options) { o.Sends = func(via bot.Via) bool { return sends[via] } })
	offered := func() (ways []bot.CheckWay) {
		for _, w := range c.view("maria", c.q.ID).Ways {
			if w.Way == bot.WayText || w.Way == bot.WayMail {
				ways = append(ways, w.Way)
			}
		}
		slices.Sort(ways)
		return ways
	}
	if got := offered(); !slices.Equal(got, []bot.CheckWay{bot.WayMail, bot.WayText}) {
		t.Fatalf("with both senders: %q", got)
	}
	sends[bot.SMS] = false
	if got := offered(); !slices.Equal(got, []bot.CheckWay{bot.WayMail}) {
		t.Errorf("without texts: %q", got)
	}
	if got := c.verify(c.q.ID, desk.DoExpire, "ann-authenticator", bot.WayText, "ann-phone"); got != desk.NoWay {
		t.Errorf("asked by text: %q", got)
	}
	sends[bot.Mail] = false
	if got := offered(); got != nil {
		t.Errorf("without mail, too: %q", got)
	}
}

// The whole way by mail: two words, read back, and the method is gone. Nobody at
// the desk sees the words.
func TestCallerReadsTheWordsBack(t *testing.T) { both(t, readsBack) }

func readsBack(c *caller) {
	t := c.T
	lost := bot.MethodID("ann-authenticator")
	if got := c.verify(c.q.ID, desk.DoExpire, lost, bot.WayMail, "ann-email"); got != "" {
		t.Fatal(got)
	}
	words := c.words()
	if len(strings.Fields(words)) != 2 {
		t.Fatalf("words %q", words)
	}
	k := c.newest("ann")
	if k.Answer != nil || k.State != bot.CheckOpen {
		t.Errorf("after they were sent: %+v", k)
	}
	for _, who := range []bot.PersonID{"maria", "omar"} {
		if v := c.view(who, c.q.ID); v.Check == nil || v.Check.Number != "" || strings.Contains(fmt.Sprintf("%+v %+v", v, v.Check), words) {
			t.Errorf("%s sees %+v", who, v.Check)
		}
	}
	touch := bot.AgentAct{Ticket: c.q.ID, By: "maria", Do: desk.DoExpire, Method: lost, Text: "phone lost"}
	if got := c.acts(touch); got != desk.NotVerified {
		t.Errorf("before the words: %q", got)
	}
	hear := func(by bot.PersonID, text string) string {
		return c.acts(bot.AgentAct{Ticket: c.q.ID, By: by, Do: desk.DoHeard, Check: k.ID, Text: text})
	}
	if got := hear("omar", words); got != desk.NoCheck {
		t.Errorf("another agent: %q", got)
	}
	hear("maria", "kiwi kiwi")
	if got := hear("maria", strings.ToUpper(words)+"."); got != "" {
		t.Errorf("right words: %q", got)
	}
	if k = c.newest("ann"); k.State != bot.CheckPassed || k.Tries != 2 {
		t.Fatalf("check %+v", k)
	}
	if v := c.view("maria", c.q.ID); !v.Check.Holds || v.Check.Touch.Method.ID != lost {
		t.Errorf("check %+v", v.Check)
	}
	if got := c.acts(touch); got != "" {
		t.Errorf("verified: %q", got)
	}
	if got := c.acts(touch); got != desk.NotVerified {
		t.Errorf("a second time: %q", got)
	}
	told := map[bot.MethodID]int{}
	for _, j := range c.Jobs {
		if n, ok := j.(enroll.Notify); ok && n.Change == "method.removed" && n.Operator {
			told[n.To]++
			if n.Chat != "" {
				told["chat"]++
			}
		}
	}
	if told[""] == 0 || told["ann-email"] != 1 || told["ann-phone"] != 1 || told["chat"] != 1 {
		t.Errorf("told %v", told)
	}
	var trail []string
	if err := c.DB.AuditLines(t.Context(), 0, func(e bot.AuditEntry) error {
		if e.Actor == "agent:maria" && e.Action != "ticket.taken" {
			trail = append(trail, e.Action+" "+e.Evidence)
		}
		if strings.Contains(fmt.Sprint(e), words) {
			t.Errorf("the words stand in the audit record: %+v", e)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := "check " + k.ID + " by mail for expire"
	if !slices.Contains(trail, "ticket.check_passed "+want) || !slices.Contains(trail, "method.expired "+want+"; ticket "+c.q.ID) || !slices.Contains(trail, "ticket.expired "+want) {
		t.Errorf("audit %q", trail)
	}
}

// The person presses the number that the agent sees, in their own chat.
func TestCallerPressesTheNumber(t *testing.T) { both(t, presses) }

func presses(c *caller) {
	t := c.T
	begin := func() (number string, k *bot.CallerCheck) {
		t.Helper()
		c.Clock.Advance(61 * time.Minute) // since the chat was used last
		if got := c.verify(c.q.ID, desk.DoAgain, "", bot.WayChat, "home"); got != "" {
			t.Fatal(got)
		}
		c.chat.Await().Expect("Maria, help desk")
		v, other := c.view("maria", c.q.ID), c.view("omar", c.q.ID)
		if other.Check.Number != "" || len(v.Check.Number) != 2 {
			t.Fatalf("numbers %q and %q", v.Check.Number, other.Check.Number)
		}
		return v.Check.Number, c.newest("ann")
	}
	number, _ := begin()
	if n := len(c.chat.Last().Choices); n != 4 {
		t.Fatalf("%d buttons", n)
	}
	wrong := ""
	for _, b := range c.chat.Last().Choices[:3] {
		if b.Label != number {
			wrong = b.ID
		}
	}
	c.chat.Press(wrong).Expect("not the number")
	if k := c.newest("ann"); k.State != bot.CheckFailed {
		t.Fatalf("check %+v", k)
	}
	number, k := begin()
	right := bot.ChoiceCheck + "|" + k.ID + "|" + number
	stranger := c.talk("elsewhere", "zoe")
	stranger.Say("hello")
	stranger.Do(bot.Event{Kind: bot.Press, Choice: right}).Expect("no longer")
	other := c.talk("work", "ann") // her own, and not the one that was asked
	other.Say("hello")
	other.Do(bot.Event{Kind: bot.Press, Choice: right}).Expect("no longer")
	c.Clock.Advance(time.Second)
	c.chat.Press(right).Expect("knows now that it is you")
	if k = c.newest("ann"); k.State != bot.CheckPassed {
		t.Fatalf("check %+v", k)
	}
	c.chat.Do(bot.Event{Kind: bot.Press, Choice: right}).Expect("no longer")
	if got := c.acts(bot.AgentAct{Ticket: c.q.ID, By: "maria", Do: desk.DoAgain, Text: "lost it all"}); got != "" {
		t.Fatal(got)
	}
	ms, _ := c.methods("ann")
	if len(ms) != 0 {
		t.Errorf("methods %+v", ms)
	}
}

func (h *house) methods(p bot.PersonID) (ms []bot.Method, err error) {
	err = h.DB.View(h.Context(), func(tx bot.Tx) (err error) { ms, err = tx.Methods(p); return err })
	return ms, err
}

// Nobody is asked where the caller may sit, and nobody often.
func TestWhereCallersAreNotAsked(t *testing.T) {
	web := newCaller(t, func(o *desk.Options) { o.Anonymous = "test" })
	if got := web.verify(web.q.ID, desk.DoAgain, "", bot.WayChat, "home"); got != desk.NoWay {
		t.Errorf("in a chat that opens to whoever signs in: %q", got)
	}
	c := newCaller(t, nil)
	c.chat.Say("hello") // whoever calls may have typed it
	for _, after := range []time.Duration{0, 59 * time.Minute} {
		c.Clock.Advance(after)
		if got := c.verify(c.q.ID, desk.DoAgain, "", bot.WayChat, "home"); got != desk.NoWay {
			t.Errorf("in a chat that was used %s ago: %q", after, got)
		}
	}
	for _, to := range []bot.MethodID{"ann-email", "ann-email"} {
		if got := c.verify(c.q.ID, desk.DoExpire, "ann-phone", bot.WayMail, string(to)); got != "" {
			t.Fatal(got)
		}
		c.Clock.Advance(time.Second)
	}
	if got := c.verify(c.q.ID, desk.DoExpire, "ann-phone", bot.WayMail, "ann-email"); got != desk.TooSoon {
		t.Errorf("a third time within the hour: %q", got)
	}
	// An agent has 20 people asked in an hour, and no more.
	c = newCaller(t, nil)
	c.update(func(tx bot.Tx) error {
		for i := range 20 {
			k := &bot.CallerCheck{ID: fmt.Sprint("k", i), Person: "eve", Ticket: "AAA-AAA", Agent: "maria", Act: desk.DoAgain, Way: bot.WayMail, At: tx.Now(), ExpiresAt: tx.Now()}
			if err := tx.PutCallerCheck(k); err != nil {
				return err
			}
		}
		return nil
	})
	if got := c.verify(c.q.ID, desk.DoExpire, "ann-phone", bot.WayMail, "ann-email"); got != desk.OverBudget || !slices.Contains(c.alerts(), "desk_budget maria") {
		t.Errorf("the 21st: %q, alerts %q", got, c.alerts())
	}
}

// A freeze ends what was made sure of before it, also when it ends at once; nothing
// but the freeze is touched meanwhile, and not on the word of one agent. A wrong try
// counts, also when the check is begun anew.
func TestFreezeEndsChecks(t *testing.T) {
	c := newCaller(t, nil)
	expire := bot.AgentAct{Ticket: c.q.ID, By: "maria", Do: desk.DoExpire, Method: "ann-phone", Text: "lost"}
	freeze := func() {
		t.Helper()
		if _, err := c.Enroll.Freeze(t.Context(), "ann", enroll.Order{By: "operator:root", Why: "stolen"}); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.verify(c.q.ID, desk.DoExpire, "ann-phone", bot.WayBadge, ""); got != "" {
		t.Fatal(got)
	}
	freeze()
	for _, way := range []bot.CheckWay{bot.WayBadge, bot.WayManager} {
		if got := c.verify(c.q.ID, desk.DoUnfreeze, "", way, ""); got != desk.NoWay {
			t.Errorf("an account is started again by %s: %q", way, got)
		}
	}
	if got := c.verify(c.q.ID, desk.DoExpire, "ann-phone", bot.WayCallBack, ""); got != desk.NoMethod {
		t.Errorf("a method of a frozen account: %q", got)
	}
	if got := c.verify(c.q.ID, desk.DoUnfreeze, "", bot.WayCallBack, ""); got != "" {
		t.Fatal(got)
	}
	freeze() // once more: it is frozen already
	thaw := bot.AgentAct{Ticket: c.q.ID, By: "maria", Do: desk.DoUnfreeze, Text: "hers"}
	if got := c.acts(thaw); got != desk.NotVerified {
		t.Errorf("by a check of before: %q", got)
	}
	if got := c.verify(c.q.ID, desk.DoUnfreeze, "", bot.WayCallBack, ""); got != "" {
		t.Fatal(got)
	}
	if got := c.acts(thaw); got != "" {
		t.Fatal(got)
	}
	if got := c.acts(expire); got != desk.NotVerified {
		t.Errorf("by a check from before the freeze: %q", got)
	}
	q := c.calls("eve")
	for range 2 {
		c.Clock.Advance(time.Second)
		if got := c.verify(q.ID, desk.DoExpire, "eve-phone", bot.WayMail, "eve-email"); got != "" {
			t.Fatal(got)
		}
		if k := c.newest("eve"); k.State == bot.CheckOpen {
			c.acts(bot.AgentAct{Ticket: q.ID, By: "maria", Do: desk.DoHeard, Check: k.ID, Text: "kiwi kiwi"})
		}
	}
	var all []bot.CallerCheck
	if err := c.DB.View(t.Context(), func(tx bot.Tx) (err error) { all, err = tx.CallerChecksOf("eve", time.Time{}); return err }); err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || all[1].State != bot.CheckFailed {
		t.Errorf("checks %+v", all)
	}
}

// Words that cannot leave end the check, and the agent is told; those that are
// read back too late are not heard.
func TestWordsThatDoNotArrive(t *testing.T) {
	c := newCaller(t, nil)
	begin := func() *bot.CallerCheck {
		t.Helper()
		c.Clock.Advance(time.Second)
		if got := c.verify(c.q.ID, desk.DoExpire, "ann-authenticator", bot.WayMail, "ann-email"); got != "" {
			t.Fatal(got)
		}
		return c.newest("ann")
	}
	begin()
	c.Notifier.FailNext(&bot.SendError{Kind: bot.SendPermanent, Err: errors.New("no such mailbox")})
	c.words()
	if k := c.newest("ann"); k.State != bot.CheckVoid || k.Answer != nil {
		t.Errorf("check %+v", k)
	}
	if v := c.view("maria", c.q.ID); !slices.Contains(said(v), "check_lost") || v.Check.Number != "" {
		t.Errorf("lines %q", said(v))
	}
	k := begin()
	words := c.words()
	c.Clock.Advance(10 * time.Minute)
	if got := c.acts(bot.AgentAct{Ticket: c.q.ID, By: "maria", Do: desk.DoHeard, Check: k.ID, Text: words}); got != desk.NoCheck {
		t.Errorf("ten minutes later: %q", got)
	}
	if v := c.view("maria", c.q.ID); !v.Check.Over {
		t.Errorf("check %+v", v.Check)
	}
	// Nobody is asked when it is too late, or once the account is off; the check ends.
	for what, before := range map[string]func(){
		"too late": func() { c.Clock.Advance(11 * time.Minute) },
		"off":      func() { c.update(func(tx bot.Tx) error { return tx.SetStopped("ann", tx.Now()) }) },
	} {
		c.update(func(tx bot.Tx) error { return tx.SetStopped("ann", time.Time{}) })
		c.Clock.Advance(2 * time.Hour)
		begin()
		n := len(c.Notifier.Sent())
		before()
		c.words()
		if k := c.newest("ann"); len(c.Notifier.Sent()) != n || k.State != bot.CheckVoid || k.Answer != nil {
			t.Errorf("%s: %d sent, check %+v", what, len(c.Notifier.Sent())-n, k)
		}
	}
}

// Where a report tells who is an administrator, somebody of whom it has said
// nothing may be one: only a second agent helps.
func TestOnlyAReportTellsWhoIsNoAdministrator(t *testing.T) {
	read := time.UnixMilli(1700000000000)
	for name, c := range map[string]struct {
		registrar  bool
		line       *bot.Registration
		unlicensed bool
		want       bool
	}{
		"no line, and no licence for reports":      {registrar: true, unlicensed: true},
		"administrator, and the licence has ended": {registrar: true, unlicensed: true, line: &bot.Registration{Admin: true}, want: true},
		"no registrar":                {},
		"no registrar, administrator": {line: &bot.Registration{Admin: true}, want: true},
		"no line":                     {registrar: true, want: true},
		"only the person's own page":  {registrar: true, line: &bot.Registration{Direct: []string{"email"}, DirectAt: read}, want: true},
		"administrator":               {registrar: true, line: &bot.Registration{ReadAt: read, Admin: true}, want: true},
		"none":                        {registrar: true, line: &bot.Registration{ReadAt: read}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newCaller(t, func(o *desk.Options) { o.Registrar = c.registrar })
			if c.line != nil {
				g := *c.line
				g.Person = "ann"
				h.update(func(tx bot.Tx) error { return tx.PutRegistration(&g) })
			}
			if c.unlicensed {
				h.update(func(tx bot.Tx) error { return tx.PutSyncState(bot.ReportReading, bot.SyncState{NoLicence: true}) })
			}
			v := h.view("maria", h.q.ID)
			if v.Privileged != c.want || (len(v.Ways) == 1 && v.Ways[0].Way == bot.WayAgent) != c.want {
				t.Errorf("privileged %v, ways %+v, want %v", v.Privileged, v.Ways, c.want)
			}
			if got := h.verify(h.q.ID, desk.DoAgain, "", bot.WayBadge, ""); (got == desk.NoWay) != c.want {
				t.Errorf("by a badge: %q", got)
			}
		})
	}
}

// "It is not me" freezes the account, tells operators and ends the check.
func TestCallerIsNotThePerson(t *testing.T) { both(t, isNot) }

func isNot(c *caller) {
	t := c.T
	if got := c.verify(c.q.ID, desk.DoAgain, "", bot.WayChat, "home"); got != "" {
		t.Fatal(got)
	}
	c.chat.Await()
	c.chat.Press(c.chat.Last().Choices[3].ID).Expect("stopped everything")
	if k := c.newest("ann"); k.State != bot.CheckFailed {
		t.Errorf("check %+v", k)
	}
	if !slices.Contains(c.alerts(), "caller_denied ann") {
		t.Errorf("alerts %q", c.alerts())
	}
	v := c.view("maria", c.q.ID)
	if v.Person.FrozenAt.IsZero() || !slices.Contains(said(v), "check_denied") {
		t.Errorf("frozen at %v, lines %q", v.Person.FrozenAt, said(v))
	}
	for _, w := range v.Ways {
		if w.Way.Challenges() {
			t.Errorf("of a frozen account something is asked: %+v", w)
		}
	}
}

// Every act that touches methods, in every state of the check: refused with
// nothing written, but for the one that is right, which is done once.
func TestNothingIsTouchedUnverified(t *testing.T) {
	for _, act := range []struct {
		do     string
		method bot.MethodID
	}{{desk.DoExpire, "ann-authenticator"}, {desk.DoAgain, "ann-authenticator"}, {desk.DoAgain, ""}, {desk.DoUnfreeze, ""}} {
		right := bot.CallerCheck{Person: "ann", Agent: "maria", Act: act.do, Method: act.method, Way: bot.WayCallBack, State: bot.CheckPassed}
		if act.do == desk.DoAgain && act.method == "" { // by agents' word alone it waits a day
			right.Way, right.Target = bot.WayMail, "ann-email"
		}
		for name, change := range map[string]func(c *caller, k *bot.CallerCheck) *bot.CallerCheck{
			"no check": func(*caller, *bot.CallerCheck) *bot.CallerCheck { return nil },
			"pending":  func(_ *caller, k *bot.CallerCheck) *bot.CallerCheck { k.State = bot.CheckOpen; return k },
			"used":     func(_ *caller, k *bot.CallerCheck) *bot.CallerCheck { k.State = bot.CheckUsed; return k },
			"failed":   func(_ *caller, k *bot.CallerCheck) *bot.CallerCheck { k.State = bot.CheckFailed; return k },
			"void":     func(_ *caller, k *bot.CallerCheck) *bot.CallerCheck { k.State = bot.CheckVoid; return k },
			"expired": func(c *caller, k *bot.CallerCheck) *bot.CallerCheck {
				k.ExpiresAt = c.DB.Now().Add(-time.Millisecond)
				return k
			},
			"other ticket": func(_ *caller, k *bot.CallerCheck) *bot.CallerCheck { k.Ticket = "AAA-AAA"; return k },
			"other agent":  func(_ *caller, k *bot.CallerCheck) *bot.CallerCheck { k.Agent = "omar"; return k },
			"other person": func(_ *caller, k *bot.CallerCheck) *bot.CallerCheck { k.Person = "eve"; return k },
			"other action": func(_ *caller, k *bot.CallerCheck) *bot.CallerCheck {
				k.Act = map[string]string{desk.DoExpire: desk.DoAgain, desk.DoAgain: desk.DoExpire, desk.DoUnfreeze: desk.DoAgain}[k.Act]
				return k
			},
			"other method": func(_ *caller, k *bot.CallerCheck) *bot.CallerCheck { k.Method = "ann-email"; return k },
			"method changed within a day": func(c *caller, k *bot.CallerCheck) *bot.CallerCheck {
				k.Way, k.Target = bot.WayMail, "ann-email"
				c.update(func(tx bot.Tx) error {
					m, err := tx.Method("ann-email")
					if err == nil {
						m.ProvenAt = tx.Now().Add(-23 * time.Hour)
						err = tx.PutMethod(m)
					}
					return err
				})
				return k
			},
			"chat linked within a day": func(c *caller, k *bot.CallerCheck) *bot.CallerCheck {
				k.Way, k.Target = bot.WayChat, "home"
				c.update(func(tx bot.Tx) error {
					return tx.Link(bot.Identity{Channel: "test", User: "ann", Person: "ann", Level: bot.L2, LinkedAt: tx.Now().Add(-23 * time.Hour)})
				})
				return k
			},
			"privileged": func(c *caller, k *bot.CallerCheck) *bot.CallerCheck {
				c.update(func(tx bot.Tx) error { return tx.PutAgent(&bot.DeskAgent{Person: "ann", Role: bot.RoleAgent}) })
				return k
			},
			"administrator": func(c *caller, k *bot.CallerCheck) *bot.CallerCheck {
				c.update(func(tx bot.Tx) error { return tx.PutRegistration(&bot.Registration{Person: "ann", Admin: true}) })
				return k
			},
			"second is the same agent": func(_ *caller, k *bot.CallerCheck) *bot.CallerCheck {
				k.Way, k.Second = bot.WayAgent, "maria"
				return k
			},
			"second is no agent any more": func(c *caller, k *bot.CallerCheck) *bot.CallerCheck {
				k.Way, k.Second = bot.WayAgent, "omar"
				c.update(func(tx bot.Tx) error { _, err := desk.Revoke(tx, "omar", "operator:root", "left"); return err })
				return k
			},
			"frozen since": func(c *caller, k *bot.CallerCheck) *bot.CallerCheck {
				c.update(func(tx bot.Tx) error { return tx.SetFrozen("ann", tx.Now().Add(time.Millisecond)) })
				return k
			},
			"account off": func(c *caller, k *bot.CallerCheck) *bot.CallerCheck {
				c.update(func(tx bot.Tx) error { return tx.SetStopped("ann", tx.Now()) })
				return k
			},
			"right": func(_ *caller, k *bot.CallerCheck) *bot.CallerCheck { return k },
		} {
			t.Run(act.do+" "+string(act.method)+"/"+name, func(t *testing.T) {
				c := newCaller(t, nil)
				if act.do == desk.DoUnfreeze {
					c.update(func(tx bot.Tx) error { return tx.SetFrozen("ann", tx.Now()) })
					c.Clock.Advance(time.Minute)
				}
				k := right
				k.ID, k.Ticket, k.At, k.ExpiresAt = "check", c.q.ID, c.DB.Now(), c.DB.Now().Add(10*time.Minute)
				made := change(c, &k)
				if made != nil {
					c.update(func(tx bot.Tx) error { x := *made; return tx.PutCallerCheck(&x) })
				}
				before, jobs := c.stored(), len(c.Jobs)
				a := bot.AgentAct{Ticket: c.q.ID, By: "maria", Do: act.do, Method: act.method, Text: "why"}
				got := c.acts(a)
				if name != "right" {
					if got == "" {
						t.Error("it was done")
					}
					if now := c.stored(); now != before || len(c.Jobs) != jobs {
						t.Errorf("refused (%s), and written:\n%s\nbefore:\n%s", got, now, before)
					}
					return
				}
				if got != "" || c.stored() == before {
					t.Errorf("the right one: %q", got)
				}
				if got := c.acts(a); got != desk.NotVerified && got != desk.Closed {
					t.Errorf("a second time: %q", got)
				}
			})
		}
	}
}

// stored is what must not change when an act is refused.
func (h *house) stored() string {
	h.Helper()
	var b strings.Builder
	err := h.DB.View(h.Context(), func(tx bot.Tx) error {
		b.Reset()
		for _, id := range []bot.PersonID{"ann", "eve"} {
			p, err := tx.Person(id)
			if err != nil {
				return err
			}
			ms, err := tx.Methods(id)
			if err != nil {
				return err
			}
			ids, err := tx.IdentitiesOf(id)
			if err != nil {
				return err
			}
			ks, err := tx.CallerChecksOf(id, time.Time{})
			if err != nil {
				return err
			}
			qs, err := tx.TicketsOfPerson(id)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "%+v\n%+v\n%+v\n%+v\n%+v\n", *p, ms, ids, ks, qs)
			for _, q := range qs {
				ls, err := tx.Lines(q.ID, 0)
				if err != nil {
					return err
				}
				fmt.Fprintf(&b, "%d lines\n", len(ls))
			}
		}
		return nil
	})
	if err == nil {
		err = h.DB.AuditLines(h.Context(), 0, func(e bot.AuditEntry) error {
			fmt.Fprintln(&b, e.Seq)
			return nil
		})
	}
	if err != nil {
		h.Fatal(err)
	}
	return b.String()
}

// A second agent confirms on their own page; nobody confirms their own check, nor
// what is their own account.
func TestSecondAgent(t *testing.T) {
	c := newCaller(t, nil)
	c.update(func(tx bot.Tx) error { return desk.Grant(tx, "ann", bot.RoleAgent, "operator:root", "hired") })
	for _, w := range []bot.CheckWay{bot.WayBadge, bot.WayCallBack, bot.WayManager, bot.WayMail, bot.WayChat} {
		target := map[bot.CheckWay]string{bot.WayMail: "ann-email", bot.WayChat: "home"}[w]
		if got := c.verify(c.q.ID, desk.DoAgain, "", w, target); got != desk.NoWay {
			t.Errorf("an agent's account by %s: %q", w, got)
		}
	}
	if got := c.verify(c.q.ID, desk.DoAgain, "", bot.WayAgent, ""); got != "" {
		t.Fatal(got)
	}
	k := c.newest("ann")
	say := func(by bot.PersonID, do, text string) string {
		return c.acts(bot.AgentAct{Ticket: c.q.ID, By: by, Do: do, Check: k.ID, Text: text})
	}
	for by, want := range map[bot.PersonID]string{"maria": desk.NotSecond, "ann": desk.NotSecond, "eve": desk.NotAgent} {
		if got := say(by, desk.DoConfirm, "I know her"); got != want {
			t.Errorf("confirmed by %s: %q, want %q", by, got, want)
		}
	}
	if v := c.view("ann", c.q.ID); v.Confirm {
		t.Error("the person herself is asked to confirm")
	}
	for by, want := range map[bot.PersonID]bool{"maria": false, "ann": false, "omar": true} {
		open, _, err := c.desk.Queue(t.Context(), by, 10)
		if err != nil || len(open) != 1 || open[0].Confirm != want {
			t.Errorf("the queue of %s: %+v %v", by, open, err)
		}
	}
	if v := c.view("omar", c.q.ID); !v.Confirm || v.Check.Reason != "because" {
		t.Errorf("the second agent sees %+v", v.Check)
	}
	if got := say("omar", desk.DoConfirm, ""); got != desk.NoReason {
		t.Errorf("without a reason: %q", got)
	}
	if got := say("omar", desk.DoConfirm, "I stand beside her"); got != "" {
		t.Fatal(got)
	}
	if got := c.acts(bot.AgentAct{Ticket: c.q.ID, By: "maria", Do: desk.DoAgain, Text: "lost"}); got != "" {
		t.Error(got)
	}
}

// What raises an alarm, and what comes of it.
func TestAlarmsOfTheDesk(t *testing.T) {
	c := newCaller(t, nil)
	for range 3 {
		c.Clock.Advance(time.Second)
		if got := c.verify(c.q.ID, desk.DoExpire, "ann-authenticator", bot.WayAgent, ""); got != "" {
			t.Fatal(got)
		}
		if got := c.acts(bot.AgentAct{Ticket: c.q.ID, By: "omar", Do: desk.DoDecline, Check: c.newest("ann").ID, Text: "no"}); got != "" {
			t.Fatal(got)
		}
	}
	if got := strings.Join(c.alerts(), ", "); got != "caller_failed ann, caller_failed maria" {
		t.Errorf("after three failed checks: %s", got)
	}
	if got := c.verify(c.q.ID, desk.DoExpire, "ann-authenticator", bot.WayBadge, ""); got != desk.NoWay {
		t.Errorf("with a badge after that: %q", got)
	}
	// The budget is three: each is a reset of Ann's, so that the second alarms.
	c = newCaller(t, nil)
	for i, m := range []bot.MethodID{"ann-authenticator", "ann-phone", "ann-email"} {
		if got := c.verify(c.q.ID, desk.DoExpire, m, bot.WayBadge, ""); got != "" {
			t.Fatal(got)
		}
		if got := c.acts(bot.AgentAct{Ticket: c.q.ID, By: "maria", Do: desk.DoExpire, Method: m, Text: "lost"}); got != "" {
			t.Fatal(got)
		}
		if again := slices.Contains(c.alerts(), "reset_again ann"); again != (i > 0) {
			t.Errorf("after %d resets: %q", i+1, c.alerts())
		}
	}
	q := c.calls("eve")
	if got := c.verify(q.ID, desk.DoExpire, "eve-phone", bot.WayBadge, ""); got != "" {
		t.Fatal(got)
	}
	before := c.stored()
	act := bot.AgentAct{Ticket: q.ID, By: "maria", Do: desk.DoExpire, Method: "eve-phone", Text: "lost"}
	if got := c.acts(act); got != desk.OverBudget || !slices.Contains(c.alerts(), "desk_budget maria") {
		t.Errorf("above the budget: %q, %q", got, c.alerts())
	}
	if now := c.stored(); strings.Split(now, "\n")[6] != strings.Split(before, "\n")[6] {
		t.Errorf("above the budget, and changed:\n%s\nbefore\n%s", now, before)
	}
	c.Clock.Advance(25 * time.Hour)
	if got := c.verify(q.ID, desk.DoExpire, "eve-phone", bot.WayBadge, ""); got != "" {
		t.Fatal(got)
	}
	if got := c.acts(act); got != "" {
		t.Errorf("the next day: %q", got)
	}
}

// A rogue agent walks over all acts at random, also those of a second agent whose
// page they have. Each change of a method is told to the addresses that the person
// had before it. LATCHKEY_WALKS says how many walks, 12 when it is not set.
func TestRogueAgent(t *testing.T) {
	walks := 12
	if s := os.Getenv("LATCHKEY_WALKS"); s != "" {
		var err error
		if walks, err = strconv.Atoi(s); err != nil {
			t.Fatalf("LATCHKEY_WALKS: %v", err)
		}
	} else if testing.Short() {
		walks = 3
	}
	changes := 0
	for seed := range walks {
		r := rand.New(rand.NewPCG(46, uint64(seed))) //nolint:gosec // a walk that can be repeated
		c := newCaller(t, func(o *desk.Options) { o.Acts = 50 })
		tickets := map[bot.PersonID]*bot.Ticket{"ann": c.q, "eve": c.calls("eve")}
		people := []bot.PersonID{"ann", "eve"}
		dos := []string{desk.DoVerify, desk.DoVerify, desk.DoVerify, desk.DoHeard, desk.DoConfirm, desk.DoDecline, desk.DoExpire, desk.DoExpire, desk.DoAgain, desk.DoAgain, desk.DoUnfreeze, desk.DoTransfer, desk.DoTake}
		touch := []string{desk.DoExpire, desk.DoAgain, desk.DoUnfreeze}
		ways := []bot.CheckWay{bot.WayChat, bot.WayText, bot.WayMail, bot.WayCallBack, bot.WayManager, bot.WayBadge, bot.WayAgent}
		pick := func(list []string) string { return list[r.IntN(len(list))] }
		var last bot.AgentAct
		for range 60 {
			c.Clock.Advance(time.Duration(1+r.IntN(240)) * time.Second)
			p := people[r.IntN(2)]
			way := ways[r.IntN(len(ways))]
			target := map[bot.CheckWay]string{bot.WayChat: "home", bot.WayText: string(p) + "-phone", bot.WayMail: string(p) + "-email"}[way]
			a := bot.AgentAct{Ticket: tickets[p].ID, By: "maria", Do: pick(dos), Act: pick(touch), Text: pick([]string{"", "because", "delta piano"}),
				Method: bot.MethodID(pick([]string{"", string(p) + "-authenticator", string(p) + "-phone", string(p) + "-email"})), Way: way, Target: target, To: "omar"}
			switch r.IntN(6) {
			case 0:
				a.By = "omar" // the second agent's page, stolen
			case 1:
				a.Ticket = tickets[people[r.IntN(2)]].ID
			}
			if last.Do == desk.DoVerify && r.IntN(2) == 0 { // go on with what was begun
				a.Ticket, a.By, a.Do, a.Method, a.Text = last.Ticket, last.By, last.Act, last.Method, "because"
			}
			if k := c.newest(p); k != nil {
				a.Check = k.ID
			}
			before := map[bot.PersonID][]bot.Method{}
			for _, id := range people {
				before[id], _ = c.methods(id)
			}
			jobs := len(c.Jobs)
			c.acts(a)
			last = a
			for _, id := range people {
				now, _ := c.methods(id)
				if len(now) == len(before[id]) {
					continue
				}
				if len(now) > len(before[id]) {
					t.Fatalf("seed %d: %+v has added a method", seed, a)
				}
				changes++
				told := map[bot.MethodID]bool{}
				for _, j := range c.Jobs[jobs:] {
					if n, ok := j.(enroll.Notify); ok && n.Person == id && n.Change == "method.removed" {
						told[n.To] = true
					}
				}
				if !told[""] {
					t.Errorf("seed %d: %+v, and the work address is told nothing", seed, a)
				}
				for _, m := range before[id] {
					if (m.Kind == bot.Email || m.Kind == bot.Phone) && !told[m.ID] {
						t.Errorf("seed %d: %+v, and %s is told nothing", seed, a, m.ID)
					}
				}
			}
		}
	}
	if changes < walks/4 {
		t.Errorf("%d changes in %d walks: the walks try too little", changes, walks)
	}
}
