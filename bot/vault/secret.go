package vault

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"latchkey/bot/policy"
)

const (
	saltBytes = 16 // RFC 9106, 3.1
	hashBytes = 32
)

// A Pool hashes answers and recovery codes, a few at a time: each takes memory
// (policy: hash.memory_kib) and a core for tens of milliseconds. Never use it
// inside a transaction. It is safe for concurrent use.
type Pool struct {
	slots  chan struct{}
	params params
}

// params of Argon2id.
type params struct {
	memory, time uint32 // KiB, passes
	threads      uint8
}

// NewPool makes a pool with the policy's numbers, which must have passed Check.
func NewPool(p *policy.Policy) *Pool {
	return &Pool{
		slots:  make(chan struct{}, max(1, p.HashWorkers)),
		params: params{memory: uint32(p.ArgonMemoryKiB), time: uint32(max(1, p.ArgonTime)), threads: uint8(max(1, p.ArgonThreads))},
	}
}

// run computes one hash as soon as a slot is free. It fails only when ctx ends
// before; a hash that has begun is finished.
func (p *Pool) run(ctx context.Context, secret, salt []byte, q params, length uint32) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("hash a secret: %w", err)
	}
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("hash a secret, waiting for a slot: %w", ctx.Err())
	}
	defer func() { <-p.slots }()
	return argon2.IDKey(secret, salt, q.time, q.memory, q.threads, length), nil
}

// HashSecret hashes an answer or a recovery code, already normalised, with a
// salt of its own. The result is a PHC string, which the caller seals with
// Vault.Seal before it is stored. It fails only when ctx ends.
func HashSecret(ctx context.Context, pool *Pool, normalised []byte) (encoded string, err error) {
	salt := make([]byte, saltBytes)
	rand.Read(salt)
	hash, err := pool.run(ctx, normalised, salt, pool.params, hashBytes)
	if err != nil {
		return "", err
	}
	return encode(pool.params, salt, hash), nil
}

// HashSet hashes the recovery codes of one set with one salt for all, so that
// VerifyAny needs one computation for the set. Only for secrets of at least 64
// random bits: there a common salt takes nothing away that matters.
func HashSet(ctx context.Context, pool *Pool, codes [][]byte) (encoded []string, err error) {
	salt := make([]byte, saltBytes)
	rand.Read(salt)
	encoded = make([]string, len(codes))
	for i, c := range codes {
		hash, err := pool.run(ctx, c, salt, pool.params, hashBytes)
		if err != nil {
			return nil, err
		}
		encoded[i] = encode(pool.params, salt, hash)
	}
	return encoded, nil
}

// VerifySecret reports whether encoded was made from the same secret. It uses
// the parameters that stand in encoded, and fails when that is no PHC string of
// Argon2id or when ctx ends.
func VerifySecret(ctx context.Context, pool *Pool, encoded string, normalised []byte) (bool, error) {
	i, err := VerifyAny(ctx, pool, []string{encoded}, normalised)
	return i == 0, err
}

// VerifyAny gives the index of the first of encoded that was made from this
// secret, or -1. All are compared whatever matches. Hashes with a common salt
// (HashSet) take one computation together.
func VerifyAny(ctx context.Context, pool *Pool, encoded []string, normalised []byte) (int, error) {
	type job struct {
		params
		salt   string
		length int
	}
	done := map[job][]byte{}
	found := -1
	for i, e := range encoded {
		q, salt, want, err := decode(e)
		if err != nil {
			return -1, err
		}
		j := job{q, string(salt), len(want)}
		got, ok := done[j]
		if !ok {
			if got, err = pool.run(ctx, normalised, salt, q, uint32(len(want))); err != nil {
				return -1, err
			}
			done[j] = got
		}
		if subtle.ConstantTimeCompare(got, want) == 1 && found < 0 {
			found = i
		}
	}
	return found, nil
}

// Outdated reports whether encoded was made with weaker parameters than the
// pool's, so that it should be made anew when the secret is next given.
func (p *Pool) Outdated(encoded string) bool {
	q, _, _, err := decode(encoded)
	return err != nil || q.memory < p.params.memory || q.time < p.params.time
}

func encode(q params, salt, hash []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, q.memory, q.time, q.threads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(hash))
}

var errPHC = errors.New("a stored hash is not one of Argon2id: it was sealed by something else or is damaged")

// decode reads what encode writes, and no parameters that would take the
// machine down.
func decode(s string) (q params, salt, hash []byte, err error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return q, nil, nil, errPHC
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &q.memory, &q.time, &q.threads); n != 3 || err != nil {
		return q, nil, nil, errPHC
	}
	if q.memory > 1<<20 || q.time < 1 || q.time > 64 || q.threads < 1 {
		return q, nil, nil, errPHC
	}
	if salt, err = base64.RawStdEncoding.Strict().DecodeString(parts[4]); err != nil || len(salt) < 8 || len(salt) > 64 {
		return q, nil, nil, errPHC
	}
	if hash, err = base64.RawStdEncoding.Strict().DecodeString(parts[5]); err != nil || len(hash) < 16 || len(hash) > 64 {
		return q, nil, nil, errPHC
	}
	return q, salt, hash, nil
}
