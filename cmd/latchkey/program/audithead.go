package program

import (
	"context"
	"fmt"
	"sync"

	"latchkey/bot/audit"
)

// A headKeeper carries the head of the audit record out of the database. Only
// committed heads go there, some seconds late: after a crash the file may lag,
// and it never names a line that does not exist.
type headKeeper struct {
	file audit.HeadFile
	mu   sync.Mutex
	seq  int64  // of the head that was written last
	said string // the problem that was logged last
}

// HeadFile is the file outside the database that keeps heads of the record.
func (h *Program) HeadFile() *audit.HeadFile { return &h.head.file }

// NoteHead writes the head of what this process committed into the head file.
// It writes nothing over a head that the record does not have: that file is
// the proof then.
func (h *Program) NoteHead(ctx context.Context) error {
	moved := h.DB.AuditMoved()
	h.head.mu.Lock()
	defer h.head.mu.Unlock()
	heads, err := h.head.file.Read()
	if err != nil {
		return err
	}
	// Another process may have written an older head over ours just now.
	if moved.Seq == h.head.seq && (moved.Seq == 0 || len(heads) > 0 && heads[0].Seq >= moved.Seq) {
		return nil
	}
	if err := h.headMissing(ctx, heads); err != nil {
		return err
	}
	if err := h.head.file.Note(moved); err != nil {
		return fmt.Errorf("audit: the record's head cannot be kept outside the database: %w", err)
	}
	h.head.seq = moved.Seq
	return nil
}

// headMissing says so when the record does not have the line that the head
// file names.
func (h *Program) headMissing(ctx context.Context, heads []audit.Head) error {
	if len(heads) == 0 {
		return nil
	}
	has, err := h.DB.HasAuditLine(ctx, heads[0])
	if err != nil || has {
		return err
	}
	return fmt.Errorf("audit: the record does not have line %s, which %s names: lines were changed or are missing; run `latchkey audit verify`, and after a restore by hand `latchkey restore --mark`", heads[0], h.head.file.Path)
}

// keepHead is noteHead that logs each problem once.
func (h *Program) keepHead(ctx context.Context) {
	err := h.NoteHead(ctx)
	if err == nil {
		h.head.said = ""
		return
	}
	if ctx.Err() == nil && err.Error() != h.head.said {
		h.head.said = err.Error()
		h.Log.Error(err.Error())
	}
}

// logHead writes the record's head into the log, which usually is collected
// elsewhere, and into the head file when that is gone.
func (h *Program) logHead(ctx context.Context) {
	h.head.said = "" // say it again
	h.head.file.Tidy()
	heads, err := h.head.file.Read()
	var head audit.Head
	if err == nil {
		head, err = h.DB.AuditHead(ctx)
	}
	if err == nil {
		err = h.headMissing(ctx, heads)
	}
	if err == nil && len(heads) == 0 && head.Seq > 0 {
		h.Log.Warn("audit: there is no head file; made anew, which proves nothing about the past", "file", h.head.file.Path)
		err = h.head.file.Note(head)
	}
	if err != nil {
		if ctx.Err() == nil {
			h.Log.Error(err.Error())
		}
		return
	}
	h.Log.Info("audit head", "head", head.String())
}
