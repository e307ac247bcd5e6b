package audit

import (
	"crypto/sha256"
	"encoding/binary"

	"latchkey/bot"
)

// format is hashed first, so that another encoding can never give the same
// hash by chance.
const format = "latchkey audit 1"

// Sum is the hash of a line without a key, as all lines had it before the record
// was keyed: SHA-256 (32 bytes) over the format's name, prev,
// Seq, At as Unix milliseconds, Ref, Actor, Action, Subject, Channel and
// Evidence. Each text is preceded by its length in bytes and each number takes
// eight bytes, big endian, so that no two different lines have the same
// encoding. prev is the Hash of the line before; nil for the first. Where those
// lines have the person's id, Ref holds it. Sum does not read e.Prev and e.Hash.
//
// At is counted in milliseconds: a store must cut it to milliseconds, in UTC
// or not, before it writes the line.
func Sum(prev []byte, e bot.AuditEntry) []byte {
	var room [512]byte
	sum := sha256.Sum256(appendLine(append(room[:0], format...), prev, e))
	return sum[:]
}

// appendLine encodes what both sorts of hashes cover.
func appendLine(b, prev []byte, e bot.AuditEntry) []byte {
	b = appendBytes(b, prev)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Seq))
	b = binary.BigEndian.AppendUint64(b, uint64(e.At.UnixMilli()))
	b = appendText(b, e.Ref)
	b = appendText(b, e.Actor)
	b = appendText(b, e.Action)
	b = appendText(b, e.Subject)
	b = appendText(b, string(e.Channel))
	return appendText(b, e.Evidence)
}

func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(len(s))), s...)
}

func appendBytes(b, s []byte) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(len(s))), s...)
}
