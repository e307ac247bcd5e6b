package verify_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/verify"
)

// sending is Ann with a code queued, and its job.
func sending(t *testing.T) (*rig, verify.SendCode) {
	t.Helper()
	r := begun(t)
	oc := r.Want("code.send", "", "sent")
	r.Jobs = nil
	return r, verify.SendCode{Challenge: prooftest.Fact(oc, "ref")}
}

func (r *rig) send(j verify.SendCode) error { return r.Verify.HandleSendCode(r.Context(), j) }

func dropped(err error) bool {
	var d *bot.DropJob
	return errors.As(err, &d)
}

// TestSendCodeByClass: what follows from each class of failure.
func TestSendCodeByClass(t *testing.T) {
	boom := errors.New("boom")
	for _, c := range []struct {
		name    string
		err     error
		dropped bool
		signals []string
		state   bot.SendState
		again   int // texts after another run of the job
	}{
		{"retry", &bot.SendError{Kind: bot.SendRetry, Err: boom}, false, nil, bot.SendTrying, 1},
		{"throttled", &bot.SendError{Kind: bot.SendThrottled, After: time.Minute, Err: boom}, false, nil, bot.SendTrying, 1},
		{"throttled too long", &bot.SendError{Kind: bot.SendThrottled, After: time.Hour, Err: boom}, true, []string{"undelivered"}, bot.SendFailed, 0},
		{"uncertain", &bot.SendError{Kind: bot.SendUncertain, Err: boom}, false, nil, bot.SendTrying, 1},
		{"not classified", boom, false, nil, bot.SendTrying, 1},
		{"permanent", &bot.SendError{Kind: bot.SendPermanent, Err: boom}, true, []string{"undelivered"}, bot.SendFailed, 0},
		{"landline", &bot.SendError{Kind: bot.SendPermanent, Code: "landline", Err: boom}, true, []string{"landline"}, bot.SendFailed, 0},
		{"opted out", &bot.SendError{Kind: bot.SendPermanent, Code: "opted_out", Err: boom}, true, []string{"opted_out"}, bot.SendFailed, 0},
		{"refused", &bot.SendError{Kind: bot.SendPermanent, Code: "refused", Err: boom}, true, []string{"refused"}, bot.SendFailed, 0},
		{"a code we do not know", &bot.SendError{Kind: bot.SendPermanent, Code: "x30999", Err: boom}, true, []string{"undelivered"}, bot.SendFailed, 0},
		{"gone", &bot.SendError{Kind: bot.SendGone, Err: boom}, true, []string{"unreachable"}, bot.SendFailed, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, j := sending(t)
			r.Texts.FailNext(c.err)
			err := r.send(j)
			if err == nil || dropped(err) != c.dropped || !errors.Is(err, boom) {
				t.Fatalf("error %v, dropped %v", err, dropped(err))
			}
			if got := r.Inbox.Signals(); !slices.Equal(got, c.signals) {
				t.Errorf("signals %v, want %v", got, c.signals)
			}
			if len(c.signals) > 0 {
				ev := r.Inbox.Events[0]
				if ev.Signal.Ref != j.Challenge || ev.Conversation != "c1" || ev.Channel != "test" || ev.Kind != bot.Notice || ev.From != "" {
					t.Errorf("event %+v", ev)
				}
			}
			ch := r.challenge(j.Challenge)
			if ch.Sent != c.state || (ch.SealedCode == nil) != c.dropped {
				t.Errorf("state %d, sealed %v", ch.Sent, ch.SealedCode != nil)
			}
			err = r.send(j)
			if n := len(r.Texts.Sent()); n != c.again {
				t.Errorf("%d texts after another run (%v), want %d", n, err, c.again)
			}
			if got := r.Inbox.Signals(); !slices.Equal(got, c.signals) {
				t.Errorf("signals after another run: %v", got)
			}
		})
	}
}

// TestRetriesSendTheSameCode, and as often as nothing was sent.
func TestRetriesSendTheSameCode(t *testing.T) {
	r, j := sending(t)
	for range 6 {
		r.Texts.FailNext(&bot.SendError{Kind: bot.SendRetry, Err: errors.New("busy")})
		if err := r.send(j); err == nil || dropped(err) {
			t.Fatal(err)
		}
		r.Clock.Advance(time.Minute)
	}
	if err := r.send(j); err != nil {
		t.Fatal(err)
	}
	r.Want("code.check", string(r.Texts.Sent()[0].Code), "ok")
}

// crashing takes the code and then the process dies: nothing more is noted.
type crashing struct{ codes []bot.CodeMessage }

