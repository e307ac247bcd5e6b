// Package store keeps everything: conversations, the outbox, people, methods,
// challenges, passes, tallies, the audit record, tickets and durable jobs. It
// implements bot.Store on SQLite and on PostgreSQL.
//
// It is in charge of durability and of atomicity: what one function of Turn or
// Update wrote is on the disk as a whole before the call returns, or not at
// all. It must not decide anything: no policy number, no wording, no secret in
// the clear and no call to the outside lives here.
//
// # One SQL text
//
// Every statement is written once, in sql.go, with $1 placeholders. The SQLite
// side turns $N into ?N when it prepares. Comments of the form /*sqlite ...*/,
// /*postgres ...*/ and /*lock ...*/ hold the few words that only one of them
// has; dialectText opens or drops them. Columns are BIGINT (times are Unix
// milliseconds, 0 is "never"), TEXT and BLOB (BYTEA in PostgreSQL).
//
// The tables outbox and conversation are read and written as structs: one list
// of columns each (outboxTable, conversationTable) makes their statements, for
// PostgreSQL also those that write a whole group at once (postgres_conn.go).
//
// # Group commit
//
// Turn and Update hand their function to a writer. A writer takes everything
// that waits, runs it in one transaction, commits once, then answers. Nobody
// waits for a group to fill. The first attempt of a group has no savepoints;
// when a function fails, the group is rolled back and run again with a
// savepoint for each function, so that only the failing one is undone. That is
// why a function may run more than once.
//
//	SQLite      one writer, one connection, synchronous=FULL, WAL; a second
//	            connection carries the WAL over into the database file.
//	PostgreSQL  two writers, or one beside other processes; the turns of a group
//	            are noted, locked and read in one round trip, and their writes go
//	            with COMMIT in another.
//
// Order: the turns of one conversation go to the same writer and are run in the
// order in which Turn was called.
//
// # Messages
//
// A message of the outbox is owned by a worker, which is one start of a process,
// or waits. Tx.Say, Tx.Claim and Tx.MarkOutbox keep three rules: in one
// conversation only one worker owns what is not sent yet; a mark touches a row
// of its own worker only; a row gets its place in the conversation (seq) when it
// is owned. A turn learns in the round trip that locks its conversation whether
// something waits there. Free gives back what workers had that live no more.
//
// What is said to a person who never wrote, to a room or to a thread waits in an
// opening: a row of the table opening, with a conversation of its own that no
// platform knows (opening.go). Tx.Direct, Tx.Room and Tx.Thread find or make it;
// Tx.Opened moves what waits there into the platform's conversation, and what is
// said to the opening later follows it. Nobody is linked by being written to.
//
// An edit or a take-back of a row that waits and that nobody can have seen
// changes that row itself. Tx.Amend notes what became of one that was sent.
//
// A relay, which is what one person says to another, is sealed with
// Options.Vault, bound to its account and its time: these never change, while an
// opening, a change of the text or of the person's id move the row. Reseal renews
// it with the keys.
//
// After a commit other processes are notified (worker.go): on a connection of its
// own, since a notification inside the transaction would hold a lock on the
// whole database through the sync, and only while others live.
//
// # Time
//
// Tx.Now is the store's clock: the machine's on SQLite, the database's on
// PostgreSQL (an offset that is measured again every minute), so that several
// processes agree. It never goes back while a process runs.
//
// # Connections to PostgreSQL
//
// A process opens up to twelve (more with pool_max_conns in the address), two of
// them to beat, notify and listen, each a session of its own: directly, or through PgBouncer with pool_mode=session.
// Settings are made after connecting and read back. Transaction and statement
// pooling are refused: LISTEN, advisory locks and settings need a session. The
// mode in which pgx runs statements is ours, whatever the address says.
//
// # The audit record
//
// Tx.Audit appends a line in the transaction of the change. The head row is
// read once for a group, together with the person's reference, which is made
// at the person's first line, and written once. Package audit has the format.
//
// # Imports
//
// A list or a sync is staged in temporary tables and decided as a whole while
// turns go on. Then people are changed in steps of their own transactions, each
// right in itself, so that no turn waits for more than one of them. What a step
// has stored stands in the meta table until the import is told as a whole.
//
// # Retention
//
// Prune deletes what has done its work, of every table that grows, in pages
// that ride with the turns. When it ended last is stored, so that a process
// which never lives an hour prunes, too.
//
// # Jobs
//
// Durable jobs are rows of River, inserted in the transaction of the turn. See
// Workers, Handle and DB.StartJobs for what is promised about their timing.
package store
