package storetest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
)

// about is a job that names a person.
type about struct {
	Person bot.PersonID `json:"person"`
	Method bot.MethodID `json:"method,omitempty"`
}

// Kind implements bot.Job.
func (about) Kind() string { return "storetest.about" }

// A Life is a person with one of everything that leads to them.
type Life struct {
	Person  bot.Person
	Channel bot.ChannelID
	User    string // of the chat account
	Conv    bot.ConversationID
	Pass    []byte
}

// Live gives somebody a life. Every text of it that is worth finding holds mark.
func Live(t testing.TB, s bot.Store, p bot.Person, mark string) Life {
	t.Helper()
	l := Life{Person: p, Channel: "test", User: "account-" + mark, Conv: bot.ConversationID("talk-" + mark), Pass: []byte("pass-" + mark)}
	now := time.Now().Truncate(time.Millisecond).UTC()
	update(t, s, func(tx bot.Tx) error {
		return tx.Link(bot.Identity{Channel: l.Channel, User: l.User, Person: p.ID, Level: bot.L2})
	})
	turn(t, s, &bot.Event{ID: l.User + "|1", Channel: l.Channel, Conversation: l.Conv, From: l.User, Address: []byte("to " + mark)}, func(tx bot.Tx, c *bot.Conversation) error {
		c.State, c.OutSeq = []byte(`{"name":"`+mark+`"}`), 3
		for i, m := range []bot.OutboxRow{{Keep: true}, {}, {Message: bot.Message{Fleeting: true}}} {
			m.Conversation, m.Seq, m.Message.Text = c.ID, int64(i+1), "Hello "+mark
			if err := tx.Say(&m); err != nil {
				return err
			}
		}
		return tx.SaveConversation(c)
	})
	update(t, s, func(tx bot.Tx) error {
		to, err := tx.Direct("elsewhere", p.ID)
		if err != nil {
			return err
		}
		return tx.Say(&bot.OutboxRow{Conversation: to, Message: bot.Message{Text: "waits to be opened " + mark}})
	})
	update(t, s, func(tx bot.Tx) error {
		// The first was sent and is kept, the third was sent and has to be taken back.
		for _, seq := range []int64{1, 3} {
			if err := tx.MarkOutbox(&bot.OutboxRow{Conversation: l.Conv, Seq: seq, State: bot.OutboxSent, Attempts: 1, Receipt: "r"}); err != nil {
				return err
			}
		}
		for _, m := range []bot.Method{
			{ID: bot.MethodID("m1-" + mark), Kind: bot.Phone, State: bot.Active, Label: mark},
			{ID: bot.MethodID("m2-" + mark), Kind: bot.Recovery, State: bot.Active},
			{ID: bot.MethodID("m3-" + mark), Kind: bot.Email, State: bot.Removed, Label: mark}, // its notice is not out yet
			{ID: bot.MethodID("m4-" + mark), Kind: bot.Authenticator, State: bot.Pending, Conversation: l.Conv},
		} {
			m.Person, m.CreatedAt = p.ID, now
			m.Sealed = []byte("sealed at " + m.Place())
			if err := tx.PutMethod(&m); err != nil {
				return err
			}
			if m.Kind != bot.Recovery {
				continue
			}
			x := bot.MethodSecret{Method: m.ID, No: 1}
			x.Sealed = []byte("sealed at " + x.Place(p.ID))
			if err := tx.PutSecrets(m.ID, []bot.MethodSecret{x}); err != nil {
				return err
			}
		}
		for _, purpose := range []string{"prove.phone", "link"} {
			if err := tx.PutChallenge(&bot.Challenge{ID: purpose + mark, Person: p.ID, Conversation: l.Conv, Purpose: purpose, Lang: mark,
				SealedCode: []byte("code"), SealedTo: []byte("to"), CreatedAt: now, ExpiresAt: now.Add(time.Hour)}); err != nil {
				return err
			}
		}
		if err := errors.Join(tx.NamePerson("live", p.ID, false), tx.PutPart(&bot.CampaignPart{Campaign: "live", Person: p.ID, Token: "part-" + mark, Step: mark})); err != nil {
			return err
		}
		for _, k := range [][2]string{{"t3.failure", string(p.ID)}, {"t2.person", "person|" + string(p.ID)}, {"proof", string(p.ID) + "|" + string(l.Conv)},
			{"tripwire", string(p.ID)}, {"t2.pair", "test|somebody|person|" + string(p.ID)},
			{"t2.account", string(l.Channel) + "|" + l.User}, {"t2.pair", string(l.Channel) + "|" + l.User + "|login|abc"},
			{"code.attempt", "link" + mark}, {"totp.step", "m2-" + mark + "|7"}} {
			if err := tx.Tally(k[0], k[1]); err != nil {
				return err
			}
		}
		if err := tx.PutTicket(&bot.Ticket{ID: mark, Person: p.ID, Conversation: l.Conv, Flow: "freeze", Error: mark, At: now}); err != nil {
			return err
		}
		if err := tx.PutTicket(&bot.Ticket{ID: "not-me-" + mark, Person: p.ID, Conversation: bot.NotMeConversation(p.ID), Flow: "not_me", Error: mark, At: now}); err != nil {
			return err
		}
		for _, line := range []bot.TicketLine{
			{Ticket: mark, Kind: bot.LinePerson, Body: []byte(mark)},
			{Ticket: "not-me-" + mark, Kind: bot.LineNote, By: p.ID, Body: []byte(mark)},
		} {
			if err := tx.AddLine(&line); err != nil {
				return err
			}
		}
		if err := tx.PutAgent(&bot.DeskAgent{Person: p.ID, Role: bot.RoleAgent, By: "operator:" + mark, Why: mark}); err != nil {
			return err
		}
		for _, k := range []bot.CallerCheck{
			{ID: "of-" + mark, Person: p.ID, Agent: "maria", Act: mark, Target: string(l.Conv), Reason: []byte(mark), At: now},
			{ID: checkBy(mark), Person: "somebody", Agent: p.ID, Second: p.ID, At: now},
		} {
			if err := tx.PutCallerCheck(&k); err != nil {
				return err
			}
		}
		if err := tx.RaiseAlert(bot.AlertUntold, p.ID, mark); err != nil {
			return err
		}
		begun, err := json.Marshal(bot.SignInState{Session: l.Pass})
		if err != nil {
			return err
		}
		for _, x := range []bot.Pass{
			{Hash: l.Pass, Kind: bot.PassSession, Conversation: l.Conv, Data: []byte(`{"n":"` + mark + `"}`)},
			{Hash: []byte("signin-" + mark), Kind: bot.PassSignIn, Data: begun},
			{Hash: []byte("notme-" + mark), Kind: bot.PassNotMe, Conversation: bot.NotMeConversation(p.ID), Data: []byte(`{"u":"` + mark + `"}`)},
		} {
			x.ExpiresAt = now.Add(time.Hour)
			if err := tx.PutPass(&x); err != nil {
				return err
			}
		}
		if err := directoryHas(tx, p, mark); err != nil {
			return err
		}
		if err := tx.Enqueue(about{Person: p.ID}, now.Add(time.Hour)); err != nil {
			return err
		}
		return tx.Enqueue(about{Method: bot.MethodID("m1-" + mark)}, now.Add(time.Hour))
	})
	return l
}

