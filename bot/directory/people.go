package directory

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"latchkey/bot"
)

// readAccounts reads a page of accounts.
func (r *Service) readAccounts(ctx context.Context, s *bot.SyncState) (stored, error) {
	page, err := r.Source.People(ctx, s.Cursor)
	if err != nil {
		return nil, fmt.Errorf("read accounts: %w", err)
	}
	if page.Next == "" {
		return nil, errors.New("read accounts: the page does not say where the next one is")
	}
	if !page.Last {
		if err := astray(s, page.Next, len(page.Changes)); err != nil {
			return nil, fmt.Errorf("read accounts: %w%s", err, beginAnew)
		}
	}
	return func(tx bot.Tx, now *bot.SyncState) error {
		laid, err := tx.LayEntries(now.Round, page.Changes)
		if err != nil {
			return err
		}
		follow(now, page.Next, len(page.Changes))
		if !page.Last {
			if err := r.stale(tx, now, len(page.Changes)-laid.Erased, laid.Stored+laid.Gone); err != nil {
				return fmt.Errorf("read accounts: %w%s", err, beginAnew)
			}
		} else {
			if now.Full {
				if _, err := tx.DropEntries(now.Round); err != nil {
					return err
				}
			}
			now.Next = page.Next
			members(now)
		}
		return r.next(tx, bot.PeopleReading, now)
	}, nil
}

// members goes on to the members of the groups, or to the merge.
func members(s *bot.SyncState) {
	rewind(s)
	s.Phase, s.Group, s.Seen = bot.SyncMembers, 0, s.Step
	if len(s.Groups) == 0 {
		s.Phase = bot.SyncMerge
	}
}

// readMembers reads a page of the members of a group.
func (r *Service) readMembers(ctx context.Context, s *bot.SyncState) (stored, error) {
	group := s.Groups[s.Group]
	ids, next, err := r.Source.Members(ctx, group, s.Cursor)
	if err != nil {
		return nil, fmt.Errorf("read the members of group %s (entra.groups): %w", group, err)
	}
	if err := astray(s, next, len(ids)); err != nil {
		return nil, fmt.Errorf("read the members of group %s: %w%s", group, err, beginAnew)
	}
	return func(tx bot.Tx, now *bot.SyncState) error {
		fresh, err := tx.LayMembers(group, now.Seen, ids)
		if err != nil {
			return err
		}
		follow(now, next, len(ids))
		if next != "" {
			if err := r.stale(tx, now, len(ids), fresh); err != nil {
				return fmt.Errorf("read the members of group %s: %w%s", group, err, beginAnew)
			}
		} else {
			if _, err := tx.DropMembers(group, now.Seen); err != nil {
				return err
			}
			now.Group, now.Seen = now.Group+1, now.Step
			if now.Group == len(now.Groups) {
				if err := tx.KeepGroups(now.Groups); err != nil {
					return err
				}
				now.Phase = bot.SyncMerge
			}
		}
		return r.next(tx, bot.PeopleReading, now)
	}, nil
}

// beginAnew is what an operator can do about pages that lead nowhere.
const beginAnew = "; if that stays so, `latchkey people sync --full` begins anew"

// rowPage is how many entries are read at once.
const rowPage = 500

// rows are the people of the directory's copy, read page by page.
type rows struct {
	r      *Service
	ctx    context.Context // of the merge
	give   context.CancelCauseFunc
	groups []string

	unsaid bot.PersonFields
	unread bool
	all    int // rows
	bad    int // of these, the ones that could not be read
}

// each yields the people with their number. It ends the merge when the store
// fails: half a list is none.
func (w *rows) each() iter.Seq2[bot.Person, int] {
	return func(yield func(bot.Person, int) bool) {
		for after := bot.PersonID(""); ; {
			var page []bot.DirectoryEntry
			err := w.r.Store.View(w.ctx, func(tx bot.Tx) (err error) {
				page, err = tx.Entries(w.groups, after, rowPage)
				return err
			})
			if err != nil {
				w.give(err)
				return
			}
			for _, e := range page {
				w.all++
				if after = e.ID; !yield(w.person(e), w.all) {
					return
				}
			}
			if len(page) < rowPage {
				return
			}
		}
	}
}

// person makes a person of an entry.
func (w *rows) person(e bot.DirectoryEntry) bot.Person {
	p, unsaid, err := w.r.Source.Person(e.ID, e.Body)
	if w.unread = err != nil; w.unread {
		if w.bad++; w.bad <= 5 {
			w.r.Log.Warn("an account of the directory cannot be read; the person stays as they are", "account", e.ID, "err", err)
		}
		return bot.Person{ID: e.ID}
	}
	w.unsaid, p.ID = unsaid, e.ID
	return p
}

// Preview gives what people would be made of now to use, which must not keep it.
func (r *Service) Preview(ctx context.Context, use func(context.Context, Merge) error) error {
	return r.give(ctx, r.Groups, use)
}

// give makes a Merge of the directory's copy.
func (r *Service) give(ctx context.Context, groups []string, use func(context.Context, Merge) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	w := &rows{r: r, ctx: ctx, give: stop, groups: groups}
	err := use(ctx, Merge{Rows: w.each(), Unsaid: func() bot.PersonFields { return w.unsaid }, Unread: func() bool { return w.unread }})
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

// merge makes people of what was read.
func (r *Service) merge(ctx context.Context, s *bot.SyncState) (stored, error) {
	var done Merged
	if !s.Dry {
		err := r.give(ctx, s.Groups, func(ctx context.Context, m Merge) (err error) {
			m.Run, m.Force, m.By, m.Before = s.Run, s.Force, s.By, before(s)
			done, err = r.Merge(ctx, m)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("make people of what was read: %w", err)
		}
	}
	return func(tx bot.Tx, now *bot.SyncState) error {
		if s.Dry && !now.Dry || now.Force && !s.Force && done.Why != "" {
			return r.next(tx, bot.PeopleReading, now) // ordered while this was under way
		}
		if !s.Dry {
			now.Refused = done.Why
		}
		if done.Off > 0 && done.Why == "" && !s.Force {
			now.Off = append(lately(now.Off, tx.Now()), bot.SyncOff{At: tx.Now(), N: done.Off})
		}
		if done.Why != "" {
			now.Anew = true // half of a list does not become whole by changes
		}
		return end(tx, bot.PeopleReading, now, done)
	}, nil
}

// before is what counts for the brake of a sync beside what it switches off
// itself. Syncs by the system come every hour: each below the limit, they would
// switch off everybody in a day. Whoever orders one looks at that one.
func before(s *bot.SyncState) (n int) {
	if s.By != bySystem {
		return 0
	}
	for _, off := range lately(s.Off, s.HeldAt) {
		n += off.N
	}
	return n
}

// lately is what was switched off in the day before now.
func lately(all []bot.SyncOff, now time.Time) (day []bot.SyncOff) {
	for _, off := range all {
		if now.Sub(off.At) < 24*time.Hour {
			day = append(day, off)
		}
	}
	return day
}

// end ends a sync.
func end(tx bot.Tx, reading bot.Reading, s *bot.SyncState, done Merged) error {
	s.Phase, s.Cursor, s.Group, s.Force = bot.SyncIdle, "", 0, false
	if !s.Dry {
		res := done.SyncResult
		res.Run, res.StartedAt, res.At, res.Full, res.Refused, res.Pages = s.Run, s.StartedAt, tx.Now(), s.Full, done.Why != "", s.Pages
		s.Last = &res
	}
	return tx.PutSyncState(reading, *s)
}
