package enroll_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/enroll"
	"latchkey/bot/policy"
	"latchkey/bot/typed"
	"latchkey/store"
	"latchkey/store/storetest"
)

// ann is what the identity provider says of Ann.
func ann() bot.External {
	return bot.External{Issuer: "https://login.example.org", Subject: "s-1", Person: prooftest.AnnID}
}

// bob is another person of the staff list.
func bob() bot.Person {
	return bot.Person{ID: "p2", Username: "bob", Email: "bob.ray@example.org", Name: "Bob Ray", GivenName: "Bob"}
}

// identities lists the chat accounts of a person.
func (r *rig) identities(p bot.PersonID) []bot.Identity {
	r.Helper()
	return prooftest.View(r.Rig, func(tx bot.Tx) ([]bot.Identity, error) { return tx.IdentitiesOf(p) })
}

// lines counts the audit lines of an action about a person.
func (r *rig) lines(p bot.PersonID, action, evidence string) (n int) {
	r.Helper()
	err := r.DB.AuditLines(r.Context(), 1, func(e bot.AuditEntry) error {
		if e.Person == p && e.Action == action && e.Evidence == evidence {
			n++
		}
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	return n
}

// told lists the addresses that were told of a change, in order.
func (r *rig) told(change string) (to []string) {
	r.Helper()
	r.Deliver()
	for _, n := range r.Notifier.Sent() {
		if strings.Contains(n.Body, "notice.what."+strings.ReplaceAll(change, ".", "_")+"(") {
			to = append(to, n.To)
		}
	}
	return to
}

// page signs somebody in on the page of the rig's conversation and gives the
// code as it is typed.
func (r *rig) page(x bot.External) string {
	r.Helper()
	code, err := r.Enroll.ProofCode(r.Context(), r.Conv.ID, x)
	if err != nil {
		r.Fatal(err)
	}
	typed, ok := typed.Code8(strings.ToLower(string(code)))
	if !ok {
		r.Fatalf("%q is not read as a code", string(code))
	}
	return typed
}

// miss is a code that differs from those given.
func miss(codes ...string) string {
	for n := 2; ; n++ {
		if c := fmt.Sprintf("%08d", n); !slices.Contains(codes, c) {
			return c
		}
	}
}

func TestMeans(t *testing.T) {
	for signIn, want := range map[string]string{"": "password", enroll.ByPassword: "password", enroll.ByPage: "page"} {
		r := newRig(t)
		r.Enroll.SignIn = signIn
		r.Want("person.means", "", want)
	}
}

func TestSignInAs(t *testing.T) {
	r := newRig(t)
	r.People(prooftest.Ann(), bob())
	for range 3 { // every day
		p, err := r.Enroll.SignInAs(t.Context(), "web", "oidc-1", ann())
		if err != nil || p.ID != prooftest.AnnID {
			t.Fatal(p, err)
		}
	}
	want := []bot.Identity{{Channel: "web", User: "oidc-1", Person: prooftest.AnnID, Level: bot.L2, LinkedAt: r.Clock.Now(), Evidence: "oidc"}}
	if ids := r.identities(prooftest.AnnID); !slices.Equal(ids, want) {
		t.Errorf("identities %+v", ids)
	}
	if n := r.lines(prooftest.AnnID, "identity.linked", "oidc"); n != 1 {
		t.Errorf("%d audit lines", n)
	}
	if to := r.told("identity.linked"); !slices.Equal(to, []string{prooftest.Ann().Email}) {
		t.Errorf("told %v", to)
	}
	conv := r.Talk("web:oidc-1", "oidc-1") // on channel "test": another account
	if conv.Level != bot.L0 {
		t.Errorf("linked on another channel: %+v", conv)
	}

	// The same subject, and the claim names somebody else by now: another user,
	// and nothing of the first one changes.
	x := ann()
	x.Person = "p2"
	if p, err := r.Enroll.SignInAs(t.Context(), "web", "oidc-2", x); err != nil || p.ID != "p2" {
		t.Fatal(p, err)
	}
	if ids := r.identities(prooftest.AnnID); !slices.Equal(ids, want) {
		t.Errorf("identities of the first %+v", ids)
	}
}

// TestSignInAsRaisesALevel: an account that was known by the platform's word
// only is linked by the sign-in.
func TestSignInAsRaisesALevel(t *testing.T) {
	r := newRig(t)
	err := r.DB.Update(t.Context(), func(tx bot.Tx) error {
		return tx.Link(bot.Identity{Channel: "web", User: "u", Person: prooftest.AnnID, Level: bot.L1})
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Enroll.SignInAs(t.Context(), "web", "u", ann()); err != nil {
		t.Fatal(err)
	}
	if ids := r.identities(prooftest.AnnID); len(ids) != 1 || ids[0].Level != bot.L2 {
		t.Errorf("identities %+v", ids)
	}
	if to := r.told("identity.linked"); len(to) != 1 {
		t.Errorf("told %v", to)
	}
}

// TestNobodyElseSignsIn: only the directory's id counts. Addresses, names and
// logins are no ids, whoever carries them.
func TestNobodyElseSignsIn(t *testing.T) {
	r := newRig(t)
	off := bob()
	off.Disabled = true
	r.People(prooftest.Ann(), off)
	for _, c := range []struct {
		person bot.PersonID
		want   error
	}{
		{"", bot.ErrNotFound}, {"p9", bot.ErrNotFound}, {"ann", bot.ErrNotFound}, {"ann.lee@example.org", bot.ErrNotFound},
		{"P1", bot.ErrNotFound}, {"p1 ", bot.ErrNotFound}, {"p2", bot.ErrDisabled},
	} {
		x := ann()
		x.Person = c.person
		if p, err := r.Enroll.SignInAs(t.Context(), "web", "u", x); p != nil || !errors.Is(err, c.want) {
			t.Errorf("sign in as %q: %v, %v", c.person, p, err)
		}
		if code, err := r.Enroll.ProofCode(t.Context(), "c1", x); code != "" || !errors.Is(err, c.want) {
			t.Errorf("code for %q: %v", c.person, err)
		}
	}
	for _, bad := range [][2]string{{"", "u"}, {"web", ""}} {
		if p, err := r.Enroll.SignInAs(t.Context(), bot.ChannelID(bad[0]), bad[1], ann()); p != nil || err == nil {
			t.Errorf("%q: %v, %v", bad, p, err)
		}
	}
	if code, err := r.Enroll.ProofCode(t.Context(), "", ann()); code != "" || err == nil {
		t.Error("a code for no conversation")
	}
	if n := len(r.identities(prooftest.AnnID)) + len(r.identities("p2")); n != 0 {
		t.Errorf("%d identities", n)
	}
	if to := append(r.told("identity.linked"), r.told("identity.refused")...); len(to) != 0 {
		t.Errorf("told %v", to)
	}
}

// TestAddressesChangeHands (GHSA-vm39-j3vx-pch3): two people swap their
// addresses, and each stays who they are.
func TestAddressesChangeHands(t *testing.T) {
	r := newRig(t)
	a, b := prooftest.Ann(), bob()
	r.People(a, b)
	if _, err := r.Enroll.SignInAs(t.Context(), "web", "u1", ann()); err != nil {
		t.Fatal(err)
	}
	a.Email, b.Email, a.Username, b.Username = b.Email, a.Email, b.Username, a.Username
	r.People(a, b)
	if p, err := r.Enroll.SignInAs(t.Context(), "web", "u1", ann()); err != nil || p.ID != prooftest.AnnID {
		t.Error(p, err)
	}
	if len(r.identities(prooftest.AnnID)) != 1 || len(r.identities("p2")) != 0 {
		t.Error("the links moved with the addresses")
	}
}

func TestProofCode(t *testing.T) {
	shape := regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$`)
	r := newRig(t)
	seen := map[bot.Secret]bool{}
	for i := range 200 {
		code, err := r.Enroll.ProofCode(t.Context(), bot.ConversationID(fmt.Sprint("many", i)), ann())
		if err != nil || !shape.MatchString(string(code)) || !strings.ContainsAny(string(code), "23456789") || seen[code] {
			t.Fatalf("code %q, %v", string(code), err)
		}
		seen[code] = true
	}

	r.out("new", "someone")
	typed := r.page(ann())
	ch := prooftest.View(r.Rig, func(tx bot.Tx) (*bot.Challenge, error) {
		all, err := tx.OpenChallenges(prooftest.AnnID, "link", 0)
		if err != nil {
			return nil, err
		}
		for i := range all {
			if all[i].Conversation == "new" {
				return &all[i], nil
			}
		}
		return nil, errors.New("no challenge")
	})
	if ch.Tier != bot.T2 || len(ch.CodeHash) == 0 || ch.SealedCode != nil || ch.SealedTo != nil || ch.ExpiresAt.Sub(ch.CreatedAt) != r.Policy.LinkCodeLife {
		t.Errorf("challenge %+v", ch)
	}

	if oc := r.Want("person.link_code", typed, "held"); prooftest.Fact(oc, "name") != "Ann" {
		t.Error(oc.Facts)
	}
	if ids := r.identities(prooftest.AnnID); len(ids) != 1 || ids[0].Level != bot.L2 || ids[0].User != "someone" || ids[0].Channel != "test" {
		t.Errorf("identities %+v", ids)
	}
	if n := r.lines(prooftest.AnnID, "identity.linked", "oidc code"); n != 1 {
		t.Errorf("%d audit lines", n)
	}
	if to := r.told("identity.linked"); !slices.Equal(to, []string{prooftest.Ann().Email}) {
		t.Errorf("told %v", to)
	}

	// Neither the code nor a guess stands in the database.
	files, err := filepath.Glob(filepath.Join(r.Dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{typed, typed[:4] + "-" + typed[4:]} {
			if bytes.Contains(bytes.ToUpper(b), []byte(s)) {
				t.Errorf("%s holds the code", filepath.Base(f))
			}
		}
	}
}

// TestLinkCodeIsGoodOnce, also when the chat account belongs to nobody again.
func TestLinkCodeIsGoodOnce(t *testing.T) {
	r := newRig(t).out("new", "someone")
	typed := r.page(ann())
	r.Want("person.link_code", typed, "held")
	if err := r.DB.Update(t.Context(), func(tx bot.Tx) error { return tx.Unlink("test", "someone") }); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		if oc := r.Want("person.link_code", typed, "void"); oc.Error != "link_code_void" {
			t.Error(oc)
		}
	}
	if ids := r.identities(prooftest.AnnID); len(ids) != 0 {
		t.Errorf("identities %+v", ids)
	}
	r.Want("person.link_code", r.page(ann()), "held") // none of these was a try
}

func TestLinkCodeLives(t *testing.T) {
	r := newRig(t).out("new", "someone")
	if oc := r.Want("person.link_code", "7F3K9QXD", "void"); oc.Error != "link_code_none" {
		t.Errorf("nobody has signed in: %v", oc)
	}
	typed := r.page(ann())
	r.Clock.Advance(r.Policy.LinkCodeLife)
	for range 8 {
		if oc := r.Want("person.link_code", typed, "expired"); oc.Error != "link_code_expired" {
			t.Error(oc)
		}
	}
	first := r.page(ann())
	second := r.page(ann())
	if oc := r.Want("person.link_code", first, "void"); oc.Error != "link_code_replaced" {
		t.Errorf("the code of before: %v", oc)
	}
	r.Want("person.link_code", typed, "void") // and the one before that
	r.Want("person.cancel", "", "ok")
	r.Want("person.link_code", second, "void")
	third := r.page(ann())
	r.Clock.Advance(r.Policy.LinkCodeLife - time.Millisecond)
	r.Want("person.link_code", third, "held")
}

// TestNoCodeAtAll: what cannot be a code costs nothing.
func TestNoCodeAtAll(t *testing.T) {
	r := newRig(t).out("new", "someone")
	typed := r.page(ann())
	for range 5 {
		for _, text := range []string{"PASSW0RD", "REG1STER", "ABCDEFGH", "00110011", typed + "0", typed + typed, ""} {
			r.Want("person.link_code", text, "bad")
		}
	}
	r.Want("person.link_code", typed, "held")
}

// TestWrongLinkCodes: five tries with the waits of wrong passwords, and then
// the person is told.
func TestWrongLinkCodes(t *testing.T) {
	r := newRig(t).out("new", "someone")
	typed := r.page(ann())
	for i, want := range []string{"wrong", "wrong", "locked", "locked"} {
		if oc := r.Want("person.link_code", miss(typed), want); want == "wrong" && prooftest.Fact(oc, "left") != fmt.Sprint(4-i) {
			t.Errorf("try %d: %v", i, oc)
		}
		if want == "locked" {
			r.Want("person.link_code", typed, "locked") // not before the wait is over
			r.Clock.Advance(r.Policy.SignInWait << (i - 2))
		}
	}
	if to := r.told("identity.refused"); len(to) != 0 {
		t.Errorf("told too early: %v", to)
	}
	if oc := r.Want("person.link_code", miss(typed), "locked"); prooftest.Fact(oc, "wait") == "" {
		t.Error(oc)
	}
	for range 3 {
		r.Want("person.link_code", typed, "locked")
		r.Want("person.link_code", r.page(ann()), "locked") // a new code does not help
	}
	if to := r.told("identity.refused"); !slices.Equal(to, []string{prooftest.Ann().Email}) {
		t.Errorf("told %v", to)
	}
	if n := r.lines(prooftest.AnnID, "identity.refused", "oidc code"); n != 1 {
		t.Errorf("%d audit lines", n)
	}
	if len(r.identities(prooftest.AnnID)) != 0 {
		t.Error("linked")
	}
	r.Clock.Advance(r.Policy.SignInWaitMax)
	r.Want("person.link_code", r.page(ann()), "held")

	// A code whose tries are fewer than the account's is void by itself.
	r = newRig(t, func(p *policy.Policy) { p.LinkCodeTries, p.SignInFree = 2, 5 }).out("new", "someone")
	typed = r.page(ann())
	if oc := r.Want("person.link_code", miss(typed), "wrong"); prooftest.Fact(oc, "left") != "1" {
		t.Error(oc)
	}
	r.Want("person.link_code", miss(typed), "void")
	r.Want("person.link_code", typed, "void")
	if to := r.told("identity.refused"); len(to) != 1 {
		t.Errorf("told %v", to)
	}
	r.Want("person.link_code", r.page(ann()), "held")
}

// TestManyWrongPasswordsSlowTheCode: an account that fails too often, however,
// waits before a code, too.
func TestManyWrongPasswordsSlowTheCode(t *testing.T) {
	r := newRig(t).out("new", "someone")
	typed := r.page(ann())
	for i := range 10 {
		r.Set("username", fmt.Sprint("name", i))
		r.Submit("sign_in", "person.sign_in", "password", "wrong")
	}
	r.Want("person.link_code", typed, "locked")
	r.Clock.Advance(r.Policy.SignInWait)
	r.Want("person.link_code", typed, "held")

	r.out("other", "other") // another account is no part of it
	r.Want("person.link_code", r.page(ann()), "held")
}

// TestLinkPhishing is row 6 of the threats.
func TestLinkPhishing(t *testing.T) {
	t.Run("the victim signs in on the attacker's link", func(t *testing.T) {
		r := newRig(t).out("attackers", "mallory")
		typed := r.page(ann())
		for range 5 {
			r.Do("person.link_code", miss(typed))
			r.Clock.Advance(r.Policy.LinkCodeLife / 6)
		}
		r.Want("person.link_code", typed, "locked") // even if it is given away now
		if len(r.identities(prooftest.AnnID)) != 0 {
			t.Error("linked")
		}
		if to := r.told("identity.refused"); !slices.Equal(to, []string{prooftest.Ann().Email}) {
			t.Errorf("the victim is told at %v", to)
		}
	})
	t.Run("the attacker's code is fed to the victim's chat", func(t *testing.T) {
		r := newRig(t)
		r.People(prooftest.Ann(), bob())
		x := ann()
		x.Subject, x.Person = "s-2", "p2"
		bobs := r.out("attackers", "mallory").page(x)

		r.out("victims", "someone")
		r.Want("person.link_code", bobs, "void") // there is nothing to compare with
		anns := r.page(ann())
		if oc := r.Want("person.link_code", bobs, "wrong"); prooftest.Fact(oc, "left") != "4" {
			t.Error(oc)
		}
		for range 4 {
			r.Do("person.link_code", bobs)
			r.Clock.Advance(r.Policy.LinkCodeLife / 6)
		}
		r.Want("person.link_code", anns, "locked")
		if len(r.identities("p2")) != 0 || len(r.identities(prooftest.AnnID)) != 0 {
			t.Error("linked")
		}
		if to := r.told("identity.refused"); !slices.Equal(to, []string{prooftest.Ann().Email}) {
			t.Errorf("told %v", to)
		}
	})
	t.Run("whoever signs in later in one conversation takes the earlier one's place", func(t *testing.T) {
		r := newRig(t)
		r.People(prooftest.Ann(), bob())
		r.out("attackers", "mallory")
		anns := r.page(ann())
		x := ann()
		x.Subject, x.Person = "s-2", "p2"
		bobs := r.page(x)
		r.Want("person.link_code", anns, "wrong")
		if oc := r.Want("person.link_code", bobs, "held"); prooftest.Fact(oc, "name") != "Bob" {
			t.Error(oc)
		}
		if len(r.identities(prooftest.AnnID)) != 0 {
			t.Error("linked to the one who has not typed a code")
		}
	})
}

// TestLinkDisabledMeanwhile: the account is disabled, or gone, between the page
// and the code.
func TestLinkDisabledMeanwhile(t *testing.T) {
	r := newRig(t).out("new", "someone")
	typed := r.page(ann())
	off := prooftest.Ann()
	off.Disabled = true
	r.People(off)
	r.Want("person.link_code", typed, "disabled")
	r.People(prooftest.Ann())
	r.Want("person.link_code", typed, "void")
	if len(r.identities(prooftest.AnnID)) != 0 {
		t.Error("linked")
	}
}

// TestLinkCodesInParallel: one code is good once, and no more guesses are
// answered than the limits allow, for one process and for two.
func TestLinkCodesInParallel(t *testing.T) {
	story := func(t *testing.T, r *rig, dbs ...*store.DB) {
		t.Helper()
		var services []*enroll.Service
		for _, db := range dbs {
			d := r.Enroll.Deps
			d.Store = r.Store(db)
			services = append(services, enroll.New(d))
		}
		all := func(calls []*bot.Call) map[string]int {
			return prooftest.AtOnce(calls, func(i int, c *bot.Call) (bot.Outcome, error) {
				return r.TryOn(dbs[i%len(dbs)], "person.link_code", c)
			})
		}
		r.out("new", "someone")
		if got := all(r.NewCalls(32, r.page(ann()))); got["held"] != 1 || got["void"] != 31 {
			t.Errorf("one code: %v", got)
		}
		if n := r.lines(prooftest.AnnID, "identity.linked", "oidc code"); n != 1 {
			t.Errorf("%d audit lines", n)
		}

		// Many pages at once: one code is left.
		r.out("pages", "another")
		calls := r.NewCalls(16, "")
		prooftest.AtOnce(calls, func(i int, c *bot.Call) (bot.Outcome, error) {
			code, err := services[i%len(services)].ProofCode(context.Background(), "pages", ann())
			c.Input = strings.ReplaceAll(string(code), "-", "")
			return bot.Outcome{Name: "made"}, err
		})
		live := 0
		for _, ch := range prooftest.View(r.Rig, func(tx bot.Tx) ([]bot.Challenge, error) {
			return tx.OpenChallenges(prooftest.AnnID, "link", 0)
		}) {
			if ch.ExpiresAt.After(r.Clock.Now()) {
				live++
			}
		}
		if live != 1 {
			t.Errorf("%d codes are good at once", live)
		}
		if got := all(calls); got["held"] != 1 || got["void"] != 15 {
			t.Errorf("codes of 16 pages: %v", got)
		}

		// Many guesses, through one conversation that several accounts claim.
		r.out("guesses", "third")
		calls = r.NewCalls(32, miss(r.page(ann())))
		for i, c := range calls {
			c.Conversation.User = fmt.Sprint("third", i%4)
		}
		got := all(calls)
		if got["wrong"] >= r.Policy.LinkCodeTries || got["wrong"]+got["void"]+got["locked"] != 32 {
			t.Errorf("guesses: %v", got)
		}
		n := prooftest.View(r.Rig, func(tx bot.Tx) (int, error) {
			n, _, err := tx.Tallied("t2.name", "person|"+string(prooftest.AnnID), time.Time{})
			return n, err
		})
		if n != r.Policy.LinkCodeTries {
			t.Errorf("%d comparisons, limit %d", n, r.Policy.LinkCodeTries)
		}
		if to := r.told("identity.refused"); len(to) != 1 {
			t.Errorf("told %v", to)
		}

		// One person in many windows: linked and told once.
		before := len(r.told("identity.linked"))
		got = prooftest.AtOnce(r.NewCalls(16, ""), func(i int, _ *bot.Call) (bot.Outcome, error) {
			_, err := services[i%len(services)].SignInAs(context.Background(), "web", "oidc-1", ann())
			return bot.Outcome{Name: "in"}, err
		})
		if got["in"] != 16 || len(r.told("identity.linked")) != before+1 || r.lines(prooftest.AnnID, "identity.linked", "oidc") != 1 {
			t.Errorf("sign-ins %v, told %d times", got, len(r.told("identity.linked"))-before)
		}
	}
	t.Run("one process", func(t *testing.T) {
		r := newRig(t)
		story(t, r, r.DB)
	})
	t.Run("two replicas", func(t *testing.T) {
		dsn := storetest.Postgres(t)
		r := &rig{prooftest.NewOn(t, dsn)}
		second, err := store.Open(t.Context(), store.Options{DSN: dsn, Clock: r.Clock.Now})
		if err != nil {
			t.Fatal(err)
		}
		defer second.Close()
		story(t, r, r.DB, second)
	})
}
