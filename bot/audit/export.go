package audit

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"strings"
	"time"

	"latchkey/bot"
)

// An export is JSON Lines: one object for each line of the record, one that
// says what the file holds (Manifest), and as the last one the signature:
//
//	{"seq":17,"at":"2026-05-03T08:00:00Z","ref":"9f86…","person":"e-1001",…}
//	{"manifest":{"format":"latchkey audit export 1","lines":1,…}}
//	{"signature":{"key":"1a2b3c4d","ed25519":"…"}}
//
// The signature (RFC 8032, base64) covers three lines without an end after the
// last: "latchkey audit export 1", the id of the key, and the SHA-256 of all
// bytes before the signature's line as 64 hexadecimal digits.

// exportFormat begins what is signed.
const exportFormat = "latchkey audit export 1"

// A Manifest says what an export holds.
type Manifest struct {
	Format string `json:"format"`
	Lines  int64  `json:"lines"`
	First  int64  `json:"first"` // numbers of the first and the last line; 0: none
	Last   int64  `json:"last"`
	Head   string `json:"head"` // of the whole record, when it was made
	From   string `json:"from,omitempty"`
	To     string `json:"to,omitempty"`
	Person string `json:"person,omitempty"`
	Org    string `json:"organisation"`
	By     string `json:"by"`
	// Problems is what was wrong with the record when the file was made.
	Problems []string  `json:"problems,omitempty"`
	Made     time.Time `json:"made"`
}

type exportLine struct {
	Seq      int64     `json:"seq"`
	At       time.Time `json:"at"`
	Ref      string    `json:"ref,omitempty"`
	Person   string    `json:"person,omitempty"`
	Actor    string    `json:"actor"`
	Action   string    `json:"action"`
	Subject  string    `json:"subject,omitempty"`
	Channel  string    `json:"channel,omitempty"`
	Evidence string    `json:"evidence,omitempty"`
	Key      string    `json:"key"`
	Prev     string    `json:"prev,omitempty"`
	Hash     string    `json:"hash"`
}

type signature struct {
	Key     string `json:"key"`
	Ed25519 []byte `json:"ed25519"`
}

// A Signer signs with Ed25519; the key ring does. text gets the id of the key.
type Signer interface {
	Sign(text func(keyID string) []byte) (keyID string, signature []byte)
}

func signedText(keyID string, h hash.Hash) []byte {
	return []byte(exportFormat + "\n" + keyID + "\n" + hex.EncodeToString(h.Sum(nil)))
}

// row is the last line of an export.
func (s signature) row() ([]byte, error) {
	b, err := json.Marshal(map[string]signature{"signature": s})
	return append(b, '\n'), err
}

// WriteExport writes lines as a signed export. It fills Format, Lines, First
// and Last of m. Memory does not grow with the lines.
func WriteExport(w io.Writer, s Signer, m *Manifest, lines iter.Seq2[bot.AuditEntry, error]) error {
	h := sha256.New()
	b := bufio.NewWriter(io.MultiWriter(w, h))
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	m.Format, m.Lines, m.First, m.Last = exportFormat, 0, 0, 0
	for e, err := range lines {
		if err != nil {
			return err
		}
		if m.Lines++; m.First == 0 {
			m.First = e.Seq
		}
		m.Last = e.Seq
		err = enc.Encode(exportLine{e.Seq, e.At, e.Ref, string(e.Person), e.Actor, e.Action, e.Subject, string(e.Channel), e.Evidence,
			e.Key, hex.EncodeToString(e.Prev), hex.EncodeToString(e.Hash)})
		if err != nil {
			return err
		}
	}
	if err := enc.Encode(map[string]*Manifest{"manifest": m}); err != nil {
		return err
	}
	if err := b.Flush(); err != nil {
		return err
	}
	id, sig := s.Sign(func(keyID string) []byte { return signedText(keyID, h) })
	row, err := signature{id, sig}.row()
	if err == nil {
		_, err = w.Write(row)
	}
	return err
}

// A PublicKey is what `latchkey keys public` prints; ID may be empty.
type PublicKey struct {
	ID  string
	Key ed25519.PublicKey
}

const keyPrefix = "ed25519:"

// String is "1a2b3c4d ed25519:BASE64".
func (k PublicKey) String() string {
	return strings.TrimSpace(k.ID + " " + keyPrefix + base64.StdEncoding.EncodeToString(k.Key))
}

// ParsePublicKeys reads keys as String writes them, one a line; the id and the
// prefix may be missing.
func ParsePublicKeys(text string) ([]PublicKey, error) {
	var keys []PublicKey
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Fields(line)
		k := PublicKey{}
		if len(fields) > 1 {
			k.ID = fields[0]
			fields = fields[1:]
		}
		b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(fields[0], keyPrefix))
		if err != nil || len(b) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("%q is not a public key; give it as `latchkey keys public` prints it, or a file that holds it", fields[0])
		}
		k.Key = b
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no public key; give it as `latchkey keys public` prints it, or a file that holds it")
	}
	return keys, nil
}

// Errors of CheckExport.
var (
	// ErrNotSigned: the last line is no signature.
	ErrNotSigned = errors.New("it is no signed export of the audit record, or its end is missing")
	// ErrTampered: the signature is not that of the content.
	ErrTampered = errors.New("it was changed after it was signed, or it was signed with another key than the given one")
	// ErrOtherKey: it names another key than those given.
	ErrOtherKey = errors.New("it was signed with another key than the given one")
)

// CheckExport reads an export and checks its signature with any of the keys. It
// gives the manifest and the id of the key. Memory does not grow with the file.
func CheckExport(r io.Reader, keys []PublicKey) (Manifest, string, error) {
	h := sha256.New()
	in := bufio.NewReaderSize(r, 64<<10)
	var before, last []byte
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			if last != nil {
				h.Write(last)
			}
			before, last = last, line
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Manifest{}, "", err
		}
	}
	var s struct{ Signature *signature }
	if json.Unmarshal(last, &s) != nil || s.Signature == nil || len(s.Signature.Ed25519) != ed25519.SignatureSize {
		return Manifest{}, "", ErrNotSigned
	}
	if row, err := s.Signature.row(); err != nil || !bytes.Equal(row, last) { // as it was written, to the byte
		return Manifest{}, "", ErrNotSigned
	}
	id := s.Signature.Key
	named, good := false, false
	for _, k := range keys {
		named = named || k.ID == "" || k.ID == id
		good = good || (k.ID == "" || k.ID == id) && ed25519.Verify(k.Key, signedText(id, h), s.Signature.Ed25519)
	}
	switch {
	case !named:
		return Manifest{}, id, fmt.Errorf("%w: key %s; get the public key of that one", ErrOtherKey, id)
	case !good:
		return Manifest{}, id, ErrTampered
	}
	var m struct{ Manifest *Manifest }
	if err := json.Unmarshal(before, &m); err != nil || m.Manifest == nil || m.Manifest.Format != exportFormat {
		return Manifest{}, id, ErrNotSigned
	}
	return *m.Manifest, id, nil
}
