package desk_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/desk"
	"latchkey/bot/enroll"
)

// later runs the job that takes everything from somebody, if it is due.
func (c *caller) later() {
	c.Helper()
	for i := len(c.Jobs) - 1; i >= 0; i-- {
		if j, ok := c.Jobs[i].(desk.Due); ok && j.Check != "" && !c.Due[i].After(c.DB.Now()) {
			c.Jobs, c.Due = slices.Delete(c.Jobs, i, i+1), slices.Delete(c.Due, i, i+1)
			if err := c.desk.HandleDue(c.Context(), j); err != nil {
				c.Fatal(err)
			}
		}
	}
}

// lost has Maria say that Ann has lost everything, and Omar confirm it.
func (c *caller) lost() string {
	c.Helper()
	c.Clock.Advance(time.Second) // of two checks the newest one is looked at
	if got := c.verify(c.q.ID, desk.DoAgain, "", bot.WayAgent, ""); got != "" {
		return got
	}
	if got := c.acts(bot.AgentAct{Ticket: c.q.ID, By: "omar", Do: desk.DoConfirm, Check: c.newest("ann").ID, Text: "I see her"}); got != "" {
		return got
	}
	return c.acts(bot.AgentAct{Ticket: c.q.ID, By: "maria", Do: desk.DoAgain, Text: "lost it all"})
}

func (c *caller) has(n int) {
	c.Helper()
	if ms, err := c.methods("ann"); err != nil || len(ms) != n {
		c.Errorf("%d methods, want %d: %v", len(ms), n, err)
	}
}

// Somebody says that they have lost everything, so that only agents say who they are:
// a second one confirms it, the person is told everywhere, and it is done a day later,
// not sooner, once.
func TestEverythingIsTakenADayLater(t *testing.T) { both(t, takenLater) }

func takenLater(c *caller) {
	c.Jobs, c.Due = nil, nil
	if got := c.lost(); got != "" {
		c.Fatal(got)
	}
	told := 0
	for _, j := range c.Jobs {
		if n, ok := j.(enroll.Notify); ok && n.Change == "person.begins_again" {
			told++
		}
	}
	if told != 4 { // the work address, the private one, the phone and the chat
		c.Errorf("told in %d ways", told)
	}
	c.has(3)
	if v := c.view("maria", c.q.ID); !v.Check.Waits {
		c.Errorf("the page says %+v", v.Check)
	}
	if got := c.lost(); got != desk.Waits {
		c.Errorf("a second time: %q", got)
	}
	// Whoever runs the job too early gets nothing.
	j := c.Jobs[slices.IndexFunc(c.Jobs, func(j bot.Job) bool { due, ok := j.(desk.Due); return ok && due.Check != "" })].(desk.Due)
	if err := c.desk.HandleDue(c.Context(), j); err != nil {
		c.Fatal(err)
	}
	c.Clock.Advance(bot.CheckDelay - 2*time.Second) // one has gone by
	c.later()
	c.has(3)
	c.Clock.Advance(time.Second)
	c.later()
	c.has(0)
	if got := said(c.view("maria", c.q.ID)); got[len(got)-1] != "again" {
		c.Errorf("the ticket says %q", got)
	}
	c.owns("ann")
	if err := c.desk.HandleDue(c.Context(), j); err != nil {
		c.Fatal(err)
	}
	c.has(3)
}

