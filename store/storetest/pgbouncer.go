package storetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// PgBouncer puts a PgBouncer before the database of dsn, one of Postgres, and
// gives the DSN that leads through it. settings are lines of its configuration
// ("pool_mode = session"); what they leave out is as Debian has it. It ends
// with the test. Without PgBouncer on the machine the test is skipped, or fails
// when CI is "true".
func PgBouncer(t testing.TB, dsn string, settings ...string) string {
	t.Helper()
	bin, err := exec.LookPath("pgbouncer")
	if err != nil {
		bin = "/usr/sbin/pgbouncer"
		if _, err = os.Stat(bin); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal("PgBouncer: install the package pgbouncer")
			}
			t.Skip("no PgBouncer: it is neither in PATH nor in /usr/sbin: install the package pgbouncer")
		}
	}
	dir, err := os.MkdirTemp("/tmp", "storetest-pgb-") // a short path, see startPostgres
	if err != nil {
		t.Fatal(err)
	}
	conf, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	attr, err := asPostgres(dir)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	users := write("users.txt", "\"bot\" \"\"\n")
	ini := write("pgbouncer.ini", fmt.Sprintf("[databases]\n* = host=%s\n[pgbouncer]\nlisten_addr =\nlisten_port = 5432\nunix_socket_dir = %s\nauth_type = trust\nauth_file = %s\n%s\n",
		conf.Host, dir, users, strings.Join(settings, "\n")))
	sh := exec.Command("/bin/sh", "-c", keeper, "keeper", bin, ini)
	sh.Dir, sh.SysProcAttr = dir, attr
	sh.Env = append(os.Environ(), "DIR="+dir, "SIGNAL=TERM") // INT would wait for clients
	in, err := sh.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := sh.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		sh.Wait()
	})
	through := fmt.Sprintf("host=%s user=bot dbname=%s", dir, conf.Database)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		c, err := pgx.Connect(ctx, through)
		if err == nil {
			c.Close(ctx)
			return through
		}
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Fatalf("PgBouncer does not answer: %v\n%s", err, log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
