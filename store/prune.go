package store

import (
	"context"
	"fmt"
	"time"
)

// Ages say how long things that have done their work are kept. Zero keeps them
// for ever. The audit record is never pruned: its chain would lose its start.
type Ages struct {
	Events     time.Duration // ids of events; as long as a platform may repeat one
	Outbox     time.Duration // rows that are sent, dead or retracted
	Challenges time.Duration // after they were closed or ran out
	Tallies    time.Duration // at least the longest window of a limit
	Passes     time.Duration // after they ran out; until then people are told that they did
}

// Pruned counts what Prune deleted.
type Pruned struct{ Events, Outbox, Challenges, Tallies, Passes int }

// prunePage is how many rows one transaction looks at.
const prunePage = 5000

// Prune deletes what is older than ages, in small transactions that ride with
// the turns. When ctx ends, what was done stays done.
func (db *DB) Prune(ctx context.Context, ages Ages) (Pruned, error) {
	var n Pruned
	now := db.Now()
	for _, p := range []struct {
		age   time.Duration
		n     *int
		prune func(context.Context, int64) (int, error)
	}{
		{ages.Events, &n.Events, func(ctx context.Context, cut int64) (int, error) {
			return db.pruneRange(ctx, "event", []string{"channel", "id"}, cut)
		}},
		{ages.Tallies, &n.Tallies, func(ctx context.Context, cut int64) (int, error) {
			return db.pruneRange(ctx, "tally", []string{"bucket", "key"}, cut)
		}},
		{ages.Outbox, &n.Outbox, db.pruneOutbox},
		{ages.Challenges, &n.Challenges, db.pruneChallenges},
		{ages.Passes, &n.Passes, db.prunePasses},
	} {
		if p.age <= 0 {
			continue
		}
		var err error
		if *p.n, err = p.prune(ctx, now.Add(-p.age).UnixMilli()); err != nil {
			return n, err
		}
	}
	return n, nil
}

// pruneRange walks a table along its key of two texts and deletes old rows.
// There is no index on their time: it would make every turn dearer.
func (db *DB) pruneRange(ctx context.Context, table string, key []string, cut int64) (int, error) {
	keys := key[0] + ", " + key[1]
	end := fmt.Sprintf(`SELECT %[2]s FROM %[1]s WHERE (%[2]s) > ($1, $2) ORDER BY %[2]s LIMIT 1 OFFSET %[3]d`, table, keys, prunePage)
	del := fmt.Sprintf(`DELETE FROM %[1]s WHERE (%[2]s) > ($1, $2) AND (%[2]s) <= ($3, $4) AND at < $5`, table, keys)
	last := fmt.Sprintf(`DELETE FROM %[1]s WHERE (%[2]s) > ($1, $2) AND at < $3`, table, keys)
	total := 0
	for a, b, more := "", "", true; more; {
		var c, d string
		var n int64
		err := db.update(ctx, func(t *tx) (err error) {
			x := t.c.(texter)
			more = false
			if err := x.ask(end, func(r row) { c, d, more = r.text(0), r.text(1), true }, a, b); err != nil {
				return err
			}
			if more {
				n, err = x.do(del, a, b, c, d, cut)
			} else {
				n, err = x.do(last, a, b, cut)
			}
			return err
		})
		if err != nil {
			return total, wrap("prune "+table, err)
		}
		total += int(n)
		a, b = c, d
	}
	return total, nil
}

// pruneOutbox deletes from the oldest row on.
func (db *DB) pruneOutbox(ctx context.Context, cut int64) (int, error) {
	return db.pruneUntilDone(ctx, "outbox", fmt.Sprintf(`DELETE FROM outbox WHERE id IN
		(SELECT id FROM outbox WHERE created_at < $1 AND state <> 0 ORDER BY id LIMIT %d)`, prunePage), cut)
}

func (db *DB) pruneChallenges(ctx context.Context, cut int64) (int, error) {
	return db.pruneUntilDone(ctx, "challenge", fmt.Sprintf(`DELETE FROM challenge WHERE id IN
		(SELECT id FROM challenge WHERE (closed_at <> 0 AND closed_at < $1) OR expires_at < $1 LIMIT %d)`, prunePage), cut)
}

func (db *DB) prunePasses(ctx context.Context, cut int64) (int, error) {
	return db.pruneUntilDone(ctx, "pass", fmt.Sprintf(`DELETE FROM pass WHERE hash IN
		(SELECT hash FROM pass WHERE expires_at < $1 LIMIT %d)`, prunePage), cut)
}

func (db *DB) pruneUntilDone(ctx context.Context, table, text string, cut int64) (int, error) {
	for total := 0; ; {
		var n int64
		err := db.update(ctx, func(t *tx) (err error) { n, err = t.c.(texter).do(text, cut); return err })
		if err != nil {
			return total, wrap("prune "+table, err)
		}
		total += int(n)
		if n < prunePage {
			return total, nil
		}
	}
}
