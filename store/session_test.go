package store_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/bot"
	"latchkey/store"
	"latchkey/store/storetest"
)

// works imports, talks, does a job and reads the settings that durability
// stands on.
func works(t *testing.T, dsn string) {
	t.Helper()
	db := open(t, dsn)
	rows := func(yield func(bot.Person, int) bool) {
		_ = yield(bot.Person{ID: "1", Username: "ann", Name: "Ann"}, 1) && yield(bot.Person{ID: "2", Username: "bob", Name: "Bob"}, 2)
	}
	rep, err := db.ImportPeople(t.Context(), rows, store.ImportOptions{})
	if err != nil || rep.Inserted != 2 || !rep.Stored {
		t.Errorf("import: %+v %v", rep, err)
	}
	check := []byte{0, 1, 2, 0xff, '\\', 'x'}
	if err := db.SetMeta(t.Context(), "check", check); err != nil {
		t.Error(err)
	}
	if got, err := db.Meta(t.Context(), "check"); err != nil || string(got) != string(check) {
		t.Errorf("meta %q %v", got, err)
	}
	done := make(chan string, 1)
	ws := new(store.Workers)
	store.Handle(ws, func(_ context.Context, j sendCode) error { done <- j.Challenge; return nil })
	if err := db.StartJobs(t.Context(), ws); err != nil {
		t.Fatal(err)
	}
	say(t, db, "1", "a")
	if err := db.Update(t.Context(), func(tx bot.Tx) error { return tx.Enqueue(sendCode{"c"}, time.Time{}) }); err != nil {
		t.Fatal(err)
	}
	select {
	case c := <-done:
		if c != "c" {
			t.Errorf("job %q", c)
		}
	case <-time.After(time.Minute):
		t.Error("the job is not done")
	}
	for k, want := range map[string]string{"synchronous_commit": "on", "jit": "off"} {
		if got := store.Setting(t, db, k, false); got != want {
			t.Errorf("%s = %q, want %q", k, got, want)
		}
	}
	for k, want := range map[string]string{"synchronous_commit": "on", "enable_seqscan": "off", "plan_cache_mode": "force_generic_plan", "lock_timeout": "10s"} {
		if got := store.Setting(t, db, k, true); got != want {
			t.Errorf("a writer: %s = %q, want %q", k, got, want)
		}
	}
}

// Whatever mode of pgx an address asks for, rows are what they are.
func TestEveryQueryExecMode(t *testing.T) {
	for _, set := range []string{"", "default_query_exec_mode=exec", "default_query_exec_mode=simple_protocol", "default_query_exec_mode=cache_describe",
		"default_query_exec_mode=describe_exec", "statement_cache_capacity=0", "statement_cache_capacity=0 description_cache_capacity=0 default_query_exec_mode=exec"} {
		t.Run(set, func(t *testing.T) { works(t, storetest.Postgres(t)+" "+set) })
	}
	t.Run("as an address", func(t *testing.T) {
		conf, err := pgx.ParseConfig(storetest.Postgres(t))
		if err != nil {
			t.Fatal(err)
		}
		works(t, "postgres://bot@/"+conf.Database+"?"+url.Values{"host": {conf.Host}, "default_query_exec_mode": {"exec"}}.Encode())
	})
}

// A new database, through the mode that added nobody, is migrated and used.
func TestExecModeOnAnEmptyDatabase(t *testing.T) {
	works(t, storetest.EmptyPostgres(t)+" default_query_exec_mode=simple_protocol")
}

// PgBouncer as Debian has it, in session mode, with and without parameters that
// it is told to ignore.
func TestPgBouncerSession(t *testing.T) {
	for _, c := range [][]string{
		{"pool_mode = session"},
		{}, // session is the default
		{"pool_mode = session", "ignore_startup_parameters = jit,synchronous_commit,enable_seqscan,enable_hashjoin,enable_mergejoin,plan_cache_mode,statement_timeout,lock_timeout"},
		{"pool_mode = session", "server_round_robin = 1", "default_pool_size = 12"},
	} {
		t.Run(strings.Join(c, ","), func(t *testing.T) { works(t, storetest.PgBouncer(t, storetest.Postgres(t), c...)) })
	}
}

func TestPgBouncerSessionContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) bot.Store {
		return open(t, storetest.PgBouncer(t, storetest.Postgres(t), "pool_mode = session"))
	})
}

// A session that others freed keeps nothing of theirs, and ours nothing of
// another's: the settings are made for every connection.
func TestPgBouncerSessionAgain(t *testing.T) {
	dsn := storetest.PgBouncer(t, storetest.Postgres(t), "pool_mode = session", "default_pool_size = 13")
	for range 3 {
		c, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Exec(t.Context(), "SET synchronous_commit = off"); err != nil {
			t.Fatal(err)
		}
		c.Close(t.Context())
		db := open(t, dsn)
		for _, writer := range []bool{false, true} {
			if got := store.Setting(t, db, "synchronous_commit", writer); got != "on" {
				t.Errorf("synchronous_commit = %q (writer: %v)", got, writer)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Transaction and statement pooling are refused by name, however many sessions
// the pool has free and in whatever order it gives them out, and nothing is
// stored.
func TestPgBouncerTransactionIsRefused(t *testing.T) {
	for _, c := range []struct {
		mode, order, size string
		free              int
	}{
		{"transaction", "0", "20", 0}, {"transaction", "0", "20", 1}, {"transaction", "0", "20", 5}, {"transaction", "0", "3", 3},
		{"transaction", "1", "20", 0}, {"transaction", "1", "20", 1}, {"transaction", "1", "20", 5}, {"transaction", "1", "1", 1},
		{"statement", "0", "20", 0}, {"statement", "1", "20", 5},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			direct := storetest.EmptyPostgres(t)
			dsn := storetest.PgBouncer(t, direct, "pool_mode = "+c.mode, "server_round_robin = "+c.order, "default_pool_size = "+c.size)
			warm(t, dsn, c.free)
			_, err := store.Open(t.Context(), store.Options{DSN: dsn})
			if err == nil || !strings.Contains(err.Error(), "pool_mode = session") || !strings.Contains(err.Error(), "transaction or statement mode") {
				t.Errorf("error %v", err)
			}
			conn, err := pgx.Connect(t.Context(), direct)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(t.Context())
			var n int
			if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_tables WHERE schemaname = 'public'`).Scan(&n); err != nil || n != 0 {
				t.Errorf("%d tables %v", n, err)
			}
		})
	}
}

// warm leaves n free sessions in the pool.
func warm(t *testing.T, dsn string, n int) {
	t.Helper()
	done := make(chan error, n)
	for range n {
		go func() {
			c, err := pgx.Connect(context.Background(), dsn)
			if err == nil {
				_, err = c.Exec(context.Background(), "SELECT pg_sleep(0.2)", pgx.QueryExecModeSimpleProtocol)
				c.Close(context.Background())
			}
			done <- err
		}()
	}
	for range n {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

// Where the pool is too small for one process, that is what is said.
func TestPgBouncerPoolTooSmall(t *testing.T) {
	dsn := storetest.PgBouncer(t, storetest.Postgres(t), "pool_mode = session", "default_pool_size = 1", "query_wait_timeout = 2")
	_, err := store.Open(t.Context(), store.Options{DSN: dsn})
	if err == nil || !strings.Contains(err.Error(), "default_pool_size") || !strings.Contains(err.Error(), "at least 12 sessions") {
		t.Errorf("error %v", err)
	}
}

// A setting that the server does not know is an error with its name, direct or
// through a pooler.
func TestUnknownSetting(t *testing.T) {
	_, err := store.Open(t.Context(), store.Options{DSN: storetest.Postgres(t) + " no_such_setting=1"})
	if err == nil || !strings.Contains(err.Error(), "no_such_setting") {
		t.Errorf("error %v", err)
	}
}
