// Package localdir is the demo's directory: it says whether a password belongs
// to a demo person, from fixed hashes.
//
// It is in charge of nothing else: people come from the staff list. It must not
// be used for real people: the passwords are printed in the documentation. So
// New refuses to work unless it is told that this is the demo.
package localdir

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"latchkey/bot"
)

// DemoPassword opens every account of the demo.
const DemoPassword bot.Secret = "open-sesame-2468"

// demoHash is the hash of DemoPassword.
const demoHash = "$argon2id$v=19$m=19456,t=2,p=1$vQ9A3GMjKSwg0UEwgRz1NA$TjBxya0stY0gjQeQ67A7k+is4g7jP6+KtfN6E1hY+YY"

// Argon2id as the policy has it for answers: memory in KiB, passes, threads,
// bytes of salt and of hash.
const (
	memory  = 19456
	passes  = 2
	threads = 1
	saltLen = 16
	hashLen = 32
	prefix  = "$argon2id$v=19$m=19456,t=2,p=1$"
)

// Options of a Directory.
type Options struct {
	Demo   bool                    // must be true: the passwords are known to all
	Hashes map[bot.PersonID]string // made by Hash; who is not in it has DemoPassword
}

// A Directory is a bot.Directory. It is safe for concurrent use; two passwords
// are hashed at a time (19 MiB each), the others wait.
type Directory struct {
	hashes map[bot.PersonID]entry
	demo   entry
	turn   chan struct{}
}

var _ bot.Directory = (*Directory)(nil)

type entry struct{ salt, hash []byte }

// New makes a directory for the demo.
func New(o Options) (*Directory, error) {
	if !o.Demo {
		return nil, errors.New("localdir: its passwords are public and for the demo only; configure a directory of your own")
	}
	demo, err := parse(demoHash)
	if err != nil {
		return nil, err
	}
	d := &Directory{hashes: make(map[bot.PersonID]entry, len(o.Hashes)), demo: demo, turn: make(chan struct{}, 2)}
	for id, h := range o.Hashes {
		if d.hashes[id], err = parse(h); err != nil {
			return nil, fmt.Errorf("localdir: hash of person %s: %w", id, err)
		}
	}
	return d, nil
}

// Verify implements bot.Directory: it hashes once, whoever is asked for.
func (d *Directory) Verify(p *bot.Person, password bot.Secret) (bool, error) {
	e := d.demo
	if p != nil {
		if own, ok := d.hashes[p.ID]; ok {
			e = own
		}
	}
	d.turn <- struct{}{}
	got := argon2.IDKey([]byte(password), e.salt, passes, memory, threads, hashLen)
	<-d.turn
	same := subtle.ConstantTimeCompare(got, e.hash) == 1
	return same && p != nil, nil
}

// Hash makes a hash for Options.Hashes: Argon2id in PHC form.
func Hash(password bot.Secret) string {
	salt := make([]byte, saltLen)
	_, _ = rand.Read(salt) // never fails, see crypto/rand
	enc := base64.RawStdEncoding
	return prefix + enc.EncodeToString(salt) + "$" + enc.EncodeToString(argon2.IDKey([]byte(password), salt, passes, memory, threads, hashLen))
}

func parse(s string) (entry, error) {
	rest, ok := strings.CutPrefix(s, prefix)
	salt, hash, ok2 := strings.Cut(rest, "$")
	enc := base64.RawStdEncoding.Strict()
	var e entry
	var err1, err2 error
	e.salt, err1 = enc.DecodeString(salt)
	e.hash, err2 = enc.DecodeString(hash)
	if !ok || !ok2 || err1 != nil || err2 != nil || len(e.salt) != saltLen || len(e.hash) != hashLen {
		return entry{}, fmt.Errorf("want %s<salt>$<hash>", prefix)
	}
	return e, nil
}
