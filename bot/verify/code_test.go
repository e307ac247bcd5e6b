package verify_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/policy"
	"latchkey/bot/verify"
)

// begun is Ann with a pending phone.
func begun(t *testing.T, change ...func(*policy.Policy)) *rig {
	t.Helper()
	r := newRig(t, change...)
	r.Set("via", "sms").Want("phone.accept", "(704) 555-0148", "ok")
	return r
}

// code sends one and returns it.
func (r *rig) code() string {
	r.Helper()
	r.Want("code.send", "", "sent")
	r.Deliver()
	ms := r.Texts.Sent()
	return string(ms[len(ms)-1].Code)
}

// other is a code that differs from those given.
func other(codes ...string) string {
	for n := 0; ; n++ {
		if c := fmt.Sprintf("%06d", n); !slices.Contains(codes, c) {
			return c
		}
	}
}

func (r *rig) challenge(id string) *bot.Challenge {
	r.Helper()
	return prooftest.View(r.Rig, func(tx bot.Tx) (*bot.Challenge, error) { return tx.Challenge(id) })
}

func TestCodeProvesAPhone(t *testing.T) {
	r := begun(t)
	oc := r.Want("code.send", "", "sent")
	if prooftest.Fact(oc, "masked") != "•••• 48" || prooftest.Fact(oc, "minutes") != "10" || prooftest.Fact(oc, "ref") == "" {
		t.Errorf("sent %v", oc.Facts)
	}
	if ch := r.challenge(prooftest.Fact(oc, "ref")); ch.Sent != bot.SendQueued || ch.SealedCode == nil || ch.Purpose != "enroll.phone" {
		t.Errorf("before the job: %+v", ch)
	}
	r.Deliver()
	m := r.Texts.Sent()[0]
	if string(m.To) != "+17045550148" || m.Purpose != "enroll" || m.ID != prooftest.Fact(oc, "ref") || m.Via != bot.SMS || m.Lang != "en" || len(m.Code) != 6 {
		t.Errorf("sent %+v to %s", m, string(m.To))
	}
	if ch := r.challenge(m.ID); ch.Sent != bot.SendHandedOver || ch.SealedCode != nil || ch.SealedTo != nil || ch.ProviderRef == "" {
		t.Errorf("after the job the code is not wiped: %+v", ch)
	}
	r.Want("code.state", "", "live")
	if oc := r.Want("code.check", string(m.Code), "ok"); prooftest.Fact(oc, "masked") != "•••• 48" {
		t.Error(oc.Facts)
	}
	if on := r.Methods(bot.Active); len(on) != 1 || on[0].Kind != bot.Phone || on[0].Via != "sms" {
		t.Errorf("active %+v", on)
	}
	r.Want("code.check", string(m.Code), "used")
	r.Want("code.state", "", "expired")
}

func TestWrongCodes(t *testing.T) {
	r := begun(t)
	code := r.code()
	for _, left := range []string{"4", "3", "2", "1"} {
		if oc := r.Want("code.check", other(code), "wrong"); prooftest.Fact(oc, "left") != left {
			t.Errorf("left %s, want %s", prooftest.Fact(oc, "left"), left)
		}
	}
	r.Want("code.check", other(code), "void")
	r.Want("code.check", code, "void")
	if ch := r.challenge(r.Slot("ref")); ch.ClosedAt.IsZero() || ch.Tries != 5 {
		t.Errorf("challenge %+v", ch)
	}
	// A new code does not reset the person's count: 15 in a day.
	for i := 6; i < 15; i++ {
		if (i-1)%5 == 0 {
			r.Clock.Advance(31 * time.Minute)
			code = r.code()
		}
		if oc := r.Do("code.check", other(code)); oc.Name != "wrong" && oc.Name != "void" {
			t.Fatalf("failure %d: %v", i, oc)
		}
	}
	r.Want("code.check", other(code), "paused")
	r.Want("code.send", "", "limit")
}

