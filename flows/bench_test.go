package flows_test

import (
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/flows"
)

// exchange is one event of the enrollment and what its checks answer.
type exchange struct {
	ev       bot.Event
	outcomes []bot.Outcome
}

// enrollment is a whole enrollment over the real script, half typed and half
// pressed: sign-in, app, phone by text, done. Outcomes are canned, so that the
// engine alone is measured.
func enrollment() []exchange {
	say := func(text string, ocs ...bot.Outcome) exchange {
		return exchange{bot.Event{Kind: bot.Text, Text: text, At: time.Unix(1, 0)}, ocs}
	}
	press := func(id string, ocs ...bot.Outcome) exchange {
		return exchange{bot.Event{Kind: bot.Press, Choice: id, At: time.Unix(1, 0)}, ocs}
	}
	oc := func(name string, kv ...string) bot.Outcome { return bot.Outcome{Name: name, Facts: bot.Facts(kv...)} }
	reveal := oc("ready", "method", "m1", "account", "ada", "issuer", "Riverbend")
	reveal.Reveal = &bot.Reveal{Kind: bot.RevealTOTP, Method: "m1"}
	form := exchange{bot.Event{Kind: bot.Submit, Form: &bot.FormReply{Name: "sign_in", Values: []bot.FormValue{{Name: "password", Value: "x"}}}},
		[]bot.Outcome{oc("ok", "name", "Ada"), oc("fresh", "name", "Ada"), oc("authenticator"), oc("none")}}
	return []exchange{
		say("hi", oc("unknown"), oc("unknown")),
		press("start"),
		say("ada", oc("ok", "username", "ada")),
		form,
		say("Next"),
		press("yes"),
		say("how long does this take?"),
		press("have"),
		press("next"),
		press("next", reveal),
		say("why"),
		say("111111", oc("wrong", "left", "4")),
		say("123 456", oc("ok", "masked", "app"), oc("phone"), oc("fresh")),
		press("sms"),
		say("(201) 555-0123", oc("ok", "masked", "•••• 23", "method", "m2")),
		say("yes", oc("sent", "masked", "•••• 23", "ref", "c1", "minutes", "10")),
		say("123456", oc("ok", "masked", "•••• 23"), oc("complete"), oc("well", "list", "- Authenticator app\n- Phone •••• 23", "receipt", "LK-7Q2F")),
		press("done"),
	}
}

// enrollOnce plays the enrollment from an empty session to an empty session.
func enrollOnce(set *flows.Set, turns []exchange, s *bot.Session, out *bot.Output) {
	*s = bot.Session{Stack: s.Stack[:0]}
	for i := range turns {
		t := &turns[i]
		t.ev.Prompt = s.Prompt
		set.Turn(s, &t.ev, out)
		for k := 0; out.Check != ""; k++ {
			set.Resume(s, &t.ev, t.outcomes[k], out)
		}
	}
}

func TestEnrollmentOfBenchmarkEnds(t *testing.T) {
	set := shipped(t)
	var s bot.Session
	var out bot.Output
	for i, x := range enrollment() {
		x.ev.Prompt = s.Prompt
		set.Turn(&s, &x.ev, &out)
		for _, oc := range x.outcomes {
			if out.Check == "" {
				t.Fatalf("exchange %d asks fewer checks than are canned", i)
			}
			set.Resume(&s, &x.ev, oc, &out)
		}
		if out.Check != "" {
			t.Fatalf("exchange %d asks %s, for which nothing is canned", i, out.Check)
		}
	}
	if len(s.Stack) != 0 {
		t.Fatalf("it stands at %s.%s", s.Top().Flow, s.Top().Step)
	}
}

// At most 5 allocations a turn (performance.md, P1). The count carries no
// noise, so it gates.
func TestAllocsPerTurn(t *testing.T) {
	set := shipped(t)
	turns := enrollment()
	var s bot.Session
	var out bot.Output
	n := testing.AllocsPerRun(200, func() { enrollOnce(set, turns, &s, &out) }) / float64(len(turns))
	t.Logf("%.2f allocations a turn", n)
	if n > 5 {
		t.Errorf("%.2f allocations a turn, at most 5", n)
	}
}

func BenchmarkTurn(b *testing.B) {
	set := shipped(b)
	turns := enrollment()
	var s bot.Session
	var out bot.Output
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		enrollOnce(set, turns, &s, &out)
		n += len(turns)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "turns/s")
	b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(n), "ns/turn")
}

// What a start costs: reading, linking and linting the shipped scripts.
func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		shipped(b)
	}
}
