package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"time"

	sqlite3 "github.com/mattn/go-sqlite3"
)

const (
	// probeKey is the meta value that a probe writes.
	probeKey = "store.probe"
	// probeFresh is how long the outcome of a probe is believed.
	probeFresh = 5 * time.Second
	// probeAgain is the same of a failed one, so that the end of the trouble is
	// seen soon.
	probeAgain = time.Second
	// probeWait is how long a write may take before the store counts as one that
	// takes none.
	probeWait = 2 * time.Second
	// probeLarge is the size of a probe, in bytes, while the store is down. On a
	// full disk SQLite still finds room for a few bytes in the files that are
	// there, and for no conversation.
	probeLarge = 64 << 10
)

// errSlow says that a probe hangs.
var errSlow = fmt.Errorf("no write came through within %s", probeWait)

// A prober knows whether writes come through.
type prober struct {
	mu      sync.Mutex
	ended   time.Time     // of the last probe
	began   time.Time     // of the one under way
	running chan struct{} // closed when it ends; nil: none is under way
	err     error         // of the last one, or what a commit met since
	since   time.Time     // when the trouble began; zero: there is none
	doubted time.Time     // when something last failed to reach the database
}

// outlives is how long the outcome of the last probe is believed.
func (p *prober) outlives() time.Duration {
	switch {
	case p.err != nil:
		return probeAgain
	case p.doubted.After(p.began):
		return 0
	case p.began.Sub(p.doubted) < probeAgain: // a server that stops may still have taken this one
		return probeAgain
	}
	return probeFresh
}

// doubt notes that something failed to reach the database. What the last probe
// found is not believed any more: whoever looks next waits for another one,
// since one connection that broke is no outage.
func (db *DB) doubt() {
	p := &db.probe
	p.mu.Lock()
	p.doubted = time.Now()
	p.mu.Unlock()
}

// Writable reports whether the store takes writes now. It writes a few bytes as
// everything else is written, at most once in 5 seconds however often it is
// asked (once a second while the last write failed, and at once when anything has
// failed to reach the database since), and waits 2 seconds for it at most. The
// error is a *WriteError. The first failure is logged, and the end
// of the trouble.
func (db *DB) Writable() error {
	p := &db.probe
	p.mu.Lock()
	if p.running == nil {
		if !p.ended.IsZero() && time.Since(p.ended) < p.outlives() {
			defer p.mu.Unlock()
			return p.outcome()
		}
		p.began, p.running = time.Now(), make(chan struct{})
		go db.runProbe(p.running, !p.since.IsZero())
	}
	running, left := p.running, probeWait-time.Since(p.began)
	p.mu.Unlock()
	wait := time.NewTimer(left)
	defer wait.Stop()
	select {
	case <-running:
	case <-wait.C:
		db.met(errSlow)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.outcome()
}

func (p *prober) outcome() error {
	if p.err == nil {
		return nil
	}
	return &WriteError{Since: p.since, Err: p.err}
}

// runProbe makes one probe and closes done. It ends when the writer has answered.
func (db *DB) runProbe(done chan struct{}, large bool) {
	size := 8
	if large {
		size = probeLarge
	}
	err := db.update(context.Background(), func(t *tx) error {
		return t.setMeta(probeKey, binary.BigEndian.AppendUint64(make([]byte, size-8, size), uint64(t.ms)))
	})
	p := &db.probe
	p.mu.Lock()
	since := p.since
	p.ended, p.running, p.err = time.Now(), nil, err
	if err == nil {
		p.since = time.Time{}
	}
	p.mu.Unlock()
	switch {
	case err == nil && !since.IsZero():
		db.log.Info("store: writes come through again", "after", time.Since(since).Round(time.Second))
	case err != nil && !errors.Is(err, ErrClosed):
		db.met(err)
	}
	close(done)
}

// met notes that a write failed, or hangs. The next look probes.
func (db *DB) met(err error) {
	p := &db.probe
	p.mu.Lock()
	first := p.since.IsZero()
	if first {
		p.since = time.Now()
	}
	p.err = err
	p.mu.Unlock()
	if first {
		db.log.Error("store: writes do not come through; nothing can be answered until they do, and platforms repeat what they sent", "reason", reason(err), "fix", fix(err), "err", err)
	}
}

// A WriteError says that the store takes no writes.
type WriteError struct {
	Since time.Time
	Err   error
}

// Error implements error. It names no path and no address: health checks show it.
func (e *WriteError) Error() string {
	text := fmt.Sprintf("the store takes no writes since %s: %s", e.Since.UTC().Format(time.RFC3339), reason(e.Err))
	if do := fix(e.Err); do != "" {
		text += "; " + do
	}
	return text
}

// Unwrap gives the cause.
func (e *WriteError) Unwrap() error { return e.Err }

// Remedy says what an operator who gave a command does about an error of a store
// that does not work as it should, such as a full disk; empty: nothing that is
// known here, or the error says it.
func Remedy(err error) string {
	do := fix(err)
	if do == "" || strings.Contains(err.Error(), do) {
		return ""
	}
	if t := troubleOf(err); t != nil {
		do = t.what + "; " + do
	}
	return do + ", and give the command again: what was not committed is not there"
}

// fix says what to do about an error of the database; empty: nothing is known here.
func fix(err error) string {
	var lite sqlite3.Error
	if !errors.As(err, &lite) {
		if t := troubleOf(err); t != nil {
			return t.do
		}
		return ""
	}
	switch {
	case full(&lite):
		return "make room on the disk of the store"
	case lite.Code == sqlite3.ErrReadonly:
		return "see that this account may write to the database file and its folder"
	}
	return ""
}

// full reports whether a disk has no room. SQLite says so of its database, and
// takes it for an error of the disk where it makes a file beside it.
func full(err *sqlite3.Error) bool {
	return err.Code == sqlite3.ErrFull || err.SystemErrno == syscall.ENOSPC
}

// reason says in a few words why a write failed.
func reason(err error) string {
	var lite sqlite3.Error
	switch {
	case errors.Is(err, errSlow):
		return errSlow.Error()
	case errors.Is(err, ErrClosed):
		return "it is closed"
	case errors.As(err, &lite) && full(&lite):
		return "the disk is full"
	case errors.As(err, &lite):
		switch lite.Code {
		case sqlite3.ErrBusy, sqlite3.ErrLocked:
			return "another program holds a lock on the database file"
		case sqlite3.ErrReadonly:
			return "the database file cannot be written to"
		case sqlite3.ErrIoErr, sqlite3.ErrCantOpen:
			return "the disk does not read or write"
		}
	}
	if t := troubleOf(err); t != nil {
		return t.what
	}
	return "see the log"
}