func TestCodeLives(t *testing.T) {
	for _, c := range []struct {
		name string
		life time.Duration
		make func(r *rig) string
	}{
		{"text, enroll", 10 * time.Minute, func(r *rig) string {
			r.Want("phone.accept", "704 555 0148", "ok")
			return r.code()
		}},
		{"mail, enroll", 30 * time.Minute, func(r *rig) string {
			r.Want("email.accept", "ann@example.net", "ok")
			r.Want("code.send", "", "sent")
			r.Deliver()
			return r.Mails.Code(r.T, 1)
		}},
		{"text, proof", 5 * time.Minute, func(r *rig) string {
			r.Phone("704 555 0148")
			r.Clock.Advance(time.Hour)
			return r.code()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, late := range []time.Duration{-time.Second, 0} {
				r := newRig(t)
				code := c.make(r)
				r.Clock.Advance(c.life + late)
				want := "ok"
				if late == 0 {
					want = "expired"
					r.Want("code.state", "", "expired")
				}
				r.Want("code.check", code, want)
			}
		})
	}
}

func TestNewCodeReplacesTheOld(t *testing.T) {
	r := begun(t)
	first := r.code()
	old := r.Slot("ref")
	r.Clock.Advance(31 * time.Second)
	second := r.code()
	if first == second {
		t.Skip("one in a million: the same code twice")
	}
	if oc := r.Want("code.check", first, "used"); oc.Error != "code_replaced" {
		t.Error(oc)
	}
	if oc := r.Want("code.check", other(first, second), "wrong"); prooftest.Fact(oc, "left") != "4" {
		t.Errorf("left %s: an old code must cost no try", prooftest.Fact(oc, "left"))
	}
	now := r.Slot("ref")
	r.Set("ref", old).Want("code.check", first, "expired")
	r.Set("ref", now).Want("code.check", second, "ok")
}

// TestResendWaits are the cool-downs of the policy.
func TestResendWaits(t *testing.T) {
	r := begun(t, func(p *policy.Policy) {
		p.SMSUser, p.SMSNumber = []policy.Limit{{N: 99, Per: time.Hour}}, []policy.Limit{{N: 99, Per: time.Hour}}
	})
	r.Want("code.send", "", "sent")
	for i, wait := range append(slices.Clone(r.Policy.ResendWaits), r.Policy.ResendWaits[4]) {
		r.Clock.Advance(wait - time.Second)
		r.Want("code.send", "", "wait")
		r.Clock.Advance(time.Second + time.Millisecond)
		if oc := r.Do("code.send", ""); oc.Name != "sent" {
			t.Fatalf("resend %d after %s: %v", i+1, wait, oc)
		}
	}
}

// TestResendWaitSurvivesANewMethod: typing the number again does not help.
func TestResendWaitSurvivesANewMethod(t *testing.T) {
	r := begun(t)
	r.Want("code.send", "", "sent")
	r.Want("person.cancel", "", "ok")
	r.Want("phone.accept", "7045550148", "ok")
	r.Want("code.send", "", "wait")
}

