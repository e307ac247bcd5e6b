package vault

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// file is the key file: a list of the keys for people, and two Tink keysets.
type file struct {
	Format int             `json:"latchkey_keys"` // 1
	Note   string          `json:"note"`
	Keys   []fileKey       `json:"keys"`
	Seal   json.RawMessage `json:"seal"` // cleartext keyset, AES-256-GCM
	Hash   json.RawMessage `json:"hash"` // cleartext keyset, HMAC-SHA-256; the same ids
	// Keys that were taken out: what is left of them checks the audit record
	// and exports, and opens nothing.
	Retired []retiredKey `json:"retired,omitempty"`
}

type retiredKey struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Audit   []byte    `json:"audit"`  // subkey of the audit record, 32 bytes
	Public  []byte    `json:"public"` // Ed25519 public key, 32 bytes
}

type fileKey struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
}

const (
	fileFormat = 1
	fileNote   = "Keep this file secret, and back it up apart from the database. Without it the enrolled methods cannot be read."
	maxFile    = 1 << 20 // bytes
)

func (f *file) info(id string) (fileKey, bool) {
	for _, k := range f.Keys {
		if k.ID == id {
			return k, true
		}
	}
	return fileKey{}, false
}

// New makes a ring with one new key that is in memory only.
func New() (*Ring, error) {
	k, err := (*keys)(nil).withNew(time.Now())
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	r := &Ring{}
	r.cur.Store(k)
	return r, nil
}

// Parse reads the contents of a key file, as they are or in base64, for keys
// that are given in an environment variable. Such a ring has no file.
func Parse(contents []byte) (*Ring, error) {
	k, err := parse(contents)
	if err != nil {
		return nil, fmt.Errorf("the given keys cannot be read: %w; give the whole contents of a key file, as they are or in base64", err)
	}
	r := &Ring{}
	r.cur.Store(k)
	return r, nil
}

// Marshal gives the contents of a key file with this ring's keys. They are
// secret.
func (r *Ring) Marshal() ([]byte, error) { return r.cur.Load().marshal() }

func (k *keys) marshal() ([]byte, error) {
	f := k.file
	f.Format, f.Note = fileFormat, fileNote
	var err error
	if f.Seal, err = keysetJSON(k.sealing); err != nil {
		return nil, err
	}
	if f.Hash, err = keysetJSON(k.hashing); err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the keys down: %w", err)
	}
	return append(b, '\n'), nil
}

func keysetJSON(h *keyset.Handle) ([]byte, error) {
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(h, keyset.NewJSONWriter(&b)); err != nil {
		return nil, fmt.Errorf("write a keyset down: %w", err)
	}
	return b.Bytes(), nil
}

// parse reads a key file. Its errors tell what is wrong and never quote the
// contents.
func parse(contents []byte) (*keys, error) {
	text := bytes.TrimSpace(contents)
	if len(text) == 0 {
		return nil, errors.New("there is nothing in it")
	}
	if text[0] != '{' {
		plain, err := base64.StdEncoding.DecodeString(string(text))
		if err != nil {
			return nil, errors.New("it is neither a key file nor one in base64")
		}
		text = plain
	}
	var f file
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, errors.New("it is cut off or garbled")
	}
	if f.Format != fileFormat {
		if f.Format > fileFormat {
			return nil, fmt.Errorf("it has format %d and this program knows %d: use the newer program", f.Format, fileFormat)
		}
		return nil, errors.New(`it is not a key file: "latchkey_keys" is missing`)
	}
	if len(f.Keys) == 0 || len(f.Seal) == 0 || len(f.Hash) == 0 {
		return nil, errors.New("it is cut off: a part is missing")
	}
	sealing, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(f.Seal)))
	if err != nil {
		return nil, errors.New("its sealing keys are garbled")
	}
	hashing, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(f.Hash)))
	if err != nil {
		return nil, errors.New("its hashing keys are garbled")
	}
	f.Seal, f.Hash = nil, nil
	k, err := build(f, sealing, hashing)
	if err != nil {
		return nil, err
	}
	k.digest = sha256.Sum256(contents)
	return k, nil
}
