package program

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"latchkey/bot"
	"latchkey/bot/desk"
	"latchkey/bot/directory"
	"latchkey/bot/readiness"
	"latchkey/store"
)

// newDirectory makes the service that reads the directory.
func (p *Program) newDirectory() *directory.Service {
	e, pol := p.Config.Entra, p.Config.Policy
	d := directory.Deps{
		Store: p.DB, Source: p.Connections.Source, Groups: e.Groups, ReportEvery: e.ReportEvery,
		GonePeople: pol.ImportGonePeople, GoneShare: pol.ImportGoneShare, Alone: p.Config.Store.Path != "", Log: p.Log.With("component", "directory"),
		Merge: func(ctx context.Context, m directory.Merge) (directory.Merged, error) {
			r, err := p.ImportSynced(ctx, m, false)
			return merged(r), err
		},
		Judge: func(g *bot.Registration, pol *bot.TenantPolicy) bot.Survival {
			v := readiness.Judge(g, pol, ReadinessSettings(e))
			return v.Survival()
		},
		Done: func(ctx context.Context, reading bot.Reading) error {
			if reading == bot.ReportReading {
				return NoteReadiness(ctx, p.DB, e)
			}
			return nil
		},
	}
	if p.SyncsPeople() {
		d.SyncEvery = e.SyncEvery
	}
	return directory.New(d)
}

// SyncsPeople reports whether people come from the directory.
func (p *Program) SyncsPeople() bool { return p.Config.Directory == "entra" }

// ImportSynced makes people of what a sync has read.
func (p *Program) ImportSynced(ctx context.Context, m directory.Merge, dry bool) (store.ImportReport, error) {
	o := store.ImportOptions{Mode: store.SkipBad, DryRun: dry, Unsaid: m.Unsaid, Unread: m.Unread, Missing: store.DisableMissing, Whose: store.OfSync}
	if m.Run > 0 {
		o.Key = fmt.Sprintf("sync %d", m.Run)
	}
	if pol := p.Config.Policy; !m.Force {
		o.GonePeople, o.GoneShare, o.GoneBefore = pol.ImportGonePeople, pol.ImportGoneShare, m.Before
	}
	o.Audit = func(r store.ImportReport) bot.AuditEntry {
		if m.By == "system" && r.Inserted+r.Updated+r.Gone == 0 {
			return bot.AuditEntry{} // every hour
		}
		return bot.AuditEntry{Actor: m.By, Action: "people.synced", Subject: "the directory",
			Evidence: fmt.Sprintf("added %d, changed %d, left %d, switched off %d, %d rows left out; brake: %v", r.Inserted, r.Updated, r.Unchanged, r.Gone, r.Bad+r.Unread, !m.Force)}
	}
	return p.ImportPeople(ctx, m.Rows, o)
}

// ImportPeople makes people of a staff list. Agents whose accounts are off then have
// no ticket any more.
func (p *Program) ImportPeople(ctx context.Context, rows iter.Seq2[bot.Person, int], o store.ImportOptions) (store.ImportReport, error) {
	r, err := p.DB.ImportPeople(ctx, rows, o)
	if err == nil && r.Stored && r.Updated+r.Gone > 0 && p.Config.Desk.Enabled {
		err = p.DB.Update(ctx, desk.GiveBackOff)
	}
	return r, err
}

// merged is what an import did, as package directory tells it.
func merged(r store.ImportReport) directory.Merged {
	return directory.Merged{Why: r.Refused, SyncResult: bot.SyncResult{
		Rows: r.Rows, Added: r.Inserted, Changed: r.Updated, Unchanged: r.Unchanged, Off: r.Gone, Wrong: r.Bad + r.Unread, Erased: r.Erased}}
}

// errNoSource says what to configure.
var errNoSource = errors.New("no directory is configured to read people from: set entra.tenant, entra.client_id and one credential (entra.federated_token_file, entra.certificate_file or entra.client_secret); see `latchkey config describe`")

// DirectoryReader returns what reads the directory: that of the running service,
// else one that is made for one command.
func (p *Program) DirectoryReader() (*directory.Service, error) {
	if p.Directory != nil {
		if p.Connections.Source == nil {
			return nil, errNoSource
		}
		return p.Directory, nil
	}
	if p.Connections.Source == nil {
		if err := ConnectEntra(p); err != nil {
			return nil, err
		}
	}
	if p.Connections.Source == nil {
		return nil, errNoSource
	}
	p.Directory = p.newDirectory()
	return p.Directory, nil
}

// scheduleSyncs begins the syncs that are due.
func (p *Program) scheduleSyncs(ctx context.Context) {
	if p.Connections.Source == nil {
		return
	}
	if err := p.Directory.Schedule(ctx); err != nil && ctx.Err() == nil {
		p.Log.Error("the directory is not read", "err", err)
	}
}

// asksToWait reports whether the directory asks to wait, and has not done so for
// so long that it counts as a failure (directory.Service notes that as one).
func asksToWait(s bot.SyncState) bool {
	return !s.AskedAt.IsZero() && (s.Failures == 0 || s.ErrorAt.Before(s.AskedAt))
}

// SyncFailures are how many failures in a row mean that the directory cannot be
// read.
const SyncFailures = 3

// SyncProgress says how far a sync is.
func SyncProgress(s bot.SyncState, now time.Time) string {
	pages := "1 page"
	if s.Pages != 1 {
		pages = fmt.Sprintf("%d pages", s.Pages)
	}
	text := fmt.Sprintf("%s, %d %s", pages, s.Read, map[bot.SyncPhase]string{
		bot.SyncAccounts: "accounts", bot.SyncMembers: "accounts and members", bot.SyncMerge: "accounts; people are made of them",
		bot.SyncPolicy: "lines", bot.SyncReport: "lines"}[s.Phase])
	if (s.Failures == 0 || asksToWait(s)) && s.Due.After(now) {
		text += "; the directory asks to wait until " + s.Due.Local().Format("15:04:05")
	}
	return text
}
