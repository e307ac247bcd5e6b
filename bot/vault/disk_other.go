//go:build !unix

package vault

// lockDir does nothing where folders cannot be locked: there, change keys from
// one process at a time.
func lockDir(string) (unlock func(), err error) { return func() {}, nil }

// syncDir does nothing where a folder cannot be synced.
func syncDir(string) error { return nil }
