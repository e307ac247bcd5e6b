package vault_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"latchkey/bot/vault"
)

func sealed(t *testing.T, r *vault.Ring, plain []byte, place string) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := r.SealStream(&out, place)
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func opened(r *vault.Ring, in []byte, place string) ([]byte, error) {
	rd, err := r.OpenStream(bytes.NewReader(in), place)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(rd)
}

func TestStreamComesBackWholeOrNotAtAll(t *testing.T) {
	r, err := vault.New()
	if err != nil {
		t.Fatal(err)
	}
	src := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, 4096, 1 << 20, 3<<20 + 17} {
		plain := make([]byte, size)
		for i := range plain {
			plain[i] = byte(src.Uint32())
		}
		all := sealed(t, r, plain, "backup")
		if size > 16 && bytes.Contains(all, plain[:16]) {
			t.Errorf("%d bytes: the plain text stands in the stream", size)
		}
		back, err := opened(r, all, "backup")
		if err != nil || !bytes.Equal(back, plain) {
			t.Errorf("%d bytes came back as %d, %v", size, len(back), err)
		}
		if _, err := opened(r, all, "elsewhere"); !errors.Is(err, vault.ErrSealed) {
			t.Errorf("%d bytes, for another place: %v", size, err)
		}
		for range 8 {
			bad := bytes.Clone(all)
			bad[src.IntN(len(bad))] ^= 1 << src.IntN(8)
			if back, err := opened(r, bad, "backup"); err == nil {
				t.Fatalf("%d bytes: a changed bit was not found (%d bytes back)", size, len(back))
			}
			if _, err := opened(r, all[:src.IntN(len(all))], "backup"); err == nil {
				t.Fatalf("%d bytes: a cut was not found", size)
			}
		}
	}
}

func TestStreamAndKeys(t *testing.T) {
	r, err := vault.New()
	if err != nil {
		t.Fatal(err)
	}
	all := sealed(t, r, []byte("before the rotation"), "backup")
	if _, err := r.AddKey(); err != nil {
		t.Fatal(err)
	}
	if back, err := opened(r, all, "backup"); err != nil || string(back) != "before the rotation" {
		t.Errorf("after a rotation: %q, %v", back, err)
	}
	other, err := vault.New()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := opened(other, all, "backup"); !errors.Is(err, vault.ErrUnknownKey) {
		t.Errorf("with another ring: %v", err)
	}
	for _, s := range []string{"", "latchkey", "SQLite format 3\x00 and so on and so on", "latchkey sealed 1\n\xff\xff"} {
		if _, err := opened(r, []byte(s), "backup"); !errors.Is(err, vault.ErrNotSealed) {
			t.Errorf("%q: %v", s, err)
		}
	}
}
