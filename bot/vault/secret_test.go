package vault_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/argon2"

	"latchkey/bot/policy"
	"latchkey/bot/vault"
)

// small is a pool that is quick, for what does not depend on the cost.
func small(workers int) *vault.Pool {
	p := policy.Default()
	p.ArgonMemoryKiB, p.ArgonTime, p.HashWorkers = 64, 1, workers
	return vault.NewPool(p)
}

// Vectors of the reference implementation (phc-winner-argon2, test.c), in the
// PHC string format.
func TestReferenceVectors(t *testing.T) {
	for _, c := range []struct{ encoded, password string }{
		{"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password"},
		{"$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc", "password"},
		{"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "password"},
		{"$argon2id$v=19$m=65536,t=2,p=1$ZGlmZnNhbHQ$vfMrBczELrFdWP0ZsfhWsRPaHppYdP3MVEMIVlqoFBw", "password"},
	} {
		for password, want := range map[string]bool{c.password: true, c.password + "x": false, "": false} {
			got, err := vault.VerifySecret(t.Context(), small(1), c.encoded, []byte(password))
			if err != nil || got != want {
				t.Errorf("%s with %q: %v, %v; want %v", c.encoded, password, got, err, want)
			}
		}
	}
}

func TestHashSecret(t *testing.T) {
	pool := vault.NewPool(policy.Default())
	encoded, err := vault.HashSecret(t.Context(), pool, []byte("bärlauch"))
	if err != nil || !strings.HasPrefix(encoded, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("%q, %v; want the policy's parameters", encoded, err)
	}
	again, err := vault.HashSecret(t.Context(), pool, []byte("bärlauch"))
	if err != nil || again == encoded {
		t.Error("two hashes of one secret are the same")
	}
	for secret, want := range map[string]bool{"bärlauch": true, "barlauch": false} {
		if got, err := vault.VerifySecret(t.Context(), pool, encoded, []byte(secret)); err != nil || got != want {
			t.Errorf("%q: %v, %v", secret, got, err)
		}
	}
	if strings.Contains(encoded, "lauch") {
		t.Error("the secret shows")
	}
	if pool.Outdated(encoded) {
		t.Error("a hash of this pool is outdated")
	}
	old, err := vault.HashSecret(t.Context(), small(1), []byte("x"))
	if err != nil || !pool.Outdated(old) {
		t.Error("a hash with weaker parameters is not outdated")
	}
}

// Ten recovery codes: found at their place, with one computation.
func TestRecoverySet(t *testing.T) {
	var codes [][]byte
	for i := range 10 {
		codes = append(codes, fmt.Appendf(nil, "K7M2QPX4TZ9W8V%02d", i))
	}
	pool := small(2)
	encoded, err := vault.HashSet(t.Context(), pool, codes)
	if err != nil || len(encoded) != 10 {
		t.Fatal(err)
	}
	for i, c := range codes {
		if got, err := vault.VerifyAny(t.Context(), pool, encoded, c); err != nil || got != i {
			t.Errorf("code %d found at %d, %v", i, got, err)
		}
	}
	if got, err := vault.VerifyAny(t.Context(), pool, encoded, []byte("K7M2QPX4TZ9W8V99")); err != nil || got != -1 {
		t.Errorf("a wrong code found at %d, %v", got, err)
	}
	if got, err := vault.VerifyAny(t.Context(), pool, nil, codes[0]); err != nil || got != -1 {
		t.Errorf("in no set found at %d, %v", got, err)
	}
	other, err := vault.HashSecret(t.Context(), pool, codes[3])
	if err != nil {
		t.Fatal(err)
	}
	if got, err := vault.VerifyAny(t.Context(), pool, []string{encoded[0], other, encoded[3]}, codes[3]); err != nil || got != 1 {
		t.Errorf("among different salts found at %d, %v; want 1, the first", got, err)
	}
}

func TestStrangeHashes(t *testing.T) {
	const salt, hash = "c29tZXNhbHQ", "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	for _, s := range []string{
		"", "x", "$argon2id$v=19$m=256,t=2,p=1$" + salt, "$argon2i$v=19$m=256,t=2,p=1$" + salt + "$" + hash, "$argon2id$v=16$m=256,t=2,p=1$" + salt + "$" + hash,
		"$argon2id$v=19$m=99999999,t=2,p=1$" + salt + "$" + hash, "$argon2id$v=19$m=256,t=0,p=1$" + salt + "$" + hash, "$argon2id$v=19$m=256,t=9999,p=1$" + salt + "$" + hash,
		"$argon2id$v=19$m=256,t=2,p=0$" + salt + "$" + hash, "$argon2id$v=19$m=256,t=2,p=999$" + salt + "$" + hash, "$argon2id$v=19$m=-1,t=2,p=1$" + salt + "$" + hash,
		"$argon2id$v=19$m=256,t=2,p=1$$" + hash, "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$", "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$!!!!", "$argon2id$v=19$t=2$" + salt + "$" + hash,
	} {
		ok, err := vault.VerifySecret(t.Context(), small(1), s, []byte("password"))
		if err == nil || ok || !strings.Contains(err.Error(), "Argon2id") {
			t.Errorf("%q: %v, %v; want an error", s, ok, err)
		}
		if s != "" && strings.Contains(err.Error(), s) && len(s) > 2 {
			t.Errorf("the error quotes the hash: %v", err)
		}
	}
}

