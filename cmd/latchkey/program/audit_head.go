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
func (p *Program) HeadFile() *audit.HeadFile { return &p.head.file }

// NoteHead writes the head of what this process committed into the head file.
// It writes nothing over a head that the record does not have: that file is
// the proof then.
func (p *Program) NoteHead(ctx context.Context) error {
	moved := p.DB.AuditMoved()
	p.head.mu.Lock()
	defer p.head.mu.Unlock()
	heads, err := p.head.file.Read()
	if err != nil {
		return err
	}
	// Another process may have written an older head over ours just now.
	if moved.Seq == p.head.seq && (moved.Seq == 0 || len(heads) > 0 && heads[0].Seq >= moved.Seq) {
		return nil
	}
	if err := p.headMissing(ctx, heads); err != nil {
		return err
	}
	if err := p.head.file.Note(moved); err != nil {
		return fmt.Errorf("audit: the record's head cannot be kept outside the database: %w", err)
	}
	p.head.seq = moved.Seq
	return nil
}

// headMissing says so when the record does not have the line that the head
// file names.
func (p *Program) headMissing(ctx context.Context, heads []audit.Head) error {
	if len(heads) == 0 {
		return nil
	}
	has, err := p.DB.HasAuditLine(ctx, heads[0])
	if err != nil || has {
		return err
	}
	return fmt.Errorf("audit: the record does not have line %s, which %s names: lines were changed or are missing; run `latchkey audit verify`, and after a restore by hand `latchkey restore --mark`", heads[0], p.head.file.Path)
}

// keepHead is noteHead that logs each problem once.
func (p *Program) keepHead(ctx context.Context) {
	err := p.NoteHead(ctx)
	if err == nil {
		p.head.said = ""
		return
	}
	if ctx.Err() == nil && err.Error() != p.head.said {
		p.head.said = err.Error()
		p.Log.Error(err.Error())
	}
}

// logHead writes the record's head into the log, which usually is collected
// elsewhere, and into the head file when that is gone.
func (p *Program) logHead(ctx context.Context) {
	p.head.said = "" // say it again
	p.head.file.Tidy()
	heads, err := p.head.file.Read()
	var head audit.Head
	if err == nil {
		head, err = p.DB.AuditHead(ctx)
	}
	if err == nil {
		err = p.headMissing(ctx, heads)
	}
	if err == nil && len(heads) == 0 && head.Seq > 0 {
		p.Log.Warn("audit: there is no head file; made anew, which proves nothing about the past", "file", p.head.file.Path)
		err = p.head.file.Note(head)
	}
	if err != nil {
		if ctx.Err() == nil {
			p.Log.Error(err.Error())
		}
		return
	}
	p.Log.Info("audit head", "head", head.String())
}
