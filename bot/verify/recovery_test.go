package verify_test

import (
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
)

// codes gives Ann ten recovery codes.
func (r *rig) codes() []bot.Secret {
	r.Helper()
	c := r.NewCall("")
	shown, prepared, err := r.Forms["recovery"].Reveal(r.Context(), r.DB, c)
	if err != nil {
		r.Fatal(err)
	}
	c.Prepared, c.Event.Form = prepared, &bot.FormReply{Name: "recovery", Values: []bot.FormValue{{Name: "saved", Value: "saved"}}}
	oc, err := r.Try("recovery.save", c)
	if err != nil || oc.Name != "ok" || prooftest.Fact(oc, "count") != "10" {
		r.Fatal(oc, err)
	}
	return shown
}

func TestRecoveryCodes(t *testing.T) {
	r := newRig(t)
	r.Want("recovery.begin", "", "ready")
	codes := r.codes()
	seen := map[bot.Secret]bool{}
	for _, c := range codes {
		if seen[c] || len(c) != 19 || strings.Count(string(c), "-") != 3 || strings.ContainsAny(string(c), "ILOUilou") {
			t.Errorf("code %q", string(c))
		}
		seen[c] = true
	}
	if on := r.Methods(bot.Active); len(on) != 1 || on[0].Kind != bot.Recovery {
		t.Fatalf("active %+v", on)
	}
	r.Want("prove.begin", "", "needed")
	ask := func(code string) bot.Outcome {
		r.Helper()
		r.Clock.Advance(time.Minute)
		return r.Submit("recovery_code", "prove.recovery", "code", code)
	}
	typed := strings.ToLower(strings.ReplaceAll(string(codes[3]), "-", " "))
	if oc := ask(typed); oc.Name != "ok" {
		t.Fatal(oc)
	}
	r.Want("prove.begin", "", "fresh")
	if oc := ask(string(codes[3])); oc.Name != "wrong" || prooftest.Fact(oc, "left") != "4" {
		t.Errorf("a spent code: %v", oc)
	}
	for _, text := range []string{"", "0", "hello", string(codes[4])[:14]} { // no code at all is no try
		if oc := ask(text); oc.Name != "bad" {
			t.Errorf("%q: %v", text, oc)
		}
	}
	if oc := ask("1111-1111-1111-1111"); oc.Name != "wrong" || prooftest.Fact(oc, "left") != "3" {
		t.Errorf("a wrong code: %v", oc)
	}
	if oc := ask("0000-0000-0000-0000"); oc.Name != "wrong" {
		t.Errorf("a wrong code: %v", oc)
	}
	if oc := ask(string(codes[4])); oc.Name != "ok" {
		t.Errorf("another code: %v", oc)
	}
	old := codes[5]
	codes = r.codes() // a new set takes the place of the old one
	if oc := ask(string(old)); oc.Name != "wrong" {
		t.Errorf("a code of the old set: %v", oc)
	}
	if oc := ask("2222-2222-2222-2222"); oc.Name != "locked" {
		t.Errorf("fifth failure: %v", oc)
	}
	if oc := ask(string(codes[0])); oc.Name != "locked" {
		t.Errorf("a right code while locked: %v", oc)
	}
}

// TestRecoveryIsSpentOnce: two prepared alike, one wins.
func TestRecoveryIsSpentOnce(t *testing.T) {
	r := newRig(t)
	codes := r.codes()
	c := r.NewCall("")
	c.Event.Form = &bot.FormReply{Name: "recovery_code", Values: []bot.FormValue{{Name: "code", Value: codes[0]}}}
	prepared, err := r.Forms["recovery_code"].Prepare(t.Context(), r.DB, c)
	if err != nil {
		t.Fatal(err)
	}
	c.Prepared = prepared
	first, err := r.Try("prove.recovery", c)
	if err != nil || first.Name != "ok" {
		t.Fatal(first, err)
	}
	if second, err := r.Try("prove.recovery", c); err != nil || second.Name != "wrong" {
		t.Errorf("the same code again: %v, %v", second, err)
	}
}