// checkBy is the id of the check that a life has made of somebody else. It stays
// when the life is erased, so the mark is not to be read in it.
func checkBy(mark string) string { return fmt.Sprintf("by-%x", sha256.Sum256([]byte(mark))) }

// counters are how often the counters of a life stand under an id.
func (l *Life) counters(t testing.TB, s bot.Store, id bot.PersonID) (n int) {
	t.Helper()
	view(t, s, func(tx bot.Tx) error {
		for _, k := range [][2]string{{"t3.failure", string(id)}, {"t2.person", "person|" + string(id)}, {"proof", string(id) + "|" + string(l.Conv)},
			{"tripwire", string(id)}, {"t2.pair", "test|somebody|person|" + string(id)}} {
			k, _, err := tx.Tallied(k[0], k[1], time.Time{})
			if err != nil {
				return err
			}
			n += k
		}
		return nil
	})
	return n
}

// notMe wants what "this was not me" has made, and the alert, to be those of an
// id.
func (l *Life) notMe(t testing.TB, tx bot.Tx, id bot.PersonID) {
	t.Helper()
	pass, err := tx.Pass([]byte("notme-" + strings.TrimPrefix(l.User, "account-")))
	if err != nil || bot.NotMePerson(pass.Conversation) != id {
		t.Errorf("link of a notice: %+v %v, want one of %s", pass, err, id)
	}
	if q, err := tx.TicketOf(bot.NotMeConversation(id)); err != nil || q.Person != id {
		t.Errorf("request that says \"this was not me\": %+v %v", q, err)
	}
	if a, err := tx.Agent(id); err != nil || a.Role != bot.RoleAgent {
		t.Errorf("at the help desk: %+v %v", a, err)
	}
	if q, err := tx.TicketOf(bot.NotMeConversation(id)); err == nil {
		if lines, err := tx.Lines(q.ID, 0); err != nil || len(lines) != 1 || lines[0].By != id {
			t.Errorf("lines of the ticket: %+v %v, want one by %s", lines, err, id)
		}
	}
	of, err := tx.CallerChecksOf(id, time.Time{})
	if err != nil || len(of) != 1 || of[0].Agent != "maria" {
		t.Errorf("checks of %s as a caller: %+v %v", id, of, err)
	}
	by, err := tx.CallerChecksBy(id, time.Time{})
	if err != nil || len(by) != 1 || by[0].Person != "somebody" || by[0].Second != id {
		t.Errorf("checks by %s of callers: %+v %v", id, by, err)
	}
	all, err := tx.Alerts(bot.AlertUntold)
	if err != nil || !slices.ContainsFunc(all, func(a bot.Alert) bool { return a.Person == id }) {
		t.Errorf("alerts %+v %v, want one of %s", all, err, id)
	}
}