// TestSendLimits tries every limit of the policy alone: so many sends, each
// after the last cool-down, and the next one is refused.
func TestSendLimits(t *testing.T) {
	none := []policy.Limit{{N: 1000, Per: time.Hour}}
	lax := func(p *policy.Policy) {
		p.ResendWaits = nil
		p.SMSUser, p.SMSNumber, p.VoiceNumber, p.MailAddress = none, none, none, none
		p.SMSPrefix, p.MailUser = none[0], none[0]
		p.PrefixShare = 1000 // one person makes all sends here
		p.SMSBudgetFloor, p.BreakerSends = 1000, 0
	}
	def := policy.Default()
	for _, c := range []struct {
		name    string
		change  func(*policy.Policy)
		n       int
		via     string
		outcome string
		after   time.Duration // then one more goes
	}{
		{"user, 10 minutes", func(p *policy.Policy) { p.SMSUser = def.SMSUser[:1] }, 3, "sms", "limit", 10 * time.Minute},
		{"user, hour", func(p *policy.Policy) { p.SMSUser = def.SMSUser[1:2] }, 5, "sms", "limit", time.Hour},
		{"user, day", func(p *policy.Policy) { p.SMSUser = def.SMSUser[2:] }, 10, "sms", "limit", 24 * time.Hour},
		{"user, calls", func(p *policy.Policy) { p.SMSUser = def.SMSUser[:1] }, 3, "voice", "limit", 10 * time.Minute},
		{"number, 10 minutes", func(p *policy.Policy) { p.SMSNumber = def.SMSNumber[:1] }, 3, "sms", "limit", 10 * time.Minute},
		{"number, day", func(p *policy.Policy) { p.SMSNumber = def.SMSNumber[1:] }, 6, "sms", "limit", 24 * time.Hour},
		{"prefix", func(p *policy.Policy) { p.SMSPrefix = def.SMSPrefix }, 20, "sms", "busy", time.Hour},
		{"prefix, calls", func(p *policy.Policy) { p.SMSPrefix = def.SMSPrefix }, 20, "voice", "busy", time.Hour},
		{"budget", func(p *policy.Policy) { p.SMSBudgetFloor = 50 }, 50, "sms", "busy", 24 * time.Hour},
		{"breaker", func(p *policy.Policy) { p.BreakerSends = 20 }, 20, "sms", "busy", 24 * time.Hour},
		{"calls, hour", func(p *policy.Policy) { p.VoiceNumber = def.VoiceNumber[:1] }, 2, "voice", "limit", time.Hour},
		{"calls, day", func(p *policy.Policy) { p.VoiceNumber = def.VoiceNumber[1:] }, 4, "voice", "limit", 24 * time.Hour},
		{"mail address, hour", func(p *policy.Policy) { p.MailAddress = def.MailAddress[:1] }, 3, "mail", "limit", time.Hour},
		{"mail address, day", func(p *policy.Policy) { p.MailAddress = def.MailAddress[1:] }, 6, "mail", "limit", 24 * time.Hour},
		{"mail user", func(p *policy.Policy) { p.MailUser = def.MailUser }, 5, "mail", "limit", time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, lax, c.change)
			if c.via == "mail" {
				r.Want("email.accept", "ann@example.net", "ok")
			} else {
				r.Set("via", c.via).Want("phone.accept", "7045550148", "ok")
			}
			for i := range c.n {
				if oc := r.Do("code.send", ""); oc.Name != "sent" {
					t.Fatalf("send %d: %v", i+1, oc)
				}
				r.Clock.Advance(time.Millisecond)
			}
			r.Want("code.send", "", c.outcome)
			r.Clock.Advance(c.after - time.Second)
			r.Want("code.send", "", c.outcome)
			r.Clock.Advance(time.Second + time.Millisecond)
			r.Want("code.send", "", "sent")
		})
	}
}

// TestNumberLimitCountsAllPeople: many accounts aim at one number.
func TestNumberLimitCountsAllPeople(t *testing.T) {
	r := newRig(t)
	people := []bot.Person{prooftest.Ann()}
	for i := range 9 {
		people = append(people, bot.Person{ID: bot.PersonID(fmt.Sprintf("x%d", i)), Username: fmt.Sprintf("x%d", i), Name: "X"})
	}
	r.People(people...)
	sent := 0
	for i, p := range people {
		r.Conv = r.Talk(bot.ConversationID(fmt.Sprintf("n%d", i)), fmt.Sprintf("n%d", i))
		r.Conv.Person, r.Conv.Level = p.ID, bot.L2
		r.Want("phone.accept", "7045550148", "ok")
		if oc := r.Do("code.send", ""); oc.Name == "sent" {
			sent++
		} else if oc.Name != "limit" {
			t.Fatal(oc)
		}
	}
	if sent != 3 {
		t.Errorf("%d texts to one number in ten minutes", sent)
	}
}

