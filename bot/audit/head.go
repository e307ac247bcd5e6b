package audit

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// A Head is the number and the hash of a line, by which the line and all lines
// before it can be told from any others. The zero Head is that of an empty
// record.
type Head struct {
	Seq  int64
	Hash []byte // 32 bytes; nil in the zero Head
	// Where says in words where a head was noted: "the head file
	// latchkey.db.head". Empty: a noted head.
	Where string
	// Kept: Latchkey noted it by itself. That retention has gone past it is no
	// news then.
	Kept bool
}

// String writes the head as it is printed and given back with --head: "1234:9f86d0…".
func (h Head) String() string { return strconv.FormatInt(h.Seq, 10) + ":" + hex.EncodeToString(h.Hash) }

// where names the place in a sentence.
func (h Head) where() string {
	if h.Where == "" {
		return someHead
	}
	return h.Where
}

// ParseHead reads what String writes.
func ParseHead(s string) (Head, error) {
	num, sum, ok := strings.Cut(strings.TrimSpace(s), ":")
	seq, err := strconv.ParseInt(num, 10, 64)
	hash, herr := hex.DecodeString(sum)
	if !ok || err != nil || herr != nil || seq < 0 || (seq == 0) != (len(hash) == 0) || (seq > 0 && len(hash) != 32) {
		return Head{}, fmt.Errorf("%q is not a head of the audit record; give it as `latchkey audit verify` printed it, NUMBER:HASH with 64 hexadecimal digits", s)
	}
	return Head{Seq: seq, Hash: hash}, nil
}
