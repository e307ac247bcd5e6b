package program

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/cmd/latchkey/programtest"
	"latchkey/store"
	"latchkey/store/storetest"
)

// A watched is a program of which only the store and the health checks run.
type watched struct {
	*Program
	t   *testing.T
	log *programtest.Buffer
	n   int
}

func watch(t *testing.T, dsn string) *watched {
	t.Helper()
	w := &watched{t: t, log: &programtest.Buffer{}}
	log := slog.New(slog.NewJSONHandler(w.log, nil))
	db, err := store.Open(t.Context(), store.Options{DSN: dsn, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.SetMeta(t.Context(), KeyCheck, []byte("x")); err != nil {
		t.Fatal(err)
	}
	w.Program = &Program{DB: db, Log: log}
	w.ready.Store(true)
	return w
}

// asked is what a health check answers.
func (w *watched) asked(path string) (int, string) {
	r := httptest.NewRecorder()
	w.Handler().ServeHTTP(r, httptest.NewRequest(http.MethodGet, path, nil))
	return r.Code, r.Body.String()
}

// wait asks both checks until they answer with a code.
func (w *watched) wait(code int, text string) {
	w.t.Helper()
	for _, path := range []string{"/healthz", "/readyz"} {
		for end := time.Now().Add(bottest.Patience); ; time.Sleep(50 * time.Millisecond) {
			got, said := w.asked(path)
			if got == code && strings.Contains(said, text) {
				break
			}
			if time.Now().After(end) {
				w.t.Fatalf("GET %s still answers %d %q, and should answer %d %q", path, got, said, code, text)
			}
		}
	}
}

// turn takes a person in.
func (w *watched) turn(size int) error {
	w.n++
	ctx, cancel := context.WithTimeout(w.t.Context(), bottest.Patience)
	defer cancel()
	ev := bot.Event{ID: fmt.Sprint("e", w.n), Channel: "t", Conversation: bot.ConversationID(fmt.Sprint("c", w.n)), From: "u"}
	return w.DB.Turn(ctx, &ev, func(tx bot.Tx, c *bot.Conversation) error {
		c.State = bytes.Repeat([]byte("x"), size)
		return tx.SaveConversation(c)
	})
}

// said counts the lines of the log with a text.
func (w *watched) said(text string) int { return strings.Count(w.log.String(), text) }

// A locked store says 503 with the reason, logs it once, lets nobody wait for
// long, and is well again by itself.
func TestHealthOfALockedStore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	w := watch(t, path)
	w.wait(http.StatusOK, "")
	other, err := sql.Open("sqlite3", path+"?_txlock=immediate&_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	lock, err := other.Begin()
	if err != nil {
		t.Fatal(err)
	}
	w.wait(http.StatusServiceUnavailable, "the store takes no writes since ")
	w.wait(http.StatusServiceUnavailable, "another program holds a lock on the database file")
	if err := w.turn(10); err == nil {
		t.Error("a turn was taken in by a locked store")
	}
	if code, _ := w.asked("/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("in between the store is said to be well: %d", code)
	}
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	w.wait(http.StatusOK, "")
	if err := w.turn(10); err != nil {
		t.Error(err)
	}
	if w.said("writes do not come through") != 1 || w.said("come through again") != 1 {
		t.Errorf("log:\n%s", w.log)
	}
}

// The health checks write a few bytes in five seconds, however often they are
// asked.
func TestHealthWritesSeldom(t *testing.T) {
	t.Parallel()
	w := watch(t, filepath.Join(t.TempDir(), "a.db"))
	w.wait(http.StatusOK, "")
	began, before := time.Now(), w.DB.Stats().Commits
	for range 500 {
		w.asked("/readyz")
	}
	if n := w.DB.Stats().Commits - before; n > int64(time.Since(began)/(5*time.Second))+1 {
		t.Errorf("500 looks in %v wrote %d times", time.Since(began), n)
	}
}

// A PostgreSQL that is gone makes /readyz and /healthz 503, and both are well
// again when it is back.
func TestHealthWithoutPostgres(t *testing.T) {
	t.Parallel()
	dsn := storetest.Postgres(t)
	p := &postgresProxy{t: t}
	w := watch(t, p.dsn(dsn))
	w.wait(http.StatusOK, "")
	p.close()
	w.wait(http.StatusServiceUnavailable, "PostgreSQL does not answer")
	p.open()
	w.wait(http.StatusOK, "")
	if err := w.turn(10); err != nil {
		t.Error(err)
	}
}

// A postgresProxy stands between the store and PostgreSQL, and can go away.
type postgresProxy struct {
	t        *testing.T
	from, to string // sockets
	mu       sync.Mutex
	listener net.Listener
	conns    []net.Conn
}

// dsn is an address of storetest through the proxy.
func (p *postgresProxy) dsn(dsn string) string {
	f := strings.Fields(dsn)
	dir := p.t.TempDir()
	p.to, p.from = strings.TrimPrefix(f[0], "host=")+"/.s.PGSQL.5432", dir+"/.s.PGSQL.5432"
	p.open()
	p.t.Cleanup(p.close)
	f[0] = "host=" + dir
	return strings.Join(f, " ")
}

func (p *postgresProxy) open() {
	l, err := net.Listen("unix", p.from)
	if err != nil {
		p.t.Fatal(err)
	}
	p.listener = l
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			d, err := net.Dial("unix", p.to)
			if err != nil {
				c.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, c, d)
			p.mu.Unlock()
			go func() { io.Copy(d, c); d.Close() }()
			go func() { io.Copy(c, d); c.Close() }()
		}
	}()
}

func (p *postgresProxy) close() {
	p.listener.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}
