package directory

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"latchkey/bot"
)

// Deps are what the service works with.
type Deps struct {
	Store  bot.Store
	Source bot.DirectorySource
	// Merge makes people of the rows of a complete sync.
	Merge  func(context.Context, Merge) (Merged, error)
	Groups []string // whose members are the staff; none: all accounts

	SyncEvery   time.Duration // how often people are read; 0: never by itself
	ReportEvery time.Duration // how often the report is read; 0: never by itself

	// GonePeople and GoneShare are the brake: a report that lacks more
	// registrations than the larger of that number and that share of all (0 to
	// 1) drops none.
	GonePeople int
	GoneShare  float64

	// Judge says whether a person still gets in, by what was read; nil: nobody can say.
	Judge func(*bot.Registration, *bot.TenantPolicy) bot.Survival

	// Done is called after a reading has ended, in the process that read its last
	// page; nil: nothing follows.
	Done func(context.Context, bot.Reading) error

	// Alone says that no other process has the store: who held a page before is
	// dead.
	Alone bool
	Log   *slog.Logger // nil: slog.Default()
}

// A Merge is what people are made of.
type Merge struct {
	Rows   iter.Seq2[bot.Person, int] // with their number, from 1
	Unsaid func() bot.PersonFields    // of the row that was just yielded
	Unread func() bool                // the row that was just yielded could not be read
	Run    int64                      // number of the sync: one that was cut off in its merge comes again with the same
	Force  bool                       // without the brake
	Before int                        // accounts that count for the brake, too: syncs have switched them off in the last day
	By     string                     // who asked for it, as AuditEntry.Actor
}

// Merged is what came of a Merge.
type Merged struct {
	bot.SyncResult        // Rows and the numbers after it
	Why            string // why it was refused; empty: it was not
}

// A Service reads the directory.
type Service struct {
	Deps
	id    string // of this process
	inbox bot.Inbox
}

// New makes a service.
func New(d Deps) *Service {
	if d.Log == nil {
		d.Log = slog.Default()
	}
	return &Service{Deps: d, id: rand.Text()}
}

// Connect gives the service where outcomes for conversations go.
func (r *Service) Connect(in bot.Inbox) { r.inbox = in }

// Specs declares the checks.
func (r *Service) Specs() []bot.CheckSpec {
	return []bot.CheckSpec{{
		Name: "directory.look", Doc: "read the person's own page of sign-in methods anew, at most once a minute",
		Outcomes: bot.Outcomes("asked ref", "soon", "off"), Signals: []string{SignalLooked, SignalLookFailed}, Waits: "asked", Within: lookPatience, Run: r.look,
	}}
}

// Forms declares no forms.
func (r *Service) Forms() []bot.FormSpec { return nil }

// State is how far a reading has come.
func (r *Service) State(ctx context.Context, reading bot.Reading) (s bot.SyncState, err error) {
	err = r.Store.View(ctx, func(tx bot.Tx) error {
		s, err = tx.SyncState(reading)
		return err
	})
	if err != nil {
		return s, fmt.Errorf("directory: state of the sync of %s: %w", reading, err)
	}
	return s, nil
}

// Order is what somebody asks of a sync.
type Order struct {
	Full  bool   // read all accounts, not only changes
	Dry   bool   // people stay as they are
	Force bool   // without the brake
	By    string // who asks, as AuditEntry.Actor
	// Alone says that this process reads at no other order: where it has the store
	// for itself (Deps.Alone), a sync that is under way was interrupted.
	Alone bool
}

// ErrRunning is returned when a sync is under way that is not what was ordered.
var ErrRunning = errors.New("a sync is under way that will change people")

// Begin begins a sync, or joins the one that is under way: that becomes what
// was ordered, too, and goes on at once if it waits. It reports whether a new one has begun.
func (r *Service) Begin(ctx context.Context, reading bot.Reading, o Order) (began bool, err error) {
	err = r.Store.Update(ctx, func(tx bot.Tx) error {
		s, err := tx.SyncState(reading)
		if err != nil {
			return err
		}
		if began = !s.Running(); began {
			r.begin(tx, reading, &s, o)
		} else if err := r.join(tx, &s, o); err != nil {
			return err
		}
		return r.next(tx, reading, &s)
	})
	if err != nil && !errors.Is(err, ErrRunning) {
		return false, fmt.Errorf("directory: begin the sync of %s: %w", reading, err)
	}
	return began, err
}

