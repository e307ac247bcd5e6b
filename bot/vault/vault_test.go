package vault_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"latchkey/bot"
	"latchkey/bot/vault"
)

func newRing(t testing.TB) *vault.Ring {
	t.Helper()
	r, err := vault.New()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func seal(t testing.TB, r *vault.Ring, plain, place string) []byte {
	t.Helper()
	b, err := r.Seal([]byte(plain), place)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSealOpens(t *testing.T) {
	r := newRing(t)
	for _, plain := range []string{"", "x", "+17045550148", strings.Repeat("long ", 10000)} {
		sealed := seal(t, r, plain, "here")
		got, err := r.Open(sealed, "here")
		if err != nil || string(got) != plain {
			t.Errorf("%d bytes came back as %d, %v", len(plain), len(got), err)
		}
		if want := len(plain) + 33; len(sealed) != want {
			t.Errorf("%d bytes took %d, want %d as documented", len(plain), len(sealed), want)
		}
		if bytes.Equal(sealed, seal(t, r, plain, "here")) {
			t.Error("sealing twice gives the same bytes")
		}
		if id := vault.KeyOf(sealed); id != r.KeyID() {
			t.Errorf("KeyOf = %q, want %q", id, r.KeyID())
		}
	}
}

// A sealed value opens at its own place only: neither another person's row, nor
// another row of the same person, nor another column.
func TestSwappedPlaces(t *testing.T) {
	r := newRing(t)
	ann := bot.Method{ID: "m1", Person: "ann"}
	bob := bot.Method{ID: "m1", Person: "bob"}
	anns := bot.Method{ID: "m2", Person: "ann"}
	c := bot.Challenge{ID: "m1", Person: "ann"}
	places := []string{ann.Place(), bob.Place(), anns.Place(), c.Place("code"), c.Place("to"),
		(&bot.MethodSecret{Method: "m1", No: 1}).Place("ann"), (&bot.MethodSecret{Method: "m1", No: 2}).Place("ann"), ""}
	for i, at := range places {
		sealed := seal(t, r, "secret", at)
		for j, other := range places {
			got, err := r.Open(sealed, other)
			if i == j {
				if err != nil {
					t.Errorf("%s: %v", at, err)
				}
			} else if !errors.Is(err, vault.ErrSealed) || got != nil {
				t.Errorf("sealed at %q, opened at %q: %v", at, other, err)
			}
		}
	}
}

func TestEveryByteCounts(t *testing.T) {
	r := newRing(t)
	sealed := seal(t, r, "secret", "here")
	for i := range sealed {
		bad := slices.Clone(sealed)
		bad[i] ^= 1
		if _, err := r.Open(bad, "here"); err == nil {
			t.Errorf("byte %d changed and it opens", i)
		}
		if _, err := r.Open(sealed[:i], "here"); err == nil {
			t.Errorf("cut to %d bytes and it opens", i)
		}
	}
	if _, err := newRing(t).Open(sealed, "here"); !errors.Is(err, vault.ErrUnknownKey) || !strings.Contains(err.Error(), r.KeyID()) {
		t.Errorf("another ring: %v, want ErrUnknownKey with the key's id", err)
	}
	for _, junk := range [][]byte{nil, {}, []byte("hello"), bytes.Repeat([]byte{1}, 4)} {
		if _, err := r.Open(junk, "here"); !errors.Is(err, vault.ErrSealed) && !errors.Is(err, vault.ErrUnknownKey) {
			t.Errorf("junk %q: %v", junk, err)
		}
	}
}

// rawKeys takes the first key's bytes out of a ring: the last 32 of Tink's key
// protos.
func rawKeys(t *testing.T, r *vault.Ring) (sealKey, hashKey []byte) {
	t.Helper()
	b, err := r.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	type set struct {
		Key []struct{ KeyData struct{ Value []byte } }
	}
	var f struct{ Seal, Hash set }
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	last := func(s set) []byte { v := s.Key[0].KeyData.Value; return v[len(v)-32:] }
	return last(f.Seal), last(f.Hash)
}

// The formats are what the docs say, by the standard library's own AES-GCM and
// HMAC: prefix, nonce, ciphertext and tag; prefix and MAC.
func TestFormatsByAnotherLibrary(t *testing.T) {
	r := newRing(t)
	sealKey, hashKey := rawKeys(t, r)
	block, err := aes.NewCipher(sealKey)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	sealed := seal(t, r, "a seed", "method|ann|m1")
	plain, err := gcm.Open(nil, sealed[5:17], sealed[17:], []byte("method|ann|m1"))
	if err != nil || string(plain) != "a seed" {
		t.Errorf("crypto/cipher opens %q, %v", plain, err)
	}
	h := hmac.New(sha256.New, hashKey)
	for _, part := range []string{"code", "enroll.phone", "123456"} {
		h.Write(binary.AppendUvarint(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	hash := r.Hash("code", "enroll.phone", "123456")
	if !bytes.Equal(hash[5:], h.Sum(nil)) || !bytes.Equal(hash[:5], sealed[:5]) {
		t.Errorf("Hash = %x, want the prefix %x and %x", hash, sealed[:5], h.Sum(nil))
	}
}

func TestHash(t *testing.T) {
	r := newRing(t)
	lists := [][]string{
		{"code", "a", "b"}, {"code", "ab"}, {"code", "ab", ""}, {"code", "", "ab"}, {"codea", "b"}, {"code", "b", "a"}, {"code"}, {"", "code"}, {""},
		{"code", "a\x01b"}, {"code", "a", "b", ""}, {"code", strings.Repeat("x", 300)}, {"code", strings.Repeat("x", 301)},
	}
	for i, a := range lists {
		h := r.Hash(a[0], a[1:]...)
		if len(h) != 37 || !bytes.Equal(h, r.Hash(a[0], a[1:]...)) {
			t.Errorf("%q: %d bytes, or not the same twice", a, len(h))
		}
		for j, b := range lists {
			if got := r.Equal(h, b[0], b[1:]...); got != (i == j) {
				t.Errorf("hash of %q equals that of %q: %v", a, b, got)
			}
		}
		for k := range h {
			bad := slices.Clone(h)
			bad[k] ^= 0x80
			if r.Equal(bad, a[0], a[1:]...) {
				t.Errorf("%q: byte %d does not count", a, k)
			}
		}
	}
	for _, empty := range [][]byte{nil, {}, []byte("x")} {
		if r.Equal(empty, "code") {
			t.Errorf("%q equals something", empty)
		}
	}
	if newRing(t).Equal(r.Hash("code", "1"), "code", "1") {
		t.Error("another ring's hash is equal")
	}
}

func TestRotation(t *testing.T) {
	r := newRing(t)
	first := r.KeyID()
	sealed, hash := seal(t, r, "old", "here"), r.Hash("dest", "+1704")
	second, err := r.AddKey()
	if err != nil || second == first || r.KeyID() != second {
		t.Fatalf("AddKey gave %q, %v; KeyID is %q", second, err, r.KeyID())
	}
	if got, err := r.Open(sealed, "here"); err != nil || string(got) != "old" {
		t.Errorf("the old key does not open after AddKey: %q, %v", got, err)
	}
	if !r.Equal(hash, "dest", "+1704") {
		t.Error("the old key's hash is not equal after AddKey")
	}
	if got := vault.KeyOf(r.Hash("dest", "+1704")); got != second {
		t.Errorf("Hash uses %q, want the new key", got)
	}
	ks := r.Keys()
	if len(ks) != 2 || ks[0].ID != first || ks[0].Primary || ks[1].ID != second || !ks[1].Primary || ks[0].Created.IsZero() {
		t.Errorf("Keys = %+v", ks)
	}
	if err := r.Remove(second); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("removed the primary key: %v", err)
	}
	if err := r.Remove("00000000"); err == nil || !strings.Contains(err.Error(), first) {
		t.Errorf("removed a key that is not there: %v, want the ids that are", err)
	}
	fresh := seal(t, r, "new", "here")
	if err := r.Remove(first); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Open(sealed, "here"); !errors.Is(err, vault.ErrUnknownKey) {
		t.Errorf("the removed key opens: %v", err)
	}
	if r.Equal(hash, "dest", "+1704") {
		t.Error("the removed key's hash is equal")
	}
	if got, err := r.Open(fresh, "here"); err != nil || string(got) != "new" {
		t.Errorf("the key that stayed: %q, %v", got, err)
	}
}

func TestCheck(t *testing.T) {
	r := newRing(t)
	check, err := r.SealCheck()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.OpenCheck(check); err != nil {
		t.Errorf("the right key: %v", err)
	}
	if _, err := r.AddKey(); err != nil {
		t.Fatal(err)
	}
	if err := r.OpenCheck(check); err != nil {
		t.Errorf("after AddKey: %v", err)
	}
	other := newRing(t)
	err = other.OpenCheck(check)
	want := fmt.Sprintf("this database was sealed with key %s, which is not in the given keys (it has %s): restore the key file", vault.KeyOf(check), other.KeyID())
	if !errors.Is(err, vault.ErrUnknownKey) || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v\nwant %s", err, want)
	}
	check[len(check)-1] ^= 1
	if err := r.OpenCheck(check); !errors.Is(err, vault.ErrSealed) || !strings.Contains(err.Error(), "same backup") {
		t.Errorf("a changed check: %v", err)
	}
	if err := r.OpenCheck([]byte("?")); err == nil || !strings.Contains(err.Error(), "garbled") {
		t.Errorf("no check at all: %v", err)
	}
}

// No canary shows in what is stored, in errors or in what prints.
func TestCanaries(t *testing.T) {
	r := newRing(t)
	for i := range 200 {
		canary := fmt.Sprintf("CANARY-%d-JBSWY3DPEHPK3PXP", i)
		sealed := seal(t, r, canary, "here")
		_, err := r.Open(sealed, "there")
		for name, b := range map[string][]byte{
			"sealed": sealed, "hash": r.Hash("code", canary), "error": []byte(err.Error()), "ring": fmt.Appendf(nil, "%v %+v %s", r.Keys(), r.Keys(), r),
		} {
			if bytes.Contains(b, []byte("CANARY")) || bytes.Contains(b, []byte(base64.StdEncoding.EncodeToString([]byte(canary)))) {
				t.Fatalf("the canary shows in %s", name)
			}
		}
	}
	sealKey, hashKey := rawKeys(t, r)
	shown := fmt.Sprintf("%v %+v %#v %s", r, r, r, r)
	for _, key := range [][]byte{sealKey, hashKey} {
		for _, form := range []string{string(key), fmt.Sprintf("%x", key), fmt.Sprintf("%v", key), base64.StdEncoding.EncodeToString(key)} {
			if strings.Contains(shown, form) {
				t.Error("printing a ring shows a key")
			}
		}
	}
}

// Many goroutines use the ring while keys come and go: nothing fails that has
// its key in the ring.
func TestConcurrentRotation(t *testing.T) {
	r := newRing(t)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			place := fmt.Sprint("place|", g)
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				sealed, err := r.Seal([]byte(place), place)
				if err != nil {
					t.Error(err)
					return
				}
				hash := r.Hash("p", place)
				if got, err := r.Open(sealed, place); err != nil || string(got) != place {
					t.Errorf("%s: %v", place, err)
					return
				}
				if !r.Equal(hash, "p", place) {
					t.Errorf("%s: hash not equal", place)
					return
				}
			}
		})
	}
	for range 50 {
		if _, err := r.AddKey(); err != nil {
			t.Error(err)
		}
		r.Keys()
	}
	close(stop)
	wg.Wait()
	for _, k := range r.Keys() {
		if !k.Primary {
			if err := r.Remove(k.ID); err != nil {
				t.Error(err)
			}
		}
	}
	if len(r.Keys()) != 1 {
		t.Errorf("%d keys left, want 1", len(r.Keys()))
	}
}

func BenchmarkSeal(b *testing.B) {
	r := newRing(b)
	plain := []byte("12345678901234567890")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Seal(plain, "method|p-000001|m-000001"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	r := newRing(b)
	sealed := seal(b, r, "12345678901234567890", "method|p-000001|m-000001")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Open(sealed, "method|p-000001|m-000001"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHash(b *testing.B) {
	r := newRing(b)
	b.ReportAllocs()
	for b.Loop() {
		r.Hash("code", "enroll.phone", "c-000001", "p-000001", "123456")
	}
}

func BenchmarkEqual(b *testing.B) {
	r := newRing(b)
	hash := r.Hash("code", "enroll.phone", "c-000001", "p-000001", "123456")
	b.ReportAllocs()
	for b.Loop() {
		if !r.Equal(hash, "code", "enroll.phone", "c-000001", "p-000001", "123456") {
			b.Fatal("not equal")
		}
	}
}
