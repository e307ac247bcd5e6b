package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivertype"

	"latchkey/bot"
)

const (
	// jobTimeout is how long one attempt of a job may take.
	jobTimeout = time.Minute
	// jobRescue is when a job of a process that died is given to another one,
	// if nobody noticed earlier (see StartJobs).
	jobRescue = 3 * time.Minute
	// jobCooldown is the least time between two fetches. River's own default
	// of 100 ms would be all of the promise.
	jobCooldown = 2 * time.Millisecond
	// jobPoll is how often River looks without being told.
	jobPoll = time.Second
	// jobAttempts end about two hours after the first.
	jobAttempts = 25
	// jobAfter bounds how long a provider may put off a retry.
	jobAfter = time.Hour
	// jobGivenUp is how long a job that was given up is listed.
	jobGivenUp = 14 * 24 * time.Hour
)

// jobWaits are the pauses after the first, second, ... failed attempt; the
// last one repeats.
var jobWaits = [...]time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute}

// Workers are the functions that do durable jobs, one for each kind.
type Workers struct {
	once   sync.Once
	w      *river.Workers
	queues map[string]int // workers of the queues beside the default one
	db     *DB            // set by StartJobs
}

func (w *Workers) river() *river.Workers {
	w.once.Do(func() { w.w, w.queues = river.NewWorkers(), map[string]int{} })
	return w.w
}

// Handle adds the function for the jobs of type J, a struct whose Kind does
// not depend on its value. It panics when the kind has one already.
//
// fn runs at least once for each committed job: again when it fails, and again
// when the process died in the middle, so it must bear a repeat. nil is done;
// an error that wraps *bot.DropJob ends the job; any other error is tried again
// after 1, 2, 5, 10, 20, 30 s, then 1, 2, 5 and every 10 minutes, 25 times in
// all, or when the provider wants it: after the After of a *bot.SendError that
// is SendThrottled, an hour at most. ctx ends after a minute, or after the
// Timeout of the job's queue (bot.QueuedJob), and when the jobs are stopped in a
// hurry. A job that is given up is logged, and listed by GivenUp.
func Handle[J bot.Job](w *Workers, fn func(ctx context.Context, j J) error) {
	river.AddWorker(w.river(), &worker[J]{fn: fn, of: w})
	var j J
	if q, ok := any(j).(bot.QueuedJob); ok {
		w.queues[q.Queue().Name] = max(w.queues[q.Queue().Name], q.Queue().Workers)
	}
}

type worker[J bot.Job] struct {
	river.WorkerDefaults[J]
	fn    func(context.Context, J) error
	of    *Workers
	after sync.Map // id of a job that has failed -> how long its provider wants to be left alone
}

// Timeout implements river.Worker. 0: jobTimeout.
func (w *worker[J]) Timeout(*river.Job[J]) time.Duration {
	var j J
	if q, ok := any(j).(bot.QueuedJob); ok {
		return q.Queue().Timeout
	}
	return 0
}

// Work implements river.Worker.
func (w *worker[J]) Work(ctx context.Context, j *river.Job[J]) error {
	err := w.fn(ctx, j.Args)
	var drop *bot.DropJob
	switch {
	case err == nil:
		w.of.db.jobDone(ctx, j.ID)
	case errors.As(err, &drop):
		if drop.Quiet {
			w.of.db.log.Info("a job ends undone, and nobody has to look", "kind", j.Kind, "job", j.ID, "err", drop.Err)
			err = fmt.Errorf("%s%w", quietly, err)
		} else {
			w.givenUp(j, drop.Err)
		}
		return river.JobCancel(err)
	case j.Attempt >= j.MaxAttempts && !errors.Is(ctx.Err(), context.Canceled): // a stop is no try
		w.givenUp(j, err)
	default:
		if wait := retryAfter(err); wait > 0 {
			w.after.Store(j.ID, wait)
		}
	}
	return err
}

func (w *worker[J]) givenUp(j *river.Job[J], err error) {
	w.of.db.log.Error("a job is given up; `latchkey outbox list` has it", "kind", j.Kind, "job", j.ID, "tries", j.Attempt, "err", err)
}

// NextRetry implements river.Worker. The zero time leaves it to jobRetry.
func (w *worker[J]) NextRetry(j *river.Job[J]) time.Time {
	wait, ok := w.after.LoadAndDelete(j.ID)
	if !ok {
		return time.Time{}
	}
	return w.of.db.jobNow().Add(jitter(wait.(time.Duration)))
}

// retryAfter is how long the provider that err comes from wants to be left
// alone; 0: it did not say.
func retryAfter(err error) time.Duration {
	var se *bot.SendError
	if !errors.As(err, &se) || se.Kind != bot.SendThrottled {
		return 0
	}
	return min(se.After, jobAfter)
}

// jitter lengthens a wait by up to a tenth.
func jitter(wait time.Duration) time.Duration {
	return wait + time.Duration(rand.Int64N(int64(wait/10)+1))
}

