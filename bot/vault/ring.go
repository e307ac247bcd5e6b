package vault

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"
	"github.com/tink-crypto/tink-go/v2/mac/hmac"
	"github.com/tink-crypto/tink-go/v2/tink"

	"latchkey/bot"
)

var _ bot.Vault = (*Ring)(nil)

// ErrUnknownKey is wrapped by Open and OpenCheck when the key that sealed a
// value is not in the ring.
var ErrUnknownKey = errors.New("sealed with a key that is not in the ring")

// ErrSealed is wrapped by Open when a value is not what was sealed at this
// place: changed, cut, or taken from another row.
var ErrSealed = errors.New("not what was sealed at this place")

// A Ring is a set of keys, one of them primary. It is safe for concurrent use;
// Seal, Open, Hash and Equal take no lock.
type Ring struct {
	path string // of the key file; empty for a ring without one
	mu   sync.Mutex
	cur  atomic.Pointer[keys]
}

// keys is one state of a ring; it never changes.
type keys struct {
	file    file // as it is written down
	list    []Key
	primary string
	ids     map[string]bool
	sealing *keyset.Handle
	hashing *keyset.Handle
	aead    tink.AEAD
	mac     tink.MAC
	macs    []tink.MAC // of each key alone, the primary one's first
	digest  [sha256.Size]byte
	subs    map[string]*subkeys // also of retired keys
}

const idHex = "%08x"

// Seal encrypts plain and binds it to place.
func (r *Ring) Seal(plain []byte, place string) ([]byte, error) {
	sealed, err := r.cur.Load().aead.Encrypt(plain, []byte(place))
	if err != nil {
		return nil, fmt.Errorf("seal with key %s: %w", r.KeyID(), err)
	}
	return sealed, nil
}

// Open decrypts what Seal made at the same place with any key of the ring. It
// fails with ErrUnknownKey or ErrSealed.
func (r *Ring) Open(sealed []byte, place string) ([]byte, error) {
	k := r.cur.Load()
	plain, err := k.aead.Decrypt(sealed, []byte(place))
	if err == nil {
		return plain, nil
	}
	id := KeyOf(sealed)
	if id != "" && !k.ids[id] {
		return nil, fmt.Errorf("open: %w: key %s", ErrUnknownKey, id)
	}
	return nil, fmt.Errorf("open: %w", ErrSealed)
}

// Hash is HMAC-SHA-256 over the purpose and the parts, each preceded by its
// length, with the primary key. It gives 37 bytes: five name the key.
func (r *Ring) Hash(purpose string, parts ...string) []byte {
	var room [256]byte
	sum, err := r.cur.Load().mac.ComputeMAC(message(room[:0], purpose, parts))
	if err != nil {
		panic("vault: HMAC failed, which it cannot: " + err.Error())
	}
	return sum
}

// Hashes is Hash with each key of the ring, the primary key's first.
func (r *Ring) Hashes(purpose string, parts ...string) [][]byte {
	m := message(nil, purpose, parts)
	macs := r.cur.Load().macs
	all := make([][]byte, len(macs))
	for i, mac := range macs {
		sum, err := mac.ComputeMAC(m)
		if err != nil {
			panic("vault: HMAC failed, which it cannot: " + err.Error())
		}
		all[i] = sum
	}
	return all
}

// Equal reports in constant time whether hash was made by Hash from the same
// purpose and parts with any key of the ring.
func (r *Ring) Equal(hash []byte, purpose string, parts ...string) bool {
	var room [256]byte
	return r.cur.Load().mac.VerifyMAC(hash, message(room[:0], purpose, parts)) == nil
}

// message encodes purpose and parts so that no two lists give the same bytes.
func message(b []byte, purpose string, parts []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(purpose)))
	b = append(b, purpose...)
	for _, p := range parts {
		b = binary.AppendUvarint(b, uint64(len(p)))
		b = append(b, p...)
	}
	return b
}

// KeyID names the key that Seal and Hash use now: eight hexadecimal digits.
func (r *Ring) KeyID() string { return r.cur.Load().primary }

// KeyOf names the key that made a sealed value or a hash, or gives "" for
// something that neither Seal nor Hash made.
func KeyOf(sealed []byte) string {
	if len(sealed) < 5 || sealed[0] != 1 {
		return ""
	}
	return fmt.Sprintf(idHex, binary.BigEndian.Uint32(sealed[1:5]))
}

