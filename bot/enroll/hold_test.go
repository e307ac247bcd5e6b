package enroll_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/policy"
)

// TestWhichLinksAreHeld: those that a code made, which somebody can be talked
// out of, and no others.
func TestWhichLinksAreHeld(t *testing.T) {
	for name, c := range map[string]struct {
		link     func(r *rig)
		evidence string
		held     bool
	}{
		"a typed code": {func(r *rig) { r.Want("person.link_code", r.page(ann()), "held") }, "oidc code", true},
		"a password": {func(r *rig) {
			r.Set("username", "ann")
			r.Submit("sign_in", "person.sign_in", "password", prooftest.Password)
		}, "sign-in", false},
		"this very browser": {func(r *rig) {
			if _, err := r.Enroll.SignInAs(r.Context(), "test", "someone", ann()); err != nil {
				r.Fatal(err)
			}
		}, "oidc", false},
		"the platform's own id": {func(r *rig) {
			if _, err := r.Enroll.Vouch(r.Context(), "test", "someone", bot.Vouch{Person: prooftest.AnnID, Evidence: "entra"}); err != nil {
				r.Fatal(err)
			}
		}, "entra", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(p *policy.Policy) { p.HoldLink = 7 * time.Hour }).out("new", "someone")
			c.link(r)
			ids := r.identities(prooftest.AnnID)
			if len(ids) != 1 || ids[0].Evidence != c.evidence || ids[0].Level != bot.L2 {
				t.Fatalf("identities %+v", ids)
			}
			if want := r.Clock.Now().Add(7 * time.Hour); c.held && !ids[0].HeldUntil.Equal(want) || !c.held && !ids[0].HeldUntil.IsZero() {
				t.Errorf("held until %s", ids[0].HeldUntil)
			}
		})
	}
}

// linkByCode links a chat account by a typed code, and goes on in its conversation.
func (r *rig) linkByCode(conv bot.ConversationID, user string) {
	r.Helper()
	r.out(conv, user)
	r.Slots = nil
	oc := r.Want("person.link_code", r.page(ann()), "held")
	if when := prooftest.Fact(oc, "when"); !strings.Contains(when, "10:00") {
		r.Errorf("held until %q", when)
	}
	stored := prooftest.View(r.Rig, func(tx bot.Tx) (*bot.Conversation, error) { return tx.Conversation(conv) })
	r.Conv.Person, r.Conv.Level = stored.Person, stored.Level
}

// addPhone sets a phone up in the conversation of now.
func (r *rig) addPhone(number string) {
	r.Helper()
	n := len(r.Texts.Sent())
	r.Want("phone.accept", number, "ok")
	r.Want("code.send", "", "sent")
	r.Deliver()
	r.Want("code.check", r.Texts.Code(r.T, n+1), "ok")
}

func (r *rig) disown(ch bot.ChannelID, user string) error {
	return r.Enroll.Store.Update(r.Context(), func(tx bot.Tx) error { return r.Enroll.Disown(tx, ch, user) })
}

// kinds lists the kinds and states of a person's methods.
func (r *rig) kinds() (list []string) {
	r.Helper()
	for _, m := range prooftest.View(r.Rig, func(tx bot.Tx) ([]bot.Method, error) { return tx.Methods(prooftest.AnnID) }) {
		list = append(list, fmt.Sprintf("%s %d", m.Kind, m.State))
	}
	return list
}

// TestDisown: a stranger's link goes with all that came of it, and the person
// is as before.
func TestDisown(t *testing.T) {
	r := newRig(t)
	seen := 0
	r.linkByCode("strange", "mallory")
	linkedAt := r.Clock.Now()
	r.addPhone("7045550148")
	if m := prooftest.View(r.Rig, func(tx bot.Tx) ([]bot.Method, error) { return tx.Methods(prooftest.AnnID) })[0]; m.Conversation != "strange" || !m.HeldUntil.Equal(linkedAt.Add(24*time.Hour)) {
		t.Errorf("%+v", m)
	}
	if p := r.person(); p.Stage != bot.Enrolled {
		t.Errorf("held methods count as enrolled: %v", p.Stage)
	}
	r.Want("email.accept", "mallory@example.net", "ok")
	r.Want("code.send", "", "sent")
	r.Deliver()
	r.Want("code.check", r.Mails.Code(t, 1), "ok")
	r.Want("totp.begin", "", "ready") // and one that is not finished
	r.Want("phone.accept", "7045550177", "ok")
	r.Want("code.send", "", "sent")
	r.Deliver()
	late := r.Texts.Code(t, 2)
	r.page(ann()) // and a code for the chat
	session := pass(r, "strange")
	other := pass(r, "c1")
	if err := r.DB.Update(t.Context(), func(tx bot.Tx) error { return tx.SetFirstMethod(prooftest.AnnID, linkedAt) }); err != nil {
		t.Fatal(err)
	}
	r.notices(&seen)

	if err := r.disown("test", "mallory"); err != nil {
		t.Fatal(err)
	}
	if ids := r.identities(prooftest.AnnID); len(ids) != 0 {
		t.Errorf("linked %+v", ids)
	}
	if left := r.kinds(); len(left) != 0 {
		t.Errorf("methods %v", left)
	}
	if p := r.person(); p.Stage != bot.NotStarted || !p.FirstMethodAt.IsZero() {
		t.Errorf("stage %v, first method %s", p.Stage, p.FirstMethodAt)
	}
	if got := r.notices(&seen); !slices.Equal(got, []string{"ann.lee@example.org: identity_disowned"}) {
		t.Errorf("told %v", got) // and the stranger's mailbox is told nothing
	}
	lines := r.audits()
	for _, want := range []string{"method.removed phone •••• 48 disowned", "method.removed email m•••@example.net disowned", "identity.disowned chat account oidc code"} {
		if !slices.Contains(lines, want) {
			t.Errorf("no audit line %q in %q", want, lines)
		}
	}
	if stored := prooftest.View(r.Rig, func(tx bot.Tx) (*bot.Conversation, error) { return tx.Conversation("strange") }); stored.Person != "" || stored.Level != bot.L0 {
		t.Errorf("the stranger's conversation %+v", stored)
	}
	prooftest.View(r.Rig, func(tx bot.Tx) (int, error) {
		if _, err := tx.Pass(session); !errors.Is(err, bot.ErrNotFound) {
			t.Errorf("the stranger's pass opens: %v", err)
		}
		if _, err := tx.Pass(other); err != nil {
			t.Errorf("another's pass: %v", err)
		}
		n, _, err := tx.Tallied("proof", string(prooftest.AnnID)+"|strange", time.Time{})
		if n != 0 {
			t.Errorf("%d proofs count", n)
		}
		return 0, err
	})
	// The stranger comes too late with everything that was begun.
	r.Conv.Person, r.Conv.Level = "", bot.L0
	r.Want("code.check", late, "refused")
	if oc := r.Do("person.link_code", "7F3K9QXD"); oc.Name != "void" {
		t.Error(oc)
	}
	if err := r.disown("test", "mallory"); !errors.Is(err, bot.ErrNotFound) {
		t.Errorf("a second press: %v", err)
	}
	// And the person begins as a newcomer, in a chat of their own.
	r.Conv = r.Talk("c1", "u1")
	r.Conv.Person, r.Conv.Level = prooftest.AnnID, bot.L2
	r.Slots = nil
	r.Want("enroll.start", "", "fresh")
	r.addPhone("7045550155")
}

