package enroll_test

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/enroll"
	"latchkey/bot/verify"
	"latchkey/store"
	"latchkey/store/storetest"
)

// pages lets notices carry links, and gives the token of the newest one.
func (r *rig) pages() (token func() bot.Secret) {
	r.Enroll.PressLink = func(token bot.Secret, _, _ string) bot.Secret { return "https://x.example/notme#" + token }
	return func() bot.Secret {
		r.Helper()
		all := r.Notifier.Sent()
		_, token, ok := strings.Cut(all[len(all)-1].Link, "#")
		if !ok {
			r.Fatalf("the newest notice has no link: %+v", all[len(all)-1])
		}
		return bot.Secret(token)
	}
}

func (r *rig) press(token bot.Secret) *bot.Disavowal {
	r.Helper()
	d, err := r.Enroll.NotMe(r.Context(), token)
	if err != nil {
		r.Fatal(err)
	}
	return d
}

func (r *rig) thaw() {
	r.Helper()
	if err := r.DB.Update(r.Context(), func(tx bot.Tx) error { return tx.SetFrozen(prooftest.AnnID, time.Time{}) }); err != nil {
		r.Fatal(err)
	}
}

// pass puts a pass of a kind into a conversation, and reports whether it is there.
func (r *rig) pass(c bot.ConversationID, put bool) bool {
	r.Helper()
	hash := []byte("pass of " + c)
	found := false
	err := r.DB.Update(r.Context(), func(tx bot.Tx) error {
		if put {
			return tx.PutPass(&bot.Pass{Hash: hash, Kind: bot.PassSession, Conversation: c, ExpiresAt: tx.Now().Add(time.Hour)})
		}
		_, err := tx.Pass(hash)
		if found = err == nil; errors.Is(err, bot.ErrNotFound) {
			return nil
		}
		return err
	})
	if err != nil {
		r.Fatal(err)
	}
	return found
}

