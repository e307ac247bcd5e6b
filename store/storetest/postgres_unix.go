//go:build unix

package storetest

import (
	"os"
	"syscall"
)

// asPostgres makes dir usable for whoever runs PostgreSQL, which refuses root:
// then it is the user postgres.
func asPostgres(dir string) (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() != 0 {
		return attr, nil
	}
	uid, gid, err := lookup("postgres")
	if err != nil {
		return nil, err
	}
	attr.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	return attr, os.Chown(dir, int(uid), int(gid))
}
