//go:build !unix

package command

// private does nothing where files have no mode; the folder's rights decide.
func private() {}
