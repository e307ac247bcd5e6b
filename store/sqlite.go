package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	sqlite3 "github.com/mattn/go-sqlite3"

	"latchkey/bot"
	"latchkey/bot/failpoint"
)

// lite is the SQLite backend.
type lite struct {
	db   *DB
	path string
	lock sqliteLock
	q    *queue
	w    *liteConn // the writer's
	// gate is the right to write. The writer holds it for a group; River's
	// connection and long work (an import, a backup's end) take it in turn, so
	// that nobody sleeps in SQLite's busy handler.
	gate      sync.Mutex
	importing sync.Mutex // one import at a time
	bridge    *bridge
	done      chan struct{} // the writer has ended
	readers   chan *liteConn
	slots     chan struct{} // how many readers may be open
	ck        checkpointer
	once      sync.Once
	t         tx
	g         group
	began     bool
	hasty     bool // the last BEGIN met a lock: the next one waits only busyAgain
}

const readers = 8

func (db *DB) openSQLite(ctx context.Context) error {
	path, err := filepath.Abs(strings.TrimPrefix(strings.TrimPrefix(db.opts.DSN, "sqlite://"), "file:"))
	if err != nil {
		return fmt.Errorf("store: path %q: %w", db.opts.DSN, err)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("store: make the data folder: %w", err)
	}
	if fs := networkFS(dir); fs != "" {
		return fmt.Errorf("store: %s is on a network file system (%s), where SQLite loses data: put it on a local disk or use PostgreSQL", path, fs)
	}
	lock, err := lockSQLite(path)
	if err != nil {
		return err
	}
	l := &lite{db: db, path: path, lock: lock, q: newQueue(), done: make(chan struct{}),
		readers: make(chan *liteConn, readers), slots: make(chan struct{}, readers)}
	// 16 MiB of pages: more is not faster, since the system has the file in memory too.
	l.w, err = openLite(path, "&_journal_mode=WAL", &db.count, "cache_size=-16384", "wal_autocheckpoint=0", "journal_size_limit=67108864", "temp_store=MEMORY")
	if err != nil {
		lock.give()
		return err
	}
	err = l.checkPragmas()
	if err == nil {
		l.bridge = newBridge(l.w)
		err = l.migrate(ctx)
	}
	if err == nil {
		err = l.ck.open(l)
	}
	if err != nil {
		l.w.close()
		lock.give()
		return err
	}
	db.back = l
	go l.run()
	return nil
}

// lockWait is how long a file waits for another process that has it.
const lockWait = 2 * time.Second

// A sqliteLock keeps other processes away from a database: by a file beside it,
// and by the database itself, since the other one looks like a leftover and may
// be deleted.
type sqliteLock struct{ beside, database *os.File }

// lockSQLite takes the lock of the database at path, and makes the file if there
// is none.
func lockSQLite(path string) (l sqliteLock, err error) {
	if l.beside, err = takeFile(path, path+".lock", lockFile); err != nil {
		return l, err
	}
	// SQLite would make the file readable for everyone; its WAL follows it.
	if l.database, err = takeFile(path, path, lockDatabase); err != nil {
		unlockFile(l.beside)
	}
	return l, err
}

// give gives the database free, when all its connections are closed: closing the
// file takes SQLite's own locks of this process away, too (fcntl(2)).
func (l *sqliteLock) give() error { return errors.Join(unlockFile(l.database), unlockFile(l.beside)) }

// takeFile opens a file and locks it for the database at path.
func takeFile(path, name string, lock func(*os.File) error) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	// Another command may be about to end: operators give several at once.
	err = lock(f)
	for end := time.Now().Add(lockWait); err != nil && time.Now().Before(end); err = lock(f) {
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("store: %s is in use by another Latchkey process: stop that one first, or use PostgreSQL, which several processes may share (%w)", path, err)
	}
	return f, nil
}

// InUse says whether another process has the SQLite database at path open.
func InUse(path string) bool {
	return held(path+".lock", lockFile) || held(path, lockDatabase)
}

// held says whether another process has locked a file.
func held(name string, lock func(*os.File) error) bool {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	if lock(f) != nil {
		f.Close()
		return true
	}
	unlockFile(f)
	return false
}

