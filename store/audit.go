package store

import (
	"context"

	"latchkey/bot"
	"latchkey/bot/audit"
)

// auditHead is the last line of the record as this group sees it. In
// PostgreSQL reading it locks it, so that lines of several processes form one
// chain.
type auditHead struct {
	seq    int64
	hash   []byte
	loaded bool
	moved  bool // to be stored before the commit
}

// Audit implements bot.AuditTx.
func (t *tx) Audit(e bot.AuditEntry) (int64, error) {
	if t.g == nil {
		return 0, errReadOnly
	}
	h := &t.g.head
	if !h.loaded {
		if err := t.c.read(auditHeadGet, func(r row) { h.seq, h.hash = r.int(0), r.blob(1) }); err != nil {
			return 0, wrap("read audit head", err)
		}
		h.loaded = true
	}
	e.Seq = h.seq + 1
	e.At = fromMillis(t.ms)
	e.Prev = h.hash
	e.Hash = audit.Sum(h.hash, e)
	if err := t.c.write(auditInsert, e.Seq, t.ms, string(e.Person), e.Actor, e.Action, e.Subject, string(e.Channel), e.Evidence, e.Prev, e.Hash); err != nil {
		return 0, wrap("insert audit line", err)
	}
	h.seq, h.hash, h.moved = e.Seq, e.Hash, true
	return e.Seq, nil
}

// settle stores the head once for the whole group.
func (h *auditHead) settle(c conn) error {
	if !h.moved {
		return nil
	}
	h.moved = false
	return wrap("store audit head", c.write(auditHeadPut, h.seq, h.hash))
}

func scanAudit(r row) bot.AuditEntry {
	return bot.AuditEntry{
		Seq: r.int(0), At: fromMillis(r.int(1)), Person: bot.PersonID(r.text(2)), Actor: r.text(3), Action: r.text(4), Subject: r.text(5),
		Channel: bot.ChannelID(r.text(6)), Evidence: r.text(7), Prev: r.blob(8), Hash: r.blob(9),
	}
}

// AuditLines calls fn for every line from fromSeq on, in order, until fn
// fails. It reads in pages, so that a long record holds nobody up.
func (db *DB) AuditLines(ctx context.Context, fromSeq int64, fn func(bot.AuditEntry) error) error {
	const page = 1000
	for {
		var lines []bot.AuditEntry
		err := db.view(ctx, func(t *tx) error {
			return wrap("read audit lines", t.c.read(auditLines, func(r row) { lines = append(lines, scanAudit(r)) }, fromSeq, int64(page)))
		})
		if err != nil {
			return err
		}
		for _, e := range lines {
			if err := fn(e); err != nil {
				return err
			}
			fromSeq = e.Seq + 1
		}
		if len(lines) < page {
			return nil
		}
	}
}

// AuditHead gives the number and the hash of the last line as they were stored
// beside the record, so that lines that were cut off at the end are missed.
func (db *DB) AuditHead(ctx context.Context) (seq int64, hash []byte, err error) {
	err = db.view(ctx, func(t *tx) error {
		return wrap("read audit head", t.c.read(auditHeadGet, func(r row) { seq, hash = r.int(0), r.blob(1) }))
	})
	return seq, hash, err
}
