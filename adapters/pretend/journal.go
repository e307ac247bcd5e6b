package pretend

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// A journal is an append-only file of JSON lines. Not safe for concurrent use.
type journal struct{ f *os.File }

// openJournal opens or creates a journal and gives every whole line to each.
func openJournal(path string, each func(line []byte) error) (*journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("pretend: %w", err)
	}
	fail := func(err error) (*journal, error) {
		_ = f.Close()
		return nil, fmt.Errorf("pretend: %s: %w; delete the file to begin with an empty phone", path, err)
	}
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return fail(errors.Join(err, fs.ErrInvalid))
	}
	if err := f.Chmod(0o600); err != nil {
		return fail(err)
	}
	all, err := io.ReadAll(f)
	if err != nil {
		return fail(err)
	}
	// A crash may have torn off the last line; it was never confirmed.
	whole := bytes.LastIndexByte(all, '\n') + 1
	if whole < len(all) {
		if err := f.Truncate(int64(whole)); err != nil {
			return fail(err)
		}
	}
	no := 0
	for line := range bytes.Lines(all[:whole]) {
		no++
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if err := each(line); err != nil {
			return fail(fmt.Errorf("line %d cannot be read: %w", no, err))
		}
	}
	return &journal{f}, nil
}

// add appends v and waits until it is on the disk.
func (j *journal) add(v any) error {
	line, err := json.Marshal(v)
	if err == nil {
		_, err = j.f.Write(append(line, '\n'))
	}
	if err == nil {
		err = j.f.Sync()
	}
	if err != nil {
		return fmt.Errorf("pretend: %w", err)
	}
	return nil
}

func (j *journal) close() error { return j.f.Close() }
