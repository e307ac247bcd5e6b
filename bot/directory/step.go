package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"latchkey/bot"
	"latchkey/bot/failpoint"
)

// Step is the job that reads one page.
type Step struct {
	Reading bot.Reading `json:"reading"`
	Run     int64       `json:"run"`
	Step    int64       `json:"step"`
}

// Kind implements bot.Job.
func (Step) Kind() string { return "directory_step" }

// Queue implements bot.QueuedJob. People are made of 300,000 accounts in a
// minute or two.
func (Step) Queue() bot.JobQueue {
	return bot.JobQueue{Name: "directory", Workers: 1, Timeout: time.Hour}
}

const (
	// holdFor is how long a page is held without a sign of life.
	holdFor  = time.Minute
	holdSign = holdFor / 4
	// pageTimeout is how long the reading of one page may take.
	pageTimeout = 5 * time.Minute
	// forceFor is how long an order to go on without the brake holds: whoever gave
	// it meant the directory of then.
	forceFor = time.Hour
	// soonest is the least time until a page is read again.
	soonest = time.Second
)

// pauses follow the failures of a page; the last one repeats.
var pauses = [...]time.Duration{10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute}

// mostEmpty is how many pages in a row may have nothing and name a next one. A
// delta has some, since it reads past what is not asked for; a circle has only
// such, or is no end of others.
const mostEmpty = 50

// mostPages is how many pages a reading may have in all: more than of any list,
// of 100 accounts or 999 lines a page.
const mostPages = 100_000

// askedFor is how long the directory may ask to wait and give no page: after
// that it is out of order, whatever it says.
const askedFor = 30 * time.Minute

// tooLong reports whether the directory has asked to wait for too long.
func tooLong(s *bot.SyncState, now time.Time) bool {
	return !s.AskedAt.IsZero() && now.Sub(s.AskedAt) > askedFor
}

// loudAfter is how many failures of a page in a row an operator is told of as
// an error.
const loudAfter = 3

// HandleStep does the job.
func (r *Service) HandleStep(ctx context.Context, j Step) error {
	if _, err := r.step(ctx, j.Reading, &j); !Noted(err) {
		return err
	}
	return nil // the job of its retry is enqueued
}

// Advance reads the page that is next, in this process, and returns how long
// to wait for the one after it: because the directory asks for it, somebody else
// reads, or the page failed, which is the error.
func (r *Service) Advance(ctx context.Context, reading bot.Reading) (time.Duration, error) {
	return r.step(ctx, reading, nil)
}

// A notedError is a failure of the source that the state knows.
type notedError struct{ error }

// Noted reports whether an error of Advance is a failure of the directory, which
// stands in the state.
func Noted(err error) bool {
	var noted *notedError
	return errors.As(err, &noted)
}

// Unwrap gives the cause.
func (e *notedError) Unwrap() error { return e.error }

// errStale ends a transaction for a page that is not the next any more.
var errStale = errors.New("the sync went on without this page")

// step reads a page and stores it; of a job, only the job's page.
func (r *Service) step(ctx context.Context, reading bot.Reading, j *Step) (time.Duration, error) {
	s, wait, err := r.hold(ctx, reading, j)
	if errors.Is(err, errStale) {
		return 0, nil
	}
	if err != nil || wait > 0 {
		return wait, err
	}
	store, err := r.readHeld(ctx, reading, &s)
	stopped := ctx.Err() != nil
	ctx = context.WithoutCancel(ctx) // what was read is stored also when the process ends
	if err != nil {
		return r.failed(ctx, reading, &s, err, stopped)
	}
	failpoint.Hit(failpoint.SyncPage)
	var after bot.SyncState
	err = r.update(ctx, reading, &s, func(tx bot.Tx, now *bot.SyncState) error {
		now.Pages++
		now.Step++
		now.Holder, now.Failures, now.Error, now.ErrorAt, now.Due, now.AskedAt = "", 0, "", time.Time{}, time.Time{}, time.Time{}
		now.Hopeless = false
		err := store(tx, now)
		after = *now
		return err
	})
	var endless *endlessError
	switch {
	case errors.Is(err, errStale):
		return 0, nil
	case errors.As(err, &endless):
		return r.failed(ctx, reading, &s, err, stopped)
	}
	if err == nil && !after.Running() {
		r.ended(ctx, reading, &after)
	}
	return 0, err
}

// readHeld reads the page that s holds, and gives signs of life meanwhile.
func (r *Service) readHeld(ctx context.Context, reading bot.Reading, s *bot.SyncState) (stored, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	r.keepHold(ctx, reading, s)
	return r.read(ctx, reading, s)
}