func (s *crashing) SendCode(_ context.Context, m bot.CodeMessage) (string, error) {
	s.codes = append(s.codes, m)
	panic("killed")
}

// TestCrashRepeatsOnceWithTheSameCode: the outcome of an attempt is unknown.
func TestCrashRepeatsOnceWithTheSameCode(t *testing.T) {
	r, j := sending(t)
	s := &crashing{}
	r.Verify.Senders[bot.SMS] = s
	run := func() (err error) {
		defer func() {
			if v := recover(); v != nil {
				err = errors.New("killed")
			}
		}()
		return r.send(j)
	}
	for range 2 {
		if err := run(); err == nil || dropped(err) {
			t.Fatal(err)
		}
	}
	if err := run(); !dropped(err) {
		t.Fatalf("a third attempt was not given up: %v", err)
	}
	if len(s.codes) != 2 || s.codes[0].Code != s.codes[1].Code || s.codes[0].ID != s.codes[1].ID {
		t.Fatalf("%d sends", len(s.codes))
	}
	if got := r.Inbox.Signals(); !slices.Equal(got, []string{"doubtful"}) { // it may have come, so nothing else is true
		t.Errorf("signals %v", got)
	}
	if ch := r.challenge(j.Challenge); ch.SealedCode != nil || ch.SealedTo != nil {
		t.Error("a code that is not sent again is not wiped")
	}
	if err := run(); !dropped(err) || len(s.codes) != 2 || len(r.Inbox.Events) != 1 {
		t.Errorf("another run: %v, %d sends, %d signals", err, len(s.codes), len(r.Inbox.Events))
	}
	r.Want("code.state", "", "live")
	r.Want("code.check", string(s.codes[0].Code), "ok") // it may have come all the same
}

// TestDoubtIsTold: however the sending of a code ends, who has perhaps got it is
// not told that it could not be delivered.
func TestDoubtIsTold(t *testing.T) {
	lost := &bot.SendError{Kind: bot.SendUncertain, Err: errors.New("no answer")}
	for name, then := range map[string]func(r *rig, j verify.SendCode) error{
		"twice without an answer": func(r *rig, j verify.SendCode) error { r.Texts.FailNext(lost); return r.send(j) },
		"then put off for too long": func(r *rig, j verify.SendCode) error {
			r.Texts.FailNext(&bot.SendError{Kind: bot.SendThrottled, After: time.Hour, Err: errors.New("too many")})
			return r.send(j)
		},
		"then too old": func(r *rig, j verify.SendCode) error { r.Clock.Advance(10 * time.Minute); return r.send(j) },
		"then refused without a reason": func(r *rig, j verify.SendCode) error {
			r.Texts.FailNext(&bot.SendError{Kind: bot.SendPermanent, Err: errors.New("no")})
			return r.send(j)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, j := sending(t)
			r.Texts.FailNext(lost)
			if err := r.send(j); err == nil || dropped(err) {
				t.Fatal(err)
			}
			if err := then(r, j); !dropped(err) {
				t.Fatal(err)
			}
			if got := r.Inbox.Signals(); !slices.Equal(got, []string{"doubtful"}) {
				t.Errorf("signals %v", got)
			}
			if ch := r.challenge(j.Challenge); ch.Sent == bot.SendFailed || ch.SealedCode != nil {
				t.Errorf("state %d, sealed %v", ch.Sent, ch.SealedCode != nil)
			}
		})
	}
	r, j := sending(t) // the number's own fault is certain, whatever became of the first
	r.Texts.FailNext(lost, &bot.SendError{Kind: bot.SendPermanent, Code: "landline", Err: errors.New("no")})
	r.send(j)
	r.send(j)
	if got := r.Inbox.Signals(); !slices.Equal(got, []string{"landline"}) {
		t.Errorf("signals %v", got)
	}
}

