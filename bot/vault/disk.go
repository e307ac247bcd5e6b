package vault

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Create makes a new key file with one new key, mode 0600, and opens it. It
// fails with fs.ErrExist when there is a file already.
func Create(path string) (*Ring, error) {
	k, err := (*keys)(nil).withNew(time.Now())
	if err != nil {
		return nil, fmt.Errorf("create key file %s: %w", path, err)
	}
	unlock, err := lockDir(path)
	if err != nil {
		return nil, fmt.Errorf("create key file %s: %w", path, err)
	}
	defer unlock()
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("create key file %s: %w: open it instead, or move it away if it belongs to no database", path, fs.ErrExist)
	}
	if err := write(path, k); err != nil {
		return nil, fmt.Errorf("create key file %s: %w", path, err)
	}
	r := &Ring{path: path}
	r.cur.Store(k)
	return r, nil
}

// Load opens a key file. It refuses one that others may read, and says what to
// do when the file is missing (fs.ErrNotExist) or garbled.
func Load(path string) (*Ring, error) {
	k, err := read(path)
	if err != nil {
		return nil, err
	}
	r := &Ring{path: path}
	r.cur.Store(k)
	return r, nil
}

// Reload takes over what another process changed in the key file and reports
// whether there was a change. When it fails, the ring stays as it was. A ring
// without a file never changes.
func (r *Ring) Reload() (changed bool, err error) {
	if r.path == "" {
		return false, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	b, err := contents(r.path)
	if err != nil {
		return false, err
	}
	if sha256.Sum256(b) == r.cur.Load().digest {
		return false, nil
	}
	k, err := parseFile(r.path, b)
	if err != nil {
		return false, err
	}
	r.cur.Store(k)
	return true, nil
}

// change replaces the state of the ring, in its file first. The file is locked
// and read again before, so that two processes lose nothing of each other.
func (r *Ring) change(next func(*keys) (*keys, error)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.cur.Load()
	if r.path == "" {
		k, err := next(old)
		if err != nil {
			return err
		}
		r.cur.Store(k)
		return nil
	}
	unlock, err := lockDir(r.path)
	if err != nil {
		return err
	}
	defer unlock()
	if old, err = read(r.path); err != nil {
		return err
	}
	k, err := next(old)
	if err != nil {
		return err
	}
	if err := write(r.path, k); err != nil {
		return err
	}
	r.cur.Store(k)
	return nil
}

func read(path string) (*keys, error) {
	b, err := contents(path)
	if err != nil {
		return nil, err
	}
	return parseFile(path, b)
}

func parseFile(path string, b []byte) (*keys, error) {
	k, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("key file %s cannot be read: %w; restore it from its backup", path, err)
	}
	return k, nil
}

// contents reads the bytes of a key file and checks who else may.
func contents(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("key file %s: %w: restore it from its backup, or correct the path; only a new, empty database may start with a new one", path, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("key file %s is not a file; correct the path", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("key file %s has mode %04o, which gives others a way in: chmod 600 %s", path, mode, path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("key file %s is larger than a key file can be; correct the path", path)
	}
	return b, nil
}

// write puts a key file in place as a whole: a new file, synced, renamed over
// the old one, and the folder synced. The caller holds the folder's lock, so
// what an interrupted write left behind is ours to overwrite.
func write(path string, k *keys) (err error) {
	b, err := k.marshal()
	if err != nil {
		return err
	}
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(fresh)
		}
	}()
	if _, err = f.Write(b); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(fresh, path); err != nil {
		return err
	}
	k.digest = sha256.Sum256(b)
	return syncDir(filepath.Dir(path))
}
