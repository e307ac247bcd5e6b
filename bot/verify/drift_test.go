package verify_test

import (
	"encoding/base32"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/pquerna/otp/hotp"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
	"latchkey/store/storetest"
)

// phone is the code that a phone shows whose clock is ahead by off.
func (r *rig) phone(seed []byte, off time.Duration) string {
	r.Helper()
	step := uint64(r.Clock.Now().Add(off).Unix() / 30)
	code, err := hotp.GenerateCode(base32.StdEncoding.EncodeToString(seed), step)
	if err != nil {
		r.Fatal(err)
	}
	return code
}

// enrolls sets up the phone, if its code is taken.
func (r *rig) enrolls(off time.Duration) (seed []byte, ok bool) {
	r.Helper()
	r.Want("totp.begin", "", "ready")
	seed = r.SeedOf(bot.Pending)
	oc := r.Do("totp.prove", r.phone(seed, off))
	return seed, oc.Name == "ok"
}

// TestWhatEnrolledProves: a phone whose clock is off and that could be set up
// proves, at every moment of a step, at once and after a month in which its
// clock went on to go wrong; where that moves a code out of the window, the
// next code is taken. What is off by more is refused, with a word about the
// clock that is true.
func TestWhatEnrolledProves(t *testing.T) {
	rnd := rand.New(rand.NewPCG(15, 8))
	enrolled := 0
	for off := -600; off <= 600; off += 1 + rnd.IntN(5) + max(0, max(off, -off)-75)/4 {
		r, phone := newRig(t), time.Duration(off)*time.Second
		r.Clock.Advance(time.Duration(rnd.IntN(30)) * time.Second)
		seed, ok := r.enrolls(phone)
		if !ok {
			if off > -30 && off < 30 {
				t.Errorf("%d s: not enrolled", off)
			}
			continue
		}
		enrolled++
		for range 4 {
			r.Clock.Advance(time.Duration(60+rnd.IntN(600)) * time.Second)
			if oc := r.Do("prove.totp", r.phone(seed, phone)); oc.Name != "ok" {
				t.Errorf("%d s: %v, drift %d", off, oc, r.Methods(bot.Active)[0].Drift)
			}
		}
		slower := time.Duration(rnd.IntN(3)-1) * time.Second // a day
		second := 0
		for range 30 {
			r.Clock.Advance(24*time.Hour + time.Duration(rnd.IntN(60))*time.Second)
			if phone += slower; phone.Abs() > 105*time.Second {
				break // nearly as far as is followed
			}
			if oc := r.Do("prove.totp", r.phone(seed, phone)); oc.Name != "ok" {
				second++
				r.Clock.Advance(30 * time.Second)
				if oc := r.Do("prove.totp", r.phone(seed, phone)); oc.Name != "ok" {
					t.Errorf("%d s, then %s: %v after another, drift %d", off, phone, oc, r.Methods(bot.Active)[0].Drift)
				}
			}
			if d := r.Methods(bot.Active)[0].Drift; d > 120 || d < -120 {
				t.Errorf("drift %d", d)
			}
		}
		if second > 3 {
			t.Errorf("%d s: a second code was needed on %d of 30 days", off, second)
		}
	}
	if enrolled < 20 {
		t.Errorf("%d phones were set up", enrolled)
	}
}

// TestClockWords: fast and slow, with the right number, when a method is set up
// and when it proves; in both languages it is flows that fill the words in.
func TestClockWords(t *testing.T) {
	for _, c := range []struct {
		off  time.Duration
		want string
	}{
		{90 * time.Second, "clock.fast(time=wait.seconds.other(n=90))"}, {-90 * time.Second, "clock.slow(time=wait.seconds.other(n=90))"},
		{2 * time.Minute, "clock.fast(time=wait.minutes.other(n=2))"}, {-7 * time.Minute, "clock.slow(time=wait.minutes.other(n=7))"},
	} {
		r := newRig(t)
		seed, ok := r.enrolls(c.off)
		if ok {
			t.Fatalf("%s: enrolled", c.off)
		}
		if oc := r.Want("totp.prove", r.phone(seed, c.off), "skewed"); prooftest.Fact(oc, "off") != c.want {
			t.Errorf("%s, enrolling: %v", c.off, oc)
		}
		r.Want("totp.prove", r.phone(seed, 0), "ok")
		r.Clock.Advance(time.Minute)
		if oc := r.Want("prove.totp", r.phone(seed, c.off), "skewed"); prooftest.Fact(oc, "off") != c.want || prooftest.Fact(oc, "left") != "4" {
			t.Errorf("%s, proving: %v", c.off, oc)
		}
	}
}