// TestLateCode: who waits for a code that does not go out is told once, whether
// its job was tried or not, and nobody else is.
func TestLateCode(t *testing.T) {
	retry := &bot.SendError{Kind: bot.SendRetry, Err: errors.New("down")}
	for _, c := range []struct {
		name    string
		before  func(r *rig, j verify.SendCode)
		signals []string
	}{
		{"not tried", func(*rig, verify.SendCode) {}, []string{"late"}},
		{"tried in vain", func(r *rig, j verify.SendCode) { r.Texts.FailNext(retry); r.send(j) }, []string{"late"}},
		{"gone out", func(r *rig, j verify.SendCode) { r.send(j) }, nil},
		{"used", func(r *rig, j verify.SendCode) {
			r.send(j)
			r.Want("code.check", string(r.Texts.Sent()[0].Code), "ok")
		}, nil},
		{"given up", func(r *rig, j verify.SendCode) {
			r.Texts.FailNext(&bot.SendError{Kind: bot.SendPermanent, Code: "landline", Err: errors.New("no")})
			r.send(j)
		}, []string{"landline"}},
		{"replaced", func(r *rig, j verify.SendCode) {
			r.Clock.Advance(31 * time.Second)
			r.Want("code.send", "", "sent")
		}, nil},
		{"dead", func(r *rig, _ verify.SendCode) { r.Clock.Advance(10 * time.Minute) }, nil},
		{"taken back", func(r *rig, _ verify.SendCode) { r.Want("person.cancel", "", "ok") }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, j := sending(t)
			c.before(r, j)
			for range 2 {
				if err := r.Verify.HandleLate(r.Context(), verify.Late(j)); err != nil {
					t.Fatal(err)
				}
			}
			if got := r.Inbox.Signals(); !slices.Equal(got, c.signals) {
				t.Errorf("signals %v, want %v", got, c.signals)
			}
		})
	}
	r := newRig(t)
	if err := r.Verify.HandleLate(r.Context(), verify.Late{Challenge: "nobody"}); err != nil {
		t.Error(err)
	}
}

// TestAskAgain: an operator has a code asked for again where somebody waits.
func TestAskAgain(t *testing.T) {
	r, j := sending(t)
	for _, id := range []string{j.Challenge, j.Challenge, "nobody"} {
		if err := r.Verify.HandleAgain(r.Context(), verify.Again{Challenge: id}); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.Inbox.Signals(); !slices.Equal(got, []string{"again"}) || r.Inbox.Events[0].Signal.Ref != j.Challenge {
		t.Errorf("signals %v", got)
	}
	r, j = sending(t)
	r.Want("person.cancel", "", "ok")
	if err := r.Verify.HandleAgain(r.Context(), verify.Again(j)); err != nil || len(r.Inbox.Events) > 0 {
		t.Errorf("a code that is over is asked for: %v, %v", r.Inbox.Signals(), err)
	}
}

// asking is a provider that can be asked.
type asking struct {
	crashing
	has string
	err error
}

func (s *asking) AskCode(context.Context, string, bot.Secret, time.Time) (string, error) {
	return s.has, s.err
}

func TestProviderIsAskedBeforeARepeat(t *testing.T) {
	r, j := sending(t)
	s := &asking{has: "SM1"}
	r.Verify.Senders[bot.SMS] = s
	func() {
		defer func() { _ = recover() }()
		_ = r.send(j)
	}()
	s.err = errors.New("down")
	if err := r.send(j); err == nil || dropped(err) {
		t.Fatalf("the provider did not answer: %v", err)
	}
	s.err = nil
	if err := r.send(j); err != nil {
		t.Fatal(err)
	}
	if ch := r.challenge(j.Challenge); len(s.codes) != 1 || ch.Sent != bot.SendHandedOver || ch.ProviderRef != "SM1" {
		t.Errorf("%d sends, %+v", len(s.codes), ch)
	}
}

// TestNothingIsSentTooLate: not after expiry, not when used, void or replaced.
func TestNothingIsSentTooLate(t *testing.T) {
	for _, c := range []struct {
		name    string
		before  func(r *rig)
		signals []string
	}{
		{"expired", func(r *rig) { r.Clock.Advance(10 * time.Minute) }, []string{"undelivered"}},
		{"cancelled", func(r *rig) { r.Want("person.cancel", "", "ok") }, nil},
		{"replaced", func(r *rig) {
			r.Clock.Advance(31 * time.Second)
			r.Want("code.send", "", "sent")
			r.Jobs = nil
		}, nil},
		{"another number", func(r *rig) { r.Want("phone.accept", "7045550149", "ok") }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, j := sending(t)
			c.before(r)
			err := r.send(j)
			if n := r.Texts.Calls(); n != 0 {
				t.Errorf("%d attempts: %v", n, err)
			}
			if got := r.Inbox.Signals(); !slices.Equal(got, c.signals) {
				t.Errorf("signals %v, want %v", got, c.signals)
			}
			if ch := r.challenge(j.Challenge); ch.SealedCode != nil || ch.SealedTo != nil {
				t.Error("a dead code is not wiped")
			}
		})
	}
	r := newRig(t)
	if err := r.send(verify.SendCode{Challenge: "nobody"}); !dropped(err) || !errors.Is(err, bot.ErrNotFound) {
		t.Errorf("unknown challenge: %v", err)
	}
}