// begin makes s the beginning of a sync.
func (r *Service) begin(tx bot.Tx, reading bot.Reading, s *bot.SyncState, o Order) {
	*s = bot.SyncState{Run: s.Run + 1, Step: s.Step + 1, Round: s.Round, Next: s.Next, Anew: s.Anew, Refused: s.Refused, Off: s.Off, Last: s.Last,
		Dry: o.Dry, Force: o.Force, ForcedAt: tx.Now(), By: o.By, StartedAt: tx.Now()}
	if reading == bot.ReportReading {
		s.Phase = bot.SyncPolicy
		return
	}
	s.Groups = r.Groups
	// Who takes what was refused takes what was read then.
	took := o.Force && s.Refused != ""
	if s.Full = o.Full || s.Next == "" || s.Anew && !took; s.Full {
		anew(s)
		return
	}
	s.Phase, s.Cursor = bot.SyncAccounts, s.Next
}

// anew makes the sync a full reading from its beginning. Step is that of its
// first page.
func anew(s *bot.SyncState) {
	rewind(s)
	s.Full, s.Anew, s.Phase, s.Round = true, false, bot.SyncAccounts, s.Step
}

// join makes the sync that is under way what was ordered.
func (r *Service) join(tx bot.Tx, s *bot.SyncState, o Order) error {
	if o.Dry && !s.Dry {
		if !(o.Alone && r.Alone) && tx.Now().Sub(latest(s.StartedAt, s.HeldAt, s.Due)) <= lostAfter {
			return ErrRunning
		}
		s.Force = false // it was interrupted: what it has read is gone on with
	}
	s.Dry, s.Due = o.Dry, time.Time{}
	if o.Force {
		s.Force, s.ForcedAt = true, tx.Now()
	}
	if o.By != "" {
		s.By = o.By
	}
	if o.Full && (!s.Full || s.Failures > 0) && s.Phase != bot.SyncPolicy && s.Phase != bot.SyncReport {
		s.Step++
		s.Holder = "" // whoever reads a page of changes reads it in vain
		s.Pages, s.Read = 0, 0
		anew(s)
		s.Force = o.Force
	}
	return nil
}

// next stores the state and enqueues the job of its page.
func (r *Service) next(tx bot.Tx, reading bot.Reading, s *bot.SyncState) error {
	if err := tx.PutSyncState(reading, *s); err != nil || !s.Running() {
		return err
	}
	return tx.Enqueue(Step{reading, s.Run, s.Step}, s.Due)
}

// bySystem is who begins syncs that are due, as AuditEntry.Actor.
const bySystem = "system"

// lostAfter is how long nothing may happen to a sync until its job is taken for
// lost.
const lostAfter = 3 * holdFor

// Schedule begins the syncs that are due, and puts back the job of one that has
// lost it. It is called every few seconds; of several processes only one begins.
func (r *Service) Schedule(ctx context.Context) error {
	for reading, every := range map[bot.Reading]time.Duration{bot.PeopleReading: r.SyncEvery, bot.ReportReading: r.ReportEvery} {
		var due bool
		err := r.Store.View(ctx, func(tx bot.Tx) (err error) { // nearly always the answer is no
			_, due, err = r.due(tx, reading, every)
			return err
		})
		if err == nil && due {
			err = r.Store.Update(ctx, func(tx bot.Tx) error {
				s, due, err := r.due(tx, reading, every)
				if err != nil || !due {
					return err
				}
				if s.Running() {
					s.Holder, s.HeldAt = "", tx.Now() // it has been silent for longer than a hold lasts
				} else {
					r.begin(tx, reading, &s, Order{By: bySystem})
				}
				return r.next(tx, reading, &s)
			})
		}
		if err != nil {
			return fmt.Errorf("directory: schedule the sync of %s: %w", reading, err)
		}
	}
	return nil
}

// due reports whether a sync has to begin, or has lost its job.
func (r *Service) due(tx bot.Tx, reading bot.Reading, every time.Duration) (s bot.SyncState, due bool, err error) {
	if s, err = tx.SyncState(reading); err != nil {
		return s, false, err
	}
	switch {
	case s.Running():
		return s, tx.Now().Sub(latest(s.StartedAt, s.HeldAt, s.Due)) > lostAfter, nil
	case every == 0 || s.Last != nil && tx.Now().Sub(s.Last.StartedAt) < every:
		return s, false, nil
	case reading == bot.ReportReading && r.SyncEvery > 0:
		// Only lines on people whom we have are kept.
		people, err := tx.SyncState(bot.PeopleReading)
		return s, people.Last != nil, err
	}
	return s, true, nil
}

func latest(ts ...time.Time) (t time.Time) {
	for _, x := range ts {
		if x.After(t) {
			t = x
		}
	}
	return t
}
