package store

import (
	"context"
	"fmt"
	"testing"

	"latchkey/bot"
)

// RiverVersion is riverVersion, for tests.
const RiverVersion = riverVersion

// OnMigrationStep has f called after each statement of a migration, until the
// test ends.
func OnMigrationStep(t testing.TB, f func(version int64, statement int)) {
	was := migrationStep
	migrationStep = f
	t.Cleanup(func() { migrationStep = was })
}

// SaidText is the statement of Said as SQLite gets it.
var SaidText = sqliteText(statements[outboxSaid])

// Waiting is how many functions wait for a writer.
func (db *DB) Waiting() int {
	n := 0
	switch b := db.back.(type) {
	case *lite:
		n = b.q.len()
	case *postgres:
		for _, w := range b.writers {
			n += w.q.len()
		}
	}
	return n
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.list)
}

// WALPages asks for the length of the WAL.
func (db *DB) WALPages() (int64, error) {
	l := db.back.(*lite)
	l.gate.Lock()
	defer l.gate.Unlock()
	return l.ck.pass(l.w)
}

// LeaveRunning makes every job look as if a process that is dead now had begun it.
func (db *DB) LeaveRunning(ctx context.Context) error {
	return db.update(ctx, func(t *tx) error {
		_, err := t.c.(texter).do(`UPDATE river_job SET state = 'running', attempt = 1, attempted_at = created_at,
			attempted_by = /*sqlite jsonb('["dead"]')*/ /*postgres ARRAY['dead']*/`)
		return err
	})
}

// BusyTimeout is how long the SQLite writer waits for a lock, in milliseconds.
func (db *DB) BusyTimeout() (int64, error) {
	l := db.back.(*lite)
	l.gate.Lock()
	defer l.gate.Unlock()
	v, err := l.w.value("PRAGMA busy_timeout")
	ms, _ := v.(int64)
	return ms, err
}

// LastTry gives every job that waits only one try more.
func (db *DB) LastTry(ctx context.Context) error {
	return db.update(ctx, func(t *tx) error {
		_, err := t.c.(texter).do(`UPDATE river_job SET attempt = max_attempts - 1`)
		return err
	})
}

// RetryAfter is retryAfter, for tests.
var RetryAfter = retryAfter

// Setting is what PostgreSQL says of a setting, to a writer or to the pool.
func Setting(t testing.TB, db *DB, name string, writer bool) (value string) {
	t.Helper()
	run := db.view
	if writer {
		run = db.update
	}
	err := run(t.Context(), func(t *tx) error {
		return t.c.(texter).ask(`SELECT current_setting($1)`, func(r row) { value = r.text(0) }, name)
	})
	if err != nil {
		t.Error(err)
	}
	return value
}

// MeasureAgain makes the next function measure the database's clock.
func MeasureAgain(db *DB) {
	db.clock.mu.Lock()
	defer db.clock.mu.Unlock()
	db.clock.anew = true
}

// CheckServer is what is thought of a PostgreSQL of a version and an encoding.
func CheckServer(version, encoding string) error {
	return checkServer(func(name string) string {
		return map[string]string{"server_version": version, "server_encoding": encoding}[name]
	})
}

// Sleep has PostgreSQL sleep for a minute inside a View.
func Sleep(v bot.Tx) error {
	return v.(*tx).c.(texter).ask(`SELECT 1 FROM pg_sleep(60)`, func(row) {})
}

// StoredMessages is what stands in the outbox.
func (db *DB) StoredMessages(ctx context.Context) (bodies [][]byte, err error) {
	err = db.view(ctx, func(t *tx) error {
		return t.c.(texter).ask(`SELECT message FROM outbox ORDER BY id`, func(r row) { bodies = append(bodies, r.blob(0)) })
	})
	return bodies, err
}

// OpeningTexts are the statements that move or give up what was said to an opening.
func OpeningTexts(dsn string) []string {
	if isPostgres(dsn) {
		return []string{postgresText(statements[openingMove], false), postgresText(statements[openingDead], false)}
	}
	return []string{sqliteText(statements[openingMove]), sqliteText(statements[openingDead])}
}

// PartsDueText is the statement of PartsDue as the database of dsn gets it.
func PartsDueText(dsn string) string {
	if isPostgres(dsn) {
		return postgresText(partsDue, false)
	}
	return sqliteText(partsDue)
}

// Writers is how many writers of PostgreSQL turns go to.
func (db *DB) Writers() int {
	p := db.back.(*postgres)
	p.turns.RLock()
	defer p.turns.RUnlock()
	used := map[*pgWriter]bool{}
	for i := range 100 {
		used[p.writer(&bot.Event{Conversation: bot.ConversationID(fmt.Sprint(i))})] = true
	}
	return len(used)
}
