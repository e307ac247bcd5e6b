package store

import "sync/atomic"

// Stats counts work since Open, for tests and for the load command.
type Stats struct {
	Commits     int64 // transactions of the writers that were committed
	Turns       int64 // turns that were committed, repeats of an event not counted
	Repeats     int64 // events that had been taken in before
	Reruns      int64 // groups that were run again: a function failed, or another process or writer was in the way
	Statements  int64 // statements that the writers executed
	RoundTrips  int64 // PostgreSQL: waits for the server by the writers
	Checkpoints int64 // SQLite: checkpoints that moved pages
	// Syncs counts the writers' waits for the disk. On SQLite it follows from
	// what WAL with synchronous=FULL does: one for each commit, two for each
	// checkpoint (the WAL, then the database file) and one for the first
	// commit after it (the WAL's new header). On PostgreSQL it is Commits.
	Syncs int64
}

type counters struct {
	commits, turns, repeats, reruns, statements, trips, checkpoints, syncs atomic.Int64
}

// Stats gives the counters as they are now.
func (db *DB) Stats() Stats {
	c := &db.count
	return Stats{
		Commits: c.commits.Load(), Turns: c.turns.Load(), Repeats: c.repeats.Load(), Reruns: c.reruns.Load(),
		Statements: c.statements.Load(), RoundTrips: c.trips.Load(), Checkpoints: c.checkpoints.Load(), Syncs: c.syncs.Load(),
	}
}
