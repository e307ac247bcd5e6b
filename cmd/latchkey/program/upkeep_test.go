package program

import (
	"log/slog"
	"testing"
	"time"

	"latchkey/bot/vault"
	"latchkey/cmd/latchkey/demo"
)

// The service prunes some seconds after its start, and remembers when.
func TestServicePrunesAfterItsStart(t *testing.T) {
	t.Parallel()
	cfg := demo.Config(t.TempDir())
	cfg.Policy.Audit = 30 * 24 * time.Hour
	if _, err := vault.Create(cfg.KeysFile); err != nil {
		t.Fatal(err)
	}
	p, err := Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if a := p.ages(); a.Audit != 30*24*time.Hour || a.Conversations != cfg.Policy.Conversations || a.Links == 0 || a.Removed == 0 {
		t.Errorf("ages %+v", a)
	}
	p.pruneIfDue(t.Context())
	if due, err := p.DB.Claim(t.Context(), "pruned", pruneEvery); err != nil || due {
		t.Errorf("pruned just now, and due again: %v %v", due, err)
	}
	if pruneAfter > time.Minute {
		t.Errorf("a service that lives %s never prunes", pruneAfter)
	}
}
