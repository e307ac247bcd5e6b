//go:build !unix

package storetest

import (
	"errors"
	"syscall"
)

func asPostgres(string) (*syscall.SysProcAttr, error) {
	return nil, errors.New("the throw-away PostgreSQL needs Unix sockets and sh")
}
