package prooftest

import (
	"context"
	"strings"
	"sync"
	"time"

	"latchkey/bot"
	"latchkey/bot/vault"
)

// Phrases shows which text was asked for: "key(name=value)".
type Phrases struct{}

// Phrase implements bot.Phrases.
func (Phrases) Phrase(lang, key string, kv ...string) string {
	if len(kv) == 0 {
		return key
	}
	var b strings.Builder
	b.WriteString(key + "(")
	for i := 0; i+1 < len(kv); i += 2 {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(kv[i] + "=" + kv[i+1])
	}
	return b.String() + ")"
}

// Languages implements bot.Phrases.
func (Phrases) Languages() []string { return []string{"en", "es"} }

// An Inbox keeps events, each id once. It implements bot.Inbox.
type Inbox struct {
	Events []bot.Event // read it while no job runs
	Err    error       // what Accept gives instead; set it while no job runs

	mu   sync.Mutex
	seen map[string]bool
}

// Accept implements bot.Inbox.
func (in *Inbox) Accept(_ context.Context, ev bot.Event) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.Err != nil {
		return in.Err
	}
	if in.seen[ev.ID] {
		return nil
	}
	if in.seen == nil {
		in.seen = map[string]bool{}
	}
	in.seen[ev.ID] = true
	in.Events = append(in.Events, ev)
	return nil
}

// Signals are the names of the signals that came, in order.
func (in *Inbox) Signals() (names []string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, ev := range in.Events {
		names = append(names, ev.Signal.Name)
	}
	return names
}

// hasher adapts the vault's pool.
type hasher struct{ pool *vault.Pool }

func (h hasher) Hash(ctx context.Context, b []byte) (string, error) {
	return vault.HashSecret(ctx, h.pool, b)
}
func (h hasher) HashSet(ctx context.Context, bs [][]byte) ([]string, error) {
	return vault.HashSet(ctx, h.pool, bs)
}
func (h hasher) VerifyAny(ctx context.Context, hs []string, b []byte) (int, error) {
	return vault.VerifyAny(ctx, h.pool, hs, b)
}

// Recording is a transaction that keeps jobs instead of inserting them.
type Recording struct {
	bot.Tx
	Jobs *[]bot.Job
	Due  *[]time.Time // may be nil
}

// Enqueue implements bot.Tx.
func (tx Recording) Enqueue(j bot.Job, at time.Time) error {
	*tx.Jobs = append(*tx.Jobs, j)
	if tx.Due != nil {
		*tx.Due = append(*tx.Due, at)
	}
	return nil
}
