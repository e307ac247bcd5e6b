package store

import (
	"errors"
	"fmt"
	"time"

	"latchkey/bot"
	"latchkey/bot/audit"
)

// tx implements bot.Tx on any conn. Its methods stand in the files that are
// named after what they keep.
type tx struct {
	db   *DB
	c    conn
	now  time.Time
	ms   int64     // now
	real time.Time // Wall
	g    *group
	keys audit.Keys        // of the audit record; nil: none
	turn *bot.Conversation // the conversation that a turn holds the lock of, as loaded
	held int64             // its version in the database

	saved conversationRow // what save, say and mark are given, used again
	said  outboxRow

	sender bot.WorkerID      // this process when the transaction began: behind is as that one sees it
	mine   *bot.Conversation // the turn's own conversation, as its function has it
	behind behind
	latest *bot.OutboxRow // what Say was called with last
}

// behind is what waits in the turn's conversation before what the turn will say.
type behind struct {
	waits    bool
	until    int64 // it is not due before, in Unix milliseconds
	unplaced bool  // some of it has no place yet
	deferred bool  // another process has deferred events of it; SQLite has no other
}

// group is what the functions of one transaction share. Nil in a View.
type group struct {
	head   auditHead
	jobs   []pendingJob
	queues []string // of the jobs that have a queue of their own
	gated  bool     // counting is ours until the commit
	news   []bot.News
}

var errReadOnly = errors.New("store: a View cannot write; use Update")

// Now implements bot.Tx.
func (t *tx) Now() time.Time { return t.now }

// Wall implements bot.Tx.
func (t *tx) Wall() time.Time { return t.real }

// newTx begins a transaction on c at the time of the store.
func (db *DB) newTx(c conn, g *group) tx {
	ms, real := db.clock.now()
	return tx{db: db, c: c, now: time.UnixMilli(ms).UTC(), ms: ms, real: time.UnixMilli(real).UTC(), g: g, keys: db.opts.Audit, sender: bot.WorkerID(db.mail.worker.Load())}
}

// write is conn.write, refused in a View.
func (t *tx) write(s stmt, args ...any) error {
	if t.g == nil {
		return errReadOnly
	}
	return t.c.write(s, args...)
}

// change is conn.change, refused in a View.
func (t *tx) change(s stmt, args ...any) (int64, error) {
	if t.g == nil {
		return 0, errReadOnly
	}
	return t.c.change(s, args...)
}

func notFound(what, id string) error {
	return fmt.Errorf("store: %s %q: %w", what, id, bot.ErrNotFound)
}

// wrap adds what was being done to an error of the database.
func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("store: %s: %w", what, err)
}
