//go:build !unix

package main

import "os"

// private does nothing where files have no mode; the folder's rights decide.
func private() {}

// notifyHangup does nothing where there is no such signal.
func notifyHangup(chan os.Signal) {}
