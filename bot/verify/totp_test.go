package verify_test

import (
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/hotp"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/policy"
	"latchkey/bot/verify"
)

// codeAt is the code of a seed, off steps from the rig's now.
func (r *rig) codeAt(seed []byte, off int64) string {
	r.Helper()
	step := r.Clock.Now().Unix()/30 + off
	code, err := hotp.GenerateCode(base32.StdEncoding.EncodeToString(seed), uint64(step))
	if err != nil {
		r.Fatal(err)
	}
	return code
}

// wrongCode fits the seed nowhere near now.
func (r *rig) wrongCode(seed []byte) string {
	for n := 0; ; n++ {
		code := fmt.Sprintf("%06d", n)
		near := false
		for off := int64(-25); off <= 25; off++ {
			near = near || r.codeAt(seed, off) == code
		}
		if !near {
			return code
		}
	}
}

func TestTOTPProveWindow(t *testing.T) {
	for _, c := range []struct {
		off  int64
		want string
		told string
	}{
		{-1, "ok", ""}, {0, "ok", ""}, {1, "ok", ""},
		{-2, "skewed", "clock.slow(time=wait.seconds.other(n=60))"}, {2, "skewed", "clock.fast(time=wait.seconds.other(n=60))"},
		{6, "skewed", "clock.fast(time=wait.minutes.other(n=3))"}, {-20, "skewed", "clock.slow(time=wait.minutes.other(n=10))"},
		{20, "skewed", "clock.fast(time=wait.minutes.other(n=10))"},
		{-21, "wrong", ""}, {21, "wrong", ""},
	} {
		t.Run(fmt.Sprint(c.off), func(t *testing.T) {
			r := newRig(t)
			r.Want("totp.begin", "", "ready")
			oc := r.Want("totp.prove", r.codeAt(r.SeedOf(bot.Pending), c.off), c.want)
			if got := prooftest.Fact(oc, "off"); got != c.told {
				t.Errorf("off = %q, want %q", got, c.told)
			}
			if c.want != "ok" {
				if left := prooftest.Fact(oc, "left"); left != "14" {
					t.Errorf("left = %s: a far step must count as a failure", left)
				}
				if len(r.Methods(bot.Active)) != 0 {
					t.Error("it is active all the same")
				}
				return
			}
			on := r.Methods(bot.Active)
			if len(on) != 1 || on[0].ProvenAt.IsZero() || on[0].LastStep != r.Clock.Now().Unix()/30+c.off {
				t.Errorf("active: %+v", on)
			}
		})
	}
}

func TestTOTPBeginKeepsThePendingKey(t *testing.T) {
	r := newRig(t)
	first := r.Want("totp.begin", "", "ready")
	if first.Reveal == nil || first.Reveal.Kind != bot.RevealTOTP || string(first.Reveal.Method) != prooftest.Fact(first, "method") {
		t.Fatalf("reveal %+v", first.Reveal)
	}
	r.Clock.Advance(9 * time.Minute)
	if again := r.Want("totp.begin", "", "ready"); prooftest.Fact(again, "method") != prooftest.Fact(first, "method") {
		t.Error("a key of nine minutes was made anew")
	}
	old := r.SeedOf(bot.Pending)
	r.Set("renew", "yes")
	if again := r.Want("totp.begin", "", "ready"); prooftest.Fact(again, "method") == prooftest.Fact(first, "method") {
		t.Error("renew gave the same key")
	}
	if len(r.Methods(bot.Pending)) != 1 {
		t.Error("more than one pending key")
	}
	if oc := r.Do("totp.prove", r.codeAt(old, 0)); oc.Name == "ok" {
		t.Error("the code of the old key was accepted")
	}
	_, err := r.Verify.Reveal(t.Context(), *first.Reveal)
	if !errors.Is(err, verify.ErrLapsed) {
		t.Errorf("the old key is still revealed: %v", err)
	}
}

func TestTOTPKeyRunsOut(t *testing.T) {
	r := newRig(t)
	oc := r.Want("totp.begin", "", "ready")
	seed := r.SeedOf(bot.Pending)
	r.Clock.Advance(10 * time.Minute)
	r.Want("totp.prove", r.codeAt(seed, 0), "expired")
	if _, err := r.Verify.Reveal(t.Context(), *oc.Reveal); !errors.Is(err, verify.ErrLapsed) {
		t.Errorf("reveal after its time: %v", err)
	}
}