// whole wants a life to be as Live made it.
func (l *Life) whole(t testing.TB, s bot.Store) {
	t.Helper()
	is(t, "counters of "+l.User, l.counters(t, s, l.Person.ID), 5)
	view(t, s, func(tx bot.Tx) error {
		p, err := tx.Person(l.Person.ID)
		if err != nil || p.Name != l.Person.Name {
			t.Errorf("person %+v %v", p, err)
		}
		ms, err := tx.Methods(l.Person.ID)
		is(t, "methods of "+l.User, len(ms), 3)
		ids, _ := tx.IdentitiesOf(l.Person.ID)
		is(t, "accounts of "+l.User, len(ids), 1)
		said, _ := tx.Said(l.Conv, 0, 10)
		is(t, "kept messages of "+l.User, len(said), 1)
		if _, err := tx.Pass(l.Pass); err != nil {
			t.Errorf("session of %s: %v", l.User, err)
		}
		if _, err := tx.TicketOf(l.Conv); err != nil {
			t.Errorf("request of %s: %v", l.User, err)
		}
		cs, _ := tx.OpenChallenges(l.Person.ID, "link", time.Hour)
		is(t, "codes of "+l.User, len(cs), 1)
		l.notMe(t, tx, l.Person.ID)
		g, gerr := tx.Registration(l.Person.ID)
		if gerr != nil || g.Methods[0] != l.Person.Name {
			t.Errorf("registration of %s: %+v %v", l.User, g, gerr)
		}
		is(t, "the directory's copy of "+l.User, entryOf(t, tx, l.Person.ID), true)
		return err
	})
}

