//go:build darwin || freebsd || netbsd || openbsd

package store

import "os"

// lockDatabase takes nothing: here these locks and those that SQLite takes shut
// each other out.
func lockDatabase(*os.File) error { return nil }

func networkFS(string) string { return "" }
