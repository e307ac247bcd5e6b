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
// every few seconds, and scripts when the process is told by SIGHUP. It copies
// the head of the audit record out of the database, and deletes what is older
// than the policy's retention.
func (p *Program) upkeep(ctx context.Context) error {
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
	p.logHead(ctx)
	p.scheduleSyncs(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if changed, err := p.Keys.Reload(); err != nil {
				p.Log.Error("the key file changed and cannot be read; the old keys stay in use", "err", err)
			} else if changed {
				p.Log.Info("keys taken over", "key", p.Keys.KeyID())
			}
			p.keepHead(ctx)
		case <-logHead.C:
			p.logHead(ctx)
		case <-syncs.C:
			p.scheduleSyncs(ctx)
		case <-prune.C:
			p.pruneIfDue(ctx)
			prune.Reset(pruneEvery / 4)
		case <-hup:
			if err := p.Scripts.Reload(); err != nil {
				p.Log.Error("scripts refused; the old ones stay in use", "err", err)
			} else {
				p.Log.Info("scripts loaded anew")
				p.recordSystem(ctx, "scripts.reloaded", "by SIGHUP")
			}
			p.reread()
		}
	}
}

// ages are the policy's retention, for everything that grows.
func (p *Program) ages() store.Ages {
	pol := p.Config.Policy
	return store.Ages{
		Events: pol.EventIDs, Outbox: pol.Outbox, GivenUp: pol.GivenUp, Challenges: pol.ChallengeKeep, Tallies: longestWindow(pol), Passes: 24 * time.Hour,
		Conversations: pol.Conversations, Links: pol.LinksUnused, Removed: pol.RemovedKeep, Audit: pol.Audit,
		Passing: slices.Sorted(maps.Keys(p.Connections.keeps)),
	}
}

// pruneIfDue prunes once an hour, in one of the processes that share the store.
// The store remembers when that was, so that a process which is started anew
// every few minutes prunes too.
func (p *Program) pruneIfDue(ctx context.Context) {
	due, err := p.DB.Claim(ctx, "pruned", pruneEvery)
	var n store.Pruned
	if err == nil && due {
		n, err = p.DB.Prune(ctx, p.ages())
		err = errors.Join(err, p.Operators().ForgetAlerts(ctx))
	}
	if err != nil && ctx.Err() == nil {
		p.Log.Error("old rows not deleted", "err", err)
	}
	if n != (store.Pruned{}) {
		p.Log.Info("old rows deleted", "rows", fmt.Sprintf("%+v", n))
	}
	if n.Links > 0 {
		p.recordSystem(ctx, "identity.lapsed", fmt.Sprintf("%d chat accounts unused for %s", n.Links, policy.FormatDuration(p.Config.Policy.LinksUnused)))
	}
}

// longestWindow is how far back anything is counted.
func longestWindow(p *policy.Policy) time.Duration {
	return max(p.T3Window, p.T2Window, p.T1Window, p.T1Pause, p.SMSBudgetPer, p.BreakerBlock, p.SMSPrefix.Per, p.MailUser.Per, p.HashPerson.Per, enroll.TakenAwayFor,
		policy.Widest(p.SMSUser), policy.Widest(p.SMSNumber), policy.Widest(p.VoiceNumber), policy.Widest(p.MailAddress))
}
