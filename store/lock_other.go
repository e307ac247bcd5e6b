//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd

package store

import "os"

// lockFile cannot lock here; SQLite's own locks still keep the file whole.
func lockFile(*os.File) error { return nil }

func unlockFile(f *os.File) error { return f.Close() }

func lockDatabase(*os.File) error { return nil }

func networkFS(string) string { return "" }
