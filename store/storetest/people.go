package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"latchkey/bot"
)

func testIdentity(t *testing.T, s bot.Store) {
	link := func(channel, user, person string, l bot.Level) {
		update(t, s, func(tx bot.Tx) error {
			return tx.Link(bot.Identity{Channel: bot.ChannelID(channel), User: user, Person: bot.PersonID(person), Level: l})
		})
	}
	link("test", "user-a", "p1", bot.L1) // before the conversation exists
	turn(t, s, event("1", "a"), func(tx bot.Tx, c *bot.Conversation) error {
		is(t, "person", c.Person, "p1")
		is(t, "level", c.Level, bot.L1)
		if err := tx.Link(bot.Identity{Channel: c.Channel, User: c.User, Person: "p1", Level: bot.L2}); err != nil {
			return err
		}
		return tx.SaveConversation(c) // with the old Person and Level: the identity counts
	})
	turn(t, s, event("2", "a"), func(tx bot.Tx, c *bot.Conversation) error {
		is(t, "level", c.Level, bot.L2)
		return tx.SaveConversation(c)
	})
	link("other", "x", "p1", bot.L1)
	x := event("3", "b")
	x.Channel, x.From = "other", "x"
	turn(t, s, x, save)
	view(t, s, func(tx bot.Tx) error {
		cs, err := tx.ConversationsOf("p1")
		if err != nil {
			return err
		}
		got := ""
		for _, c := range cs {
			got += fmt.Sprint(c.ID, c.Level, c.Person, " ")
		}
		if got != "b1p1 a2p1 " && got != "a2p1 b1p1 " { // the same millisecond
			t.Errorf("conversations %q", got)
		}
		ids, err := tx.IdentitiesOf("p1")
		is(t, "identities", len(ids), 2)
		for _, id := range ids {
			if id.LinkedAt.IsZero() || id.Person != "p1" {
				t.Errorf("identity %+v", id)
			}
		}
		return err
	})
	view(t, s, func(tx bot.Tx) error {
		id, err := tx.Identity("test", "user-a")
		if err != nil || id.Person != "p1" || id.Level != bot.L2 || id.User != "user-a" || id.LinkedAt.IsZero() {
			t.Errorf("identity %+v %v", id, err)
		}
		if _, err := tx.Identity("other", "user-a"); !errors.Is(err, bot.ErrNotFound) {
			t.Errorf("identity on a channel where there is none: %v", err)
		}
		return nil
	})
	testRecent(t, s)
	update(t, s, func(tx bot.Tx) error { return tx.Unlink("test", "user-a") })
	turn(t, s, event("4", "a"), func(tx bot.Tx, c *bot.Conversation) error {
		is(t, "person", c.Person, "")
		is(t, "level", c.Level, bot.L0)
		return nil
	})
}

// testRecent wants the conversations of one channel, the last used first.
func testRecent(t *testing.T, s bot.Store) {
	for i, conv := range []string{"r1", "r2", "r3", "r1"} {
		ev := event(fmt.Sprint("recent-", i), conv)
		ev.Channel, ev.Address = "recent", []byte(conv)
		turn(t, s, ev, func(tx bot.Tx, c *bot.Conversation) error {
			c.State, c.Address = []byte("{}"), ev.Address
			return tx.SaveConversation(c)
		})
		time.Sleep(2 * time.Millisecond) // the store's clock has milliseconds
	}
	view(t, s, func(tx bot.Tx) error {
		for limit, want := range map[int]string{10: "r1 r3 r2 ", 2: "r1 r3 ", 0: ""} {
			cs, err := tx.Recent("recent", limit)
			if err != nil {
				return err
			}
			got := ""
			for _, c := range cs {
				got += string(c.ID) + " "
				if c.Channel != "recent" || string(c.Address) != string(c.ID) || c.State != nil {
					t.Errorf("conversation %+v", c)
				}
			}
			is(t, fmt.Sprint("recent, at most ", limit), got, want)
		}
		return nil
	})
}

func testPeople(t *testing.T, s bot.Store) {
	Seed(t, s, bot.Person{ID: "p1", Username: "Ann", Email: "Ann.Lee@Example.com", Name: "Ann Lee", Lang: "en"},
		bot.Person{ID: "p2", Username: "bob", Email: "", Disabled: true})
	view(t, s, func(tx bot.Tx) error {
		for _, login := range []string{"ann", "ANN", "ann.lee@example.com", "ANN.LEE@EXAMPLE.COM"} {
			p, err := tx.PersonByLogin(login)
			if err != nil || p.ID != "p1" || p.Name != "Ann Lee" || p.Username != "ann" || p.Email != "ann.lee@example.com" {
				t.Errorf("login %q: %+v %v", login, p, err)
			}
		}
		for _, login := range []string{"", "nobody", "p1"} {
			_, err := tx.PersonByLogin(login)
			fails(t, "login "+login, err, bot.ErrNotFound)
		}
		_, err := tx.Person("p9")
		fails(t, "unknown person", err, bot.ErrNotFound)
		p, err := tx.Person("p2")
		if err == nil {
			is(t, "disabled", p.Disabled, true)
			is(t, "stage", p.Stage, bot.NotStarted)
			is(t, "started", p.StartedAt, time.Time{})
		}
		return err
	})
	at := time.UnixMilli(1700000000000).UTC()
	update(t, s, func(tx bot.Tx) error { return tx.SetStage("p1", bot.Started, at) })
	update(t, s, func(tx bot.Tx) error { return tx.SetStage("p1", bot.Enrolled, at.Add(time.Minute)) })
	update(t, s, func(tx bot.Tx) error { return tx.SetStage("p1", bot.Enrolled, at.Add(time.Hour)) })
	update(t, s, func(tx bot.Tx) error { return tx.SetNextNudge("p1", at.Add(time.Second)) })
	update(t, s, func(tx bot.Tx) error { return tx.SetPersonLang("p1", "es") })
	view(t, s, func(tx bot.Tx) error {
		p, err := tx.Person("p1")
		if err == nil {
			is(t, "stage", p.Stage, bot.Enrolled)
			is(t, "started", p.StartedAt, at)
			is(t, "done", p.DoneAt, at.Add(time.Minute))
			is(t, "next nudge", p.NextNudge, at.Add(time.Second))
			is(t, "lang", p.Lang, "es")
		}
		return err
	})
	if err := s.Update(context.Background(), func(tx bot.Tx) error { return tx.SetNextNudge("p1", time.Time{}) }); err != nil {
		t.Error(err)
	}
}