// checkPragmas reads back what durability stands on.
func (l *lite) checkPragmas() error {
	for _, p := range []struct {
		name string
		want any
	}{{"journal_mode", "wal"}, {"synchronous", int64(2)}, {"foreign_keys", int64(1)}, {"secure_delete", int64(1)},
		{"busy_timeout", int64(10000)}, {"wal_autocheckpoint", int64(0)}} {
		got, err := l.w.value("PRAGMA " + p.name)
		if err != nil {
			return fmt.Errorf("store: read pragma %s of %s: %w", p.name, l.path, err)
		}
		if got != p.want {
			return fmt.Errorf("store: %s refuses pragma %s: it is %v and must be %v; is the file on an ordinary local disk?", l.path, p.name, got, p.want)
		}
	}
	return nil
}

func (l *lite) submit(ctx context.Context, r *request) error { return l.q.do(ctx, r) }

// run is the writer.
func (l *lite) run() {
	clean := false
	var batch []*request
	defer func() {
		if clean {
			close(l.done)
			return
		}
		// A function ended this goroutine. Undo its group and go on.
		l.undo()
		l.gate.Unlock()
		for _, r := range batch {
			r.err = errGone
		}
		answer(batch)
		go l.run()
	}()
	for {
		batch = l.q.take(batch[:0], false)
		if len(batch) == 0 {
			clean = true
			return
		}
		l.gate.Lock()
		l.commit(batch)
		nudge, queued, news := len(l.g.jobs) > 0, len(l.g.queues) > 0, l.g.news
		l.gate.Unlock()
		answer(batch)
		l.db.mail.tell(news)
		if nudge {
			l.db.jobs.nudge(queued)
		}
		l.ck.wrote()
		// Those who got an answer may have more: let them speak first.
		runtime.Gosched()
	}
}

// commit runs a group in one transaction and leaves each outcome in its request.
func (l *lite) commit(batch []*request) {
	err := l.begin()
	if err == nil {
		switch {
		case l.attempt(batch):
			err = l.end()
		case len(batch) == 1: // nobody else to save
			l.undo()
			l.g = group{}
			return
		default:
			l.db.count.reruns.Add(1)
			l.undo()
			if err = l.begin(); err == nil {
				if err = l.attemptEach(batch); err == nil {
					err = l.end()
				}
			}
		}
	}
	if err != nil {
		l.undo()
		l.g = group{}
		l.db.met(err)
		for _, r := range batch {
			r.err = err
		}
		return
	}
	l.db.tell(batch)
}

// attempt runs the group without savepoints and reports whether all went well.
func (l *lite) attempt(batch []*request) bool {
	for _, r := range batch {
		if r.err = l.one(r); r.err != nil && r.err != errRepeat {
			return false
		}
	}
	return true
}

// attemptEach runs each function in a savepoint of its own.
func (l *lite) attemptEach(batch []*request) error {
	for _, r := range batch {
		if err := l.w.exec("SAVEPOINT one"); err != nil {
			return wrap("savepoint", err)
		}
		before := l.g
		if r.err = l.one(r); r.err != nil && r.err != errRepeat {
			if err := l.w.exec("ROLLBACK TO one"); err != nil {
				return wrap("rollback to savepoint", err)
			}
			l.g = before
		}
		if err := l.w.exec("RELEASE one"); err != nil {
			return wrap("release savepoint", err)
		}
	}
	return nil
}

// one runs one request.
func (l *lite) one(r *request) error {
	l.t.turn, l.t.mine = nil, nil
	var c *bot.Conversation
	if r.ev != nil {
		var err error
		if c, err = l.open(r.ev); err != nil {
			return err
		}
	}
	if err := r.call(&l.t, c); err != nil {
		return err
	}
	if l.w.c.AutoCommit() {
		// SQLite gave the transaction up (disk full, I/O error) and the
		// function did not say so.
		return fmt.Errorf("store: SQLite ended the transaction on %s by itself; is the disk full?", l.path)
	}
	return nil
}

// open notes the event, and reads or makes its conversation.
func (l *lite) open(ev *bot.Event) (*bot.Conversation, error) {
	n, err := l.w.change(eventInsert, string(ev.Channel), ev.ID, l.t.ms)
	if err != nil {
		return nil, wrap("note event", err)
	}
	if n == 0 {
		return nil, errRepeat
	}
	var c *bot.Conversation
	found := false
	l.t.behind = behind{}
	err = l.w.read(conversationOpen, func(r row) {
		found = true
		c = scanConversation(r)
		l.t.behind = behindOf(r.int(conversationWidth))
	}, string(ev.Conversation))
	if err != nil {
		return nil, wrap("read conversation", err)
	}
	if !found {
		c = &bot.Conversation{ID: ev.Conversation, Channel: ev.Channel, User: ev.From, Address: ev.Address, Updated: l.t.now}
		if err := l.w.write(conversationInsert, conversationTable.args(nil, &conversationRow{*c, l.t.ms})...); err != nil {
			return nil, wrap("insert conversation", err)
		}
	}
	stored := *c
	if c.User == "" {
		c.User = ev.From
	}
	if c.Person == "" && c.User != "" && (!found || stored.User == "") {
		if err := l.w.read(identityGet, func(r row) { known(r, c) }, string(c.Channel), c.User); err != nil {
			return nil, wrap("read identity", err)
		}
	}
	l.t.turn, l.t.held, l.t.mine = &stored, c.Version, c
	return c, nil
}

