package vault

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"
	"sync"
)

// subkeys are derived from the hashing key of a ring's key by HKDF-SHA-256
// (RFC 5869, no salt), one for each purpose, so that none tells another.
type subkeys struct {
	audit  []byte // HMAC-SHA-256 of the audit record
	public ed25519.PublicKey
	sign   ed25519.PrivateKey // nil: a retired key, which checks only
	macs   sync.Pool          // of hash.Hash
}

// The purposes.
const (
	subAudit = "latchkey audit record 1"
	subSign  = "latchkey signature 1"
)

func derive(key []byte) (*subkeys, error) {
	audit, err := hkdf.Key(sha256.New, key, nil, subAudit, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	seed, err := hkdf.Key(sha256.New, key, nil, subSign, ed25519.SeedSize)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	s := &subkeys{audit: audit, sign: ed25519.NewKeyFromSeed(seed)}
	s.public = s.sign.Public().(ed25519.PublicKey)
	return s, nil
}

// AuditKey is the id of the key that new lines of the audit record use.
func (r *Ring) AuditKey() string { return r.KeyID() }

// AuditMAC is HMAC-SHA-256 (32 bytes) of text with the audit subkey of key id,
// which may be retired; nil when the ring does not have that key.
func (r *Ring) AuditMAC(id string, text []byte) []byte {
	s := r.cur.Load().subs[id]
	if s == nil {
		return nil
	}
	m, _ := s.macs.Get().(hash.Hash)
	if m == nil {
		m = hmac.New(sha256.New, s.audit)
	}
	m.Write(text)
	sum := m.Sum(nil)
	m.Reset()
	s.macs.Put(m)
	return sum
}

// Sign is the Ed25519 signature (64 bytes) with the key in use of the text that
// text gives for the id of that key.
func (r *Ring) Sign(text func(keyID string) []byte) (keyID string, signature []byte) {
	k := r.cur.Load()
	return k.primary, ed25519.Sign(k.subs[k.primary].sign, text(k.primary))
}

// A PublicKey checks signatures of Sign. It is no secret.
type PublicKey struct {
	ID  string
	Key ed25519.PublicKey
}

// PublicKeys lists the public keys of the ring: the one in use first, then the
// older ones, then those of retired keys.
func (r *Ring) PublicKeys() []PublicKey {
	k := r.cur.Load()
	list := []PublicKey{{k.primary, k.subs[k.primary].public}}
	for _, o := range k.list {
		if !o.Primary {
			list = append(list, PublicKey{o.ID, k.subs[o.ID].public})
		}
	}
	for _, o := range k.file.Retired {
		list = append(list, PublicKey{o.ID, k.subs[o.ID].public})
	}
	return list
}
