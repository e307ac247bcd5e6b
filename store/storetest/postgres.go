package storetest

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/store"
)

// A server is one throw-away PostgreSQL, shared by the tests of a binary.
type server struct {
	start func() (string, error)
	named atomic.Int64
	mu    sync.Mutex
	made  bool     // the template has its tables
	free  []string // databases that were emptied again
}

var (
	quick   = &server{start: sync.OnceValues(func() (string, error) { return startPostgres("off") })}
	durable = &server{start: sync.OnceValues(func() (string, error) { return startPostgres("on") })}
)

// Postgres gives the DSN of a fresh database, with its tables made and nothing
// in them, of a PostgreSQL that the test binary starts once, on a Unix socket
// in a temporary folder, and that ends with it, however it ends. It does not
// wait for the disk. Without PostgreSQL on the machine the test is skipped, or
// fails when CI is "true".
func Postgres(t testing.TB) (dsn string) {
	t.Helper()
	return quick.database(t, true)
}

// EmptyPostgres is Postgres without tables.
func EmptyPostgres(t testing.TB) (dsn string) {
	t.Helper()
	return quick.database(t, false)
}

// DurablePostgres is Postgres with fsync on, for benchmarks.
func DurablePostgres(t testing.TB) (dsn string) {
	t.Helper()
	return durable.database(t, true)
}

func (s *server) database(t testing.TB, tables bool) string {
	t.Helper()
	dir, err := s.start()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("PostgreSQL: %v", err)
		}
		t.Skipf("no PostgreSQL: %v", err)
	}
	dsn := func(db string) string { return fmt.Sprintf("host=%s user=bot dbname=%s", dir, db) }
	run := func(db, text string) error {
		ctx := context.Background()
		c, err := pgx.Connect(ctx, dsn(db))
		if err != nil {
			return err
		}
		defer c.Close(ctx)
		_, err = c.Exec(ctx, text)
		return err
	}
	name, err := s.fresh(tables, run, dsn)
	if err != nil {
		t.Fatalf("create a database: %v", err)
	}
	t.Cleanup(func() {
		if tables && !t.Failed() && run(name, empty) == nil {
			s.mu.Lock()
			s.free = append(s.free, name)
			s.mu.Unlock()
			return
		}
		if err := run("postgres", "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the database: %v", err)
		}
	})
	return dsn(name)
}

// empty deletes all rows of all tables but those that say which tables there are.
const empty = `DO $$ DECLARE r record; BEGIN
	FOR r IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename NOT IN ('latchkey_schema', 'river_migration')
	LOOP EXECUTE format('DELETE FROM %I', r.tablename); END LOOP;
	INSERT INTO audit_head (one, seq, hash) VALUES (1, 0, NULL);
END $$`

// fresh names a database: an emptied one, or a copy of one with tables, which
// is much quicker than the migrations, or a new one.
func (s *server) fresh(tables bool, run func(db, text string) error, dsn func(string) string) (string, error) {
	s.mu.Lock() // nobody may be in a template while it is copied
	defer s.mu.Unlock()
	name := fmt.Sprintf("t%d", s.named.Add(1))
	if !tables {
		return name, run("postgres", "CREATE DATABASE "+name)
	}
	if n := len(s.free); n > 0 {
		name, s.free = s.free[n-1], s.free[:n-1]
		return name, nil
	}
	if !s.made {
		if err := run("postgres", "CREATE DATABASE made"); err != nil {
			return "", err
		}
		db, err := store.Open(context.Background(), store.Options{DSN: dsn("made")})
		if err == nil {
			err = db.Close()
		}
		if err != nil {
			return "", fmt.Errorf("make the tables: %w", err)
		}
		s.made = true
	}
	return name, run("postgres", "CREATE DATABASE "+name+" TEMPLATE made")
}