// jobDone notes that a job is done, at once. River would note it too, but
// together with others and up to a quarter of a second later; a crash in
// between would do all of these again, and send every letter twice. When it
// fails nothing is lost: River's own note follows.
func (db *DB) jobDone(ctx context.Context, id int64) {
	err := db.update(context.WithoutCancel(ctx), func(t *tx) error {
		text := `UPDATE river_job SET state = 'completed', finalized_at = now() WHERE id = $1 AND state = 'running'`
		if _, lite := db.back.(*lite); lite {
			text = `UPDATE river_job SET state = 'completed', finalized_at = strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE id = $1 AND state = 'running'`
		}
		_, err := t.c.(texter).do(text, id)
		return err
	})
	if err != nil && !errors.Is(err, ErrClosed) {
		db.log.Warn("a job that is done could not be noted at once", "job", id, "err", err)
	}
}

// jobClock gives River the time of the store, in Go and in SQL, so that no step
// of a clock holds a job back.
type jobClock struct{ db *DB }

// Now implements rivertype.TimeGenerator.
func (c jobClock) Now() time.Time { return c.db.jobNow() }

// NowOrNil implements rivertype.TimeGenerator.
func (c jobClock) NowOrNil() *time.Time {
	now := c.db.jobNow()
	return &now
}

// jobNow is the store's time, or the machine's where a test gives the store
// another one: jobs really take their time.
func (db *DB) jobNow() time.Time {
	if db.clock.mono == nil {
		return time.Now().UTC()
	}
	return db.Now()
}

// jobRetry implements river.ClientRetryPolicy.
type jobRetry struct{ db *DB }

// NextRetry implements river.ClientRetryPolicy, with up to a tenth of jitter.
func (r jobRetry) NextRetry(j *rivertype.JobRow) time.Time {
	wait := jobWaits[min(max(len(j.Errors), 0), len(jobWaits)-1)]
	return r.db.jobNow().Add(jitter(wait))
}

// jobs is what of the durable jobs runs in this process.
type jobs struct {
	mu   sync.Mutex
	stop func(context.Context) error
	wake chan struct{} // SQLite: there may be something to fetch in the default queue
	rest chan struct{} // or in any other
}

// nudge says that jobs may have come, and whether any of them has a queue of its own.
func (j *jobs) nudge(queued bool) {
	j.poke(j.wake)
	if queued {
		j.poke(j.rest)
	}
}

func (*jobs) poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// StartJobs begins to do jobs with the given workers until StopJobs or Close.
//
// A job that a turn commits is fetched at once: on SQLite the writer tells the
// fetcher after the commit, on PostgreSQL a notification travels with the
// commit, to every process. A look every second is the safety net, and what
// finds short retries: River makes a retry of less than its scheduler's five
// seconds ready at once, so it runs up to 1.1 s late; longer retries and jobs
// that are enqueued for a later time wait for the scheduler and run up to 5 s
// late, 10 s under load. Do not promise anyone the second.
//
// Jobs that a dead process left behind as running start again at once: on
// SQLite all of them, since only one process may have the file; on PostgreSQL
// those of processes that hold no lock any more. Otherwise they start again
// after three minutes.
func (db *DB) StartJobs(ctx context.Context, w *Workers) error {
	db.jobs.mu.Lock()
	defer db.jobs.mu.Unlock()
	if db.jobs.stop != nil {
		return errors.New("store: jobs are running already")
	}
	w.db = db
	stop, err := db.back.startJobs(ctx, w)
	if err != nil {
		return fmt.Errorf("store: start jobs: %w", err)
	}
	db.jobs.stop = stop
	return nil
}

// StopJobs takes no more jobs and waits for those that run. When ctx ends
// first, their contexts are cancelled; they start again later.
func (db *DB) StopJobs(ctx context.Context) error {
	db.jobs.mu.Lock()
	defer db.jobs.mu.Unlock()
	if db.jobs.stop == nil {
		return nil
	}
	err := db.jobs.stop(ctx)
	db.jobs.stop = nil
	return wrap("stop jobs", err)
}

func (db *DB) jobConfig(w *Workers, id string) *river.Config {
	n := db.opts.JobWorkers
	if n <= 0 {
		n = 32
	}
	workers := w.river()
	queues := map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: n}}
	for name, n := range w.queues {
		queues[name] = river.QueueConfig{MaxWorkers: n}
	}
	return &river.Config{
		ID:                   id,
		Logger:               riverLog(db.log),
		Workers:              workers,
		Queues:               queues,
		FetchCooldown:        jobCooldown,
		FetchPollInterval:    jobPoll,
		JobTimeout:           jobTimeout,
		RescueStuckJobsAfter: jobRescue,
		RetryPolicy:          jobRetry{db},
		Test:                 river.TestConfig{Time: jobClock{db}}, // the only way to give River a clock
		MaxAttempts:          jobAttempts,

		CancelledJobRetentionPeriod: jobGivenUp,
		DiscardedJobRetentionPeriod: jobGivenUp,
	}
}

// stopRiver stops a client: gently until ctx ends, then in a hurry.
func stopRiver[T any](ctx context.Context, c *river.Client[T]) error {
	if err := c.Stop(ctx); err == nil || ctx.Err() == nil {
		return err
	}
	hurry, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return c.StopAndCancel(hurry)
}

