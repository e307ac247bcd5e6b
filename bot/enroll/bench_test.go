package enroll_test

import (
	"strconv"
	"testing"

	"latchkey/bot/policy"
	"latchkey/bot/vault"
	"latchkey/bot/verify"
)

// BenchmarkEnrollmentCrypto is what one enrollment with an authenticator and
// three answers computes outside the database: three slow hashes, one QR
// picture with its half blocks, two seals. hashes/op over ns/op is the limit
// of the machine.
func BenchmarkEnrollmentCrypto(b *testing.B) {
	pool := vault.NewPool(policy.Default())
	ring, err := vault.New()
	if err != nil {
		b.Fatal(err)
	}
	seed := []byte("12345678901234567890")
	b.ReportAllocs()
	for b.Loop() {
		uri := verify.KeyURI("Contoso SSPR", "ann.lee@schools.example.org", seed)
		if _, err := verify.QRPicture(uri); err != nil {
			b.Fatal(err)
		}
		if _, err := verify.QRRows(uri); err != nil {
			b.Fatal(err)
		}
		for i := range 3 {
			hash, err := vault.HashSecret(b.Context(), pool, []byte("answer "+strconv.Itoa(i)))
			if err != nil {
				b.Fatal(err)
			}
			if _, err := ring.Seal([]byte(hash), "secret|p|m|"+strconv.Itoa(i)); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkHashAlone is the three hashes only, to compare with.
func BenchmarkHashAlone(b *testing.B) {
	pool := vault.NewPool(policy.Default())
	for b.Loop() {
		for i := range 3 {
			if _, err := vault.HashSecret(b.Context(), pool, []byte("answer "+strconv.Itoa(i))); err != nil {
				b.Fatal(err)
			}
		}
	}
}
