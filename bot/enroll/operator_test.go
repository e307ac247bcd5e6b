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
	"latchkey/store"
	"latchkey/store/storetest"
)

var anOrder = enroll.Order{By: "operator:kim", Why: "ticket 4711"}

func try(o enroll.Order) enroll.Order { o.Dry = true; return o }

// bothStores runs a test with a rig on each database.
func bothStores(t *testing.T, test func(*rig)) {
	t.Run("sqlite", func(t *testing.T) { test(newOperated(prooftest.New(t))) })
	t.Run("postgres", func(t *testing.T) { test(newOperated(prooftest.NewOn(t, storetest.Postgres(t)))) })
}

// newOperated is a rig in which Ann has a phone and an authenticator, is linked
// on two channels, has just proven herself, and is about to add a second app,
// with a code on its way and a web session open in each chat.
func newOperated(r0 *prooftest.Rig) *rig {
	r := &rig{r0}
	r.Enroll.AskDesk = func(tx bot.Tx, q bot.Ticket) (string, error) {
		q.ID, q.At = "request of "+string(q.Person), tx.Now()
		if old, err := tx.Ticket(q.ID); err == nil {
			q.Revision = old.Revision
		}
		return q.ID, tx.PutTicket(&q)
	}
	r.Enroll.Afresh = func(*bot.Conversation) []byte { return []byte(`{"afresh":1}`) }
	r.Talk("c2", "u2")
	r.update(func(tx bot.Tx) error {
		for _, u := range []string{"u1", "u2"} {
			if err := tx.Link(bot.Identity{Channel: "test", User: u, Person: prooftest.AnnID, Level: bot.L2}); err != nil {
				return err
			}
		}
		return nil
	})
	r.Phone("7045550148")
	r.Want("totp.begin", "", "ready")
	r.Want("totp.prove", r.totp(), "ok")
	r.Clock.Advance(r.Policy.ProofFresh + time.Hour)
	r.provesHere()
	r.Want("totp.begin", "", "ready")
	r.Set("method", string(r.kindOf(bot.Phone)))
	r.Clock.Advance(time.Minute)
	r.Want("code.send", "", "sent")
	r.Deliver()
	r.update(func(tx bot.Tx) error {
		for i, c := range []bot.ConversationID{"c1", "c2"} {
			for _, kind := range []bot.PassKind{bot.PassSession, bot.PassPage} {
				p := bot.Pass{Hash: []byte(fmt.Sprint(kind, i+1)), Kind: kind, Conversation: c, ExpiresAt: tx.Now().Add(time.Hour)}
				if err := tx.PutPass(&p); err != nil {
					return err
				}
			}
		}
		return tx.PutChallenge(&bot.Challenge{ID: "link-code", Person: prooftest.AnnID, Conversation: "c2", Purpose: "link", ExpiresAt: tx.Now().Add(time.Minute)})
	})
	r.Deliver()
	return r
}

// kindOf is her active method of a kind.
func (r *rig) kindOf(k bot.MethodKind) bot.MethodID {
	r.Helper()
	for _, m := range r.Methods(bot.Active) {
		if m.Kind == k {
			return m.ID
		}
	}
	r.Fatalf("no %s", k)
	return ""
}

// provesHere proves her authenticator in her conversation.
func (r *rig) provesHere() {
	r.Helper()
	r.Set("method", string(r.kindOf(bot.Authenticator)))
	r.Want("prove.begin", "", "needed")
	r.Want("prove.totp", r.shows(r.SeedOf(bot.Active)), "ok")
	r.Want("prove.begin", "", "fresh")
}

// under counts what is under way for her: passes, pending methods, open codes,
// and proofs in her conversation.
type under struct{ passes, pending, codes, proofs int }

