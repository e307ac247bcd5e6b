package store_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"latchkey/store"
)

// A store that was closed can be opened again at once, even while a child that
// the process is starting still holds copies of its descriptors.
func TestClosedStoreIsFreeAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	db, err := store.Open(context.Background(), store.Options{DSN: path})
	if err != nil {
		t.Fatal(err)
	}
	copies := 0
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		name, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil || name != path && name != path+".lock" {
			continue
		}
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		held, err := syscall.Dup(n) // as between fork and exec
		if err != nil {
			t.Fatal(err)
		}
		defer syscall.Close(held)
		copies++
	}
	if copies < 2 {
		t.Fatalf("%d descriptors of the locks, want at least 2", copies)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := store.Open(context.Background(), store.Options{DSN: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

// The file beside the database looks like a leftover. Whoever deletes it lets
// nobody else in.
func TestLockFileDeleted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	db := open(t, path)
	if err := os.Remove(path + ".lock"); err != nil {
		t.Fatal(err)
	}
	if !store.InUse(path) {
		t.Error("nobody uses it")
	}
	if _, err := store.Open(context.Background(), store.Options{DSN: path}); err == nil || !strings.Contains(err.Error(), "in use by another Latchkey process") {
		t.Errorf("a second one: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if store.InUse(path) {
		t.Error("still in use")
	}
	if err := open(t, path).Close(); err != nil {
		t.Error(err)
	}
}
