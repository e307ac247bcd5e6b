package store

import (
	"os"
	"syscall"
)

// lockDatabase takes the database file itself. Linux keeps these locks apart from
// those that SQLite takes (flock(2), NOTES), and network file systems, which do
// not, are refused.
func lockDatabase(f *os.File) error { return lockFile(f) }

// networkFS names the network file system that holds path, or is empty.
// SQLite's WAL needs shared memory, which these do not give (sqlite.org/wal.html).
func networkFS(path string) string {
	var s syscall.Statfs_t
	if syscall.Statfs(path, &s) != nil {
		return ""
	}
	switch uint32(s.Type) {
	case 0x6969:
		return "NFS"
	case 0x517B, 0xFE534D42, 0xFF534D42:
		return "SMB"
	case 0x01021997:
		return "9P"
	}
	return ""
}