// A few people cannot close a block of 10,000 numbers for all others, neither by
// its limit nor by its breaker; several more of them can.
func TestFewPeopleCannotCloseAPrefix(t *testing.T) {
	for _, c := range []struct {
		people int
		want   string
	}{{4, "sent"}, {5, "busy"}} {
		r := newRig(t, func(p *policy.Policy) { p.ResendWaits, p.SMSUser, p.SMSBudgetFloor = nil, nil, 1000 })
		r.Policy.Required = 1
		all := []bot.Person{prooftest.Ann()}
		for i := range c.people {
			all = append(all, bot.Person{ID: bot.PersonID(fmt.Sprintf("x%d", i)), Username: fmt.Sprintf("x%d", i), Name: "X"})
		}
		r.People(all...)
		for i := range c.people { // each sends all that a person may, to numbers of one block, and confirms none
			r.Conv = r.Talk(bot.ConversationID(fmt.Sprintf("n%d", i)), fmt.Sprintf("n%d", i))
			r.Conv.Person, r.Conv.Level = all[i+1].ID, bot.L2
			for n := range 10 {
				r.Set("method", "", "ref", "").Want("phone.accept", fmt.Sprintf("704555%02d%02d", i+1, n), "ok")
				r.Do("code.send", "")
			}
		}
		r.Conv = r.Talk("ann", "ann")
		r.Conv.Person, r.Conv.Level = prooftest.AnnID, bot.L2
		r.Set("method", "", "ref", "").Want("phone.accept", "7045550177", "ok")
		r.Want("code.send", "", c.want)
	}
}

// A rotation of the keys starts no counter anew that is kept under a hash.
func TestRotationKeepsCounters(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) {
		p.ResendWaits, p.SMSUser = nil, []policy.Limit{{N: 1000, Per: time.Hour}}
		p.SMSNumber = []policy.Limit{{N: 3, Per: time.Hour}}
	})
	r.Want("phone.accept", "7045550148", "ok")
	for range 3 {
		r.Want("code.send", "", "sent")
	}
	r.Want("code.send", "", "limit")
	for range 2 {
		if _, err := r.Ring.AddKey(); err != nil {
			t.Fatal(err)
		}
		r.Want("code.send", "", "limit")
	}
}

// TestBreakerKeepsAGoodPrefixOpen: confirmed codes keep the prefix open.
func TestBreakerKeepsAGoodPrefixOpen(t *testing.T) {
	for _, c := range []struct {
		confirmed int
		want      string
	}{{5, "busy"}, {6, "sent"}} {
		r := newRig(t, func(p *policy.Policy) {
			p.ResendWaits, p.SMSUser, p.SMSNumber = nil, nil, nil
			p.SMSPrefix.N, p.Required, p.PrefixShare = 100, 1, 1000
			p.SMSBudgetFloor = 1000 // each phone is told of the next ones, by text
		})
		for i := range 20 {
			r.Set("method", "", "ref", "").Want("phone.accept", fmt.Sprintf("70455501%02d", i), "ok")
			code := r.code()
			if i < c.confirmed {
				r.Want("code.check", code, "ok")
			}
		}
		r.Want("phone.accept", "7045550177", "ok")
		r.Want("code.send", "", c.want)
	}
}

