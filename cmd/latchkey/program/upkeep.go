package program

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"time"

	"latchkey/bot/enroll"
	"latchkey/bot/policy"
	"latchkey/store"
)

// Times of upkeep.
const (
	upkeepEvery = 5 * time.Second
	headLogged  = time.Hour // how often the audit record's head goes into the log
	pruneEvery  = time.Hour
	pruneAfter  = 20 * time.Second // of the start, which has enough to do
	syncsEvery  = 15 * time.Second // how often it is seen whether the directory is to be read
)

// upkeep takes over what changed on the disk: a key that another process made,
// every few seconds, and scripts when the process is told by SIGHUP. It carries
// the audit record's head outside, and deletes what the policy's retention is
// over for.
func (h *Program) upkeep(ctx context.Context) error {
	hup := make(chan os.Signal, 1)
	notifyHangup(hup)
	defer signal.Stop(hup)
	tick := time.NewTicker(upkeepEvery)
	defer tick.Stop()
	logHead := time.NewTicker(headLogged)
	defer logHead.Stop()
	prune := time.NewTimer(pruneAfter)
	defer prune.Stop()
	syncs := time.NewTicker(syncsEvery)
	defer syncs.Stop()
	h.logHead(ctx)
	h.scheduleSyncs(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if changed, err := h.Keys.Reload(); err != nil {
				h.Log.Error("the key file changed and cannot be read; the old keys stay in use", "err", err)
			} else if changed {
				h.Log.Info("keys taken over", "key", h.Keys.KeyID())
			}
			h.keepHead(ctx)
		case <-logHead.C:
			h.logHead(ctx)
		case <-syncs.C:
			h.scheduleSyncs(ctx)
		case <-prune.C:
			h.pruneIfDue(ctx)
			prune.Reset(pruneEvery / 4)
		case <-hup:
			if err := h.Scripts.Reload(); err != nil {
				h.Log.Error("scripts refused; the old ones stay in use", "err", err)
			} else {
				h.Log.Info("scripts loaded anew")
				h.recordSystem(ctx, "scripts.reloaded", "by SIGHUP")
			}
			h.reread()
		}
	}
}

// ages are the policy's retention, for everything that grows.
func (h *Program) ages() store.Ages {
	p := h.Config.Policy
	return store.Ages{
		Events: p.EventIDs, Outbox: p.Outbox, GivenUp: p.GivenUp, Challenges: p.ChallengeKeep, Tallies: longestWindow(p), Passes: 24 * time.Hour,
		Conversations: p.Conversations, Links: p.LinksUnused, Removed: p.RemovedKeep, Audit: p.Audit,
		Passing: slices.Sorted(maps.Keys(h.Connections.keeps)),
	}
}

// pruneIfDue prunes once an hour, in one of the processes that share the store.
// The store remembers when that was, so that a process which is started anew
// every few minutes prunes too.
func (h *Program) pruneIfDue(ctx context.Context) {
	due, err := h.DB.Claim(ctx, "pruned", pruneEvery)
	var n store.Pruned
	if err == nil && due {
		n, err = h.DB.Prune(ctx, h.ages())
		err = errors.Join(err, h.Operators().ForgetAlerts(ctx))
	}
	if err != nil && ctx.Err() == nil {
		h.Log.Error("old rows not deleted", "err", err)
	}
	if n != (store.Pruned{}) {
		h.Log.Info("old rows deleted", "rows", fmt.Sprintf("%+v", n))
	}
	if n.Links > 0 {
		h.recordSystem(ctx, "identity.lapsed", fmt.Sprintf("%d chat accounts unused for %s", n.Links, policy.FormatDuration(h.Config.Policy.LinksUnused)))
	}
}

// longestWindow is how far back anything is counted.
func longestWindow(p *policy.Policy) time.Duration {
	return max(p.T3Window, p.T2Window, p.T1Window, p.T1Pause, p.SMSBudgetPer, p.BreakerBlock, p.SMSPrefix.Per, p.MailUser.Per, p.HashPerson.Per, enroll.TakenAwayFor,
		policy.Widest(p.SMSUser), policy.Widest(p.SMSNumber), policy.Widest(p.VoiceNumber), policy.Widest(p.MailAddress))
}