// TestPress: the link freezes without a sign-in. Codes, what was begun, proofs
// and browser sessions are void; the help desk has a request; everybody is told;
// again, too late and a wrong link change nothing.
func TestPress(t *testing.T) {
	r := newRig(t)
	token := r.pages()
	r.Conv = r.linked("c1", "u1", 0)
	r.linked("c2", "u2", 0)
	r.Phone("7045550148")
	r.Deliver()
	link := token()
	if raw, err := base64.RawURLEncoding.DecodeString(string(link)); err != nil || len(raw) != 32 {
		t.Fatalf("token %q", link)
	}
	// What is under way: a pending mailbox with its code, a code for a proof, a
	// proof, a code that links a chat, browsers.
	r.Want("email.accept", "ann@example.net", "ok")
	r.Want("code.send", "", "sent")
	r.Deliver()
	mail := string(r.Mails.Sent()[0].Code)
	r.pass("c1", true)
	r.pass("c2", true)
	if _, err := r.Enroll.ProofCode(t.Context(), "c2", bot.External{Person: prooftest.AnnID}); err != nil {
		t.Fatal(err)
	}
	var mails, texts, chats int
	r.Deliver()
	r.came(&mails, &texts, &chats)
	r.Clock.Advance(time.Hour)

	if d := r.press(link); d.Did != bot.DidFreeze || d.Again || d.Request == "" || d.What != "notice.what.method_proven(method=method.phone •••• 48 org=Contoso channel=test)" {
		t.Errorf("%+v", d)
	}
	if p := r.person(); !p.FrozenAt.Equal(r.Clock.Now()) {
		t.Errorf("frozen at %v", p.FrozenAt)
	}
	if n := len(r.Methods(bot.Pending)); n != 0 {
		t.Errorf("%d pending methods", n)
	}
	if oc := r.Do("code.check", mail); oc.Name != bot.Refused || oc.Error != bot.AccountFrozen {
		t.Errorf("the code of before: %v", oc)
	}
	if r.pass("c1", false) || r.pass("c2", false) {
		t.Error("a browser is still signed in")
	}
	if mark := prooftest.View(r.Rig, func(tx bot.Tx) (string, error) { return tx.PassesEnded() }); mark == "" {
		t.Error("event streams that are open do not learn of it")
	}
	for _, purpose := range []string{"link", "enroll.email", "prove.phone"} {
		open := prooftest.View(r.Rig, func(tx bot.Tx) ([]bot.Challenge, error) { return tx.OpenChallenges(prooftest.AnnID, purpose, 0) })
		if len(open) != 0 {
			t.Errorf("%d open codes of %s", len(open), purpose)
		}
	}
	proofs := prooftest.View(r.Rig, func(tx bot.Tx) (int, error) {
		n, _, err := tx.Tallied("proof", string(prooftest.AnnID)+"|c1", time.Time{})
		return n, err
	})
	if proofs != 0 {
		t.Error("the proof of before counts")
	}
	req := prooftest.View(r.Rig, func(tx bot.Tx) ([]bot.Ticket, error) { return tx.Tickets(10) })
	if len(req) != 1 || req[0].Person != prooftest.AnnID || req[0].Error != enroll.RequestNotMe || req[0].Step != "method.proven" {
		t.Errorf("requests %+v", req)
	}
	if last := r.audits()[len(r.audits())-1]; last != "person.frozen method.proven notice link" {
		t.Errorf("record: %s", last)
	}
	r.Deliver()
	if got := r.came(&mails, &texts, &chats); !slices.Equal(got, []string{"+17045550148", "ann.lee@example.org", "c1", "c2"}) {
		t.Errorf("told %q", got)
	}
	if n := r.Notifier.Sent()[mails-1]; n.Link != "" || !strings.Contains(n.Body, "notice.way.ask") {
		t.Errorf("the notice of a freeze has a link: %+v", n)
	}

	// Again, at once and after the help desk has opened the account.
	if d := r.press(link); !d.Again || d.Thawed || d.Request != req[0].ID {
		t.Errorf("again: %+v", d)
	}
	r.thaw()
	if d := r.press(link); !d.Thawed || !r.person().FrozenAt.IsZero() {
		t.Errorf("after the thaw: %+v", d)
	}
	r.Deliver()
	if got := r.came(&mails, &texts, &chats); got != nil {
		t.Errorf("told %q of nothing", got)
	}

	// Too late, and not ours.
	r.tell(enroll.News{Change: "method.removed", Channel: "test"})
	r.Deliver()
	link = token()
	r.Clock.Advance(30 * 24 * time.Hour)
	if _, err := r.Enroll.NotMe(t.Context(), link); !errors.Is(err, bot.ErrExpired) {
		t.Errorf("after 30 days: %v", err)
	}
	for _, bad := range []bot.Secret{"", "x", link[:42] + "x"} {
		if _, err := r.Enroll.NotMe(t.Context(), bad); !errors.Is(err, bot.ErrNotFound) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if !r.person().FrozenAt.IsZero() {
		t.Error("it froze all the same")
	}
}

// TestNoticeRepeats: a repeated attempt sends the same link, and the store holds
// nothing that opens it.
func TestNoticeRepeats(t *testing.T) {
	r := newRig(t)
	token := r.pages()
	r.tell(enroll.News{Change: "method.removed", Channel: "test"})
	jobs := slices.Clone(r.Jobs)
	r.Deliver()
	first := token()
	r.Jobs = jobs
	r.Deliver()
	if token() != first {
		t.Error("the repeat has another link")
	}
	r.press(first)
	r.Jobs = jobs
	r.Deliver() // late, after the press
	if d := r.press(token()); !d.Again {
		t.Errorf("a repeated notice makes a new press: %+v", d)
	}
	if strings.Contains(jobs[0].(enroll.Notify).News+jobs[0].(enroll.Notify).ID, string(first)) {
		t.Error("the token is in the job")
	}
}

// TestPressOnAHeldLink: one press takes the chat account away, with all that was
// set up through it, and leaves the account open.
func TestPressOnAHeldLink(t *testing.T) {
	r := newRig(t)
	token := r.pages()
	r.tell(enroll.News{Change: "identity.linked", Channel: "test", User: "u1"})
	r.Deliver()
	link := token()
	r.Conv = r.linked("c1", "u1", 24*time.Hour)
	r.Phone("7045550148")
	r.Want("totp.begin", "", "ready")
	if err := r.DB.Update(t.Context(), func(tx bot.Tx) error { // as a method says that is begun there
		ms, err := tx.Methods(prooftest.AnnID)
		for i := range ms {
			ms[i].Conversation = "c1"
			err = errors.Join(err, tx.PutMethod(&ms[i]))
		}
		return errors.Join(err, tx.SetFirstMethod(prooftest.AnnID, tx.Now()))
	}); err != nil {
		t.Fatal(err)
	}
	r.pass("c1", true)
	r.Work()
	r.Clock.Advance(time.Hour)
	d := r.press(link)
	p := r.person()
	if d.Did != bot.DidUnlink || d.Request == "" || !p.FrozenAt.IsZero() || !p.FirstMethodAt.IsZero() || p.Stage != bot.NotStarted {
		t.Errorf("%+v, person %+v", d, p)
	}
	if len(r.Methods(bot.Active))+len(r.Methods(bot.Pending)) != 0 || len(r.identities(prooftest.AnnID)) != 0 || r.pass("c1", false) {
		t.Error("something of the link is left")
	}
	lines := r.audits()
	if !slices.Contains(lines, "method.removed phone •••• 48 disowned") || !slices.Contains(lines, "identity.disowned chat account") {
		t.Errorf("record %q", lines)
	}
	if d := r.press(link); !d.Again || d.Did != bot.DidUnlink || !r.person().FrozenAt.IsZero() {
		t.Errorf("again: %+v", d)
	}

	// The hold is over: the account is frozen instead.
	r.tell(enroll.News{Change: "identity.linked", Channel: "test", User: "u2"})
	r.Deliver()
	link = token()
	r.linked("c2", "u2", 24*time.Hour)
	r.Clock.Advance(25 * time.Hour)
	if d := r.press(link); d.Did != bot.DidFreeze || r.person().FrozenAt.IsZero() {
		t.Errorf("after the hold: %+v", d)
	}
}

// TestFrozenIsRefused: no way in, by a password, a provider, a code or a
// platform's word, and no change.
func TestFrozenIsRefused(t *testing.T) {
	r := newRig(t)
	if err := r.DB.Update(t.Context(), func(tx bot.Tx) error { return tx.SetFrozen(prooftest.AnnID, tx.Now()) }); err != nil {
		t.Fatal(err)
	}
	ctx, x := t.Context(), bot.External{Person: prooftest.AnnID}
	_, signIn := r.Enroll.SignInAs(ctx, "test", "u5", x)
	_, code := r.Enroll.ProofCode(ctx, "c1", x)
	_, vouch := r.Enroll.Vouch(ctx, "test", "u6", bot.Vouch{Person: prooftest.AnnID, Evidence: "platform"})
	for what, err := range map[string]error{"sign-in": signIn, "code": code, "platform": vouch} {
		if !errors.Is(err, bot.ErrFrozen) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if o, err := r.Enroll.Overview(ctx, "test", "u1", "en"); err != nil || o.Name != "" || o.Level != bot.L0 {
		t.Errorf("overview %+v %v", o, err)
	}
	r.Want("totp.begin", "", "refused")
	r.Want("phone.accept", "7045550148", "refused")
	r.Conv = r.Talk("c9", "u9")
	if oc := r.Set("username", "ann").Submit("sign_in", "person.sign_in", "password", prooftest.Password); oc.Name != bot.OutcomeFrozen || prooftest.Fact(oc, "since") == "" {
		t.Errorf("password: %+v", oc)
	}
	for _, id := range r.identities(prooftest.AnnID) {
		if id.User != "u1" { // the rig's own
			t.Errorf("linked %+v", id)
		}
	}
}

// TestFrozenInTheChat: everything that a frozen person writes is answered with
// the same plain words, the list of methods is never shown, and a person can be
// reached; afterwards it goes on.
func TestFrozenInTheChat(t *testing.T) {
	h := newHouse(t, enroll.ByPassword)
	h.Enroll.Connect(h.turn)
	token := h.pages()
	h.linked("a", "u", 0)
	b := h.talk("b", "v")
	h.linked("b", "v", 0)
	h.Phone("7045550148")
	h.Jobs = nil
	b.Say("hi").Expect("Already set up", "Phone")
	h.tell(enroll.News{Change: "method.removed", From: "a", Channel: "test"})
	h.Work()
	b.Await().Expect("A way to prove that it is you was removed", "If it was not you", "Which method will you use?", "This was not me")
	h.press(token())
	h.Work()
	b.Await().Expect("Everything was stopped for your account").Refuse("This was not me")
	for _, say := range []string{"hi", "my methods", "status", "enroll", "add", "1", "back", "cancel", "start over", "menu"} {
		b.Say(say).Refuse("•••• 48")
		h.Clock.Advance(10 * time.Second)
	}
	b.Say("hi").Expect("Everything is stopped for your account since", "help desk", "Talk to a person")
	b.Say("human").Expect("request")
	b.Say("my methods").Expect("Everything is stopped")
	h.thaw()
	b.Press("again").Expect("Your account is open again")
	b.Say("my methods").Expect("•••• 48")

	// "This was not me" in the chat itself, after the button under a notice.
	h.Clock.Advance(time.Hour)
	h.tell(enroll.News{Change: "method.removed", From: "a", Channel: "test"})
	h.Work()
	b.Await().Press("This was not me").Expect("Did somebody else change", "no method is added") // asks first
	b.Press("mine").Expect("Nothing was changed")
	b.Say("that was not me!").Expect("Did somebody else change something")
	b.Press("stop").Expect("Everything is stopped for your account", "request with the number")
	if h.person().FrozenAt.IsZero() {
		t.Error("not frozen")
	}
	h.thaw()

	// In a chat whose own link is held it stops nothing; in another it takes that one away.
	c := h.talk("c", "w")
	h.linked("c", "w", 24*time.Hour)
	c.Say("this was not me").Press("stop").Expect("too recently")
	if !h.person().FrozenAt.IsZero() {
		t.Error("a held link froze the account")
	}
	h.Clock.Advance(time.Minute)
	b.Say("hi").Last()
	b.Say("this was not me").Press("stop").Expect("not linked to you any more", "Was something else changed")
	if ids := h.identities(prooftest.AnnID); slices.ContainsFunc(ids, func(id bot.Identity) bool { return id.User == "w" }) || !h.person().FrozenAt.IsZero() {
		t.Errorf("links %+v, frozen %v", ids, h.person().FrozenAt)
	}
	b.Press("stop").Expect("Everything is stopped")
	if h.person().FrozenAt.IsZero() {
		t.Error("not frozen")
	}
}

// TestPressOnTwoProcesses: the link pressed in one process holds in the other at
// once; of many presses one does it; the tripwire is seen by both.
func TestPressOnTwoProcesses(t *testing.T) {
	dsn := storetest.Postgres(t)
	r := &rig{prooftest.NewOn(t, dsn)}
	other, err := store.Open(t.Context(), store.Options{DSN: dsn, Clock: r.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	there := enroll.New(enroll.Deps{Store: r.Store(other), Policy: r.Policy, Vault: r.Ring, Phrases: prooftest.Phrases{}, Notifier: r.Notifier,
		Org: "Contoso", AskDesk: prooftest.AskDesk})
	token := r.pages()
	r.Conv = r.linked("c1", "u1", 0)
	r.Phone("7045550148")
	r.Deliver()
	link := token()
	type result struct {
		d   *bot.Disavowal
		err error
	}
	all := make(chan result)
	for i := range 8 {
		go func() {
			service := r.Enroll
			if i%2 == 0 {
				service = there
			}
			d, err := service.NotMe(t.Context(), link)
			all <- result{d, err}
		}()
	}
	first := 0
	for range 8 {
		got := <-all
		if got.err != nil {
			t.Fatal(got.err)
		}
		if !got.d.Again {
			first++
		}
	}
	if first != 1 {
		t.Errorf("%d presses did it", first)
	}
	n := 0
	for _, l := range r.audits() {
		if strings.HasPrefix(l, "person.frozen") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d lines", n)
	}
	for i, db := range []*store.DB{r.DB, other} {
		ev := &bot.Event{ID: "look-" + string(rune('a'+i)), Channel: "test", Conversation: "c1", From: "u1", Kind: bot.Text}
		err := db.Turn(t.Context(), ev, func(tx bot.Tx, c *bot.Conversation) error {
			if !c.Frozen {
				t.Errorf("process %d does not see the freeze", i)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := []*enroll.Service{r.Enroll, there}[i].SignInAs(t.Context(), "test", "u8", bot.External{Person: prooftest.AnnID}); !errors.Is(err, bot.ErrFrozen) {
			t.Errorf("process %d: %v", i, err)
		}
	}

	r.Policy.TripwireDay = 10
	if err := r.Enroll.Store.Update(t.Context(), func(tx bot.Tx) error {
		for range 10 {
			if err := r.Enroll.Wrong(tx, "x"); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := other.View(t.Context(), func(tx bot.Tx) error {
		pulled, err := there.Tripped(tx)
		if err == nil && !pulled {
			t.Error("the other process does not see the tripwire")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

var _ verify.Methods = (*enroll.Service)(nil)
