package store

import (
	"context"
	"fmt"

	"latchkey/bot"
)

// Meta reads a value of the meta table, such as the key check or the epoch.
// Keys that begin with "store." belong to this package. ErrNotFound when there
// is none.
func (db *DB) Meta(ctx context.Context, key string) ([]byte, error) {
	var v []byte
	err := db.view(ctx, func(t *tx) (err error) { v, err = t.meta(key); return err })
	return v, err
}

// SetMeta stores a value of the meta table.
func (db *DB) SetMeta(ctx context.Context, key string, value []byte) error {
	return db.update(ctx, func(t *tx) error { return t.setMeta(key, value) })
}

func (t *tx) meta(key string) ([]byte, error) {
	var v []byte
	found := false
	if err := t.c.read(metaGet, func(r row) { v, found = r.blob(0), true }, key); err != nil {
		return nil, wrap("read meta", err)
	}
	if !found {
		return nil, fmt.Errorf("store: meta %q: %w", key, bot.ErrNotFound)
	}
	return v, nil
}

func (t *tx) setMeta(key string, value []byte) error {
	if value == nil {
		value = []byte{}
	}
	return wrap("store meta", t.write(metaPut, key, value))
}