func TestContextIsHonoured(t *testing.T) {
	pool := small(1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := vault.HashSecret(ctx, pool, []byte("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("HashSecret: %v", err)
	}
	if _, err := vault.HashSet(ctx, pool, [][]byte{[]byte("x")}); !errors.Is(err, context.Canceled) {
		t.Errorf("HashSet: %v", err)
	}
	encoded, err := vault.HashSecret(t.Context(), pool, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := vault.VerifySecret(ctx, pool, encoded, []byte("x")); !errors.Is(err, context.Canceled) || ok {
		t.Errorf("VerifySecret: %v, %v", ok, err)
	}
}

func TestPoolUnderLoad(t *testing.T) {
	pool := small(2)
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			secret := fmt.Appendf(nil, "answer %d", i)
			encoded, err := vault.HashSecret(t.Context(), pool, secret)
			if err != nil {
				t.Error(err)
				return
			}
			if ok, err := vault.VerifySecret(t.Context(), pool, encoded, secret); err != nil || !ok {
				t.Errorf("%d: %v, %v", i, ok, err)
			}
		})
	}
	wg.Wait()
}

func BenchmarkHashSecret(b *testing.B) {
	pool := vault.NewPool(policy.Default())
	secret := []byte("an answer of usual length")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := vault.HashSecret(b.Context(), pool, secret); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkArgon2 is the floor: the bare function with the same numbers.
func BenchmarkArgon2(b *testing.B) {
	p := policy.Default()
	secret, salt := []byte("an answer of usual length"), []byte("0123456789abcdef")
	b.ReportAllocs()
	for b.Loop() {
		argon2.IDKey(secret, salt, uint32(p.ArgonTime), uint32(p.ArgonMemoryKiB), uint8(p.ArgonThreads), 32)
	}
}

func BenchmarkHashSecretParallel(b *testing.B) {
	pool := vault.NewPool(policy.Default())
	secret := []byte("an answer of usual length")
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := vault.HashSecret(b.Context(), pool, secret); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkArgon2Parallel(b *testing.B) {
	p := policy.Default()
	secret, salt := []byte("an answer of usual length"), []byte("0123456789abcdef")
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			argon2.IDKey(secret, salt, uint32(p.ArgonTime), uint32(p.ArgonMemoryKiB), uint8(p.ArgonThreads), 32)
		}
	})
}
