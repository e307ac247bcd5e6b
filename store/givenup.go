package store

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// quietly begins the error of a job that ended undone and that nobody has to
// look at.
const quietly = "quiet: "

// A GivenUp is a job that was given up.
type GivenUp struct {
	ID    int64
	Kind  string
	Args  json.RawMessage // the job itself
	Tries int
	At    time.Time // of the last try, UTC
	Error string    // why; without numbers and addresses
}

// GivenUp lists the jobs that were given up since a time, and not more than 14
// days ago, the newest first, at most limit of them. Those that nobody has to look at (bot.DropJob)
// are not among them, nor those that Revive or Forget was called for.
func (db *DB) GivenUp(ctx context.Context, since time.Time, limit int) ([]GivenUp, error) {
	var list []GivenUp
	err := db.view(ctx, func(t *tx) error {
		list = nil
		return t.c.(texter).ask(`SELECT id, kind, /*sqlite json(args)*/ /*postgres CAST(args AS TEXT)*/,
			/*sqlite json_extract(errors, '$[#-1]')*/ /*postgres CAST(errors[array_upper(errors, 1)] AS TEXT)*/ FROM river_job
			WHERE state IN ('cancelled', 'discarded') AND finalized_at IS NOT NULL AND errors IS NOT NULL
			AND /*sqlite unixepoch(finalized_at)*/ /*postgres EXTRACT(EPOCH FROM finalized_at)*/ >= CAST($1 AS BIGINT)
			ORDER BY finalized_at DESC, id DESC`, func(r row) {
			var last struct {
				At      time.Time
				Attempt int
				Error   string
			}
			if len(list) == limit || json.Unmarshal([]byte(r.text(3)), &last) != nil {
				return
			}
			why := strings.TrimPrefix(last.Error, "JobCancelError: ")
			if strings.HasPrefix(why, quietly) {
				return
			}
			list = append(list, GivenUp{ID: r.int(0), Kind: r.text(1), Args: json.RawMessage(r.text(2)), Tries: last.Attempt,
				At: last.At.UTC(), Error: strings.TrimPrefix(why, "given up: ")})
		}, max(0, since.Unix()))
	})
	return list, wrap("list jobs that were given up", err)
}

// Queued lists the jobs of a kind that were not done yet, in the order in which they
// are due, at most limit of them. Error is why the last try failed; At is when the
// next one is due.
func (db *DB) Queued(ctx context.Context, kind string, limit int) (list []GivenUp, err error) {
	err = db.view(ctx, func(t *tx) error {
		list = nil
		return t.c.(texter).ask(`SELECT id, /*sqlite json(args)*/ /*postgres CAST(args AS TEXT)*/, attempt,
			CAST(/*sqlite unixepoch(scheduled_at)*/ /*postgres EXTRACT(EPOCH FROM scheduled_at)*/ AS BIGINT),
			coalesce(/*sqlite json_extract(errors, '$[#-1]')*/ /*postgres CAST(errors[array_upper(errors, 1)] AS TEXT)*/, '') FROM river_job
			WHERE kind = $1 AND state IN ('available', 'pending', 'retryable', 'running', 'scheduled') ORDER BY scheduled_at, id LIMIT $2`, func(r row) {
			var last struct{ Error string }
			_ = json.Unmarshal([]byte(r.text(4)), &last) // empty: it was not tried
			list = append(list, GivenUp{ID: r.int(0), Kind: kind, Args: json.RawMessage(r.text(1)), Tries: int(r.int(2)), At: time.Unix(r.int(3), 0).UTC(), Error: last.Error})
		}, kind, int64(limit))
	})
	return list, wrap("list jobs that wait", err)
}

// Revive does a job once more that was given up, as if it had never been tried.
// ErrNotFound when it was not.
func (db *DB) Revive(ctx context.Context, id int64) error {
	err := db.endGivenUp(ctx, id, `UPDATE river_job SET state = 'available', attempt = 0, finalized_at = NULL WHERE id = $1 AND state IN ('cancelled', 'discarded')`)
	if err == nil {
		db.jobs.nudge(true)
	}
	return wrap("revive a job", err)
}

// Forget takes a job from the list of those that were given up. ErrNotFound
// when it is not there.
func (db *DB) Forget(ctx context.Context, id int64) error {
	return wrap("forget a job", db.endGivenUp(ctx, id, `DELETE FROM river_job WHERE id = $1 AND state IN ('cancelled', 'discarded')`))
}

func (db *DB) endGivenUp(ctx context.Context, id int64, text string) error {
	return db.update(ctx, func(t *tx) error {
		n, err := t.c.(texter).do(text, id)
		if err == nil && n == 0 {
			err = notFound("job that was given up", strconv.FormatInt(id, 10))
		}
		return err
	})
}
