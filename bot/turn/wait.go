package turn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"latchkey/bot"
)

// stillAfter is how long a call may take in silence. Jobs begin within about a
// second of their time; see store.DB.StartJobs.
const stillAfter = 5 * time.Second

// Wait is the job that watches over what a call step waits for: it tells the
// conversation that it still runs, and later that it is late. Whoever does not
// wait any more hears nothing.
type Wait struct {
	Conversation bot.ConversationID `json:"conversation"`
	Ref          string             `json:"ref"`
	Name         string             `json:"name"` // of the signal
}

// Kind implements bot.Job.
func (Wait) Kind() string { return "call_wait" }

// await has a call step watched whose check has just begun something.
func (t *turn) await(tx bot.Tx, c *bot.Conversation, spec bot.CheckSpec, oc bot.Outcome) error {
	ref := ""
	for _, f := range oc.Facts {
		if f.Name == "ref" {
			ref = f.Value
		}
	}
	if ref == "" || spec.Within <= 0 {
		return fmt.Errorf("a call step waits for check %s, which gives no ref with its outcome %s, or no time", spec.Name, spec.Waits)
	}
	for name, after := range map[string]time.Duration{bot.SignalStill: stillAfter, bot.OutcomeLate: spec.Within} {
		if after > spec.Within {
			continue
		}
		if err := tx.Enqueue(Wait{c.ID, ref, name}, tx.Now().Add(after)); err != nil {
			return fmt.Errorf("watch over check %s: %w", spec.Name, err)
		}
	}
	return nil
}

// HandleWait does the job.
func (r *Service) HandleWait(ctx context.Context, j Wait) error {
	err := r.Signal(ctx, j.Conversation, bot.Signal{Name: j.Name, Ref: j.Ref})
	if errors.Is(err, bot.ErrNotFound) {
		return nil // erased meanwhile
	}
	return err
}