// What must not take everything from somebody: one agent's word, the same agent twice,
// a second one who is none any more. Nothing is written.
func TestOneAgentTakesNotEverything(t *testing.T) {
	last := func(c *caller) { // one method is left that proves anything
		c.update(func(tx bot.Tx) error {
			for _, id := range []bot.MethodID{"ann-email", "ann-phone"} {
				m, err := tx.Method(id)
				if err == nil {
					m.State = bot.Removed
					err = tx.PutMethod(m)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	for _, x := range []struct {
		name   string
		change func(c *caller, k *bot.CallerCheck)
		want   string
	}{
		{"a badge", func(_ *caller, k *bot.CallerCheck) { k.Way = bot.WayBadge }, desk.NeedsSecond},
		{"the manager", func(_ *caller, k *bot.CallerCheck) { k.Way, k.Target = bot.WayManager, "" }, desk.NeedsSecond},
		{"a call back", func(_ *caller, k *bot.CallerCheck) { k.Way = bot.WayCallBack }, desk.NeedsSecond},
		{"a badge, for the last method", func(c *caller, k *bot.CallerCheck) {
			last(c)
			k.Way, k.Method = bot.WayBadge, "ann-authenticator"
		}, desk.NeedsSecond},
		{"the same agent twice", func(_ *caller, k *bot.CallerCheck) { k.Way, k.Second = bot.WayAgent, "maria" }, desk.NotVerified},
		{"a second one who is none any more", func(c *caller, k *bot.CallerCheck) {
			k.Way, k.Second = bot.WayAgent, "omar"
			c.update(func(tx bot.Tx) error { _, err := desk.Revoke(tx, "omar", "operator:root", "left"); return err })
		}, desk.NotVerified},
	} {
		c := newCaller(t, nil)
		k := &bot.CallerCheck{ID: "check", Person: "ann", Ticket: c.q.ID, Agent: "maria", Act: desk.DoAgain, State: bot.CheckPassed, At: c.DB.Now(), ExpiresAt: c.DB.Now().Add(10 * time.Minute)}
		x.change(c, k)
		if k.Way != bot.WayAgent {
			if got := c.verify(c.q.ID, desk.DoAgain, k.Method, k.Way, ""); got != desk.NeedsSecond {
				t.Errorf("%s: a check is begun: %q", x.name, got)
			}
		}
		c.update(func(tx bot.Tx) error { return tx.PutCallerCheck(k) })
		before, jobs := c.stored(), len(c.Jobs)
		if got := c.acts(bot.AgentAct{Ticket: c.q.ID, By: "maria", Do: desk.DoAgain, Method: k.Method, Text: "why"}); got != x.want {
			t.Errorf("%s: %q, want it refused: %s", x.name, got, x.want)
		}
		if c.stored() != before || len(c.Jobs) != jobs {
			t.Errorf("%s: refused, and something is written", x.name)
		}
	}
}

// Where one agent is all there is, a call back to the number of the directory stands in
// for the second one; the day stays.
func TestOnlyAgentCallsBack(t *testing.T) {
	c := newCaller(t, nil)
	c.update(func(tx bot.Tx) error { return tx.SetStopped("omar", tx.Now()) })
	if got := c.verify(c.q.ID, desk.DoAgain, "", bot.WayBadge, ""); got != desk.NeedsSecond {
		t.Errorf("by a badge: %q", got)
	}
	if got := c.verify(c.q.ID, desk.DoAgain, "", bot.WayCallBack, ""); got != "" {
		t.Fatal(got)
	}
	if got := c.acts(bot.AgentAct{Ticket: c.q.ID, By: "maria", Do: desk.DoAgain, Text: "lost it all"}); got != "" {
		t.Fatal(got)
	}
	c.has(3)
	c.Clock.Advance(bot.CheckDelay)
	c.later()
	c.has(0)
}

// Within the day the person stops it by a freeze, also by one that has ended since; it
// is not done either when an agent of the two is none any more, or the account is off.
func TestWhatIsStoppedWithinTheDay(t *testing.T) {
	for name, change := range map[string]func(c *caller){
		"frozen": func(c *caller) {
			if _, err := c.Enroll.Freeze(c.Context(), "ann", enroll.Order{By: "operator:root", Why: "she says no"}); err != nil {
				t.Fatal(err)
			}
		},
		"frozen, and open again": func(c *caller) {
			if _, err := c.Enroll.Freeze(c.Context(), "ann", enroll.Order{By: "operator:root", Why: "she says no"}); err != nil {
				t.Fatal(err)
			}
			c.Clock.Advance(time.Minute)
			c.update(func(tx bot.Tx) error { return c.Enroll.EndFreeze(tx, "ann", "operator:root", "called") })
		},
		"the agent is none any more": func(c *caller) {
			c.update(func(tx bot.Tx) error { _, err := desk.Revoke(tx, "maria", "operator:root", "left"); return err })
		},
		"the second one is none any more": func(c *caller) {
			c.update(func(tx bot.Tx) error { _, err := desk.Revoke(tx, "omar", "operator:root", "left"); return err })
		},
		"the account is off": func(c *caller) { c.update(func(tx bot.Tx) error { return tx.SetStopped("ann", tx.Now()) }) },
	} {
		c := newCaller(t, nil)
		c.update(func(tx bot.Tx) error { return desk.Grant(tx, "eve", bot.RoleAgent, "operator:root", "hired") })
		if got := c.lost(); got != "" {
			t.Fatal(got)
		}
		c.Clock.Advance(time.Hour)
		change(c)
		c.Clock.Advance(bot.CheckDelay)
		c.later()
		c.has(3)
		if got := strings.Join(said(c.view("eve", c.q.ID)), " "); !strings.Contains(got, "again_stopped") {
			t.Errorf("%s: the ticket says %q", name, got)
		}
	}
}

// Somebody who had methods and has none left is helped like one who has lost them.
func TestNothingIsLeftToLose(t *testing.T) {
	c := newCaller(t, nil)
	c.update(func(tx bot.Tx) error {
		ms, err := tx.Methods("ann")
		for i := 0; i < len(ms) && err == nil; i++ {
			ms[i].State = bot.Removed
			err = tx.PutMethod(&ms[i])
		}
		return err
	})
	if v := c.view("maria", c.q.ID); len(v.Touches) != 1 || v.Touches[0].Act != desk.DoAgain || v.Touches[0].Method != nil {
		t.Fatalf("the page offers %+v", v.Touches)
	}
	if got := c.verify(c.q.ID, desk.DoAgain, "", bot.WayBadge, ""); got != desk.NeedsSecond {
		t.Errorf("by one agent: %q", got)
	}
	if got := c.lost(); got != "" {
		t.Fatal(got)
	}
	c.Clock.Advance(bot.CheckDelay)
	c.later()
	err := c.DB.View(t.Context(), func(tx bot.Tx) error {
		p, err := tx.Person("ann")
		if err == nil && !p.FirstMethodAt.IsZero() {
			t.Error("she is still somebody who had a method")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