func TestReveal(t *testing.T) {
	r := newRig(t)
	oc := r.Want("totp.begin", "", "ready")
	v, err := r.Verify.Reveal(t.Context(), *oc.Reveal)
	if err != nil {
		t.Fatal(err)
	}
	seed := r.SeedOf(bot.Pending)
	key := base32.StdEncoding.EncodeToString(seed)
	if got := strings.ReplaceAll(string(v.Key), " ", ""); got != key || len(seed) != 20 {
		t.Errorf("key %q of %d bytes", got, len(seed))
	}
	want := "otpauth://totp/Contoso%20SSPR:ann.lee%40example.org?secret=" + key + "&issuer=Contoso%20SSPR"
	if string(v.URI) != want || len(v.PNG) == 0 || len(v.Rows) == 0 {
		t.Errorf("URI %s, %d bytes of picture, %d rows", string(v.URI), len(v.PNG), len(v.Rows))
	}
	if account := prooftest.Fact(oc, "account"); account != "ann.lee@example.org" {
		t.Errorf("account %q", account)
	}
	r.Want("totp.prove", r.codeAt(seed, 0), "ok")
	if _, err := r.Verify.Reveal(t.Context(), *oc.Reveal); !errors.Is(err, verify.ErrLapsed) {
		t.Errorf("an active key is revealed: %v", err)
	}
}

// TestT1Pause: fifteen failures of all methods in a day, then an hour's pause;
// after it each failure begins another.
func TestT1Pause(t *testing.T) {
	r := newRig(t)
	r.Want("totp.begin", "", "ready")
	seed := r.SeedOf(bot.Pending)
	for left := 14; left > 0; left-- {
		if oc := r.Want("totp.prove", r.wrongCode(seed), "wrong"); prooftest.Fact(oc, "left") != fmt.Sprint(left) {
			t.Fatalf("left = %s, want %d", prooftest.Fact(oc, "left"), left)
		}
	}
	r.Want("totp.prove", r.wrongCode(seed), "paused")
	if oc := r.Want("totp.prove", r.codeAt(seed, 0), "paused"); prooftest.Fact(oc, "wait") != "wait.minutes.other(n=60)" || prooftest.Fact(oc, "soon") != "" {
		t.Errorf("the right code while paused: %v", oc)
	}
	r.Clock.Advance(time.Hour + time.Second)
	r.Set("renew", "yes").Want("totp.begin", "", "ready")
	seed = r.SeedOf(bot.Pending)
	r.Want("totp.prove", r.wrongCode(seed), "paused")
	r.Clock.Advance(time.Hour + time.Second)
	r.Set("renew", "yes").Want("totp.begin", "", "ready")
	r.Want("totp.prove", r.codeAt(r.SeedOf(bot.Pending), 0), "ok")
}

// authenticator makes an active one and lets its proof grow old.
func (r *rig) authenticator() (seed []byte) {
	r.Helper()
	r.Want("totp.begin", "", "ready")
	seed = r.SeedOf(bot.Pending)
	r.Want("totp.prove", r.codeAt(seed, 0), "ok")
	r.Clock.Advance(16 * time.Minute)
	return seed
}

func TestProveTOTPWindow(t *testing.T) {
	for _, c := range []struct {
		off  int64
		want string
	}{{0, "ok"}, {-1, "ok"}, {1, "skewed"}, {-2, "skewed"}, {6, "skewed"}, {21, "wrong"}} {
		t.Run(fmt.Sprint(c.off), func(t *testing.T) {
			r := newRig(t)
			seed := r.authenticator()
			if oc := r.Want("prove.begin", "", "needed"); len(oc.Options) != 1 || oc.Options[0].Label != "method.authenticator" {
				t.Fatalf("options %v", oc.Options)
			}
			r.Want("prove.pick", "", "authenticator")
			oc := r.Want("prove.totp", r.codeAt(seed, c.off), c.want)
			if c.want == "ok" {
				r.Want("prove.begin", "", "fresh")
				return
			}
			if prooftest.Fact(oc, "left") != "4" || (prooftest.Fact(oc, "off") == "") != (c.want == "wrong") {
				t.Errorf("facts %v: the count, and the clock of a code that is right at another time", oc.Facts)
			}
			r.Want("prove.begin", "", "locked") // the delay after a wrong try
		})
	}
}