func testOperator(t *testing.T, s bot.Store) {
	// The neighbour's id begins with the other's, and with what LIKE takes for anything.
	ann, bob := bot.Person{ID: "p_", Username: "ann", Name: "Ann"}, bot.Person{ID: "p_1", Username: "bob", Name: "Bob", Manager: "p_"}
	Seed(t, s, ann, bob)
	a, b := Live(t, s, ann, "mark-a"), Live(t, s, bob, "mark-b")
	a.whole(t, s)

	mark := func() (m string) {
		view(t, s, func(tx bot.Tx) (err error) { m, err = tx.PassesEnded(); return err })
		return m
	}
	is(t, "mark before", mark(), "")
	update(t, s, func(tx bot.Tx) error {
		n, err := tx.EndPasses([]bot.ConversationID{a.Conv, "elsewhere"})
		is(t, "passes", n, 2)
		return err
	})
	first := mark()
	update(t, s, func(tx bot.Tx) error {
		for _, h := range [][]byte{a.Pass, []byte("signin-mark-a")} {
			_, err := tx.Pass(h)
			fails(t, "ended pass", err, bot.ErrNotFound)
		}
		n, err := tx.EndPasses([]bot.ConversationID{a.Conv})
		is(t, "passes again", n, 0)
		return err
	})
	if second := mark(); first == "" || second == first {
		t.Errorf("marks %q and %q", first, second)
	}

	codes := func(p bot.PersonID) (n int) {
		view(t, s, func(tx bot.Tx) error {
			for _, purpose := range []string{"link", "prove.phone"} {
				cs, err := tx.OpenChallenges(p, purpose, time.Hour)
				if err != nil {
					return err
				}
				n += len(cs)
			}
			return nil
		})
		return n
	}
	for i, c := range []struct {
		convs   []bot.ConversationID
		purpose string
		want    int
	}{{[]bot.ConversationID{}, "", 0}, {[]bot.ConversationID{"elsewhere"}, "", 0}, {nil, "link", 1}, {[]bot.ConversationID{a.Conv}, "", 1}, {nil, "", 0}} {
		update(t, s, func(tx bot.Tx) error {
			n, err := tx.VoidChallenges(ann.ID, c.convs, c.purpose)
			is(t, fmt.Sprint("voided codes ", i), n, c.want)
			return err
		})
	}
	is(t, "codes left", codes(ann.ID), 0)
	is(t, "codes of the neighbour", codes(bob.ID), 2)
	view(t, s, func(tx bot.Tx) error {
		ch, err := tx.Challenge("prove.phonemark-a")
		if err != nil || ch.SealedCode != nil || ch.SealedTo != nil || ch.ClosedAt.IsZero() {
			t.Errorf("voided code %+v, %v", ch, err)
		}
		return err
	})

	update(t, s, func(tx bot.Tx) error { return tx.ClearSaid(a.Conv) })
	view(t, s, func(tx bot.Tx) error {
		said, err := tx.Said(a.Conv, 0, 10)
		is(t, "said", len(said), 0)
		pending, _ := tx.Pending(100)
		is(t, "pending", len(pending), 3) // the neighbour's, and what waits to be opened
		back, _ := tx.Fleeting(a.Conv, tx.Now().Add(time.Hour))
		is(t, "to be taken back", len(back), 1)
		return err
	})
	for i, code := range []string{"solved", "thawed"} {
		by := bot.PersonID([]string{"maria", ""}[i])
		for _, want := range []int{1, 0} {
			update(t, s, func(tx bot.Tx) error {
				n, err := tx.CloseTickets(ann.ID, "freeze", by)
				is(t, "closed requests", n, want)
				return err
			})
		}
		view(t, s, func(tx bot.Tx) error {
			qs, err := tx.TicketsOfPerson(ann.ID)
			for _, q := range qs {
				if ls, lerr := tx.Lines(q.ID, 0); lerr != nil || q.Flow == "freeze" && (len(ls) == 0 || ls[len(ls)-1].Code != code || ls[len(ls)-1].By != by) {
					t.Errorf("lines of a request that was closed: %+v %v", ls, lerr)
				}
				if q.Flow == "freeze" && i == 0 && (q.State != bot.TicketSolved || q.Agent != by || q.TakenAt.IsZero() || q.ClosedAt.IsZero()) {
					t.Errorf("solved: %+v", q)
				}
				if q.Flow == "freeze" && i == 0 { // open again
					x := q
					x.State = bot.TicketTaken
					update(t, s, func(tx bot.Tx) error { return tx.PutTicket(&x) })
				} else if q.Flow == "freeze" && q.State != bot.TicketDropped {
					t.Errorf("dropped: %+v", q)
				}
			}
			return err
		})
	}
	b.whole(t, s)

	// Another id.
	move := func(sealed []byte, from, to string) ([]byte, error) {
		if string(sealed) != "sealed at "+from {
			t.Errorf("%s stands at %s", sealed, from)
		}
		return []byte("sealed at " + to), nil
	}
	err := s.Update(context.Background(), func(tx bot.Tx) error { return tx.RenamePerson(ann.ID, bob.ID, move) })
	fails(t, "rename to an id that somebody has", err, bot.ErrConflict)
	err = s.Update(context.Background(), func(tx bot.Tx) error { return tx.RenamePerson("nobody", "p3", move) })
	fails(t, "rename nobody", err, bot.ErrNotFound)
	update(t, s, func(tx bot.Tx) error { return tx.Tally("t3.failure", "zz") }) // left over from somebody before
	update(t, s, func(tx bot.Tx) error { return tx.RenamePerson(ann.ID, "zz", move) })
	is(t, "counters under the old id", a.counters(t, s, ann.ID), 0)
	is(t, "counters under the new id", a.counters(t, s, "zz"), 6)
	view(t, s, func(tx bot.Tx) error {
		_, err := tx.Person(ann.ID)
		fails(t, "old id", err, bot.ErrNotFound)
		p, err := tx.PersonByLogin("ann")
		if err != nil {
			return err
		}
		is(t, "new id", p.ID, "zz")
		other, err := tx.Person(bob.ID)
		if err == nil {
			is(t, "manager", other.Manager, "zz")
		}
		ms, err := tx.Methods("zz")
		is(t, "methods", len(ms), 3)
		gone, _ := tx.Method("m3-mark-a")
		for _, m := range append(ms, *gone) {
			is(t, "place of "+string(m.ID), string(m.Sealed), "sealed at "+m.Place())
		}
		ss, _ := tx.Secrets("m2-mark-a")
		is(t, "secrets", len(ss), 1)
		is(t, "place of a secret", string(ss[0].Sealed), "sealed at "+ss[0].Place("zz"))
		ids, _ := tx.IdentitiesOf("zz")
		is(t, "accounts", len(ids), 1)
		a.notMe(t, tx, "zz")
		if g, err := tx.Registration("zz"); err != nil || g.Methods[0] != ann.Name {
			t.Errorf("registration %+v %v", g, err)
		}
		is(t, "the directory's copy of the old id", entryOf(t, tx, ann.ID), false)
		return err
	})
	b.whole(t, s)

	// Nothing is left, and the neighbour has everything.
	update(t, s, func(tx bot.Tx) error {
		n, err := tx.ErasePerson("zz", true)
		want := bot.Erased{Accounts: 1, Conversations: 2, Messages: 2, Methods: 4, Codes: 2, Counters: 6, Passes: 1, Tickets: 2, Jobs: 2, LeftOut: true}
		is(t, "erased", n, want)
		return err
	})
	b.whole(t, s)
	err = s.Update(context.Background(), func(tx bot.Tx) error { _, err := tx.ErasePerson("zz", true); return err })
	fails(t, "erase again", err, bot.ErrNotFound)
	view(t, s, func(tx bot.Tx) error {
		if other, err := tx.Person(bob.ID); err != nil || other.Manager != "" {
			t.Errorf("the manager of %+v is somebody who was erased, %v", other, err)
		}
		_, err := tx.Conversation(a.Conv)
		fails(t, "conversation", err, bot.ErrNotFound)
		return nil
	})
	turn(t, s, event("after", string(a.Conv)), func(tx bot.Tx, c *bot.Conversation) error {
		is(t, "person of a new conversation", c.Person, "")
		return nil
	})
	view(t, s, func(tx bot.Tx) error {
		if _, err := tx.EndPasses(nil); err == nil {
			t.Error("a View ends passes")
		}
		return nil
	})
}

