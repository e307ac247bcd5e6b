package vault

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac/hmac"
	"github.com/tink-crypto/tink-go/v2/secretdata"
)

// A Key describes a key of the ring. It holds no key material.
type Key struct {
	ID      string // eight hexadecimal digits
	Created time.Time
	Primary bool // Seal and Hash use it
}

// Keys lists the keys of the ring, the oldest first.
func (r *Ring) Keys() []Key {
	list := slices.Clone(r.cur.Load().list)
	slices.SortStableFunc(list, func(a, b Key) int { return a.Created.Compare(b.Created) })
	return list
}

// AddKey makes a new primary key and gives its id. A ring with a file writes
// the file first: when AddKey fails nothing has changed. A ring without one
// changes in memory only; keep what Marshal gives.
func (r *Ring) AddKey() (id string, err error) {
	err = r.change(func(k *keys) (*keys, error) {
		next, err := k.withNew(time.Now())
		if err == nil {
			id = next.primary
		}
		return next, err
	})
	if err != nil {
		return "", fmt.Errorf("add a key: %w", err)
	}
	return id, nil
}

// Remove takes a key out of the ring and out of its file. What it sealed never
// opens again; only its subkey for the audit record and its public key stay,
// for checking, until Forget. The primary key cannot be removed.
func (r *Ring) Remove(id string) error {
	err := r.change(func(k *keys) (*keys, error) { return k.without(id) })
	if err != nil {
		return fmt.Errorf("remove key %s: %w", id, err)
	}
	return nil
}

// Retired lists the removed keys whose lines of the audit record and exports
// can still be checked, the oldest first.
func (r *Ring) Retired() []Key {
	var list []Key
	for _, k := range r.cur.Load().file.Retired {
		list = append(list, Key{ID: k.ID, Created: k.Created})
	}
	return list
}

// Forget takes out what is left of a retired key.
func (r *Ring) Forget(id string) error {
	err := r.change(func(k *keys) (*keys, error) {
		f := k.file
		f.Retired = slices.DeleteFunc(slices.Clone(f.Retired), func(e retiredKey) bool { return e.ID == id })
		if len(f.Retired) == len(k.file.Retired) {
			return nil, fmt.Errorf("it is no retired key of the ring")
		}
		return build(f, k.sealing, k.hashing)
	})
	if err != nil {
		return fmt.Errorf("forget key %s: %w", id, err)
	}
	return nil
}

func (k *keys) withNew(at time.Time) (*keys, error) {
	var id uint32
	for id == 0 || k != nil && k.ids[fmt.Sprintf(idHex, id)] {
		var b [4]byte
		rand.Read(b[:])
		id = binary.BigEndian.Uint32(b[:])
	}
	sealKey, err := newSealKey(id)
	if err != nil {
		return nil, err
	}
	hashKey, err := newHashKey(id)
	if err != nil {
		return nil, err
	}
	sealing, hashing := keyset.NewManager(), keyset.NewManager()
	var f file
	if k != nil {
		sealing, hashing, f = keyset.NewManagerFromHandle(k.sealing), keyset.NewManagerFromHandle(k.hashing), k.file
	}
	if _, err := sealing.AddKey(sealKey); err != nil {
		return nil, err
	}
	if _, err := hashing.AddKey(hashKey); err != nil {
		return nil, err
	}
	f.Keys = append(slices.Clone(f.Keys), fileKey{ID: fmt.Sprintf(idHex, id), Created: at.UTC().Truncate(time.Second)})
	return finish(f, sealing, hashing, id)
}

func (k *keys) without(id string) (*keys, error) {
	if !k.ids[id] {
		return nil, fmt.Errorf("it is not in the ring, which has %s", k.names())
	}
	if id == k.primary {
		return nil, fmt.Errorf("it is the key in use; add a new key and seal everything again first")
	}
	var num uint32
	if _, err := fmt.Sscanf(id, "%x", &num); err != nil {
		return nil, err
	}
	var primary uint32
	if _, err := fmt.Sscanf(k.primary, "%x", &primary); err != nil {
		return nil, err
	}
	sealing, hashing := keyset.NewManagerFromHandle(k.sealing), keyset.NewManagerFromHandle(k.hashing)
	if err := sealing.Delete(num); err != nil {
		return nil, err
	}
	if err := hashing.Delete(num); err != nil {
		return nil, err
	}
	f := k.file
	info, _ := f.info(id)
	f.Keys = slices.DeleteFunc(slices.Clone(f.Keys), func(e fileKey) bool { return e.ID == id })
	f.Retired = append(slices.Clone(f.Retired), retiredKey{ID: id, Created: info.Created, Audit: k.subs[id].audit, Public: k.subs[id].public})
	return finish(f, sealing, hashing, primary)
}

// finish sets the primary key of both keysets and builds the state.
func finish(f file, sealing, hashing *keyset.Manager, primary uint32) (*keys, error) {
	if err := sealing.SetPrimary(primary); err != nil {
		return nil, err
	}
	if err := hashing.SetPrimary(primary); err != nil {
		return nil, err
	}
	s, err := sealing.Handle()
	if err != nil {
		return nil, err
	}
	h, err := hashing.Handle()
	if err != nil {
		return nil, err
	}
	return build(f, s, h)
}

func newSealKey(id uint32) (*aesgcm.Key, error) {
	p, err := aesgcm.NewParameters(aesgcm.ParametersOpts{KeySizeInBytes: 32, IVSizeInBytes: 12, TagSizeInBytes: 16, Variant: aesgcm.VariantTink})
	if err != nil {
		return nil, err
	}
	b, err := secretdata.NewBytesFromRand(32)
	if err != nil {
		return nil, err
	}
	return aesgcm.NewKey(b, id, p)
}

func newHashKey(id uint32) (*hmac.Key, error) {
	p, err := hmac.NewParameters(hmac.ParametersOpts{KeySizeInBytes: 32, TagSizeInBytes: 32, HashType: hmac.SHA256, Variant: hmac.VariantTink})
	if err != nil {
		return nil, err
	}
	b, err := secretdata.NewBytesFromRand(32)
	if err != nil {
		return nil, err
	}
	return hmac.NewKey(b, p, id)
}

// names lists the ids for a sentence.
func (k *keys) names() string {
	s := "no keys"
	for i, e := range k.list {
		if i == 0 {
			s = e.ID
		} else {
			s += ", " + e.ID
		}
	}
	return s
}

// String names the keys, never their material.
func (r *Ring) String() string { return "keys " + r.cur.Load().names() }

// GoString is the same.
func (r *Ring) GoString() string { return r.String() }
