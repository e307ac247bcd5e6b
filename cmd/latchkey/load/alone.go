package load

import (
	"fmt"
	"runtime"
	"time"

	"latchkey/bot"
)

// An AloneReport is what the engine does on one core without a store.
type AloneReport struct {
	Turns     int     `json:"turns"`
	PerSecond float64 `json:"turns_s"`
	Allocs    float64 `json:"allocs_per_turn"`
	Bytes     float64 `json:"bytes_per_turn"` // allocated
}

// An Exchange is one event of an enrollment and what its checks answer, in
// order.
type Exchange struct {
	Event    bot.Event
	Outcomes []bot.Outcome
}

// Enrollment is a whole enrollment over the shipped scripts, half typed and half
// pressed: sign-in, app, phone by text. Outcomes are given, so that the engine
// alone is measured.
func Enrollment() []Exchange {
	say := func(text string, ocs ...bot.Outcome) Exchange {
		return Exchange{bot.Event{Kind: bot.Text, Text: text, At: time.Unix(1, 0)}, ocs}
	}
	press := func(id string, ocs ...bot.Outcome) Exchange {
		return Exchange{bot.Event{Kind: bot.Press, Choice: id, At: time.Unix(1, 0)}, ocs}
	}
	oc := func(name string, kv ...string) bot.Outcome { return bot.Outcome{Name: name, Facts: bot.Facts(kv...)} }
	reveal := oc("ready", "method", "m1", "account", "ada", "issuer", "Riverbend")
	reveal.Reveal = &bot.Reveal{Kind: bot.RevealTOTP, Method: "m1"}
	form := Exchange{bot.Event{Kind: bot.Submit, Form: &bot.FormReply{Name: "sign_in", Values: []bot.FormValue{{Name: "password", Value: "x"}}}},
		[]bot.Outcome{oc("ok", "name", "Ada"), oc("fresh", "name", "Ada"), oc("authenticator"), oc("none")}}
	return []Exchange{
		say("hi", oc("unknown"), oc("unknown")),
		press("start", oc("password")),
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

// player plays a walk from an empty session to an empty session.
type player struct {
	engine bot.Engine
	turns  []Exchange
	s      bot.Session
	out    bot.Output
	steps  []string // of the first play
}

// play plays once and reports the number of the first turn that went another
// way than in the first play, or -1.
func (p *player) play() int {
	p.s = bot.Session{Stack: p.s.Stack[:0]}
	for i := range p.turns {
		t := &p.turns[i]
		t.Event.Prompt = p.s.Prompt
		p.engine.Turn(&p.s, &t.Event, &p.out)
		k := 0
		for ; p.out.Check != ""; k++ {
			if k == len(t.Outcomes) {
				return i
			}
			p.engine.Resume(&p.s, &t.Event, t.Outcomes[k], &p.out)
		}
		step := ""
		if top := p.s.Top(); top != nil {
			step = top.Step
		}
		switch {
		case len(p.steps) < len(p.turns):
			p.steps = append(p.steps, step)
		case p.steps[i] != step:
			return i
		}
		if k != len(t.Outcomes) || p.out.Message.Text == "" {
			return i
		}
	}
	if len(p.s.Stack) != 0 {
		return len(p.turns) - 1
	}
	return -1
}

// Alone measures an engine with the shipped scripts, on the calling goroutine
// and one core, for d. It fails when the enrollment goes another way than it
// should.
func Alone(engine bot.Engine, d time.Duration) (*AloneReport, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	p := &player{engine: engine, turns: Enrollment()}
	for range 50 {
		if at := p.play(); at >= 0 {
			return nil, fmt.Errorf("load: the engine went another way at turn %d of the enrollment, to %s.%s", at+1, p.out.Flow, p.out.Step)
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	n, t0 := 0, time.Now()
	for time.Since(t0) < d {
		for range 20 {
			if at := p.play(); at >= 0 {
				return nil, fmt.Errorf("load: the engine went another way at turn %d of the enrollment", at+1)
			}
			n += len(p.turns)
		}
	}
	took := time.Since(t0).Seconds()
	runtime.ReadMemStats(&after)
	return &AloneReport{Turns: n, PerSecond: float64(n) / took,
		Allocs: float64(after.Mallocs-before.Mallocs) / float64(n), Bytes: float64(after.TotalAlloc-before.TotalAlloc) / float64(n)}, nil
}
