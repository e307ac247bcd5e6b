package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/bot"
)

// mail is this process as one that sends: its id, and who is to be told of what
// was committed for it.
type mail struct {
	worker atomic.Int64 // bot.WorkerID; 0: this process sends nothing
	others atomic.Bool  // other processes that send live

	mu    sync.Mutex
	heard func([]bot.News)
	link  *pgMail // to the others; nil: none
}

var _ bot.MailStore = (*DB)(nil)

// KeepTranscripts says which channels keep what is said there (bot.OutboxRow.Keep),
// for messages to conversations other than a turn's own. Call it before any is said.
func (db *DB) KeepTranscripts(chs map[bot.ChannelID]bool) { db.keeps = chs }

// NewWorker implements bot.MailStore. On SQLite it frees what the processes of
// before had, in the same transaction.
func (db *DB) NewWorker(ctx context.Context, life time.Duration, heard func([]bot.News)) (bot.Worker, error) {
	db.mail.mu.Lock()
	db.mail.heard = heard
	db.mail.mu.Unlock()
	w, err := db.back.newWorker(ctx, life)
	if err != nil {
		return bot.Worker{}, err
	}
	db.mail.worker.Store(int64(w.ID))
	return w, nil
}

// Beat implements bot.MailStore.
func (db *DB) Beat(ctx context.Context, id bot.WorkerID, life time.Duration, bury bool) (others int, err error) {
	others, err = db.back.beat(ctx, id, life, bury)
	if err == nil && db.mail.others.Swap(others > 0) != (others > 0) {
		go db.back.share() // the next beat does not wait for the turns
	}
	return others, err
}

// EndWorker implements bot.MailStore.
func (db *DB) EndWorker(ctx context.Context, id bot.WorkerID) error {
	db.mail.worker.CompareAndSwap(int64(id), 0)
	return db.update(ctx, func(t *tx) error {
		_, err := t.c.(texter).do(`DELETE FROM worker WHERE id = $1`, int64(id))
		return wrap("end a worker", err)
	})
}

// tell passes on what a commit means for whoever sends.
func (m *mail) tell(news []bot.News) {
	if len(news) == 0 {
		return
	}
	m.hear(news)
	if link := m.line(); link != nil && m.others.Load() {
		link.tell(news)
	}
}

// hear tells whoever sends in this process.
func (m *mail) hear(news []bot.News) {
	m.mu.Lock()
	heard := m.heard
	m.mu.Unlock()
	if heard != nil {
		heard(news)
	}
}

func (m *mail) line() *pgMail {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.link
}

// newWorker implements backend.
func (l *lite) newWorker(ctx context.Context, _ time.Duration) (bot.Worker, error) {
	w := bot.Worker{Alone: true}
	err := l.db.update(ctx, func(t *tx) error {
		x := t.c.(texter)
		err := x.ask(`INSERT INTO worker (beat_until) VALUES ($1) RETURNING id`, func(r row) { w.ID = bot.WorkerID(r.int(0)) }, t.ms)
		if err == nil {
			_, err = x.do(`DELETE FROM worker WHERE id <> $1`, int64(w.ID))
		}
		if err != nil {
			return wrap("make a worker", err)
		}
		dead, err := t.Orphans()
		if err == nil {
			_, err = t.Free(dead, 1<<30)
		}
		return err
	})
	return w, err
}

// beat implements backend.
func (l *lite) beat(context.Context, bot.WorkerID, time.Duration, bool) (int, error) { return 0, nil }

// share implements backend.
func (l *lite) share() {}

// The statements of workers on PostgreSQL go by the server's clock alone.
const (
	pgNow       = `(extract(epoch FROM clock_timestamp()) * 1000)::bigint`
	pgWorkerNew = `INSERT INTO worker (beat_until) VALUES (` + pgNow + ` + $1) RETURNING id`
	pgBeat      = `UPDATE worker SET beat_until = ` + pgNow + ` + $2 WHERE id = $1
		RETURNING (SELECT count(*) FROM worker w WHERE w.id <> $1 AND w.beat_until >= ` + pgNow + `),
		(SELECT count(*) FROM worker w WHERE w.id <> $1 AND w.beat_until < ` + pgNow + `)`
	pgBury = `DELETE FROM worker WHERE id <> $1 AND beat_until < ` + pgNow
)

const (
	// mailTopic is the channel of notifications, within the schema.
	mailTopic = "latchkey_mail"
	// mailGather is how long news for other processes are gathered.
	mailGather = 2 * time.Millisecond
	// mailPayload is what a notification holds at most, in bytes; PostgreSQL
	// takes 7,999.
	mailPayload = 7000
	// mailWait is how long one statement of a worker may take.
	mailWait = 2 * time.Second
)

// pgMail is this process's line to the others that send: one connection to beat
// and to tell, whose commits wait for no disk, and one to listen. A notification
// never travels in a turn's transaction: the server would hold a lock on the
// whole database through the commit's sync.
type pgMail struct {
	p     *postgres
	topic string
	stop  context.CancelFunc
	done  sync.WaitGroup

	using sync.Mutex // of out
	out   *pgx.Conn

	mu    sync.Mutex
	news  map[bot.News]bool
	timer *time.Timer
	ended bool
}