// TestPurposes: a code is good for the purpose, the method and the person it
// was sent for. Every other square of the matrix must not open.
func TestPurposes(t *testing.T) {
	type square struct {
		name  string
		begin func(r *rig) (code, ref, method string)
	}
	last := func(r *rig) (string, string) {
		return r.Slot("ref"), r.Slot("method")
	}
	all := []square{
		{"enroll.phone", func(r *rig) (string, string, string) {
			r.Want("phone.accept", "7045550101", "ok")
			code := r.code()
			ref, m := last(r)
			return code, ref, m
		}},
		{"enroll.email", func(r *rig) (string, string, string) {
			r.Want("email.accept", "new@example.net", "ok")
			r.Want("code.send", "", "sent")
			r.Deliver()
			ref, m := last(r)
			ms := r.Mails.Sent()
			return string(ms[len(ms)-1].Code), ref, m
		}},
		{"prove.phone", func(r *rig) (string, string, string) {
			r.Want("code.send", "", "sent")
			r.Deliver()
			ref, m := last(r)
			ms := r.Texts.Sent()
			return string(ms[len(ms)-1].Code), ref, m
		}},
		{"prove.email", func(r *rig) (string, string, string) {
			r.Want("code.send", "", "sent")
			r.Deliver()
			ref, m := last(r)
			ms := r.Mails.Sent()
			return string(ms[len(ms)-1].Code), ref, m
		}},
	}
	for i, from := range all {
		for j, at := range all {
			t.Run(from.name+" at "+at.name, func(t *testing.T) {
				r := newRig(t, func(p *policy.Policy) {
					p.ResendWaits, p.SMSUser, p.SMSNumber, p.MailAddress = nil, nil, nil, nil
					p.MailUser.N = 100
				})
				// An active phone and an active mailbox, for the proofs.
				r.Phone("7045550148")
				phone := r.Slot("method")
				r.Want("email.accept", "ann@example.net", "ok")
				r.Want("code.send", "", "sent")
				r.Deliver()
				r.Want("code.check", r.Mails.Code(t, 1), "ok")
				mail := r.Slot("method")
				active := map[string]string{"prove.phone": phone, "prove.email": mail}

				r.Set("ref", "", "method", active[from.name])
				code, ref, method := from.begin(r)
				if i == j {
					r.Want("code.check", code, "ok")
					return
				}
				r.Set("ref", "", "method", active[at.name])
				code2, ref2, method2 := at.begin(r)
				if code == code2 {
					t.Skip("one in a million: the same code twice")
				}
				for _, x := range [][2]string{{ref2, method2}, {ref, method2}, {ref2, method}, {"", method2}} {
					r.Set("ref", x[0], "method", x[1])
					if oc := r.Do("code.check", code); oc.Name == "ok" {
						t.Errorf("the code of %s opened %s", from.name, at.name)
					}
					r.Clock.Advance(31 * time.Second)
				}
			})
		}
	}
}

// TestCodeOfAnotherPerson: the same slots in another person's conversation.
func TestCodeOfAnotherPerson(t *testing.T) {
	r := begun(t)
	code := r.code()
	r.People(prooftest.Ann(), bot.Person{ID: "p2", Username: "bob", Name: "Bob"})
	r.Conv = r.Talk("c2", "u2")
	r.Conv.Person, r.Conv.Level = "p2", bot.L2
	r.Want("code.check", code, "expired")
	r.Want("code.state", "", "expired")
	r.Want("code.send", "", "gone")
	if n := len(r.Texts.Sent()); n != 1 {
		t.Errorf("%d texts", n)
	}
}

// TestProveByCode: T3 says less and locks.
func TestProveByCode(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.ResendWaits, p.SMSUser, p.SMSBudgetFloor = nil, nil, 1000 })
	r.Phone("7045550148")
	r.Clock.Advance(25 * time.Hour)
	r.Want("prove.begin", "", "needed")
	if oc := r.Want("prove.pick", "", "phone"); prooftest.Fact(oc, "via") != "sms" {
		t.Error(oc.Facts)
	}
	code := r.code()
	if m := r.Texts.Sent()[1]; m.Purpose != "prove" {
		t.Errorf("purpose %q", m.Purpose)
	}
	r.Want("code.check", code, "ok")
	r.Want("prove.begin", "", "fresh")
	r.Clock.Advance(16 * time.Minute)
	r.Want("prove.begin", "", "needed")
	code = r.code()
	for _, left := range []string{"4", "3", "2", "1"} {
		if oc := r.Want("code.check", other(code), "wrong"); prooftest.Fact(oc, "left") != left {
			t.Errorf("left %s, want %s", prooftest.Fact(oc, "left"), left)
		}
		r.Clock.Advance(31 * time.Second)
	}
	if oc := r.Want("code.check", other(code), "paused"); prooftest.Fact(oc, "wait") != "wait.hours.other(n=24)" {
		t.Error(oc.Facts)
	}
	r.Want("code.check", code, "paused")
	r.Want("code.send", "", "limit")
}

