//go:build unix

package program

import (
	"os"
	"os/signal"
	"syscall"
)

// notifyHangup tells c of SIGHUP: "read your files again".
func notifyHangup(c chan os.Signal) { signal.Notify(c, syscall.SIGHUP) }
