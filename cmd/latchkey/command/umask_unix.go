//go:build unix

package command

import (
	"syscall"
)

// private makes every file that this process creates readable by its user
// only, the database's included.
func private() { syscall.Umask(0o077) }
