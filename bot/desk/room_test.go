package desk_test

import (
	"path/filepath"
	"regexp"
	"testing"

	"latchkey/bot"
	"latchkey/bot/desk"
	"latchkey/store"
)

func TestDesk(t *testing.T) {
	db, err := store.Open(t.Context(), store.Options{DSN: filepath.Join(t.TempDir(), "bot.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	checks := map[string]bot.CheckSpec{}
	for _, s := range desk.New().Specs() {
		checks[s.Name] = s
	}
	run := func(check string, c *bot.Call) (oc bot.Outcome) {
		t.Helper()
		err := db.Update(t.Context(), func(tx bot.Tx) (err error) {
			oc, err = checks[check].Run(tx, c)
			return err
		})
		if err != nil {
			t.Fatalf("%s: %v", check, err)
		}
		return oc
	}
	call := func(conv bot.ConversationID, level bot.Level, flows ...string) *bot.Call {
		c := &bot.Call{Conversation: &bot.Conversation{ID: conv, Person: "p1", Level: level}, Session: &bot.Session{Lang: "es", Error: "code_wrong"}}
		for _, f := range flows {
			c.Session.Stack = append(c.Session.Stack, bot.Frame{Flow: f, Step: f + "-step", Slots: bot.Facts("secretish", "x")})
		}
		return c
	}
	open := func() (qs []bot.Request) {
		t.Helper()
		if err := db.View(t.Context(), func(tx bot.Tx) (err error) { qs, err = tx.Requests(10); return err }); err != nil {
			t.Fatal(err)
		}
		return qs
	}

	c := call("c1", bot.L2, "enroll", "phone", "human")
	first := run("desk.open", c)
	id := first.Facts[0].Value
	if first.Name != "new" || !regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{3}-[0-9A-HJKMNP-TV-Z]{3}$`).MatchString(id) {
		t.Fatalf("%+v", first)
	}
	if first.Error != "code_wrong" {
		t.Error("the last error is forgotten")
	}
	qs := open()
	if len(qs) != 1 {
		t.Fatalf("%+v", qs)
	}
	if q := qs[0]; q.Flow != "phone" || q.Step != "phone-step" || q.Error != "code_wrong" || q.Lang != "es" || q.Person != "p1" || q.At.IsZero() {
		t.Errorf("%+v", q)
	}
	if second := run("desk.open", c); second.Name != "known" || second.Facts[0].Value != id {
		t.Errorf("a second one: %+v", second)
	}
	c.Session.Stack[1].Set("need", "a_token") // and now it is known what for
	if third := run("desk.open", c); third.Name != "known" || third.Facts[0].Value != id {
		t.Errorf("a third one: %+v", third)
	}
	if q := open()[0]; len(open()) != 1 || q.ID != id || q.Error != "a_token" || q.Flow != "phone" || !q.At.Equal(qs[0].At) {
		t.Errorf("what is needed does not stand on the request: %+v", q)
	}
	needs := call("c3", bot.L2, "get_in", "human")
	needs.Session.Stack[0].Set("need", "a_token")
	if oc := run("desk.open", needs); oc.Name != "new" {
		t.Errorf("%+v", oc)
	}
	for _, q := range open() {
		if q.Conversation == "c3" && q.Error != "a_token" {
			t.Errorf("what is needed does not stand on a new request: %+v", q)
		}
	}
	run("desk.cancel", needs)
	other := run("desk.open", call("c2", bot.L1, "welcome"))
	if other.Name != "new" || other.Facts[0].Value == id {
		t.Errorf("another conversation: %+v", other)
	}
	for _, q := range open() {
		if q.Conversation == "c2" && (q.Person != "" || q.Flow != "welcome") {
			t.Errorf("an unproven person, or the wrong step: %+v", q)
		}
	}
	for range 2 {
		if oc := run("desk.cancel", c); oc.Name != "ok" {
			t.Errorf("%+v", oc)
		}
	}
	if qs := open(); len(qs) != 1 || qs[0].Conversation != "c2" {
		t.Errorf("after cancel %+v", qs)
	}
	if again := run("desk.open", c); again.Name != "new" || again.Facts[0].Value == id {
		t.Errorf("after cancel: %+v", again)
	}
	if oc := run("desk.open", call("c3", bot.L0)); oc.Name != "new" {
		t.Errorf("without a flow: %+v", oc)
	}
}
