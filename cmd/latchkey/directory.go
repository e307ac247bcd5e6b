package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"latchkey/bot"
	"latchkey/bot/directory"
	"latchkey/store"
)

// newDirectory makes the room that reads the directory.
func (h *house) newDirectory() *directory.Room {
	e, p := h.cfg.Entra, h.cfg.Policy
	d := directory.Deps{
		Store: h.db, Source: h.outside.source, Groups: e.Groups, ReportEvery: e.ReportEvery,
		GonePeople: p.ImportGonePeople, GoneShare: p.ImportGoneShare, Alone: h.cfg.Store.Path != "", Log: h.log.With("room", "directory"),
		Merge: func(ctx context.Context, m directory.Merge) (directory.Merged, error) {
			r, err := h.importSynced(ctx, m, false)
			return merged(r), err
		},
		Done: func(ctx context.Context, reading bot.Reading) error {
			if reading == bot.ReportReading {
				return noteReadiness(ctx, h.db, e)
			}
			return nil
		},
	}
	if h.syncsPeople() {
		d.SyncEvery = e.SyncEvery
	}
	return directory.New(d)
}

// syncsPeople reports whether people come from the directory.
func (h *house) syncsPeople() bool { return h.cfg.Directory == "entra" }

// importSynced makes people of what a sync has read.
func (h *house) importSynced(ctx context.Context, m directory.Merge, dry bool) (store.ImportReport, error) {
	o := store.ImportOptions{Mode: store.SkipBad, DryRun: dry, Unsaid: m.Unsaid, Unread: m.Unread, Missing: store.DisableMissing, Whose: store.OfSync}
	if m.Run > 0 {
		o.Key = fmt.Sprintf("sync %d", m.Run)
	}
	if p := h.cfg.Policy; !m.Force {
		o.GonePeople, o.GoneShare, o.GoneBefore = p.ImportGonePeople, p.ImportGoneShare, m.Before
	}
	o.Audit = func(r store.ImportReport) bot.AuditEntry {
		if m.By == "system" && r.Inserted+r.Updated+r.Gone == 0 {
			return bot.AuditEntry{} // every hour
		}
		return bot.AuditEntry{Actor: m.By, Action: "people.synced", Subject: "the directory",
			Evidence: fmt.Sprintf("added %d, changed %d, left %d, switched off %d, %d rows left out; brake: %v", r.Inserted, r.Updated, r.Unchanged, r.Gone, r.Bad+r.Unread, !m.Force)}
	}
	return h.db.ImportPeople(ctx, m.Rows, o)
}

// merged is what an import did, as the room tells it.
func merged(r store.ImportReport) directory.Merged {
	return directory.Merged{Why: r.Refused, SyncResult: bot.SyncResult{
		Rows: r.Rows, Added: r.Inserted, Changed: r.Updated, Unchanged: r.Unchanged, Off: r.Gone, Wrong: r.Bad + r.Unread, Erased: r.Erased}}
}

// errNoSource says what to configure.
var errNoSource = errors.New("no directory is configured to read people from: set entra.tenant, entra.client_id and one credential (entra.federated_token_file, entra.certificate_file or entra.client_secret); see `latchkey config describe`")

// reader is the room that reads the directory: of the running service, else
// made for one command.
func (h *house) reader() (*directory.Room, error) {
	if h.directory != nil {
		if h.outside.source == nil {
			return nil, errNoSource
		}
		return h.directory, nil
	}
	if h.outside.source == nil {
		if err := plugEntra(h); err != nil {
			return nil, err
		}
	}
	if h.outside.source == nil {
		return nil, errNoSource
	}
	h.directory = h.newDirectory()
	return h.directory, nil
}

// scheduleSyncs begins the syncs that are due.
func (h *house) scheduleSyncs(ctx context.Context) {
	if h.outside.source == nil {
		return
	}
	if err := h.directory.Schedule(ctx); err != nil && ctx.Err() == nil {
		h.log.Error("the directory is not read", "err", err)
	}
}

