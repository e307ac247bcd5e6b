package flows_test

import (
	"testing"

	"latchkey/bot"
	"latchkey/cmd/latchkey/load"
	"latchkey/flows"
)

// enrollOnce plays the enrollment from an empty session to an empty session.
func enrollOnce(set *flows.Set, turns []load.Exchange, s *bot.Session, out *bot.Output) {
	*s = bot.Session{Stack: s.Stack[:0]}
	for i := range turns {
		t := &turns[i]
		t.Event.Prompt = s.Prompt
		set.Turn(s, &t.Event, out)
		for k := 0; out.Check != ""; k++ {
			set.Resume(s, &t.Event, t.Outcomes[k], out)
		}
	}
}

func TestEnrollmentOfBenchmarkEnds(t *testing.T) {
	set := shipped(t)
	var s bot.Session
	var out bot.Output
	for i, x := range load.Enrollment() {
		x.Event.Prompt = s.Prompt
		set.Turn(&s, &x.Event, &out)
		for _, oc := range x.Outcomes {
			if out.Check == "" {
				t.Fatalf("exchange %d asks fewer checks than are canned", i)
			}
			set.Resume(&s, &x.Event, oc, &out)
		}
		if out.Check != "" {
			t.Fatalf("exchange %d asks %s, for which nothing is canned", i, out.Check)
		}
	}
	if len(s.Stack) != 0 {
		t.Fatalf("it stands at %s.%s", s.Top().Flow, s.Top().Step)
	}
}

// At most 5 allocations a turn. The count carries no noise, so it gates.
func TestAllocsPerTurn(t *testing.T) {
	set := shipped(t)
	turns := load.Enrollment()
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
	turns := load.Enrollment()
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
