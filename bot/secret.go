package bot

import (
	"errors"
	"log/slog"
)

// Secret is a value that must never be printed, logged, stored or marshalled.
// Reading it takes an explicit string(s).
type Secret string

const redacted = "[redacted]"

// String implements fmt.Stringer.
func (Secret) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (Secret) GoString() string { return redacted }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON refuses: a secret that gets here was about to be stored.
func (Secret) MarshalJSON() ([]byte, error) {
	return nil, errors.New("bot: a Secret cannot be marshalled; seal it or leave it out")
}

// MarshalText refuses, as MarshalJSON does.
func (Secret) MarshalText() ([]byte, error) {
	return nil, errors.New("bot: a Secret cannot be marshalled; seal it or leave it out")
}

// Secrets gives the values of one secret that are good now, the newest first:
// two while the platform accepts two, so that one can be changed without a
// restart. It is asked at each use, since the answer may change. An adapter
// that presents a secret tries the next one when the platform refuses the
// first; one that checks with it takes any.
type Secrets func() []Secret

// One is the newest, or an empty secret.
func (s Secrets) One() Secret {
	if s != nil {
		if all := s(); len(all) > 0 {
			return all[0]
		}
	}
	return ""
}

// A Vault seals secrets for the store and makes keyed hashes. It is safe for
// concurrent use.
type Vault interface {
	// Seal encrypts plain. place binds the result to where it is stored
	// ("method|secret|<person>|<id>"); Open fails with any other place.
	Seal(plain []byte, place string) ([]byte, error)
	// Open decrypts what Seal made, with whichever key of the ring sealed it.
	Open(sealed []byte, place string) ([]byte, error)
	// Hash is a keyed hash of the parts (HMAC-SHA-256), equal for equal
	// parts, for codes and for counting destinations without storing them.
	Hash(purpose string, parts ...string) []byte
	// Hashes gives the hash of the parts under each key of the ring, that of
	// Hash first: what is counted by its hash is read under all of them, so
	// that a rotation starts no counter anew.
	Hashes(purpose string, parts ...string) [][]byte
	// Equal reports in constant time whether hash was made by Hash from the
	// same parts with any key of the ring.
	Equal(hash []byte, purpose string, parts ...string) bool
	// KeyID names the key that Seal uses now.
	KeyID() string
}
