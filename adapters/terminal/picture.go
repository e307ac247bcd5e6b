package terminal

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// pictures keeps QR pictures as files that only their owner can read. The name
// is random and says nothing (security 4.11).
type pictures struct{ dir string }

const (
	picturePrefix = "qr-"
	pictureSuffix = ".png"
)

// prepare makes the folder and removes what a killed run left.
func (p pictures) prepare() error {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return fmt.Errorf("terminal: folder for pictures: %w; choose one that you may write to", err)
	}
	p.removeAll()
	return nil
}

// write stores a picture and returns its name, which is its receipt, and path.
func (p pictures) write(png []byte) (name, path string, err error) {
	var id [12]byte
	rand.Read(id[:]) // never fails, see crypto/rand
	name = picturePrefix + hex.EncodeToString(id[:]) + pictureSuffix
	path = filepath.Join(p.dir, name)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", "", fmt.Errorf("terminal: write picture: %w", err)
	}
	_, err = f.Write(png)
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(path)
		return "", "", fmt.Errorf("terminal: write picture: %w", err)
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return name, path, nil
}

// remove deletes the picture of a receipt and reports whether there was one.
func (p pictures) remove(receipt string) (bool, error) {
	if !isPicture(receipt) {
		return false, nil
	}
	err := os.Remove(filepath.Join(p.dir, receipt))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("terminal: delete picture: %w", err)
	}
	return true, nil
}

// removeAll deletes every picture.
func (p pictures) removeAll() {
	es, err := os.ReadDir(p.dir)
	if err != nil {
		return
	}
	for _, e := range es {
		if isPicture(e.Name()) {
			os.Remove(filepath.Join(p.dir, e.Name()))
		}
	}
}

// isPicture reports whether name is exactly what write makes, so that a
// receipt can never lead to another file.
func isPicture(name string) bool {
	s, ok := strings.CutPrefix(name, picturePrefix)
	if !ok {
		return false
	}
	s, ok = strings.CutSuffix(s, pictureSuffix)
	if !ok || len(s) != 24 {
		return false
	}
	_, err := hex.DecodeString(s)
	return err == nil
}
