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
	"latchkey/bot/policy"
	"latchkey/bot/verify"
)

// codeAt is the code of a seed, off steps from the rig's now.
func (r *rig) codeAt(seed []byte, off int64) string {
	r.Helper()
	step := r.clock.Now().Unix()/30 + off
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
		off     int64
		want    string
		minutes string
	}{
		{-1, "ok", ""}, {0, "ok", ""}, {1, "ok", ""},
		{-2, "skewed", "1"}, {2, "skewed", "1"}, {6, "skewed", "3"}, {-20, "skewed", "10"}, {20, "skewed", "10"},
		{-21, "wrong", ""}, {21, "wrong", ""},
	} {
		t.Run(fmt.Sprint(c.off), func(t *testing.T) {
			r := newRig(t)
			r.want("totp.begin", "", "ready")
			oc := r.want("totp.prove", r.codeAt(r.seedOf(bot.Pending), c.off), c.want)
			if got := fact(oc, "minutes"); got != c.minutes {
				t.Errorf("minutes = %q, want %q", got, c.minutes)
			}
			if c.want != "ok" {
				if left := fact(oc, "left"); left != "14" {
					t.Errorf("left = %s: a far step must count as a failure", left)
				}
				if len(r.methods(bot.Active)) != 0 {
					t.Error("it is active all the same")
				}
				return
			}
			on := r.methods(bot.Active)
			if len(on) != 1 || on[0].ProvenAt.IsZero() || on[0].LastStep != r.clock.Now().Unix()/30+c.off {
				t.Errorf("active: %+v", on)
			}
		})
	}
}

func TestTOTPBeginKeepsThePendingKey(t *testing.T) {
	r := newRig(t)
	first := r.want("totp.begin", "", "ready")
	if first.Reveal == nil || first.Reveal.Kind != bot.RevealTOTP || string(first.Reveal.Method) != fact(first, "method") {
		t.Fatalf("reveal %+v", first.Reveal)
	}
	r.clock.Advance(9 * time.Minute)
	if again := r.want("totp.begin", "", "ready"); fact(again, "method") != fact(first, "method") {
		t.Error("a key of nine minutes was made anew")
	}
	old := r.seedOf(bot.Pending)
	r.set("renew", "yes")
	if again := r.want("totp.begin", "", "ready"); fact(again, "method") == fact(first, "method") {
		t.Error("renew gave the same key")
	}
	if len(r.methods(bot.Pending)) != 1 {
		t.Error("more than one pending key")
	}
	if oc := r.run("totp.prove", r.codeAt(old, 0)); oc.Name == "ok" {
		t.Error("the code of the old key was accepted")
	}
	_, err := r.verify.Reveal(t.Context(), *first.Reveal)
	if !errors.Is(err, verify.ErrLapsed) {
		t.Errorf("the old key is still revealed: %v", err)
	}
}

func TestTOTPKeyRunsOut(t *testing.T) {
	r := newRig(t)
	oc := r.want("totp.begin", "", "ready")
	seed := r.seedOf(bot.Pending)
	r.clock.Advance(10 * time.Minute)
	r.want("totp.prove", r.codeAt(seed, 0), "expired")
	if _, err := r.verify.Reveal(t.Context(), *oc.Reveal); !errors.Is(err, verify.ErrLapsed) {
		t.Errorf("reveal after its time: %v", err)
	}
}

