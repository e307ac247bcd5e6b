package audit

import (
	"crypto/hmac"
	"encoding/binary"
	"time"

	"latchkey/bot"
)

// Keys make the keyed hashes of the record. The ring of package vault does; it
// lies outside the database, so that whoever can write to the database alone
// can make no line.
type Keys interface {
	// AuditKey is the id of the key that new lines use.
	AuditKey() string
	// AuditMAC is HMAC-SHA-256 (32 bytes) of text with the audit subkey of key
	// id; nil when the ring does not have that key.
	AuditMAC(id string, text []byte) []byte
}

// What is hashed begins with one of these, so that no text of one sort can
// stand for one of another.
const (
	lineFormat  = "latchkey audit 2"
	fromFormat  = "latchkey audit begin 1"
	plainFormat = "latchkey audit before 1"
	refFormat   = "latchkey audit reference 1"
)

// Seal is the keyed hash of a line: HMAC-SHA-256 by the key that e.Key names,
// over the format's name, Key, prev, Seq, At as Unix milliseconds, Ref, Actor,
// Action, Subject, Channel, Evidence and Was, encoded as in Sum. nil when the
// key is not in the ring. Seal does not read e.Person, e.Prev and e.Hash.
func Seal(k Keys, prev []byte, e bot.AuditEntry) []byte {
	var room [512]byte
	b := appendText(append(room[:0], lineFormat...), e.Key)
	b = appendLine(b, prev, e)
	b = appendBytes(b, e.Was)
	return k.AuditMAC(e.Key, b)
}

// Before is how a sealed line keeps the plain hash that it had before: keyed,
// because whoever knows a line but for the person could otherwise find out by
// trial whom its plain hash was about, even after the person was erased. A head
// that was noted in those days is compared in the same form.
func Before(k Keys, id string, hash []byte) []byte {
	return k.AuditMAC(id, append([]byte(plainFormat), hash...))
}

// SealRef is what binds a reference of the record's lines to the person whom it
// leads to: HMAC-SHA-256 by key id, so that whoever can write to the database
// alone cannot make lines lead to somebody else. nil when the key is not in the
// ring.
func SealRef(k Keys, id, ref string, p bot.PersonID) []byte {
	return k.AuditMAC(id, appendText(appendText([]byte(refFormat), ref), string(p)))
}

// A Beginning is where a record begins whose older lines retention removed:
// the last of them, sealed, so that nobody without the key can move it. The
// zero Beginning is that of a record which begins with line 1.
type Beginning struct {
	Head
	At  time.Time // of the removed line
	Key string
	MAC []byte // 32 bytes
}

// Begin seals the beginning after a removed line.
func Begin(k Keys, last Head, at time.Time) Beginning {
	b := Beginning{Head: last, At: at}
	if k != nil {
		b.Key = k.AuditKey()
		b.MAC = k.AuditMAC(b.Key, b.text())
	}
	return b
}

func (b *Beginning) text() []byte {
	t := binary.BigEndian.AppendUint64([]byte(fromFormat), uint64(b.Seq))
	t = binary.BigEndian.AppendUint64(t, uint64(b.At.UnixMilli()))
	return appendBytes(t, b.Hash)
}

// check gives what is wrong with a beginning, if anything.
func (b *Beginning) check(k Keys) []Problem {
	if b.Seq == 0 || k == nil {
		return nil
	}
	p := Problem{Kind: BeginChanged, From: b.Seq, To: b.Seq}
	switch mac := k.AuditMAC(b.Key, b.text()); {
	case b.Key == "":
	case mac == nil:
		p.Kind, p.Key = NoKey, b.Key
	case hmac.Equal(mac, b.MAC):
		return nil
	}
	return []Problem{p}
}