// keeper runs a server until its standard input ends, which it does when the
// test binary ends, even by a signal; then it stops the server by its id and
// removes the folder.
const keeper = `"$@" >"$DIR/log" 2>&1 & p=$!
cat >/dev/null
kill -${SIGNAL:-INT} $p; wait $p
rm -rf "$DIR"`

func startPostgres(fsync string) (dir string, err error) {
	bin, dir, attr, err := makePostgres()
	if err != nil {
		return "", err
	}
	commit := "off"
	if fsync == "on" {
		commit = "on"
	}
	_, _, err = keepPostgres(bin, dir, attr, keeper, "fsync="+fsync, "synchronous_commit="+commit, "full_page_writes="+fsync)
	return dir, err // it stops with this process
}

// makePostgres makes the data of a server in a folder of its own.
func makePostgres() (bin, dir string, attr *syscall.SysProcAttr, err error) {
	if bin, err = findPostgres(); err != nil {
		return "", "", nil, err
	}
	dir, err = os.MkdirTemp("/tmp", "storetest-pg-") // a short path: sockets allow 107 bytes
	if err != nil {
		return "", "", nil, err
	}
	if attr, err = asPostgres(dir); err != nil {
		return "", "", nil, err
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"), "-U", "bot", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C")
	initdb.Dir, initdb.SysProcAttr = dir, attr
	if out, err := initdb.CombinedOutput(); err != nil {
		os.RemoveAll(dir)
		return "", "", nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	return bin, dir, attr, nil
}

// keepPostgres starts the server of a folder under a keeper and waits until it
// answers. Closing in stops the server; ended is closed when the keeper has ended.
func keepPostgres(bin, dir string, attr *syscall.SysProcAttr, keeper string, settings ...string) (in io.Closer, ended <-chan struct{}, err error) {
	sh := exec.Command("/bin/sh", "-c", keeper, "keeper", filepath.Join(bin, "postgres"), "-D", filepath.Join(dir, "data"), "-k", dir, "-c", "listen_addresses=",
		"-c", "max_connections=100", "-c", "shared_buffers=128MB", "-c", "max_wal_size=2GB")
	for _, s := range settings {
		sh.Args = append(sh.Args, "-c", s)
	}
	sh.Dir, sh.SysProcAttr = dir, attr
	sh.Env = append(os.Environ(), "DIR="+dir)
	if in, err = sh.StdinPipe(); err != nil {
		return nil, nil, err
	}
	if err := sh.Start(); err != nil {
		return nil, nil, err
	}
	done := make(chan struct{})
	go func() {
		sh.Wait()
		close(done)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		c, err := pgx.Connect(ctx, "host="+dir+" user=bot dbname=postgres")
		if err == nil {
			return in, done, c.Close(ctx)
		}
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			return nil, nil, fmt.Errorf("postgres does not answer: %w\n%s", err, log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// findPostgres looks in PATH, then where Debian and others put it.
func findPostgres() (bin string, err error) {
	if p, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(p), nil
	}
	var found []string
	for _, glob := range []string{"/usr/lib/postgresql/*/bin/initdb", "/usr/pgsql-*/bin/initdb", "/opt/homebrew/opt/postgresql@*/bin/initdb", "/usr/local/opt/postgresql@*/bin/initdb"} {
		m, _ := filepath.Glob(glob)
		found = append(found, m...)
	}
	if len(found) == 0 {
		return "", fmt.Errorf("initdb is neither in PATH nor in /usr/lib/postgresql: install the package postgresql")
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1]), nil
}

// lookup gives the ids of a user.
func lookup(name string) (uid, gid uint32, err error) {
	u, err := user.Lookup(name)
	if err != nil {
		return 0, 0, fmt.Errorf("initdb refuses root, and there is no user %q to run it: %w", name, err)
	}
	a, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return 0, 0, err
	}
	b, err := strconv.ParseUint(u.Gid, 10, 32)
	return uint32(a), uint32(b), err
}