// ended tells operators how a sync has ended.
func (r *Service) ended(ctx context.Context, reading bot.Reading, s *bot.SyncState) {
	if s.Dry {
		r.Log.Info("the directory was read; people stay as they are (--dry-run)", "pages", s.Pages)
		return
	}
	last := s.Last
	log := r.Log.With("reading", reading, "pages", last.Pages, "took", last.At.Sub(last.StartedAt))
	if reading == bot.PeopleReading {
		log = log.With("rows", last.Rows, "full", last.Full)
	}
	switch {
	case s.NoLicence:
		log.Warn("there is no report to read", "why", s.Warning)
		return
	case last.Refused:
		log.Error("the directory was read, and what it has was not taken", "why", s.Refused)
	case last.Wrong > 0:
		log.Warn("the directory was read; rows that cannot be taken are left out: see `latchkey people sync --dry-run`", "wrong", last.Wrong,
			"added", last.Added, "changed", last.Changed, "off", last.Off)
	case reading == bot.ReportReading:
		log.Info("the report was read", "lines", s.Read, "on_people_here", last.Rows, "not_in_it_any_more", last.Off)
	default:
		log.Info("the directory was read", "added", last.Added, "changed", last.Changed, "off", last.Off)
	}
	if r.Done == nil {
		return
	}
	if err := r.Done(ctx, reading); err != nil {
		log.Error("what follows a sync could not be done; it follows the next one", "err", err)
	}
}

// hold takes the page for this process, and returns the state that it is read by.
func (r *Service) hold(ctx context.Context, reading bot.Reading, j *Step) (s bot.SyncState, wait time.Duration, err error) {
	err = r.Store.Update(ctx, func(tx bot.Tx) (err error) {
		if s, err = tx.SyncState(reading); err != nil {
			return err
		}
		if !s.Running() || j != nil && (s.Run != j.Run || s.Step != j.Step) {
			return errStale
		}
		now := tx.Now()
		wait = s.Due.Sub(now)
		if s.Holder != "" && !(r.Alone && s.Holder != r.id) {
			wait = max(wait, s.HeldAt.Add(holdFor).Sub(now))
		}
		if wait > 0 {
			if wait = max(wait, soonest); j == nil {
				return nil
			}
			return tx.Enqueue(*j, now.Add(wait)) // if whoever holds it dies
		}
		if reading == bot.PeopleReading && !slices.Equal(s.Groups, r.Groups) { // another configuration
			s.Groups, s.Group = r.Groups, 0
			if s.Phase != bot.SyncAccounts {
				members(&s)
			}
		}
		s.Force = s.Force && now.Sub(s.ForcedAt) <= forceFor
		s.Holder, s.HeldAt = r.id, now
		return tx.PutSyncState(reading, s)
	})
	if err != nil && !errors.Is(err, errStale) {
		err = fmt.Errorf("directory: take a page of the sync of %s: %w", reading, err)
	}
	return s, wait, err
}

// keepHold gives signs of life until ctx ends.
func (r *Service) keepHold(ctx context.Context, reading bot.Reading, s *bot.SyncState) {
	held := *s
	go func() {
		tick := time.NewTicker(holdSign)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			err := r.update(ctx, reading, &held, func(tx bot.Tx, now *bot.SyncState) error {
				now.HeldAt = tx.Now()
				return tx.PutSyncState(reading, *now)
			})
			if errors.Is(err, errStale) {
				return
			}
		}
	}()
}

// update runs fn with the state if the page that s holds is still the next one.
func (r *Service) update(ctx context.Context, reading bot.Reading, s *bot.SyncState, fn func(bot.Tx, *bot.SyncState) error) error {
	err := r.Store.Update(ctx, func(tx bot.Tx) error {
		now, err := tx.SyncState(reading)
		if err != nil {
			return err
		}
		if now.Run != s.Run || now.Step != s.Step || now.Holder != r.id {
			return errStale
		}
		return fn(tx, &now)
	})
	if err != nil && !errors.Is(err, errStale) {
		return fmt.Errorf("directory: sync of %s: %w", reading, err)
	}
	return err
}

// A stored puts what was read into the store, and the state of after it.
type stored func(tx bot.Tx, now *bot.SyncState) error

// read asks the source for the page that s is at.
func (r *Service) read(ctx context.Context, reading bot.Reading, s *bot.SyncState) (stored, error) {
	if s.Phase == bot.SyncMerge { // takes the time it takes
		return r.merge(ctx, s)
	}
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	switch s.Phase {
	case bot.SyncAccounts:
		return r.readAccounts(ctx, s)
	case bot.SyncMembers:
		return r.readMembers(ctx, s)
	case bot.SyncPolicy:
		return r.readPolicy(ctx, s)
	case bot.SyncReport:
		return r.readReport(ctx, s)
	}
	return nil, fmt.Errorf("directory: the sync of %s is in the phase %q, which this version does not know", reading, s.Phase)
}

