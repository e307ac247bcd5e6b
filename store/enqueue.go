package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/riverqueue/river"

	"latchkey/bot"
)

// jobArgs is a job as River stores it.
type jobArgs struct {
	kind string
	body json.RawMessage
}

// Kind implements river.JobArgs.
func (a jobArgs) Kind() string { return a.kind }

// MarshalJSON implements json.Marshaler.
func (a jobArgs) MarshalJSON() ([]byte, error) { return a.body, nil }

// pendingJob waits for the end of its group, where all of them are inserted.
type pendingJob = river.InsertManyParams

// Enqueue implements bot.JobTx. The job is marshalled now and inserted at the
// end of the transaction. at is by the store's clock; see DB.StartJobs for how
// exact it is.
func (t *tx) Enqueue(j bot.Job, at time.Time) error {
	if t.g == nil {
		return errReadOnly
	}
	kind := j.Kind()
	if kind == "" || len(kind) > 127 {
		return fmt.Errorf("store: a job's kind has 1 to 127 bytes: %q", kind)
	}
	body, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("store: marshal job %q: %w", kind, err)
	}
	if bytes.Contains(body, []byte(`\u0000`)) {
		return fmt.Errorf("store: job %q holds a NUL character, which PostgreSQL cannot store", kind)
	}
	p := pendingJob{Args: jobArgs{kind, body}}
	q, queued := j.(bot.QueuedJob)
	if wait := at.Sub(t.now); !at.IsZero() && wait > 0 {
		p.InsertOpts = &river.InsertOpts{ScheduledAt: t.db.jobNow().Add(wait)}
	}
	if queued {
		if p.InsertOpts == nil {
			p.InsertOpts = &river.InsertOpts{}
		}
		name := q.Queue().Name
		p.InsertOpts.Queue = name
		if !slices.Contains(t.g.queues, name) {
			t.g.queues = append(t.g.queues, name)
		}
	}
	t.g.jobs = append(t.g.jobs, p)
	return nil
}

// Hurry implements bot.JobTx.
func (t *tx) Hurry(kind string) error {
	if t.g == nil {
		return errReadOnly
	}
	const now = `/*sqlite strftime('%Y-%m-%d %H:%M:%f', 'now')*/ /*postgres now()*/`
	_, err := t.c.(texter).do(`UPDATE river_job SET scheduled_at = `+now+` WHERE kind = $1 AND state = 'scheduled' AND scheduled_at > `+now, kind)
	return wrap("hurry jobs", err)
}
