package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// sessionWait is how long a connection may take to be made, settings included.
// Behind a pooler it is also how long a place in the pool is waited for.
const sessionWait = 15 * time.Second

// prepareSessions makes sure that every connection of conf decodes what this
// package decodes and holds the settings that durability stands on.
//
// The mode in which pgx runs statements is pinned, whatever the address asks
// for: rows are decoded from the binary form, which "exec" and
// "simple_protocol" do not bring.
//
// The settings are made after connecting, and read back in a transaction of
// their own: PgBouncer refuses most of them while a connection starts, and one
// that is told to ignore them would lose synchronous_commit without a word.
func prepareSessions(conf *pgx.ConnConfig) {
	conf.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	if conf.StatementCacheCapacity <= 0 {
		conf.StatementCacheCapacity = 512 // the default of pgx
	}
	if conf.ConnectTimeout <= 0 {
		conf.ConnectTimeout = sessionWait
	}
	settings := maps.Clone(conf.RuntimeParams)
	conf.RuntimeParams = map[string]string{}
	for _, k := range []string{"application_name", "options"} { // PgBouncer takes the first, and only the start takes the second
		if v, ok := settings[k]; ok {
			conf.RuntimeParams[k] = v
			delete(settings, k)
		}
	}
	conf.AfterConnect = func(ctx context.Context, c *pgconn.PgConn) error { return applySettings(ctx, c, settings) }
}

// applySettings sets the settings for the session and refuses a session that
// does not keep them.
func applySettings(ctx context.Context, c *pgconn.PgConn, settings map[string]string) error {
	names := slices.Sorted(maps.Keys(settings))
	if len(names) == 0 {
		return nil
	}
	var set, get []string
	var args [][]byte
	for i, k := range names {
		set = append(set, fmt.Sprintf("set_config($%d, $%d, false)", 2*i+1, 2*i+2))
		get = append(get, fmt.Sprintf("current_setting($%d)", i+1))
		args = append(args, []byte(k), []byte(settings[k]))
	}
	want, err := oneRow(ctx, c, "SELECT "+strings.Join(set, ", "), args)
	if err != nil {
		return fmt.Errorf("set %s: %w", strings.Join(names, ", "), err)
	}
	args = args[:0]
	for _, k := range names {
		args = append(args, []byte(k))
	}
	got, err := oneRow(ctx, c, "SELECT "+strings.Join(get, ", "), args)
	if err != nil {
		return fmt.Errorf("read back %s: %w", strings.Join(names, ", "), err)
	}
	for i, k := range names {
		if got[i] != want[i] {
			return fmt.Errorf("%s was set to %q and is %q in the next transaction: %w", k, want[i], got[i], errNoSession)
		}
	}
	return nil
}

// oneRow reads one row of texts.
func oneRow(ctx context.Context, c *pgconn.PgConn, text string, args [][]byte) ([]string, error) {
	res := c.ExecParams(ctx, text, args, nil, nil, nil).Read()
	if res.Err != nil {
		return nil, res.Err
	}
	if len(res.Rows) != 1 {
		return nil, fmt.Errorf("%d rows instead of one", len(res.Rows))
	}
	var vs []string
	for _, v := range res.Rows[0] {
		vs = append(vs, string(v))
	}
	return vs, nil
}

// errNoSession is why a pooler that gives no session of its own is refused.
var errNoSession = errors.New("this address leads to a pooler in transaction or statement mode (PgBouncer: pool_mode), where every transaction may run in another session; " +
	"Latchkey needs a session of its own for its settings, locks and LISTEN: set pool_mode = session for this database, or give the address of PostgreSQL itself")

// checkSession refuses a connection whose transactions run in more than one
// session of the server.
//
// Direct connections are known by their key for cancelling, which names the
// server's process; a pooler gives a key of its own. Behind a pooler a second
// connection is opened. In transaction mode the pooler gives its most recently
// freed session to whoever begins next (then the second connection gets the
// first one's), or the one that was freed longest ago (then the first one's
// next transaction gets another, or the same is the only free one and the
// second gets it). In session mode the first keeps its session, and the second
// never has it.
func checkSession(ctx context.Context, c *pgx.Conn, conf *pgx.ConnConfig) error {
	first, err := serverPID(ctx, c)
	if err != nil || first == c.PgConn().PID() {
		return err
	}
	other, err := pgx.ConnectConfig(ctx, conf)
	if err != nil {
		return fmt.Errorf("open a second session through the pooler: %w; its pool must hold at least %d sessions for each process (PgBouncer: default_pool_size)", err, pgSessions)
	}
	defer other.Close(context.WithoutCancel(ctx))
	for range 3 {
		if _, err := other.Exec(ctx, "BEGIN"); err != nil {
			return fmt.Errorf("begin a transaction: %w: %w", err, errNoSession) // statement mode allows none
		}
		second, err := serverPID(ctx, other)
		if err != nil {
			return fmt.Errorf("ask in a transaction: %w: %w", err, errNoSession)
		}
		again, err := serverPID(ctx, c)
		if err != nil {
			return err
		}
		if second == first || again != first {
			return errNoSession
		}
		if _, err := other.Exec(ctx, "ROLLBACK"); err != nil {
			return err
		}
	}
	return nil
}

// serverPID is the process of the server that a connection leads to now.
func serverPID(ctx context.Context, c *pgx.Conn) (pid uint32, err error) {
	err = c.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pid)
	return pid, err
}