func TestReveal(t *testing.T) {
	r := newRig(t)
	oc := r.want("totp.begin", "", "ready")
	v, err := r.verify.Reveal(t.Context(), *oc.Reveal)
	if err != nil {
		t.Fatal(err)
	}
	seed := r.seedOf(bot.Pending)
	key := base32.StdEncoding.EncodeToString(seed)
	if got := strings.ReplaceAll(string(v.Key), " ", ""); got != key || len(seed) != 20 {
		t.Errorf("key %q of %d bytes", got, len(seed))
	}
	want := "otpauth://totp/Contoso%20SSPR:ann.lee%40example.org?secret=" + key + "&issuer=Contoso%20SSPR"
	if string(v.URI) != want || len(v.PNG) == 0 || len(v.Rows) == 0 {
		t.Errorf("URI %s, %d bytes of picture, %d rows", string(v.URI), len(v.PNG), len(v.Rows))
	}
	if account := fact(oc, "account"); account != "ann.lee@example.org" {
		t.Errorf("account %q", account)
	}
	r.want("totp.prove", r.codeAt(seed, 0), "ok")
	if _, err := r.verify.Reveal(t.Context(), *oc.Reveal); !errors.Is(err, verify.ErrLapsed) {
		t.Errorf("an active key is revealed: %v", err)
	}
}

// TestT1Pause: fifteen failures of all methods in a day, then an hour's pause;
// after it each failure begins another.
func TestT1Pause(t *testing.T) {
	r := newRig(t)
	r.want("totp.begin", "", "ready")
	seed := r.seedOf(bot.Pending)
	for left := 14; left > 0; left-- {
		if oc := r.want("totp.prove", r.wrongCode(seed), "wrong"); fact(oc, "left") != fmt.Sprint(left) {
			t.Fatalf("left = %s, want %d", fact(oc, "left"), left)
		}
	}
	r.want("totp.prove", r.wrongCode(seed), "paused")
	if oc := r.want("totp.prove", r.codeAt(seed, 0), "paused"); fact(oc, "wait") != "wait.minutes.other(n=60)" || fact(oc, "soon") != "" {
		t.Errorf("the right code while paused: %v", oc)
	}
	r.clock.Advance(time.Hour + time.Second)
	r.set("renew", "yes").want("totp.begin", "", "ready")
	seed = r.seedOf(bot.Pending)
	r.want("totp.prove", r.wrongCode(seed), "paused")
	r.clock.Advance(time.Hour + time.Second)
	r.set("renew", "yes").want("totp.begin", "", "ready")
	r.want("totp.prove", r.codeAt(r.seedOf(bot.Pending), 0), "ok")
}

// authenticator makes an active one and lets its proof grow old.
func (r *rig) authenticator() (seed []byte) {
	r.Helper()
	r.want("totp.begin", "", "ready")
	seed = r.seedOf(bot.Pending)
	r.want("totp.prove", r.codeAt(seed, 0), "ok")
	r.clock.Advance(16 * time.Minute)
	return seed
}

func TestProveTOTPWindow(t *testing.T) {
	for _, c := range []struct {
		off  int64
		want string
	}{{0, "ok"}, {-1, "ok"}, {1, "wrong"}, {-2, "wrong"}, {6, "wrong"}} {
		t.Run(fmt.Sprint(c.off), func(t *testing.T) {
			r := newRig(t)
			seed := r.authenticator()
			if oc := r.want("prove.begin", "", "needed"); len(oc.Options) != 1 || oc.Options[0].Label != "method.authenticator" {
				t.Fatalf("options %v", oc.Options)
			}
			r.want("prove.pick", "", "authenticator")
			oc := r.want("prove.totp", r.codeAt(seed, c.off), c.want)
			if c.want == "ok" {
				r.want("prove.begin", "", "fresh")
				return
			}
			if fact(oc, "left") != "4" || fact(oc, "minutes") != "" {
				t.Errorf("facts %v: nothing but the count may be told", oc.Facts)
			}
			r.want("prove.begin", "", "locked") // the delay after a wrong try
		})
	}
}

// TestStepIsUsedOnce: no step twice, nor one before the last accepted.
func TestStepIsUsedOnce(t *testing.T) {
	r := newRig(t)
	seed := r.authenticator()
	now := r.codeAt(seed, 0)
	before := r.codeAt(seed, -1)
	r.want("prove.totp", now, "ok")
	r.want("prove.totp", now, "used")
	r.clock.Advance(3 * time.Second)
	r.want("prove.totp", before, "used")
	r.clock.Advance(30 * time.Second)
	r.want("prove.totp", r.codeAt(seed, 0), "ok")
}