// lookAtDirectory tells how reading the directory goes.
func (h *house) lookAtDirectory(ctx context.Context) (fs []bot.Finding, err error) {
	if h.outside.source == nil {
		return nil, nil
	}
	for _, x := range []struct {
		reading bot.Reading
		every   time.Duration
	}{{bot.PeopleReading, h.cfg.Entra.SyncEvery}, {bot.ReportReading, h.cfg.Entra.ReportEvery}} {
		if x.reading == bot.PeopleReading && !h.syncsPeople() {
			continue
		}
		var s bot.SyncState
		var now time.Time
		err := h.db.View(ctx, func(tx bot.Tx) (err error) {
			now = tx.Now()
			s, err = tx.SyncState(x.reading)
			return err
		})
		if err != nil {
			return nil, err
		}
		f, command, refused := bot.Finding{What: string(x.reading)}, "`latchkey people sync`", "`latchkey people sync --dry-run` shows what would change"
		if x.reading == bot.ReportReading {
			command, refused = "`latchkey people sync --report`", "see what has become of the report; if that is meant, `latchkey people sync --report --yes` takes it"
		}
		switch last := s.Last; {
		case s.Failures > 0 && !s.AskedAt.IsZero() && !asksToWait(s):
			f.State, f.Text, f.Fix = bot.Broken, fmt.Sprintf("the directory has asked to wait since %s and gives nothing: %s", when(s.AskedAt), s.Error), "look at Microsoft's service health; it is tried again at "+when(s.Due)
		case s.Refused != "":
			f.State, f.Text, f.Fix = bot.Broken, "what was read was not taken: "+s.Refused, refused
		case asksToWait(s) && s.Due.After(now):
			f.Text, f.Fix = "the directory asks to wait until "+when(s.Due), "it is tried again then"
			if s.Failures > 0 {
				f.State, f.Text = failedState(s.Failures), fmt.Sprintf("%s; before that it could not be read, tried %s: %s", f.Text, countTimes(s.Failures), s.Error)
			}
		case s.Failures > 0:
			f.State, f.Text, f.Fix = failedState(s.Failures), fmt.Sprintf("cannot be read, tried %s: %s", countTimes(s.Failures), s.Error), "it is tried again at "+when(s.Due)+"; once it is mended, "+command+" does so at once"
		case s.Running() && s.Restarts > 1:
			f.State, f.Text, f.Fix = bot.Doubtful, fmt.Sprintf("the directory asked %d times to begin anew", s.Restarts), "see whether something between this machine and entra.graph_url changes addresses or answers"
		case s.Warning != "":
			f.State, f.Text, f.Fix = bot.Doubtful, "read without a part of it: "+s.Warning, "grant what is missing; the next reading tries it again"
		case s.Running() && last == nil:
			f.State, f.Text, f.Fix = bot.Doubtful, fmt.Sprintf("not read to its end yet: begun %s, %s", when(s.StartedAt), syncProgress(s, now)), "the service goes on with it, and so does "+command
		case last == nil:
			f.State, f.Text, f.Fix = bot.Doubtful, "not read yet", "start the service, or run "+command
		case now.Sub(last.At) > 3*x.every:
			f.State, f.Text, f.Fix = bot.Doubtful, fmt.Sprintf("last read %s, and that should be every %s", when(last.At), x.every), "see whether the service runs"
		case x.reading == bot.ReportReading && last.Rows == 0:
			f.State, f.Text, f.Fix = bot.Doubtful, fmt.Sprintf("last read %s, and it has nobody of the people here, so nobody can be told whether they will still get in", when(last.At)), h.unreported()
		default:
			f.Text = fmt.Sprintf("last read %s: %s", when(last.At), countRows(last.Rows))
		}
		fs = append(fs, f)
	}
	return fs, nil
}

// unreported is what to do where the report has nobody of the people here.
func (h *house) unreported() string {
	if h.syncsPeople() {
		return "people who came in the last 36 hours are not in it yet, and those who are switched off never are: if others are here, see that entra.tenant is their tenant"
	}
	return "the ids of the staff list must be Entra's object ids, in lower case: set directory.kind to entra, or import a list that has them (column objectId), then run `latchkey people sync --report`"
}

// asksToWait reports whether the directory asks to wait, and has not done so for
// so long that it counts as a failure (directory.Room notes that as one).
func asksToWait(s bot.SyncState) bool {
	return !s.AskedAt.IsZero() && (s.Failures == 0 || s.ErrorAt.Before(s.AskedAt))
}

// failedState is what so many failures in a row are.
func failedState(failures int) bot.FindingState {
	if failures >= syncFailures {
		return bot.Broken
	}
	return bot.Doubtful
}

// countTimes is a count in words: "once", "3 times".
func countTimes(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
