package vault

import (
	"errors"
	"fmt"
)

const checkPlace = "latchkey|key check"

// SealCheck makes the value that the store keeps to recognise the right key
// file: a keyed hash, sealed. Make it anew with each new key, since it only
// opens with the key that made it.
func (r *Ring) SealCheck() ([]byte, error) {
	return r.Seal(r.Hash(checkPlace), checkPlace)
}

// OpenCheck says whether this ring holds the keys of the database whose
// SealCheck is given. Its error is a sentence that tells what to do.
func (r *Ring) OpenCheck(check []byte) error {
	id := KeyOf(check)
	if id == "" {
		return errors.New("the key check of this database is garbled: restore the database from its backup")
	}
	hash, err := r.Open(check, checkPlace)
	switch {
	case errors.Is(err, ErrUnknownKey):
		return fmt.Errorf("this database was sealed with key %s, which is not in %s (it has %s): restore the key file that belongs to this database, or correct its path; without it the enrolled methods cannot be read: %w",
			id, r.place(), r.cur.Load().names(), ErrUnknownKey)
	case err != nil || !r.Equal(hash, checkPlace):
		return fmt.Errorf("this database was sealed with another key %s than the one in %s: the key file or the database was changed; restore them from the same backup: %w",
			id, r.place(), ErrSealed)
	}
	return nil
}