// TestEnrollCodeDoesNotProve: the step that confirmed the method is spent.
func TestEnrollCodeDoesNotProve(t *testing.T) {
	r := newRig(t)
	r.want("totp.begin", "", "ready")
	seed := r.seedOf(bot.Pending)
	code := r.codeAt(seed, 0)
	r.want("totp.prove", code, "ok")
	r.want("prove.totp", code, "used")
}

func TestT3DelaysAndLock(t *testing.T) {
	r := newRig(t)
	seed := r.authenticator()
	for i, left := range []string{"4", "3", "2", "1"} {
		if oc := r.want("prove.totp", r.wrongCode(seed), "wrong"); fact(oc, "left") != left {
			t.Fatalf("left = %s, want %s", fact(oc, "left"), left)
		}
		delay := r.policy.T3Delay(i + 1)
		// At once: not compared, not counted, and said to be short.
		if oc := r.want("prove.totp", r.codeAt(seed, 0), "locked"); fact(oc, "soon") != "yes" {
			t.Fatalf("a delay of %s: %v", delay, oc.Facts)
		}
		r.clock.Advance(delay + time.Millisecond)
	}
	if oc := r.want("prove.totp", r.wrongCode(seed), "locked"); fact(oc, "wait") != "wait.hours.other(n=24)" || fact(oc, "soon") != "" {
		t.Fatalf("fifth failure: %v", oc.Facts)
	}
	r.clock.Advance(23 * time.Hour)
	r.want("prove.totp", r.codeAt(seed, 0), "locked")
	r.want("prove.begin", "", "locked")
	r.clock.Advance(time.Hour + time.Second)
	r.want("prove.totp", r.codeAt(seed, 0), "ok")
}

// TestFactorIsDisabled after its wrong tries in a row; a right one starts anew.
func TestFactorIsDisabled(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.FactorFailures = 7 })
	seed := r.authenticator()
	miss := func(n int) {
		for range n {
			r.run("prove.totp", r.wrongCode(seed))
			r.clock.Advance(25 * time.Hour)
		}
	}
	miss(6)
	r.want("prove.totp", r.codeAt(seed, 0), "ok")
	miss(6)
	if len(r.methods(bot.Active)) != 1 {
		t.Fatal("disabled too early")
	}
	r.deliver()
	before := len(r.note.Sent())
	miss(1)
	if len(r.methods(bot.Active)) != 0 {
		t.Fatal("not disabled after 7 wrong tries in a row")
	}
	r.deliver()
	if ns := r.note.Sent(); len(ns) != before+1 || !strings.Contains(ns[len(ns)-1].Body, "method_disabled") {
		t.Errorf("notices: %d before, now %v", before, ns)
	}
	p := view(r, func(tx bot.Tx) (*bot.Person, error) { return tx.Person(ann.ID) })
	if p.Stage != bot.Started {
		t.Errorf("stage %v with no method left", p.Stage)
	}
}

// TestOtherPersonsMethod: a slot that names somebody else's method opens
// nothing, and says nothing else than a wrong code.
func TestOtherPersonsMethod(t *testing.T) {
	r := newRig(t)
	seed := r.authenticator()
	r.people(ann, bot.Person{ID: "p2", Username: "bob", Email: "bob@example.org", Name: "Bob"})
	r.conv = r.talk("c2", "u2")
	r.conv.Person, r.conv.Level = "p2", bot.L2
	r.want("prove.pick", "", "gone")
	r.want("prove.totp", r.codeAt(seed, 0), "wrong")
	r.want("totp.prove", r.codeAt(seed, 0), "expired")
	r.want("methods.show", "", "gone")
	r.want("methods.remove", "", "gone")
	r.conv.Level = bot.L1
	r.want("prove.totp", r.codeAt(seed, 0), "locked")
	r.want("prove.begin", "", "locked")
}