func (r *rig) under() (u under) {
	r.Helper()
	u.pending = len(r.Methods(bot.Pending))
	prooftest.View(r.Rig, func(tx bot.Tx) (int, error) {
		for _, h := range []string{"session1", "page1", "session2", "page2"} {
			if _, err := tx.Pass([]byte(h)); err == nil {
				u.passes++
			}
		}
		for _, purpose := range []string{"link", "prove.phone", "enroll.phone", "prove.email", "enroll.email"} {
			cs, err := tx.OpenChallenges(prooftest.AnnID, purpose, 0)
			if err != nil {
				return 0, err
			}
			u.codes += len(cs)
		}
		n, _, err := tx.Tallied("proof", string(prooftest.AnnID)+"|"+string(r.Conv.ID), time.Time{})
		u.proofs = min(n, 1)
		return 0, err
	})
	return u
}

// all is what is under way in newOperated.
var all = under{passes: 4, pending: 1, codes: 2, proofs: 1}

// whom reads somebody.
func (r *rig) whom(id bot.PersonID) *bot.Person {
	r.Helper()
	return prooftest.View(r.Rig, func(tx bot.Tx) (*bot.Person, error) { return tx.Person(id) })
}

// audited lists the lines about a person of an action, as actor, evidence.
func (r *rig) audited(p bot.PersonID, action string) (lines []string) {
	r.Helper()
	err := r.DB.AuditLines(r.Context(), 1, func(e bot.AuditEntry) error {
		if e.Person == p && e.Action == action {
			lines = append(lines, e.Actor+", "+e.Evidence)
		}
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	return lines
}

func same[T comparable](r *rig, what string, got, want T) {
	r.Helper()
	if got != want {
		r.Errorf("%s: %v, want %v", what, got, want)
	}
}

func (r *rig) recorded(action string) {
	r.Helper()
	if got := r.audited(prooftest.AnnID, action); !slices.Equal(got, []string{"operator:kim, ticket 4711"}) {
		r.Errorf("lines of %s: %q", action, got)
	}
	if to := r.told(action); !slices.Equal(to, []string{prooftest.Ann().Email}) {
		r.Errorf("told of %s: %v", action, to)
	}
}

// must gives what an order did.
func must(r *rig, d enroll.Done, err error) enroll.Done {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
	return d
}

// showsNothing runs every check that there is, and wants none to tell anything of
// her methods: whatever a new check shows, it does not show it of somebody who
// is stopped.
func (r *rig) showsNothing(state string) {
	r.Helper()
	for _, kind := range []bot.MethodKind{bot.Phone, bot.Authenticator} {
		r.Set("method", string(r.kindOf(kind)))
		for name := range r.Checks {
			if name == "person.not_me" && state != "frozen" {
				continue // it would freeze the account
			}
			oc, err := r.Try(name, r.NewCall("123456"))
			if err != nil {
				continue // wants a form
			}
			for _, f := range oc.Facts {
				if f.Name == "list" || f.Name == "masked" || strings.Contains(f.Value, "48") {
					r.Errorf("%s: %s says %s, %s = %q", state, name, oc.Name, f.Name, f.Value)
				}
			}
			if len(oc.Options) > 0 || oc.Reveal != nil {
				r.Errorf("%s: %s says %s, and offers %v %v", state, name, oc.Name, oc.Options, oc.Reveal)
			}
		}
	}
	for check, want := range map[string]string{"person.known": state, "enroll.start": state, "enroll.next": "stopped", "enroll.finish": "stopped",
		"methods.list": "stopped", "methods.missing": "stopped", "methods.show": "stopped", "person.status": "stopped", "prove.begin": "refused",
		"totp.begin": "refused", "phone.accept": "refused", "methods.remove": "refused", "code.send": "refused"} {
		r.Want(check, "", want)
	}
	wants := bot.ErrDisabled
	if state == "frozen" {
		wants = bot.ErrFrozen
	}
	if _, err := r.Enroll.SignInAs(r.Context(), "web", "u9", ann()); !errors.Is(err, wants) || !errors.Is(err, bot.ErrDisabled) {
		r.Errorf("%s: signs in: %v", state, err)
	}
	if _, err := r.Enroll.ProofCode(r.Context(), "c9", ann()); !errors.Is(err, wants) {
		r.Errorf("%s: gets a code to link a chat: %v", state, err)
	}
	if _, err := r.Enroll.Vouch(r.Context(), "test", "u9", bot.Vouch{Person: prooftest.AnnID, Evidence: "platform"}); !errors.Is(err, wants) {
		r.Errorf("%s: is linked by a platform: %v", state, err)
	}
	if o, err := r.Enroll.Overview(r.Context(), "test", "u1", "en"); err != nil || len(o.Methods) > 0 || o.Name != "" {
		r.Errorf("%s: sees %+v, %v", state, o, err)
	}
	r.Set("username", "ann")
	if oc := r.Submit("sign_in", "person.sign_in", "password", prooftest.Password); oc.Name != state {
		r.Errorf("%s: signs in with a password: %v", state, oc.Name)
	}
}

func TestFreeze(t *testing.T) {
	bothStores(t, func(r *rig) {
		same(r, "under way", r.under(), all)
		d, err := r.Enroll.Freeze(r.Context(), prooftest.AnnID, try(anOrder))
		must(r, d, err)
		if d.Passes != 4 || d.Pending != 1 || d.Codes != 2 || d.Told != 4 || d.Request == "" || d.Already {
			r.Errorf("would do %+v", d)
		}
		same(r, "under way after a try", r.under(), all)
		if !r.whom(prooftest.AnnID).FrozenAt.IsZero() || len(r.audited(prooftest.AnnID, "person.frozen")) > 0 || len(r.told("person.frozen")) > 0 {
			r.Error("a try froze somebody")
		}

		d, err = r.Enroll.Freeze(r.Context(), prooftest.AnnID, anOrder)
		must(r, d, err)
		if d.Passes != 4 || d.Pending != 1 || d.Codes != 2 || d.Told != 4 || d.Request != "request of p1" {
			r.Errorf("did %+v", d)
		}
		same(r, "under way", r.under(), under{})
		r.recorded("person.frozen")
		same(r, "methods", len(r.Methods(bot.Active)), 2)
		r.showsNothing("frozen")
		q := prooftest.View(r.Rig, func(tx bot.Tx) (*bot.Ticket, error) { return tx.TicketOf(bot.NotMeConversation(prooftest.AnnID)) })
		if q.Person != prooftest.AnnID || q.Flow != "freeze" {
			r.Errorf("request %+v", q)
		}
		d, err = r.Enroll.Freeze(r.Context(), prooftest.AnnID, anOrder)
		if must(r, d, err); !d.Already || len(r.audited(prooftest.AnnID, "person.frozen")) != 1 {
			r.Errorf("frozen twice: %+v", d)
		}

		must(r, d, second(r.Enroll.Unfreeze(r.Context(), prooftest.AnnID, anOrder)))
		r.recorded("person.unfrozen")
		r.Want("person.known", "", "known")
		r.Want("methods.list", "", "some")
		if n := len(prooftest.View(r.Rig, func(tx bot.Tx) ([]bot.Ticket, error) { return tx.Tickets(10) })); n != 0 {
			r.Errorf("%d requests are open", n)
		}
		r.Clock.Advance(time.Hour)
		r.provesHere() // nothing of before counts, and the methods are hers
		if d, err = r.Enroll.Unfreeze(r.Context(), prooftest.AnnID, anOrder); !must(r, d, err).Already {
			r.Errorf("unfrozen twice: %+v", d)
		}
	})
}

func second(_ enroll.Done, err error) error { return err }

// TestFreezeOfAStranger: nobody has linked a chat, and there is no address.
func TestFreezeOfAStranger(t *testing.T) {
	bothStores(t, func(r *rig) {
		x, y := bot.Person{ID: "x", Username: "x"}, bot.Person{ID: "y", Username: "y"}
		r.People(prooftest.Ann(), x, y)
		for _, id := range []bot.PersonID{"x", "y"} { // each has a request of their own
			d, err := r.Enroll.Freeze(r.Context(), id, anOrder)
			if must(r, d, err); d.Request == "" || d.Told != 0 {
				r.Errorf("%+v", d)
			}
		}
		if _, err := r.Enroll.Freeze(r.Context(), "nobody", anOrder); !errors.Is(err, bot.ErrNotFound) {
			r.Error(err)
		}
	})
}

func TestDisableAndEnable(t *testing.T) {
	bothStores(t, func(r *rig) {
		d, err := r.Enroll.DisablePerson(r.Context(), prooftest.AnnID, anOrder)
		if must(r, d, err); d.Passes != 4 || d.Pending != 1 || d.Codes != 2 || d.Request != "" {
			r.Errorf("did %+v", d)
		}
		same(r, "under way", r.under(), under{})
		r.recorded("person.disabled")
		r.showsNothing("disabled")
		r.People(prooftest.Ann()) // the list knows nothing of it
		r.Want("person.known", "", "disabled")
		if d, err = r.Enroll.DisablePerson(r.Context(), prooftest.AnnID, anOrder); !must(r, d, err).Already {
			r.Errorf("disabled twice: %+v", d)
		}

		d, err = r.Enroll.EnablePerson(r.Context(), prooftest.AnnID, anOrder)
		must(r, d, err)
		r.recorded("person.enabled")
		r.Want("person.known", "", "known")
		if d, err = r.Enroll.EnablePerson(r.Context(), prooftest.AnnID, anOrder); !must(r, d, err).Already {
			r.Errorf("enabled twice: %+v", d)
		}
		off := prooftest.Ann()
		off.Disabled = true
		r.People(off)
		if _, err := r.Enroll.EnablePerson(r.Context(), prooftest.AnnID, anOrder); !errors.Is(err, enroll.ErrDirectory) {
			r.Errorf("the list's word is overruled: %v", err)
		}
	})
}

func TestUnlinkOne(t *testing.T) {
	bothStores(t, func(r *rig) {
		r.update(func(tx bot.Tx) error {
			for _, id := range []bot.ConversationID{"c1", "c2"} {
				c, err := tx.Conversation(id)
				if err != nil {
					return err
				}
				c.OutSeq++
				if err := tx.Say(&bot.OutboxRow{Conversation: id, Seq: c.OutSeq, Message: bot.Message{Text: "Phone •••• 48"}, Keep: true}); err != nil {
					return err
				}
				c.State = []byte(`{"slots":"Ann"}`)
				if err := tx.SaveConversation(c); err != nil {
					return err
				}
			}
			return nil
		})
		for _, none := range [][2]string{{"test", "u9"}, {"slack", ""}} {
			if _, err := r.Enroll.Unlink(r.Context(), prooftest.AnnID, bot.ChannelID(none[0]), none[1], anOrder); !errors.Is(err, bot.ErrNotFound) {
				r.Errorf("%v: %v", none, err)
			}
		}
		d, err := r.Enroll.Unlink(r.Context(), prooftest.AnnID, "test", "u1", anOrder)
		if must(r, d, err); len(d.Accounts) != 1 || d.Accounts[0].User != "u1" || d.Passes != 2 {
			r.Errorf("did %+v", d)
		}
		r.recorded("identity.unlinked")
		if ids := r.identities(prooftest.AnnID); len(ids) != 1 || ids[0].User != "u2" {
			r.Errorf("linked: %+v", ids)
		}
		u := r.under()
		if u.passes != 2 || u.codes != 1 || u.proofs != 0 {
			r.Errorf("under way: %+v", u)
		}
		prooftest.View(r.Rig, func(tx bot.Tx) (int, error) {
			for id, want := range map[bot.ConversationID]string{"c1": `{"afresh":1} 0 `, "c2": `{"slots":"Ann"} 1 test`} {
				c, err := tx.Conversation(id)
				if err != nil {
					return 0, err
				}
				said, err := tx.Said(id, 0, 10)
				if err != nil {
					return 0, err
				}
				ch := ""
				if c.Person != "" {
					ch = string(c.Channel)
				}
				same(r, string(id), fmt.Sprintf("%s %d %s", c.State, len(said), ch), want)
			}
			return 0, nil
		})
		// Whoever has the account is a stranger now.
		r.Conv.Person, r.Conv.Level = "", bot.L0
		r.Want("person.known", "", "unknown")
		r.Want("methods.list", "", "stopped")

		d, err = r.Enroll.Unlink(r.Context(), prooftest.AnnID, "", "", anOrder)
		if must(r, d, err); len(d.Accounts) != 1 || len(r.identities(prooftest.AnnID)) != 0 {
			r.Errorf("did %+v", d)
		}
		same(r, "under way", r.under(), under{})
	})
}

func TestSignOut(t *testing.T) {
	bothStores(t, func(r *rig) {
		d, err := r.Enroll.SignOut(r.Context(), prooftest.AnnID, anOrder)
		if must(r, d, err); d.Passes != 4 || d.Codes != 1 {
			r.Errorf("did %+v", d)
		}
		same(r, "under way", r.under(), under{pending: 1, codes: 1}) // what was begun may be finished, after a new proof
		same(r, "accounts", len(r.identities(prooftest.AnnID)), 2)
		r.recorded("person.signed_out")
		r.Clock.Advance(time.Hour)
		r.provesHere()
	})
}

func TestErase(t *testing.T) {
	bothStores(t, func(r *rig) {
		r.People(prooftest.Ann(), bob())
		if _, err := r.Enroll.Erase(r.Context(), prooftest.AnnID, false, anOrder); !errors.Is(err, enroll.ErrListed) {
			r.Fatalf("somebody who is listed: %v", err)
		}
		d, err := r.Enroll.Erase(r.Context(), prooftest.AnnID, true, try(anOrder))
		if must(r, d, err); d.Erased.Methods < 3 || d.Erased.Accounts != 2 {
			r.Errorf("would erase %+v", d.Erased)
		}
		same(r, "under way after a try", r.under(), all)
		must(r, d, second(r.Enroll.Erase(r.Context(), prooftest.AnnID, true, anOrder)))
		if got := r.audited("", "person.erased"); !slices.Equal(got, []string{"operator:kim, ticket 4711"}) {
			r.Errorf("lines: %q", got)
		}
		r.Want("person.known", "", "unknown")
		if _, err := r.Enroll.Erase(r.Context(), prooftest.AnnID, true, anOrder); !errors.Is(err, bot.ErrNotFound) {
			r.Errorf("erased twice: %v", err)
		}
		r.People(prooftest.Ann(), bob())
		if _, err := r.Enroll.SignOut(r.Context(), prooftest.AnnID, anOrder); !errors.Is(err, bot.ErrNotFound) {
			r.Errorf("an import brought somebody back who was erased: %v", err)
		}
		if err := r.Enroll.LetBack(r.Context(), prooftest.AnnID, try(anOrder)); err != nil {
			r.Error(err)
		}
		for _, want := range []error{nil, bot.ErrNotFound} {
			if err := r.Enroll.LetBack(r.Context(), prooftest.AnnID, anOrder); !errors.Is(err, want) {
				r.Errorf("let back: %v, want %v", err, want)
			}
		}
		r.People(prooftest.Ann(), bob())
		same(r, "name of somebody who was let back", r.whom(prooftest.AnnID).Name, prooftest.Ann().Name)
		// Who is not listed any more needs no second word, and leaves no tombstone.
		r.People(prooftest.Ann())
		must(r, d, second(r.Enroll.Erase(r.Context(), "p2", false, anOrder)))
		r.People(bob())
		same(r, "name of somebody who is hired again", r.whom("p2").Name, bob().Name)
	})
}

// TestRename: everything that was set up works under the new id, counters go on,
// and nothing that was begun does.
func TestRename(t *testing.T) {
	bothStores(t, func(r *rig) {
		r.People(prooftest.Ann(), bob())
		r.Want("recovery.begin", "", "ready")
		codes, prepared, err := r.Forms["recovery"].Reveal(r.Context(), r.DB, r.NewCall(""))
		if err != nil {
			r.Fatal(err)
		}
		c := r.NewCall("")
		c.Prepared = prepared
		c.Event = &bot.Event{Kind: bot.Submit, Form: &bot.FormReply{Name: "recovery", Values: []bot.FormValue{{Name: "saved", Value: "yes"}}}}
		if oc, err := r.Try("recovery.save", c); err != nil || oc.Name != "ok" {
			r.Fatal(oc, err)
		}
		r.Clock.Advance(time.Hour)
		r.Set("method", string(r.kindOf(bot.Authenticator)))
		if oc := r.Want("prove.totp", "000000", "wrong"); prooftest.Fact(oc, "left") != "4" {
			r.Fatal(oc.Facts)
		}
		r.Clock.Advance(time.Minute)

		for _, now := range []bot.PersonID{"", prooftest.AnnID, "p2"} {
			_, err := r.Enroll.Rename(r.Context(), prooftest.AnnID, now, anOrder)
			if err == nil || errors.Is(err, bot.ErrConflict) != (now == "p2") {
				r.Errorf("renamed to %q: %v", now, err)
			}
		}
		d, err := r.Enroll.Rename(r.Context(), prooftest.AnnID, "new-id", try(anOrder))
		must(r, d, err)
		same(r, "id after a try", r.whom(prooftest.AnnID).ID, prooftest.AnnID)
		seed := r.SeedOf(bot.Active)
		r.Deliver() // jobs of the rig are not in the store
		must(r, d, second(r.Enroll.Rename(r.Context(), prooftest.AnnID, "new-id", anOrder)))
		same(r, "under the old id", r.under(), under{})
		if _, err := r.Enroll.SignOut(r.Context(), prooftest.AnnID, anOrder); !errors.Is(err, bot.ErrNotFound) {
			r.Errorf("the old id is somebody: %v", err)
		}
		if got := r.audited("new-id", "person.renamed"); !slices.Equal(got, []string{"operator:kim, ticket 4711"}) {
			r.Errorf("lines: %q", got)
		}
		same(r, "accounts", len(r.identities("new-id")), 2)
		r.Conv.Person = "new-id"
		r.Want("person.known", "", "known")
		r.Want("prove.begin", "", "needed") // the proof of before is void
		if oc := r.Want("prove.totp", "000000", "wrong"); prooftest.Fact(oc, "left") != "3" {
			r.Errorf("counters began anew: %v", oc.Facts)
		}
		r.Clock.Advance(time.Minute)
		r.Want("prove.totp", r.shows(seed), "ok")
		r.Clock.Advance(time.Minute)
		if oc := r.Submit("recovery_code", "prove.recovery", "code", string(codes[2])); oc.Name != "ok" {
			r.Errorf("a recovery code: %v", oc)
		}
		for _, m := range prooftest.View(r.Rig, func(tx bot.Tx) ([]bot.Method, error) { return tx.Methods("new-id") }) {
			if m.Kind == bot.Phone {
				r.Set("method", string(m.ID))
			}
		}
		r.Clock.Advance(time.Hour)
		r.Want("code.send", "", "sent")
		r.Deliver()
		r.Want("code.check", r.Texts.Code(r.T, r.Texts.Calls()), "ok")
		p := prooftest.Ann()
		p.ID = "new-id"
		rep, err := r.DB.ImportPeople(r.Context(), storetest.Rows(p, bob()), store.ImportOptions{})
		if err != nil || !rep.Stored || rep.Unchanged != 2 {
			r.Errorf("import with the new id: %+v, %v", rep, err)
		}
	})
}

func TestOrdersSayWhoAndWhy(t *testing.T) {
	r := newRig(t)
	for _, o := range []enroll.Order{{}, {By: "operator:kim"}, {Why: "x"}} {
		if _, err := r.Enroll.Freeze(t.Context(), prooftest.AnnID, o); err == nil {
			t.Errorf("%+v is obeyed", o)
		}
	}
	if !r.whom(prooftest.AnnID).FrozenAt.IsZero() {
		t.Error("frozen")
	}
}