// TestSignalFirst: when nobody could be told, the job is tried again.
func TestSignalFirst(t *testing.T) {
	r, j := sending(t)
	down := errors.New("store is down")
	r.Inbox.Err = down
	perm := &bot.SendError{Kind: bot.SendPermanent, Code: "landline", Err: errors.New("no")}
	r.Texts.FailNext(perm, perm)
	if err := r.send(j); !errors.Is(err, down) || dropped(err) {
		t.Fatalf("error %v", err)
	}
	r.Inbox.Err = nil
	if err := r.send(j); !dropped(err) {
		t.Fatal(err)
	}
	if got := r.Inbox.Signals(); !slices.Equal(got, []string{"landline"}) {
		t.Errorf("signals %v", got)
	}
}

func TestJobHoldsIDsOnly(t *testing.T) {
	r := begun(t)
	r.Jobs = nil
	r.Want("code.send", "", "sent")
	if len(r.Jobs) != 2 {
		t.Fatalf("jobs %v", r.Jobs)
	}
	if j, ok := r.Jobs[0].(verify.SendCode); !ok || j.Kind() != "send_code" || j.Challenge == "" {
		t.Errorf("job %#v", r.Jobs[0])
	}
	if j, ok := r.Jobs[1].(verify.Late); !ok || j.Kind() != "code_late" || j.Challenge == "" {
		t.Errorf("job %#v", r.Jobs[1])
	}
}

// TestStatus: a provider's later words, in any order and number.
func TestStatus(t *testing.T) {
	type word struct {
		s    bot.SendState
		code string
	}
	for _, c := range []struct {
		name    string
		words   []word
		signals []string
		state   bot.SendState
	}{
		{"delivered", []word{{bot.SendHandedOver, ""}, {bot.SendDelivered, ""}, {bot.SendDelivered, ""}}, []string{"delivered"}, bot.SendDelivered},
		{"failed", []word{{bot.SendFailed, "landline"}, {bot.SendFailed, "landline"}}, []string{"landline"}, bot.SendFailed},
		{"failed without a reason", []word{{bot.SendFailed, ""}}, []string{"undelivered"}, bot.SendFailed},
		{"delivered, then late sent", []word{{bot.SendDelivered, ""}, {bot.SendHandedOver, ""}}, []string{"delivered"}, bot.SendDelivered},
		{"delivered, then failed", []word{{bot.SendDelivered, ""}, {bot.SendFailed, ""}}, []string{"delivered"}, bot.SendDelivered},
		{"failed, then delivered", []word{{bot.SendFailed, "unreachable"}, {bot.SendDelivered, ""}}, []string{"unreachable"}, bot.SendFailed},
		{"earlier states say nothing", []word{{bot.SendQueued, ""}, {bot.SendTrying, ""}}, nil, bot.SendHandedOver},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, j := sending(t)
			if err := r.send(j); err != nil {
				t.Fatal(err)
			}
			ref := r.challenge(j.Challenge).ProviderRef
			for _, w := range c.words {
				if err := r.Verify.HandleStatus(t.Context(), ref, w.s, w.code); err != nil {
					t.Fatal(err)
				}
			}
			if got := r.Inbox.Signals(); !slices.Equal(got, c.signals) {
				t.Errorf("signals %v, want %v", got, c.signals)
			}
			if ch := r.challenge(j.Challenge); ch.Sent != c.state {
				t.Errorf("state %d, want %d", ch.Sent, c.state)
			}
		})
	}
	r, _ := sending(t)
	if err := r.Verify.HandleStatus(t.Context(), "somebody-elses", bot.SendFailed, ""); err != nil {
		t.Errorf("unknown reference: %v", err)
	}
	if got := r.Inbox.Signals(); got != nil {
		t.Errorf("signals %v", got)
	}
}

// TestStatusOfAUsedCode concerns nobody any more.
func TestStatusOfAUsedCode(t *testing.T) {
	r, j := sending(t)
	if err := r.send(j); err != nil {
		t.Fatal(err)
	}
	r.Want("code.check", string(r.Texts.Sent()[0].Code), "ok")
	if err := r.Verify.HandleStatus(t.Context(), r.challenge(j.Challenge).ProviderRef, bot.SendFailed, ""); err != nil {
		t.Fatal(err)
	}
	if got := r.Inbox.Signals(); got != nil {
		t.Errorf("signals %v", got)
	}
}
