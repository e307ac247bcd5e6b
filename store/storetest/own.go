package storetest

import (
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"
)

// A Server is a PostgreSQL of one test alone, which may stop it and start it
// again.
type Server struct {
	t        testing.TB
	bin, dir string
	attr     *syscall.SysProcAttr
	settings []string
	in       io.Closer
	ended    <-chan struct{}
}

// ownKeeper is keeper for a server whose folder outlives it.
const ownKeeper = `"$@" >>"$DIR/log" 2>&1 & p=$!
cat >/dev/null
kill -INT $p; wait $p`

// Own starts a PostgreSQL for one test, with settings ("max_connections=9")
// beside the usual ones. It ends with the test, or with the process. The test is
// skipped or fails as by Postgres where there is none.
func Own(t testing.TB, settings ...string) *Server {
	t.Helper()
	bin, dir, attr, err := makePostgres()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("PostgreSQL: %v", err)
		}
		t.Skipf("no PostgreSQL: %v", err)
	}
	s := &Server{t: t, bin: bin, dir: dir, attr: attr, settings: append([]string{"fsync=off"}, settings...)}
	t.Cleanup(func() {
		s.Stop()
		os.RemoveAll(dir)
	})
	s.Start()
	return s
}

// DSN is the address of one of its databases, for a user; "bot" is its
// superuser, and "postgres" is there from the start.
func (s *Server) DSN(user, database string) string {
	return fmt.Sprintf("host=%s user=%s dbname=%s", s.dir, user, database)
}

// Start starts it again and waits until it answers.
func (s *Server) Start() {
	s.t.Helper()
	in, ended, err := keepPostgres(s.bin, s.dir, s.attr, ownKeeper, s.settings...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.in, s.ended = in, ended
}

// Stop ends it as its operator does (pg_ctl stop -m fast), and waits until it
// is gone.
func (s *Server) Stop() {
	if s.in == nil {
		return
	}
	s.in.Close()
	<-s.ended
	s.in = nil
}