// behindOf reads the last column of conversationOpen: 0, or twice the time, one,
// and one more when a row has no place.
func behindOf(v int64) behind {
	if v == 0 {
		return behind{}
	}
	return behind{waits: true, until: (v - 1) / 2, unplaced: (v-1)%2 == 1}
}

// busyAgain is how long, in milliseconds, the writer waits for a lock that it
// has waited for in vain before: nobody's answer hangs for the whole of
// busy_timeout again.
const busyAgain = 1000

func (l *lite) begin() error {
	if err := l.w.exec("BEGIN IMMEDIATE"); err != nil {
		if !l.hasty {
			l.hasty = l.w.exec(fmt.Sprintf("PRAGMA busy_timeout = %d", busyAgain)) == nil
		}
		return fmt.Errorf("store: begin: %w (another program may hold a lock on %s)", err, l.path)
	}
	l.began = true
	if l.hasty {
		l.hasty = l.w.exec("PRAGMA busy_timeout = 10000") != nil
	}
	l.g = group{}
	l.t = l.db.newTx(l.w, &l.g)
	return nil
}

// end stores what the group shares and commits.
func (l *lite) end() error {
	if err := l.g.head.settle(l.w); err != nil {
		return err
	}
	if len(l.g.jobs) > 0 {
		if err := l.bridge.insert(l.db, l.g.jobs); err != nil {
			return err
		}
	}
	failpoint.Hit("store.commit.before")
	if err := l.w.exec("COMMIT"); err != nil {
		return fmt.Errorf("store: commit to %s: %w", l.path, err)
	}
	l.began = false
	failpoint.Hit("store.commit.after")
	l.db.noteAudit(&l.g.head)
	l.db.count.commits.Add(1)
	l.db.count.syncs.Add(1)
	return nil
}

// undo rolls back what was begun, if anything.
func (l *lite) undo() {
	if !l.began {
		return
	}
	l.began = false
	if !l.w.c.AutoCommit() {
		if err := l.w.exec("ROLLBACK"); err != nil {
			l.db.log.Error("store: rollback failed", "path", l.path, "err", err)
		}
	}
}

// view implements backend. It runs on the caller's goroutine.
func (l *lite) view(ctx context.Context, fn func(*tx) error) error {
	c, err := l.reader(ctx)
	if err != nil {
		return err
	}
	defer func() { l.readers <- c }()
	if err := c.exec("BEGIN"); err != nil {
		l.db.doubt()
		return wrap("begin view", err)
	}
	defer c.exec("ROLLBACK")
	t := l.db.newTx(c, nil)
	err = fn(&t)
	if failed := (sqlite3.Error{}); errors.As(err, &failed) {
		l.db.doubt()
	}
	return err
}

// reader gives a free connection, opening one when all are busy.
func (l *lite) reader(ctx context.Context) (*liteConn, error) {
	select {
	case c := <-l.readers:
		return l.usable(c)
	default:
	}
	select {
	case c := <-l.readers:
		return l.usable(c)
	case <-ctx.Done():
		return nil, ctx.Err()
	case l.slots <- struct{}{}:
		c, err := openLite(l.path, "", &counters{}, "query_only=1")
		if err != nil {
			<-l.slots
		}
		return c, err
	}
}

// usable refuses the connection that close leaves behind.
func (l *lite) usable(c *liteConn) (*liteConn, error) {
	if c == nil {
		l.readers <- nil
		return nil, ErrClosed
	}
	return c, nil
}

func (l *lite) close() (err error) {
	l.once.Do(func() {
		l.q.close()
		<-l.done
		l.ck.close()
		for range len(l.slots) {
			if c := <-l.readers; c != nil {
				c.close()
			}
		}
		// From here on the pool hands out the refusal only.
		for len(l.slots) < readers {
			l.slots <- struct{}{}
		}
		l.readers <- nil
		l.bridge.close()
		err = l.w.close()
		if lerr := l.lock.give(); err == nil {
			err = lerr
		}
	})
	return err
}