func testErasedStayAway(t *testing.T, s bot.Store) {
	im, ok := s.(importer)
	if !ok {
		t.Skip("this store has no import")
	}
	ann, bob := bot.Person{ID: "p1", Username: "ann"}, bot.Person{ID: "p2", Username: "bob"}
	listed := func(id bot.PersonID) (on bool) {
		view(t, s, func(tx bot.Tx) error {
			p, err := tx.Person(id)
			if err == nil {
				on = p.UnlistedAt.IsZero()
			}
			return err
		})
		return on
	}
	Seed(t, s, ann, bob)
	Seed(t, s, ann)
	is(t, "ann is listed", listed("p1"), true)
	is(t, "bob is listed", listed("p2"), false)
	Seed(t, s, ann, bob)
	is(t, "bob is listed again", listed("p2"), true)

	update(t, s, func(tx bot.Tx) error { _, err := tx.ErasePerson("p2", false); return err })
	Seed(t, s, ann, bob) // without a tombstone he is back
	is(t, "bob is back", listed("p2"), true)
	update(t, s, func(tx bot.Tx) error { _, err := tx.ErasePerson("p2", true); return err })
	rep, err := im.ImportPeople(t.Context(), Rows(ann, bot.Person{ID: "P2", Username: "bobby"}, bob, bot.Person{ID: "p3", Username: "cid"}), importAll)
	if err != nil || !rep.Stored || rep.Erased != 2 || rep.Inserted != 1 || rep.Unchanged != 1 || rep.Rows != 4 {
		t.Errorf("import %+v, %v", rep, err)
	}
	view(t, s, func(tx bot.Tx) error {
		_, err := tx.PersonByLogin("bob")
		fails(t, "who was erased", err, bot.ErrNotFound)
		return nil
	})
	for _, want := range []bool{true, false} {
		update(t, s, func(tx bot.Tx) error {
			was, err := tx.DropTombstone("p2")
			is(t, "left out before", was, want)
			return err
		})
	}
	Seed(t, s, ann, bob)
	is(t, "bob may come back", listed("p2"), true)
}
