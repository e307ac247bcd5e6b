package store

import "testing"

func TestDialects(t *testing.T) {
	const text = `SELECT 1 /*postgres ::bigint*/ FROM t WHERE a = $1 AND b = $12 /*lock FOR UPDATE*/ /*sqlite LIMIT 1*/ /* plain words */`
	for _, c := range []struct{ got, want string }{
		{sqliteText(text), `SELECT 1  FROM t WHERE a = ?1 AND b = ?12  LIMIT 1 `},
		{postgresText(text, false), `SELECT 1 ::bigint FROM t WHERE a = $1 AND b = $12   `},
		{postgresText(text, true), `SELECT 1 ::bigint FROM t WHERE a = $1 AND b = $12 FOR UPDATE  `},
		{postgresText("x BLOB NOT NULL", false), "x BYTEA NOT NULL"},
		{sqliteText("open /*end"), "open /*end"},
	} {
		if c.got != c.want {
			t.Errorf("got  %q\nwant %q", c.got, c.want)
		}
	}
}

func TestIsPostgres(t *testing.T) {
	for dsn, want := range map[string]bool{
		"postgres://u@h/d": true, "postgresql://h": true, "host=/tmp user=x": true, "user=x host=h": true,
		"bot.db": false, "/var/lib/latchkey/bot.db": false, "data/host.db": false, "file:x.db": false,
	} {
		if got := isPostgres(dsn); got != want {
			t.Errorf("%q: %v", dsn, got)
		}
	}
}