// newWorker implements backend.
func (p *postgres) newWorker(ctx context.Context, life time.Duration) (bot.Worker, error) {
	m := p.db.mail.line()
	if m == nil {
		m = &pgMail{p: p, news: map[bot.News]bool{}}
		err := m.with(ctx, func(ctx context.Context, c *pgx.Conn) error {
			return c.QueryRow(ctx, `SELECT current_schema() || '.' || $1::text`, mailTopic).Scan(&m.topic)
		})
		if err != nil {
			return bot.Worker{}, err
		}
		var run context.Context
		run, m.stop = context.WithCancel(context.WithoutCancel(ctx))
		m.done.Go(func() { m.listen(run) })
		p.db.mail.mu.Lock()
		p.db.mail.link = m
		p.db.mail.mu.Unlock()
	}
	var w bot.Worker
	err := m.with(ctx, func(ctx context.Context, c *pgx.Conn) error {
		return c.QueryRow(ctx, pgWorkerNew, life.Milliseconds()).Scan((*int64)(&w.ID))
	})
	return w, wrap("make a worker", err)
}

// beat implements backend.
func (p *postgres) beat(ctx context.Context, id bot.WorkerID, life time.Duration, bury bool) (int, error) {
	m := p.db.mail.line()
	if m == nil {
		return 0, fmt.Errorf("store: worker %d: %w", id, bot.ErrNotFound)
	}
	var others, late int
	err := m.with(ctx, func(ctx context.Context, c *pgx.Conn) error {
		err := c.QueryRow(ctx, pgBeat, int64(id), life.Milliseconds()).Scan(&others, &late)
		if errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("worker %d was ended by another process: %w", id, bot.ErrNotFound)
		}
		if err == nil && late > 0 && bury {
			_, err = c.Exec(ctx, pgBury, int64(id))
		}
		return err
	})
	return others, wrap("beat", err)
}

// with runs fn on the connection for beats, which it opens when there is none.
func (m *pgMail) with(ctx context.Context, fn func(context.Context, *pgx.Conn) error) error {
	m.using.Lock()
	defer m.using.Unlock()
	ctx, cancel := context.WithTimeout(ctx, mailWait)
	defer cancel()
	if m.out == nil || m.out.IsClosed() {
		c, err := pgx.ConnectConfig(ctx, m.p.mailing)
		if err != nil {
			m.p.db.doubt()
			return wrap("connect to PostgreSQL", err)
		}
		m.out = c
	}
	err := fn(ctx, m.out)
	if m.out.IsClosed() {
		m.p.db.doubt()
	}
	return err
}

// tell gathers news for the other processes.
func (m *pgMail) tell(news []bot.News) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		return
	}
	first := len(m.news) == 0
	for _, n := range news {
		m.news[n] = true
	}
	switch {
	case !first:
	case m.timer == nil:
		m.timer = time.AfterFunc(mailGather, m.send)
	default:
		m.timer.Reset(mailGather)
	}
}

// A note is a notification: who sends it, and News.
type note struct {
	From int64      `json:"w"`
	News []bot.News `json:"n"`
}

// send tells the others what was gathered. What they do not hear they find by
// themselves, a little later.
func (m *pgMail) send() {
	m.mu.Lock()
	n := note{From: m.p.db.mail.worker.Load()}
	for v := range m.news {
		n.News = append(n.News, v)
	}
	clear(m.news)
	m.mu.Unlock()
	for len(n.News) > 0 {
		part := n
		body, err := json.Marshal(part)
		for err == nil && len(body) > mailPayload && len(part.News) > 1 {
			part.News = part.News[:len(part.News)/2]
			body, err = json.Marshal(part)
		}
		n.News = n.News[len(part.News):]
		if err == nil {
			err = m.with(context.Background(), func(ctx context.Context, c *pgx.Conn) error {
				_, err := c.Exec(ctx, `SELECT pg_notify($1, $2)`, m.topic, string(body))
				return err
			})
		}
		if err != nil {
			m.p.db.log.Warn("store: other processes are not told of new messages at once; they look by themselves every second", "err", err)
			return
		}
	}
}

// listen hears the others until ctx ends.
func (m *pgMail) listen(ctx context.Context) {
	for wait := time.Duration(0); ctx.Err() == nil; wait = time.Second {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if err := m.hear(ctx); err != nil && ctx.Err() == nil {
			m.p.db.doubt()
			m.p.db.log.Warn("store: does not hear the other processes; looks by itself until it does again", "err", err)
		}
	}
}

// hear is one connection's life of listen.
func (m *pgMail) hear(ctx context.Context) error {
	c, err := pgx.ConnectConfig(ctx, m.p.mailing)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	if _, err := c.Exec(ctx, "LISTEN "+pgx.Identifier{m.topic}.Sanitize()); err != nil {
		return err
	}
	m.p.db.mail.hear(nil) // whatever came before
	for {
		got, err := c.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		var n note
		if json.Unmarshal([]byte(got.Payload), &n) == nil && n.From != m.p.db.mail.worker.Load() {
			m.p.db.mail.hear(n.News)
		}
	}
}

// close ends the line.
func (m *pgMail) close() {
	m.mu.Lock()
	m.ended = true
	if m.timer != nil {
		m.timer.Stop()
	}
	m.mu.Unlock()
	m.stop()
	m.done.Wait()
	m.using.Lock()
	defer m.using.Unlock()
	if m.out != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		m.out.Close(ctx)
	}
}
