//go:build !unix

package program

import "os"

// notifyHangup does nothing where there is no such signal.
func notifyHangup(chan os.Signal) {}