func TestVoiceAndLandlines(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.Countries = []string{"US", "GB"} })
	land := "+44 20 7946 0958" // London
	if oc := r.Set("via", "sms").Want("phone.accept", land, "landline"); prooftest.Fact(oc, "masked") != "•••• 58" {
		t.Error(oc.Facts)
	}
	r.Want("code.send", "", "landline")
	r.Set("via", "voice").Want("code.send", "", "sent")
	ref := r.Slot("ref")
	r.Deliver()
	if n := len(r.Texts.Sent()); n != 0 {
		t.Errorf("%d texts to a land-line", n)
	}
	m := r.Calls.Sent()[0]
	// The code of a call is read out later, while it counts.
	code, lang, err := r.Verify.CodeOf(t.Context(), ref)
	if err != nil || code != m.Code || lang != "en" {
		t.Errorf("CodeOf = %v, %v", lang, err)
	}
	r.Want("code.check", string(m.Code), "ok")
	if on := r.Methods(bot.Active); len(on) != 1 || on[0].Via != "voice" {
		t.Errorf("active %+v", on)
	}
	if _, _, err := r.Verify.CodeOf(t.Context(), ref); err == nil {
		t.Error("a used code is read out")
	}
	if ch := r.challenge(ref); ch.SealedCode != nil || ch.SealedTo != nil {
		t.Error("a used code is still sealed in the row")
	}
}

// TestCountryListIsReadAtEverySend: the list became shorter meanwhile.
func TestCountryListIsReadAtEverySend(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.Countries = []string{"US", "GB"} })
	r.Want("phone.accept", "+44 7400 123456", "ok")
	r.Policy.Countries = []string{"US"}
	if oc := r.Want("code.send", "", "busy"); oc.Error != "country" {
		t.Error(oc)
	}
}

// TestNoSender: a way that nothing carries is said to be busy, and nothing is counted.
func TestNoSender(t *testing.T) {
	r := begun(t)
	r.Verify = verify.New(verify.Deps{Store: r.DB, Policy: r.Policy, Vault: r.Ring, Methods: r.Enroll, Phrases: prooftest.Phrases{}})
	for _, s := range r.Verify.Specs() {
		r.Checks[s.Name] = s
	}
	r.Want("code.send", "", "busy")
}

// TestGuessersInParallel: 64 at once in the conversation that asked for the
// code; elsewhere it is not even looked at. No more guesses are compared than the limit allows, and a right one wins once.
func TestGuessersInParallel(t *testing.T) {
	for _, tier := range []string{"T1", "T3"} {
		t.Run(tier, func(t *testing.T) {
			r := newRig(t, func(p *policy.Policy) { p.T3Delays = nil })
			limit := r.Policy.CodeTries
			if tier == "T1" {
				r.Want("phone.accept", "7045550148", "ok")
			} else {
				r.Phone("7045550148")
				r.Clock.Advance(time.Hour)
			}
			code := r.code()
			elsewhere := r.NewCalls(8, code)
			for i, c := range elsewhere {
				c.Conversation.ID = bot.ConversationID(fmt.Sprintf("g%d", i))
			}
			if got := r.TryAll("code.check", elsewhere); got["ok"]+got["wrong"] != 0 {
				t.Errorf("elsewhere: %v", got)
			}
			calls := r.NewCalls(64, other(code))
			got := r.TryAll("code.check", calls)
			ch := r.challenge(r.Slot("ref"))
			if ch.Tries != limit {
				t.Errorf("%d comparisons, limit %d: %v", ch.Tries, limit, got)
			}
			if got["wrong"] != limit-1 || got["ok"] != 0 {
				t.Errorf("answers %v", got)
			}
		})
	}
}

func TestRightCodeWinsOnce(t *testing.T) {
	r := begun(t)
	code := r.code()
	got := r.TryAll("code.check", r.NewCalls(64, code))
	if got["ok"] != 1 || got["used"] != 63 {
		t.Errorf("answers %v", got)
	}
}

// TestStepWinsOnce: one valid code of an authenticator, many at once.
func TestStepWinsOnce(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.T3Failures, p.T3Delays = 1000, nil })
	seed := r.authenticator()
	code := r.codeAt(seed, 0)
	got := r.TryAll("prove.totp", r.NewCalls(64, code))
	if got["ok"] != 1 || strings.Join(sorted(got), " ") == "ok" {
		t.Errorf("answers %v", got)
	}
}

func sorted(m map[string]int) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
