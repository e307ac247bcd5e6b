// Package audit chains the record of changes and checks the chain.
//
// It is in charge of two things: Sum, the hash that ties a line to the line
// before it, and Verify, which reads a record in order and says in plain
// sentences which line was changed, is missing, was swapped or was cut off. It
// must not read or write the record itself: the store appends lines and keeps
// the head, and cmd hands both to Verify.
//
// # What the chain protects from, and what not
//
// A line that is edited, deleted, inserted or moved breaks the chain at that
// place. Lines cut off at the end leave a valid shorter chain; they are found
// because the head (number and hash of the last line) is stored in a table of
// its own and compared at the end.
//
// A plain hash chain uses no key. Whoever may write to the whole database can
// change a line, recompute every hash after it and the stored head, and Verify
// of that database alone finds nothing wrong. What finds it is a head that was
// kept elsewhere: print it (`latchkey audit verify` does so), keep it in
// another system's log or on paper, and give it back later with --head. Verify
// then demands that the line of that number still has that hash, however many
// lines have been added since (see Verifier.Known).
package audit
