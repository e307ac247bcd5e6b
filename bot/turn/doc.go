// Package turn takes events in: one event, one transaction.
//
// It is in charge of everything between an adapter's Accept and the commit:
// cleaning the event, the author's inbound budget, the slow part of a private
// form, the choice between engine and help desk, running the engine and the
// checks it asks for, saving the session, storing what is said, and handing
// that to the outbox once it is durable. It is the only place that changes a
// session. It must not know a platform or a database, decide what is said (the
// engine does), or send anything.
//
// # What a turn promises
//
//   - Nothing leaves before the commit. When Accept returns an error nothing
//     happened, and the platform may repeat the event.
//   - A repeat of (Channel, ID) changes nothing.
//   - Events of one conversation are handled in the order of the calls.
//   - No person gets stuck. A check that fails or panics is undone with its
//     whole turn, and the turn runs once more with Outcome{Name: "error"} in
//     its place. An engine that panics is answered with an apology; the second
//     time in a row the person starts from a fresh session. A stored session
//     that cannot be read is replaced by a fresh one.
//   - Who answers is decided before anything else. Where the help desk owns the
//     conversation, it sees every event, and says whether the engine is to run.
//   - What a turn takes back is gone from the platform soon, also when the
//     process dies right after the commit: the order is a job (TakeBack).
//   - A database error is never answered: it undoes the turn and is returned.
package turn
