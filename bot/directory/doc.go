// Package directory reads people, and what the registrar holds of them, from
// the organisation's directory by durable jobs, and makes Latchkey's people of
// it.
//
// It is in charge of when and in which order a bot.DirectorySource is asked, of
// how far that has come, and of what becomes of failures. It asks nothing
// inside a turn. It does not know what the directory is, and does not decide
// how rows become people: that is the import's (Deps.Merge), with its brake.
//
// # A sync
//
// One job reads one page, outside any transaction. One transaction then stores
// the page, notes the place of the next and enqueues its job. A kill in the
// middle costs one page, which is read again. Every page has a number
// (bot.SyncState.Step); a job of another page has nothing to do, and whoever
// reads one holds it, so that two processes never read the same. The jobs stand
// in a queue of their own with one worker in each process.
//
// A sync of people reads accounts (all of them, or what has changed since the
// last), then the members of each configured group, and then makes people of
// both at once. Until then people stay as they are: a sync that ends anywhere
// before, for whatever reason, changes nobody. When a cursor is over
// (bot.ErrStartAnew) a full reading begins. Accounts that it did not see are
// dropped when it is complete.
//
// A sync of the report reads what people may use and then the report, and keeps
// the lines on people whom we have. Registrations that a complete report has no
// more are dropped; what was read of a person alone stays.
//
// # Failures
//
// When the directory asks to wait (bot.WaitError, Asked) the page is read then,
// and that is no failure, unless it has done nothing else for half an hour. After any other failure it is read again after the
// pause that the error names, else after 10 and 30 seconds, 1, 5, 15 and then
// every 30 minutes; how many there were in a row, and the last, stand in the
// state. A job that was lost is found missing and put back. Pages that lead to no
// end are a failure, too: in a circle, 50 in a row that are empty or have nothing
// but what was read before, or more than any list has.
//
// # Two lists
//
// People may come from lists (CSV) beside. Both feed one list of people by the
// directory's immutable id. Every sync merges the whole copy, so the directory
// wins in what it says of a person, at each sync, whether that has changed or
// not; what a list says stands until then, and what only lists say stays. Whether
// an account is on is said by both, each with a word of its own: it is off as long
// as one of them has it off. Of kinds the directory says only who is a guest, and
// of members that they are none.
//
// Neither misses anybody whom only the other has ever had: a sync switches off
// those whom the sync before had and this one has not, once, and a list leaves
// alone whom the last sync had, because the next would bring them back. Who was
// deleted in the directory and stands in a list that is imported later is on
// again, and stays so: the directory says nothing of them.
//
// # One person
//
// The check directory.look lets a script read a person's own page, at most once
// a minute. The job's outcome comes back to the conversation as the signal
// "looked" or "look_failed".
package directory
