package store

import (
	"context"
	"database/sql/driver"
	"fmt"
	"sync/atomic"
	"time"
)

// checkpointer carries the WAL over into the database file from a connection
// of its own, so that no turn waits for it, and only after something was
// written.
//
// SQLite starts the WAL again from its beginning, in place and without growing
// it, at the first write after a checkpoint has carried over all of it. Under
// steady load the writer is always a little ahead, so when the WAL has become
// long the writer carries over the small rest itself, between two groups.
type checkpointer struct {
	l     *lite
	c     *liteConn
	dirty chan struct{}
	stop  chan struct{}
	done  chan struct{}
	long  atomic.Bool
	steps atomic.Bool // an import carries over what it writes: the writer need not help
}

const (
	// checkpointWait lets several commits share one checkpoint.
	checkpointWait = 200 * time.Millisecond
	// longWAL is how many pages (4 KiB) the WAL may hold before the writer
	// helps: 16 MiB.
	longWAL = 4096
)

func (k *checkpointer) open(l *lite) (err error) {
	k.l = l
	k.c, err = openLite(l.path, "", &counters{}, "wal_autocheckpoint=0")
	if err != nil {
		return err
	}
	k.dirty, k.stop, k.done = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	go k.run()
	return nil
}

// wrote is called by the writer between groups.
func (k *checkpointer) wrote() {
	if k.long.Load() {
		k.long.Store(false)
		k.l.gate.Lock()
		_, err := k.pass(k.l.w)
		k.l.gate.Unlock()
		if err != nil {
			k.l.db.log.Warn("store: checkpoint by the writer failed", "err", err)
		}
	}
	k.mark()
}

// mark says that there is something to carry over.
func (k *checkpointer) mark() {
	select {
	case k.dirty <- struct{}{}:
	default:
	}
}

func (k *checkpointer) run() {
	defer close(k.done)
	wait := time.NewTimer(time.Hour)
	wait.Stop()
	for {
		select {
		case <-k.stop:
			return
		case <-k.dirty:
		}
		wait.Reset(checkpointWait)
		select {
		case <-k.stop:
			return
		case <-wait.C:
		}
		pages, err := k.pass(k.c)
		if err != nil {
			k.l.db.log.Warn("store: checkpoint failed", "err", err)
		} else if pages > longWAL && !k.steps.Load() {
			k.long.Store(true)
		}
	}
}

// pass runs a PASSIVE checkpoint and returns the length of the WAL in pages.
func (k *checkpointer) pass(c *liteConn) (int64, error) {
	rows, err := c.c.QueryContext(context.Background(), "PRAGMA wal_checkpoint(PASSIVE)", nil)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	v := make([]driver.Value, 3) // busy, pages in the WAL, pages carried over
	if err := rows.Next(v); err != nil {
		return 0, err
	}
	pages, ok := v[1].(int64)
	if !ok {
		return 0, fmt.Errorf("unexpected answer %v", v)
	}
	if moved, _ := v[2].(int64); moved > 0 {
		k.l.db.count.checkpoints.Add(1)
		k.l.db.count.syncs.Add(3)
	}
	return pages, nil
}

func (k *checkpointer) close() {
	close(k.stop)
	<-k.done
	k.pass(k.c)
	k.c.close()
}
