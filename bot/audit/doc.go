// Package audit chains the record of changes with keys, checks the chain, keeps
// its head outside the database, and signs parts of it for others.
//
// It is in charge of the format: Seal, the keyed hash that ties a line to the
// line before it; Verify, which reads a record in order and says in plain
// sentences which line was changed, is missing, was swapped, was cut off or
// cannot be checked; HeadFile; and exports. It must not read or write the
// record itself: the store appends lines and keeps the head. It holds no key:
// the ring of package vault does (Keys).
//
// # A line
//
//	seq      1, 2, 3, ...
//	at       Unix milliseconds by the store's clock
//	ref      who it is about: 32 random hexadecimal digits, or nothing
//	actor    "person", "agent:<id>", "operator:<name>", "system"
//	action, subject, channel, evidence
//	key      the id of the ring's key that the hash was made with
//	prev     the hash of the line before; nothing in line 1
//	hash     HMAC-SHA-256 over all of these with that key's audit subkey
//	was      lines of before the record had keys: see below
//
// A subkey is derived from the ring's key by HKDF for this purpose alone. The
// text that is hashed begins with "latchkey audit 2"; each text in it is
// preceded by its length and each number takes eight bytes, so that no two
// lines have the same text (see Seal).
//
// A line names a person by the reference only. What leads from it to the person
// is one column of the person's row: when that row is erased, the line stays,
// still passes, and says nobody's name. So that this is true, action, subject
// and evidence must never hold an id, a name, an address or a number; labels in
// them are masked.
//
// # What is found, and by what
//
//   - A line edited, inserted, moved or exchanged, and a chain computed anew:
//     by the key. Whoever can write to the database alone can make no line.
//   - Lines missing in the middle: by the numbers and by prev.
//   - Lines cut off at the end, an older copy of the database, a record that was
//     emptied: by a head from outside. The head is the number and the hash of
//     the last line. It stands beside the record; in the head file
//     (audit.head_file), some seconds late; in the log, each hour ("audit
//     head"); and in every backup, whose heads the head file keeps, too. With
//     several processes the highest wins. `audit verify` compares with the head
//     file, and with what --head gives it: a head, a log, a backup.
//   - The same where no head is left: by the methods. Each method that was
//     proven since the record begins has a line of the same instant.
//   - Lines removed at the beginning as if retention had done it: by the seal of
//     the Beginning.
//
// Not found: lines that were cut off before any head went outside (seconds),
// and what somebody does who has the database, the key ring and everything that
// a head went to.
//
// # Keys that change
//
// A rotation writes a line under the old key and one under the new. A key that
// is taken out of the ring leaves its audit subkey there, for checking only,
// until retention has removed its last line. Lines whose key is not in the ring
// are named by their numbers: they cannot be checked, and count as a fault.
//
// # Records of before
//
// Until version 3 of the schema lines had a plain hash (Sum) and the person's
// id. The migration checks that chain, rewrites each line once with a reference
// and a keyed hash, and closes them with a line "audit.sealed", which says so if
// the chain was not whole. The old hash of each line stays in was, keyed: a head
// that was noted in those days, of any line, is still compared. It is not kept
// in the open, because who knows all of a line but the person can try out whose
// id gives that hash, and an erased person would be found again.
//
// # Retention
//
// The store removes lines that are older than policy.retention.audit, from the
// beginning on and once a day, and makes the last of them the record's sealed
// Beginning in the same transaction; what is left is checked from there.
//
// # Exports
//
// See WriteExport for the format: JSON Lines with an Ed25519 signature, by a key
// that is derived from the ring's, too. `latchkey keys public` gives the public
// key, `latchkey verify` needs nothing else.
package audit
