//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// private makes every file that this process creates readable by its user
// only, the database's included.
func private() { syscall.Umask(0o077) }

// notifyHangup tells c of SIGHUP: "read your files again".
func notifyHangup(c chan os.Signal) { signal.Notify(c, syscall.SIGHUP) }