// Path is where the key file is; empty for a ring that was parsed or made in memory.
func (r *Ring) Path() string { return r.path }

// place names where the keys come from, in a sentence.
func (r *Ring) place() string {
	if r.path == "" {
		return "the given keys"
	}
	return r.path
}

// build makes the state of a ring from two keysets of the same ids.
func build(f file, sealing, hashing *keyset.Handle) (*keys, error) {
	k := &keys{file: f, ids: map[string]bool{}, sealing: sealing, hashing: hashing, subs: map[string]*subkeys{}}
	if sealing.Len() != hashing.Len() || sealing.Len() != len(f.Keys) {
		return nil, errors.New("it does not hold the same keys for sealing and for hashing")
	}
	hashes := map[uint32]bool{} // id -> primary
	for i := range hashing.Len() {
		e, err := hashing.Entry(i)
		if err != nil {
			return nil, errors.New("a hashing key is disabled or broken")
		}
		hk, ok := e.Key().(*hmac.Key)
		if !ok || e.KeyStatus() != keyset.Enabled {
			return nil, errors.New("a hashing key is not an enabled HMAC key")
		}
		if p := hk.Parameters().(*hmac.Parameters); p.HashType() != hmac.SHA256 || p.CryptographicTagSizeInBytes() != 32 || p.KeySizeInBytes() < 32 || p.Variant() != hmac.VariantTink {
			return nil, errors.New("a hashing key is not for HMAC-SHA-256 with 32 bytes")
		}
		hashes[e.KeyID()] = e.IsPrimary()
		if k.subs[fmt.Sprintf(idHex, e.KeyID())], err = derive(hk.KeyBytes().Data(insecuresecretdataaccess.Token{})); err != nil {
			return nil, err
		}
	}
	for i := range sealing.Len() {
		e, err := sealing.Entry(i)
		if err != nil {
			return nil, errors.New("a sealing key is disabled or broken")
		}
		ak, ok := e.Key().(*aesgcm.Key)
		if !ok || e.KeyStatus() != keyset.Enabled {
			return nil, errors.New("a sealing key is not an enabled AES-GCM key")
		}
		if p := ak.Parameters().(*aesgcm.Parameters); p.KeySizeInBytes() != 32 || p.Variant() != aesgcm.VariantTink {
			return nil, errors.New("a sealing key is not for AES-256-GCM")
		}
		if primary, ok := hashes[e.KeyID()]; !ok || primary != e.IsPrimary() {
			return nil, errors.New("it does not hold the same keys for sealing and for hashing")
		}
		id := fmt.Sprintf(idHex, e.KeyID())
		info, ok := f.info(id)
		if !ok {
			return nil, fmt.Errorf("key %s is not in its list of keys", id)
		}
		k.ids[id] = true
		if e.IsPrimary() {
			k.primary = id
		}
		k.list = append(k.list, Key{ID: id, Created: info.Created, Primary: e.IsPrimary()})
	}
	if k.primary == "" {
		return nil, errors.New("it has no primary key")
	}
	for _, r := range f.Retired {
		if len(r.Audit) != sha256.Size || len(r.Public) != ed25519.PublicKeySize || k.ids[r.ID] {
			return nil, fmt.Errorf("what is left of the retired key %s is garbled", r.ID)
		}
		k.subs[r.ID] = &subkeys{audit: r.Audit, public: r.Public}
	}
	var err error
	if k.aead, err = aead.New(sealing); err != nil {
		return nil, errors.New("its sealing keys are broken")
	}
	if k.mac, err = mac.New(hashing); err != nil {
		return nil, errors.New("its hashing keys are broken")
	}
	k.macs = []tink.MAC{k.mac}
	for id, primary := range hashes {
		if primary {
			continue
		}
		one := keyset.NewManagerFromHandle(hashing)
		if err := one.SetPrimary(id); err != nil {
			return nil, errors.New("its hashing keys are broken")
		}
		h, err := one.Handle()
		if err != nil {
			return nil, errors.New("its hashing keys are broken")
		}
		m, err := mac.New(h)
		if err != nil {
			return nil, errors.New("its hashing keys are broken")
		}
		k.macs = append(k.macs, m)
	}
	return k, nil
}