// TestToldCodeIsSpent: who guesses a code of a time to come is told that the
// clock is fast, and cannot use it then.
func TestToldCodeIsSpent(t *testing.T) {
	r := newRig(t)
	seed := r.authenticator()
	code := r.codeAt(seed, 10)
	r.Want("prove.totp", code, "skewed")
	r.Clock.Advance(5 * time.Minute)
	r.Want("prove.totp", code, "used")
	r.Clock.Advance(time.Minute)
	r.Want("prove.totp", r.codeAt(seed, 0), "ok")
}

// TestClockSetRight: somebody does what we say and sets the phone's clock. The
// second code proves; one code of that time alone, twice, does not, and nothing
// is followed further than the policy has it.
func TestClockSetRight(t *testing.T) {
	r := newRig(t)
	seed, ok := r.enrolls(55 * time.Second)
	if !ok {
		t.Fatal("not enrolled")
	}
	r.Clock.Advance(time.Minute)
	r.Want("prove.totp", r.phone(seed, 55*time.Second), "ok")
	r.Clock.Advance(time.Hour)
	right := r.phone(seed, -5*time.Second)
	r.Want("prove.totp", right, "wrong")
	r.Clock.Advance(15 * time.Second)
	if oc := r.Do("prove.totp", right); oc.Name == "ok" {
		t.Error("the same code counted as two")
	}
	r.Clock.Advance(time.Minute)
	r.Want("prove.totp", r.phone(seed, -5*time.Second), "ok")
	r.Clock.Advance(time.Minute)
	r.Want("prove.totp", r.phone(seed, -5*time.Second), "ok")

	for range 4 { // too far, however often
		r.Clock.Advance(25 * time.Hour)
		r.Want("prove.totp", r.phone(seed, 4*time.Minute), "skewed")
		r.Clock.Advance(time.Minute)
		r.Want("prove.totp", r.phone(seed, 4*time.Minute), "skewed")
	}
	// Two codes that lie apart in time are not one after another.
	r.Clock.Advance(25 * time.Hour)
	r.Want("prove.totp", r.phone(seed, 100*time.Second), "skewed")
	r.Clock.Advance(6 * time.Minute)
	r.Want("prove.totp", r.phone(seed, 100*time.Second), "skewed")
}

// TestCodesAfterTheClockWasWrong: the clock here goes forward by an hour, with
// the phone's, and is corrected. Right codes count at once; what was used
// before and meanwhile does not count again, not even when its time comes.
func TestCodesAfterTheClockWasWrong(t *testing.T) {
	for name, dsn := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return filepath.Join(t.TempDir(), "bot.db") },
		"postgres": func(t *testing.T) string { return storetest.Postgres(t) },
	} {
		for _, lasts := range []time.Duration{time.Minute, 10 * time.Minute} {
			t.Run(fmt.Sprint(name, " ", lasts), func(t *testing.T) {
				r := &rig{prooftest.NewOn(t, dsn(t))}
				seed := r.authenticator()
				before := r.codeAt(seed, 0)
				r.Want("prove.totp", before, "ok")
				r.Clock.Set(time.Hour)
				r.Clock.Advance(2 * time.Second)
				early := r.codeAt(seed, 0)
				r.Want("prove.totp", early, "ok")
				r.Clock.Set(-time.Hour)
				r.Clock.Advance(time.Second)
				r.Want("prove.totp", before, "used")
				r.Clock.Set(time.Hour)
				r.DB.Now()
				r.Clock.Advance(lasts)
				r.DB.Now()
				meanwhile := r.codeAt(seed, 0)
				r.Want("prove.totp", meanwhile, "ok")
				r.Clock.Set(-time.Hour)
				r.Clock.Advance(time.Second)
				r.Want("prove.totp", r.codeAt(seed, 0), "ok")
				r.Clock.Advance(time.Minute)
				r.Want("prove.totp", r.codeAt(seed, 0), "ok")
				r.Clock.Advance(time.Hour - time.Minute - time.Second)
				r.Want("prove.totp", meanwhile, "used")
				r.Clock.Advance(time.Minute)
				r.Want("prove.totp", r.codeAt(seed, 0), "ok")
			})
		}
	}
}