// startJobs implements backend.
func (l *lite) startJobs(ctx context.Context, w *Workers) (func(context.Context) error, error) {
	err := l.db.update(ctx, func(t *tx) error {
		_, err := t.c.(texter).do(`UPDATE river_job SET state = 'available' WHERE state = 'running'`)
		return err
	})
	if err != nil {
		return nil, err
	}
	pool := sql.OpenDB(gatedConnector{l})
	pool.SetMaxOpenConns(1)
	c, err := river.NewClient(&liteDriver{riversqlite.New(pool), &liteListener{jobs: &l.db.jobs, queues: slices.Sorted(maps.Keys(w.queues))}}, l.db.jobConfig(w, ""))
	if err == nil {
		err = c.Start(context.WithoutCancel(ctx))
	}
	if err != nil {
		pool.Close()
		return nil, err
	}
	l.db.jobs.nudge(true)
	return func(ctx context.Context) error {
		err := stopRiver(ctx, c)
		if cerr := pool.Close(); err == nil {
			err = cerr
		}
		return err
	}, nil
}

// liteDriver is River's SQLite driver with a listener that is told instead of
// one that asks the database twenty times a second.
type liteDriver struct {
	*riversqlite.Driver
	listener *liteListener
}

// GetListener implements riverdriver.Driver.
func (d *liteDriver) GetListener(*riverdriver.GetListenenerParams) riverdriver.Listener {
	return d.listener
}

// liteListener implements riverdriver.Listener. The only news of a store that
// one process has open is that there may be jobs.
type liteListener struct {
	jobs   *jobs
	queues []string // beside the default one
	due    []string // queues to be told of next
}

// Close implements riverdriver.Listener.
func (*liteListener) Close(context.Context) error { return nil }

// Connect implements riverdriver.Listener.
func (*liteListener) Connect(context.Context) error { return nil }

// Listen implements riverdriver.Listener.
func (*liteListener) Listen(context.Context, string) error { return nil }

// Ping implements riverdriver.Listener.
func (*liteListener) Ping(context.Context) error { return nil }

// Schema implements riverdriver.Listener.
func (*liteListener) Schema() string { return "" }

// SetAfterConnectExec implements riverdriver.Listener.
func (*liteListener) SetAfterConnectExec(string) {}

// Unlisten implements riverdriver.Listener.
func (*liteListener) Unlisten(context.Context, string) error { return nil }

// WaitForNotification implements riverdriver.Listener.
func (l *liteListener) WaitForNotification(ctx context.Context) (*riverdriver.Notification, error) {
	for len(l.due) == 0 {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-l.jobs.wake:
			l.due = append(l.due, river.QueueDefault)
		case <-l.jobs.rest:
			l.due = append(l.due, l.queues...)
		}
	}
	queue := l.due[0]
	l.due = l.due[1:]
	return &riverdriver.Notification{Topic: "river_insert", Payload: `{"queue":"` + queue + `"}`}, nil
}

// pgJobLock is the first half of the advisory lock that a process holds while
// it does jobs; the second half is the hash of its River id.
const pgJobLock = 1819636332

// startJobs implements backend.
func (p *postgres) startJobs(ctx context.Context, w *Workers) (func(context.Context) error, error) {
	id := fmt.Sprintf("latchkey-%016x", rand.Uint64())
	alive, err := p.pool.Acquire(ctx) // its lock says that this process lives
	if err != nil {
		return nil, err
	}
	_, err = alive.Exec(ctx, `SELECT pg_advisory_lock($1, hashtext($2))`, pgJobLock, id)
	if err == nil {
		_, err = alive.Exec(ctx, `UPDATE river_job SET state = 'available' WHERE state = 'running'
			AND pg_try_advisory_xact_lock($1, hashtext(attempted_by[array_upper(attempted_by, 1)]))`, pgJobLock)
	}
	var c *river.Client[pgx.Tx]
	if err == nil {
		c, err = river.NewClient(riverpgxv5.New(p.pool), p.db.jobConfig(w, id))
	}
	if err == nil {
		err = c.Start(context.WithoutCancel(ctx))
	}
	free := func(ctx context.Context) {
		alive.Exec(ctx, `SELECT pg_advisory_unlock($1, hashtext($2))`, pgJobLock, id)
		alive.Release()
	}
	if err != nil {
		free(context.WithoutCancel(ctx))
		return nil, err
	}
	return func(ctx context.Context) error {
		err := stopRiver(ctx, c)
		free(context.WithoutCancel(ctx))
		return err
	}, nil
}

// PendingJobs counts the jobs that are not finished, by kind.
func (db *DB) PendingJobs(ctx context.Context) (map[string]int, error) {
	n := map[string]int{}
	err := db.view(ctx, func(t *tx) error {
		return wrap("count jobs", t.c.(texter).ask(`SELECT kind, count(*) FROM river_job WHERE state NOT IN ('completed', 'cancelled', 'discarded') GROUP BY kind`,
			func(r row) { n[r.text(0)] = int(r.int(1)) }))
	})
	return n, err
}
