package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// A HeadFile keeps the record's head outside the database. Its first line is
// the last line of the record; further lines hold the heads of backups. What
// stands in it may lag behind the record by some seconds and never lies.
// Several processes may keep the same file: the highest wins. It is safe for
// concurrent use.
type HeadFile struct {
	Path string
	mu   sync.Mutex
}

// keptBackups is how many heads of backups the file holds.
const keptBackups = 20

const fileNote = "# The last line of Latchkey's audit record, and of backups, kept outside the database. `latchkey audit verify` compares them.\n"

// Read gives the heads of the file, the record's first; none when there is no file.
func (f *HeadFile) Read() ([]Head, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.read()
}

func (f *HeadFile) read() ([]Head, error) {
	b, err := os.ReadFile(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("head file: %w", err)
	}
	var heads []Head
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		text, where, _ := strings.Cut(line, " ")
		h, err := ParseHead(text)
		if err != nil {
			return nil, fmt.Errorf("head file %s is garbled: %w; move it away, and keep it", f.Path, err)
		}
		h.Where, h.Kept = where, where != ""
		if where == "" {
			h.Where = "the head file " + f.Path
		}
		heads = append(heads, h)
	}
	return heads, nil
}

// Note stores the head of the record, unless the file has a higher one. Whoever
// calls it has made sure that the record has the line that the file names.
func (f *HeadFile) Note(h Head) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	heads, err := f.read()
	if err != nil || h.Seq == 0 {
		return err
	}
	if len(heads) > 0 {
		if heads[0].Seq >= h.Seq {
			return nil
		}
		heads = heads[1:]
	}
	return f.write(append([]Head{h}, heads...))
}

// AddBackup stores the head of a backup; where names it in words.
func (f *HeadFile) AddBackup(h Head, where string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	heads, err := f.read()
	if err != nil {
		return err
	}
	if len(heads) == 0 {
		heads = []Head{h}
	}
	h.Where, h.Kept = strings.Join(strings.Fields(where), " "), true
	heads = append(heads, h)
	if len(heads) > 1+keptBackups {
		heads = append(heads[:1], heads[len(heads)-keptBackups:]...)
	}
	return f.write(heads)
}

// Reset makes h the only head of the file: the record was restored.
func (f *HeadFile) Reset(h Head) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.write([]Head{h})
}

// Tidy removes what processes left beside the file that were killed while they
// wrote it.
func (f *HeadFile) Tidy() {
	left, err := filepath.Glob(f.Path + ".new-*")
	if err != nil {
		return // a path with a bracket in it: the few bytes stay
	}
	for _, name := range left {
		if st, err := os.Stat(name); err == nil && time.Since(st.ModTime()) > time.Minute {
			os.Remove(name)
		}
	}
}

// write puts the file in place as a whole, on the disk.
func (f *HeadFile) write(heads []Head) error {
	var b strings.Builder
	b.WriteString(fileNote)
	for _, h := range heads {
		b.WriteString(h.String())
		if h.Kept {
			b.WriteString(" " + h.Where)
		}
		b.WriteString("\n")
	}
	if err := replaceFile(f.Path, b.String()); err != nil {
		return fmt.Errorf("head file: %w", err)
	}
	return nil
}

func replaceFile(path, text string) (err error) {
	t, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			t.Close()
			os.Remove(t.Name())
		}
	}()
	if _, err = t.WriteString(text); err != nil {
		return err
	}
	if err = t.Sync(); err != nil {
		return err
	}
	if err = t.Close(); err != nil {
		return err
	}
	return os.Rename(t.Name(), path)
}

var headShape = regexp.MustCompile(`\b[1-9][0-9]{0,18}:[0-9a-f]{64}\b`)

// FindHeads reads a text, such as a log, and gives every head in it, or of more
// than most the last ones. where names the text in words.
func FindHeads(r io.Reader, where string, most int) ([]Head, error) {
	var heads []Head
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		for _, m := range headShape.FindAllString(lines.Text(), -1) {
			h, err := ParseHead(m)
			if err != nil || len(heads) > 0 && heads[len(heads)-1].String() == m {
				continue
			}
			h.Where = where
			if heads = append(heads, h); len(heads) > most {
				heads = heads[1:]
			}
		}
	}
	return heads, lines.Err()
}
