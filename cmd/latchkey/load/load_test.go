package load

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/policy"
	"latchkey/bot/turn"
	"latchkey/bot/vault"
	"latchkey/store/storetest"
)

// Counters that carry no noise, with 50 people at once on SQLite: what a turn
// costs must not grow unseen.
func TestCountersSQLite(t *testing.T) {
	r := counters(t, func() string { return filepath.Join(t.TempDir(), "load.db") })
	for _, c := range []struct {
		what       string
		got, limit float64
	}{
		// Note the event, read, save, say, mark; what is new twice in 12 turns.
		{"statements", r.Statements, 5.6},
		{"syncs", r.Syncs, 0.06},
		{"allocations", r.Allocs, 68},
		{"bytes of a session", r.StateBytes, 450},
		{"round trips", r.Trips, 0},
	} {
		if c.got > c.limit {
			t.Errorf("%s a turn: %.3f, at most %.3f", c.what, c.got, c.limit)
		}
	}
}

// The same on PostgreSQL: statements and round trips.
func TestCountersPostgres(t *testing.T) {
	r := counters(t, func() string { return storetest.DurablePostgres(t) })
	for _, c := range []struct {
		what       string
		got, limit float64
	}{
		// Say, save and mark; the rest once for a group.
		{"statements", r.Statements, 2.5},
		{"round trips", r.Trips, 0.4},
		{"syncs", r.Syncs, 0.2},
	} {
		if c.got > c.limit {
			t.Errorf("%s a turn: %.3f, at most %.3f", c.what, c.got, c.limit)
		}
	}
}

// counters runs the dialogue, at most three times: how many turns share a
// commit depends on the machine, and only the best run tells what is possible.
func counters(t *testing.T, dsn func() string) *Report {
	t.Helper()
	var best *Report
	for range 3 {
		r, err := Run(t.Context(), Options{DSN: dsn(), Users: 200, Conc: 50, Warm: 50, Seed: 200})
		if err != nil {
			t.Fatal(err)
		}
		if r.Messages != 1 {
			t.Fatalf("%.4f messages a turn, want exactly 1", r.Messages)
		}
		if r.Turns != 200*len(Turns) {
			t.Fatalf("%d turns, want %d", r.Turns, 200*len(Turns))
		}
		if best == nil || r.Syncs < best.Syncs {
			best = r
		}
		if best.Syncs <= 0.045 {
			break
		}
	}
	t.Logf("%+v", *best)
	return best
}

// A wrong reply ends the run: the measurement proves that it looks.
func TestWrongReplyFails(t *testing.T) {
	plat := NewPlatform(Channel)
	c := &chat{o: &EnrollOptions{Inbox: parrot{plat}}, ctx: t.Context(), conv: "a", in: plat.Join("a")}
	if err := c.say("hello", "hello"); err != nil {
		t.Fatal(err)
	}
	if err := c.say("hello", "good morning"); err == nil || !strings.Contains(err.Error(), `expected "good morning"`) {
		t.Fatalf("a wrong reply was not noticed: %v", err)
	}
}

// parrot answers with what was said.
type parrot struct{ p *Platform }

func (p parrot) Accept(ctx context.Context, ev bot.Event) error {
	_, err := p.p.Send(ctx, bot.Delivery{Conversation: ev.Conversation, Key: ev.ID, Message: bot.Message{Text: ev.Text}})
	return err
}

// The dialogue's session stays small at every turn.
func TestSessionBytes(t *testing.T) {
	engine, err := Engine()
	if err != nil {
		t.Fatal(err)
	}
	mean, err := stateBytes(t.Context(), engine)
	if err != nil || mean == 0 || mean > 450 {
		t.Fatalf("%.0f bytes, %v", mean, err)
	}
	var s bot.Session
	if n := len(turn.AppendSession(nil, &s)); n > 2 {
		t.Errorf("an empty session takes %d bytes", n)
	}
}

func TestHashRate(t *testing.T) {
	p := policy.Default()
	p.ArgonMemoryKiB, p.ArgonTime = 64, 1
	rate, cost, err := HashRate(t.Context(), vault.NewPool(p), 2, 20*time.Millisecond)
	if err != nil || rate <= 0 || cost < 0 {
		t.Fatalf("%v hashes a second, %v ms each, %v", rate, cost, err)
	}
}

func TestSyncRate(t *testing.T) {
	rate, err := SyncRate(t.TempDir(), 20*time.Millisecond)
	if err != nil || rate <= 0 {
		t.Fatalf("%v syncs a second, %v", rate, err)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 12: "12", 0.0361: "0.036", 45.62: "45.6", 999.96: "1000.0", 1234567: "1,234,567"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) is %q, want %q", v, got, want)
		}
	}
	var b strings.Builder
	if err := Print(&b, []Line{Of("turns", 12, ""), Of("a turn, median", 2.5, "ms")}); err != nil || !strings.Contains(b.String(), "a turn, median  2.500  ms") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

// BenchmarkDialogue is a durable turn at 1, 50 and 256 people at once.
func BenchmarkDialogue(b *testing.B) {
	for _, conc := range []int{1, 50, 256} {
		b.Run(fmt.Sprint(conc), func(b *testing.B) {
			r, err := Run(context.Background(), Options{DSN: filepath.Join(b.TempDir(), "load.db"), Users: b.N/len(Turns) + 1, Conc: conc, Warm: conc})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(r.PerSecond, "turns/s")
			b.ReportMetric(r.P99, "p99-ms")
			b.ReportMetric(r.Syncs, "syncs/turn")
			b.ReportMetric(r.Allocs, "allocs/turn")
			b.ReportMetric(r.Statements, "stmts/turn")
		})
	}
}