// failed notes why a page was not read and when it is read again.
func (r *Service) failed(ctx context.Context, reading bot.Reading, s *bot.SyncState, cause error, stopped bool) (wait time.Duration, err error) {
	var asked *bot.WaitError
	asks := errors.As(cause, &asked) && asked.Asked
	over := errors.Is(cause, bot.ErrStartAnew) && s.Cursor != ""
	var refused *bot.RefusedError
	hopeless := errors.As(cause, &refused)
	err = r.update(ctx, reading, s, func(tx bot.Tx, now *bot.SyncState) error {
		now.Holder = ""
		wait = 0
		switch {
		case stopped: // the process ends, not the directory
		case over:
			now.Step++
			now.Pages, now.Read, now.Kept, now.Failures = 0, 0, 0, 0
			restart(now)
			if now.Restarts++; now.Restarts > 1 {
				wait = pauses[min(now.Restarts-2, len(pauses)-1)]
			}
		case asks && !tooLong(now, tx.Now()):
			wait = max(asked.After, soonest)
			if now.AskedAt.IsZero() {
				now.AskedAt = tx.Now()
			}
		default:
			if asks { // it had its time
				asks, now.Failures = false, max(now.Failures, loudAfter-1)
			} else {
				now.AskedAt = time.Time{}
			}
			if wait = pauses[min(now.Failures, len(pauses)-1)]; asked != nil {
				wait = max(asked.After, soonest)
			}
			now.Failures++
			now.Hopeless = hopeless
			now.Error, now.ErrorAt = cause.Error(), tx.Now()
		}
		if now.Due = (time.Time{}); wait > 0 {
			now.Due = tx.Now().Add(wait)
		}
		s.Failures, s.Restarts = now.Failures, now.Restarts
		return r.next(tx, reading, now)
	})
	switch log := r.Log.With("reading", reading, "phase", s.Phase, "page", s.Pages+1); {
	case errors.Is(err, errStale), err == nil && stopped:
		return 0, nil
	case err != nil:
		return 0, errors.Join(err, cause)
	case over && s.Restarts >= loudAfter:
		log.Error("the directory asks to begin anew, again and again; people stay as they are until all is read", "times", s.Restarts, "again_in", wait)
		return wait, nil
	case over:
		log.Warn("the directory asks to begin anew; people stay as they are until all is read", "again_in", wait)
		return wait, nil
	case asks:
		log.Info("the directory asks to wait", "wait", wait, "why", asked.Err)
		return wait, nil
	case hopeless && s.Failures == 1:
		log.Error("the directory refuses to be read, and will until that is mended; people stay as they are", "err", cause, "again_in", wait)
	case s.Failures >= loudAfter:
		log.Error("the directory cannot be read; people stay as they are", "err", cause, "failures", s.Failures, "again_in", wait)
	default:
		log.Warn("the directory cannot be read yet", "err", cause, "again_in", wait)
	}
	return wait, &notedError{cause}
}

// restart goes back to the beginning of what a cursor leads through.
func restart(s *bot.SyncState) {
	rewind(s)
	s.Force = false // what is read now is not what was looked at
	switch s.Phase {
	case bot.SyncAccounts:
		anew(s)
	case bot.SyncMembers:
		s.Seen = s.Step
	}
}

// rewind forgets the way that cursors have led.
func rewind(s *bot.SyncState) { s.Cursor, s.Mark, s.Empty, s.Stale = "", "", 0, 0 }

// An endlessError says that pages lead to no end, found when one was laid down.
type endlessError struct{ error }

// stale counts pages without news. Of the things on a page, known are those of
// which it can be said whether this reading has had them, and news those that it
// has not. What has changed may name everybody once more, in pages as small as
// they like.
func (r *Service) stale(tx bot.Tx, s *bot.SyncState, known, news int) error {
	switch {
	case news > 0:
		s.Stale = 0
	case known > 0:
		s.Stale++
	}
	if s.Stale < mostEmpty {
		return nil
	}
	most := mostEmpty
	if s.Phase == bot.SyncAccounts && !s.Full {
		all, err := tx.CountEntries()
		if err != nil {
			return err
		}
		most += all / 10
	}
	if s.Stale < most {
		return nil
	}
	return &endlessError{fmt.Errorf("%d pages in a row have nothing but what was read before, and name a next one", s.Stale)}
}

// follow notes a page of n things that names the next cursor.
func follow(s *bot.SyncState, next string, n int) {
	s.Read, s.Cursor = s.Read+n, next
	if s.Empty++; n > 0 {
		s.Empty = 0
	}
	// A cursor is kept after the pages 1, 2, 4, 8...: from some page on it is one
	// of any circle, and the circle is shorter than the way to the next.
	if s.Mark == "" || s.Pages&(s.Pages-1) == 0 {
		s.Mark = next
	}
	if next == "" {
		rewind(s)
	}
}

// astray says why a page of n things that names the next cursor leads to no end.
func astray(s *bot.SyncState, next string, n int) error {
	switch {
	case next == "":
	case next == s.Cursor, next == s.Mark:
		return errors.New("the page does not say where the next one is: it leads back")
	case s.Pages >= mostPages:
		return fmt.Errorf("%d pages were read, more than any list has, and there is a next one", s.Pages)
	case n == 0 && s.Empty+1 >= mostEmpty:
		return fmt.Errorf("%d pages in a row have nothing and name a next one", s.Empty+1)
	}
	return nil
}