// pass begins a session of a conversation and gives its key.
func pass(r *rig, conv bot.ConversationID) []byte {
	r.Helper()
	hash := []byte("hash of " + conv)
	err := r.DB.Update(r.Context(), func(tx bot.Tx) error {
		return tx.PutPass(&bot.Pass{Hash: hash, Kind: bot.PassSession, Conversation: conv, ExpiresAt: tx.Now().Add(time.Hour)})
	})
	if err != nil {
		r.Fatal(err)
	}
	return hash
}

// TestDisownLeavesWhatIsOnesOwn: methods, links and stage of before stay.
func TestDisownLeavesWhatIsOnesOwn(t *testing.T) {
	r := newRig(t)
	r.addPhone("7045550148")
	mine := r.kinds()
	first := r.Clock.Now()
	if err := r.DB.Update(t.Context(), func(tx bot.Tx) error {
		return errors.Join(tx.SetFirstMethod(prooftest.AnnID, first), tx.Link(bot.Identity{Channel: "test", User: "u1", Person: prooftest.AnnID, Level: bot.L2}))
	}); err != nil {
		t.Fatal(err)
	}
	r.Clock.Advance(24 * time.Hour)
	r.out("strange", "mallory")
	r.Enroll.SignInAddress = "https://help.example.org/signin"
	if oc := r.Want("person.link_code", r.page(ann()), "owner_window"); prooftest.Fact(oc, "address") != "https://help.example.org/signin" || prooftest.Fact(oc, "when") == "" {
		t.Error(oc.Facts)
	}
	if err := r.disown("test", "mallory"); err != nil {
		t.Fatal(err)
	}
	if ids := r.identities(prooftest.AnnID); len(ids) != 1 || ids[0].User != "u1" {
		t.Errorf("linked %+v", ids)
	}
	if left := r.kinds(); !slices.Equal(left, mine) {
		t.Errorf("methods %v, before %v", left, mine)
	}
	if p := r.person(); p.Stage != bot.Enrolled || !p.FirstMethodAt.Equal(first) {
		t.Errorf("stage %v, first method %s", p.Stage, p.FirstMethodAt)
	}
	// What is not held is not taken back like that.
	if err := r.disown("test", "u1"); !errors.Is(err, bot.ErrExpired) {
		t.Errorf("a link that is not held: %v", err)
	}
	r.out("strange", "mallory")
	r.Enroll.SignInAddress = ""
	r.Want("person.link_code", r.page(ann()), "owner")
	r.Clock.Advance(24 * time.Hour)
	if err := r.disown("test", "mallory"); !errors.Is(err, bot.ErrExpired) {
		t.Errorf("a day later: %v", err)
	}
	if ids := r.identities(prooftest.AnnID); len(ids) != 2 {
		t.Errorf("linked %+v", ids)
	}
}

// TestAnonymousChatGetsNoCode is row 57 of the threats, at its root: for a chat
// behind whose account nobody stands, no code is made, and none counts.
func TestAnonymousChatGetsNoCode(t *testing.T) {
	r := newRig(t).out("new", "someone")
	r.Enroll.SignIn = "page"
	typed := r.page(ann()) // while it was a platform's
	r.Want("person.means", "", "page")
	r.Enroll.Anonymous = "test"
	r.Want("person.means", "", "window")
	r.Want("person.link_code", typed, "void")
	if code, err := r.Enroll.ProofCode(context.Background(), "new", ann()); err == nil || code != "" {
		t.Errorf("a code was made: %v", err)
	}
	if ids := r.identities(prooftest.AnnID); len(ids) != 0 {
		t.Errorf("linked %+v", ids)
	}
	r.Enroll.SignIn = "nobody"
	r.Want("person.means", "", "nobody")
}