// TestStepIsUsedOnce: no step twice, nor one before the last accepted.
func TestStepIsUsedOnce(t *testing.T) {
	r := newRig(t)
	seed := r.authenticator()
	now := r.codeAt(seed, 0)
	before := r.codeAt(seed, -1)
	r.Want("prove.totp", now, "ok")
	r.Want("prove.totp", now, "used")
	r.Clock.Advance(3 * time.Second)
	r.Want("prove.totp", before, "used")
	r.Clock.Advance(30 * time.Second)
	r.Want("prove.totp", r.codeAt(seed, 0), "ok")
}

// TestEnrollCodeDoesNotProve: the step that confirmed the method is spent.
func TestEnrollCodeDoesNotProve(t *testing.T) {
	r := newRig(t)
	r.Want("totp.begin", "", "ready")
	seed := r.SeedOf(bot.Pending)
	code := r.codeAt(seed, 0)
	r.Want("totp.prove", code, "ok")
	r.Want("prove.totp", code, "used")
}

func TestT3DelaysAndLock(t *testing.T) {
	r := newRig(t)
	seed := r.authenticator()
	for i, left := range []string{"4", "3", "2", "1"} {
		if oc := r.Want("prove.totp", r.wrongCode(seed), "wrong"); prooftest.Fact(oc, "left") != left {
			t.Fatalf("left = %s, want %s", prooftest.Fact(oc, "left"), left)
		}
		delay := r.Policy.T3Delay(i + 1)
		// At once: not compared, not counted, and said to be short.
		if oc := r.Want("prove.totp", r.codeAt(seed, 0), "locked"); prooftest.Fact(oc, "soon") != "yes" {
			t.Fatalf("a delay of %s: %v", delay, oc.Facts)
		}
		r.Clock.Advance(delay + time.Millisecond)
	}
	if oc := r.Want("prove.totp", r.wrongCode(seed), "locked"); prooftest.Fact(oc, "wait") != "wait.hours.other(n=24)" || prooftest.Fact(oc, "soon") != "" {
		t.Fatalf("fifth failure: %v", oc.Facts)
	}
	r.Clock.Advance(23 * time.Hour)
	r.Want("prove.totp", r.codeAt(seed, 0), "locked")
	r.Want("prove.begin", "", "locked")
	r.Clock.Advance(time.Hour + time.Second)
	r.Want("prove.totp", r.codeAt(seed, 0), "ok")
}

// TestFactorIsSuspended after its wrong tries in a row; a right one starts anew.
func TestFactorIsSuspended(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.FactorFailures = 7 })
	seed := r.authenticator()
	miss := func(n int) {
		for range n {
			r.Do("prove.totp", r.wrongCode(seed))
			r.Clock.Advance(25 * time.Hour)
		}
	}
	miss(6)
	r.Want("prove.totp", r.codeAt(seed, 0), "ok")
	miss(6)
	if len(r.Methods(bot.Active)) != 1 {
		t.Fatal("suspended too early")
	}
	r.Deliver()
	before := len(r.Notifier.Sent())
	miss(1)
	if off := r.Methods(bot.Suspended); len(r.Methods(bot.Active)) != 0 || len(off) != 1 || off[0].Sealed == nil {
		t.Fatalf("not suspended after 7 wrong tries in a row: %+v", off)
	}
	r.Deliver()
	if ns := r.Notifier.Sent(); len(ns) != before+1 || !strings.Contains(ns[len(ns)-1].Body, "method_suspended") {
		t.Errorf("notices: %d before, now %v", before, ns)
	}
	p := prooftest.View(r.Rig, func(tx bot.Tx) (*bot.Person, error) { return tx.Person(prooftest.AnnID) })
	if p.Stage != bot.Started {
		t.Errorf("stage %v with no method left", p.Stage)
	}
}

// TestOtherPersonsMethod: a slot that names somebody else's method opens
// nothing, and says nothing else than a wrong code.
func TestOtherPersonsMethod(t *testing.T) {
	r := newRig(t)
	seed := r.authenticator()
	r.People(prooftest.Ann(), bot.Person{ID: "p2", Username: "bob", Email: "bob@example.org", Name: "Bob"})
	r.Conv = r.Talk("c2", "u2")
	r.Conv.Person, r.Conv.Level = "p2", bot.L2
	r.Want("prove.pick", "", "gone")
	r.Want("prove.totp", r.codeAt(seed, 0), "wrong")
	r.Want("totp.prove", r.codeAt(seed, 0), "expired")
	r.Want("methods.show", "", "gone")
	r.Want("methods.remove", "", "gone")
	r.Conv.Level = bot.L1
	r.Want("prove.totp", r.codeAt(seed, 0), "refused")
	r.Want("prove.begin", "", "refused")
}
