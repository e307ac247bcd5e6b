package store

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"latchkey/bot"
	"latchkey/bot/failpoint"
)

// pgWriter is one of the PostgreSQL writers, with a connection of its own.
type pgWriter struct {
	p    *postgres
	q    *queue
	conf *pgx.ConnConfig
	pg   pgConn
	done chan struct{}
	t    tx
	g    group

	// What the first round trip of a group found out.
	fresh map[eventKey]bool
	found map[bot.ConversationID]*bot.Conversation
	queue map[bot.ConversationID]behind
	args  pgTurns
}

type eventKey struct {
	channel bot.ChannelID
	id      string
}

// pgTurns are the turns of a group as columns.
type pgTurns struct {
	channel, event, conversation, user []string
	address                            [][]byte
}

// run is the writer.
func (w *pgWriter) run() {
	clean := false
	var batch []*request
	defer func() {
		if clean {
			close(w.done)
			return
		}
		// A function ended this goroutine. Undo its group and go on.
		w.disconnect()
		w.pg.drop()
		w.pg.failed = nil
		for _, r := range batch {
			r.err = errGone
		}
		answer(batch)
		go w.run()
	}()
	for {
		batch = w.q.take(batch[:0], true)
		if len(batch) == 0 {
			clean = true
			return
		}
		w.commit(batch)
		news := w.g.news
		answer(batch)
		w.p.db.mail.tell(news)
		runtime.Gosched()
	}
}

// commit runs a group until it is committed or failed, and leaves each outcome
// in its request.
func (w *pgWriter) commit(batch []*request) {
	single := false
	for try := 0; ; try++ {
		sent, err := w.group(batch, single)
		if err == nil {
			w.p.db.tell(batch)
			return
		}
		lost := w.broken()
		if lost {
			w.p.db.doubt()
		}
		w.undo()
		if err == errFunction {
			if len(batch) == 1 {
				return // its error is in the request
			}
			w.p.db.count.reruns.Add(1)
			single, try = true, -1
			continue
		}
		// When COMMIT may have arrived, the turns find their event ids or do
		// not; an Update has nothing to tell by.
		if try < retries && (!sent && (again(err) || lost) || sent && lost && onlyTurns(batch)) {
			w.p.db.count.reruns.Add(1)
			pause(try)
			continue
		}
		if !sent && !single && !lost && len(batch) > 1 {
			// A queued statement of one of them failed; find out whose.
			w.p.db.count.reruns.Add(1)
			single, try = true, -1
			continue
		}
		if sent && lost {
			err = fmt.Errorf("the connection broke during COMMIT, the outcome is unknown: %w", err)
		}
		if lost || sent {
			w.p.db.met(err)
		}
		w.g = group{}
		for _, r := range batch {
			r.err = wrap("PostgreSQL", err)
		}
		return
	}
}

func onlyTurns(batch []*request) bool {
	for _, r := range batch {
		if r.ev == nil {
			return false
		}
	}
	return true
}

// errFunction says that a function failed, not the database.
var errFunction = fmt.Errorf("a function failed")

// group runs the batch in one transaction. sent says that COMMIT may have
// reached the server.
func (w *pgWriter) group(batch []*request, single bool) (sent bool, err error) {
	if err := w.ready(); err != nil {
		return false, err
	}
	w.g = group{}
	w.t = w.p.db.newTx(&w.pg, &w.g)
	w.pg.first = append(w.pg.first, "BEGIN")
	if single {
		err = w.each(batch)
	} else {
		err = w.all(batch)
	}
	if err != nil {
		return false, err
	}
	if err := w.g.head.settle(&w.pg); err != nil {
		return false, err
	}
	if len(w.g.jobs) == 0 && w.pg.idle() {
		w.pg.drop() // nothing was read or written
		return false, nil
	}
	if len(w.g.jobs) > 0 {
		if err := w.pg.flush(); err != nil {
			return false, err
		}
		if _, err := w.p.insert.InsertManyTx(context.Background(), pgTx{w.pg.c}, w.g.jobs); err != nil {
			return false, wrap("insert jobs", err)
		}
		// River leaves out notices that follow each other closely.
		for _, name := range append([]string{river.QueueDefault}, w.g.queues...) {
			w.pg.queue(`SELECT pg_notify(current_schema() || '.river_insert', '{"queue":"` + name + `"}')`)
		}
	}
	// Everything but COMMIT may fail without doubt about the outcome, but
	// sending it apart would cost a round trip. What fails before it is an
	// error of the server, which rolls back; only a broken connection leaves
	// a doubt.
	failpoint.Hit("store.commit.before")
	if err := w.pg.commit(); err != nil {
		return w.broken(), err
	}
	failpoint.Hit("store.commit.after")
	w.p.db.noteAudit(&w.g.head)
	w.p.db.count.commits.Add(1)
	w.p.db.count.syncs.Add(1)
	return true, nil
}

// ready makes sure that there is a connection and that the time is right.
func (w *pgWriter) ready() error {
	if w.broken() {
		w.disconnect()
		w.pg.drop()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := w.connect(ctx); err != nil {
			return err
		}
	}
	if w.p.db.clock.due() {
		return w.measure()
	}
	return nil
}

// undo rolls back what was begun, if anything.
func (w *pgWriter) undo() {
	w.pg.drop()
	w.pg.failed = nil
	w.g = group{}
	if w.broken() {
		return
	}
	if w.pg.c.PgConn().TxStatus() != 'I' {
		if _, err := w.pg.run("ROLLBACK"); err != nil {
			w.p.db.log.Warn("store: rollback failed", "err", err)
			w.disconnect()
		}
	}
}

// all runs the batch without savepoints: one round trip to note, lock and read
// for all of them, then the functions.
func (w *pgWriter) all(batch []*request) error {
	if err := w.open(batch); err != nil {
		return err
	}
	for _, r := range batch {
		if r.err = w.one(r); r.err != nil && r.err != errRepeat {
			if again(r.err) || w.broken() {
				return r.err
			}
			return errFunction
		}
	}
	return nil
}

// each runs every function in a savepoint of its own.
func (w *pgWriter) each(batch []*request) error {
	for i, r := range batch {
		w.pg.first = append(w.pg.first, "SAVEPOINT one")
		before := w.g
		err := w.open(batch[i : i+1])
		if err == nil {
			if err = w.one(r); err == nil {
				err = w.pg.flush()
			}
		}
		r.err = err
		if err != nil && err != errRepeat {
			if again(err) || w.broken() {
				return err
			}
			w.g = before
			if n := len(w.pg.first); n > 0 { // nothing of it was sent
				first := append([]string(nil), w.pg.first[:n-1]...)
				w.pg.drop()
				w.pg.first = append(w.pg.first, first...)
				continue
			}
			w.pg.drop()
			w.pg.failed = nil
			if _, err := w.pg.run("ROLLBACK TO one"); err != nil {
				return err
			}
		}
		w.pg.first = append(w.pg.first, "RELEASE one")
	}
	return nil
}

// open notes the events of the turns, makes conversations that are new, and
// locks and reads them in the order of their ids.
func (w *pgWriter) open(batch []*request) error {
	a := &w.args
	*a = pgTurns{a.channel[:0], a.event[:0], a.conversation[:0], a.user[:0], a.address[:0]}
	if w.fresh == nil {
		w.fresh, w.found, w.queue = map[eventKey]bool{}, map[bot.ConversationID]*bot.Conversation{}, map[bot.ConversationID]behind{}
	}
	clear(w.fresh)
	clear(w.found)
	clear(w.queue)
	for _, r := range batch {
		if ev := r.ev; ev != nil {
			a.channel, a.event = append(a.channel, string(ev.Channel)), append(a.event, ev.ID)
			a.conversation, a.user = append(a.conversation, string(ev.Conversation)), append(a.user, ev.From)
			a.address = append(a.address, ev.Address)
		}
	}
	if len(a.event) == 0 {
		return nil
	}
	w.pg.queue(pgEvents, a.channel, a.event, w.t.ms)
	w.pg.queue(pgConversationsNew, a.conversation, a.channel, a.user, a.address, w.t.ms)
	w.pg.queue(pgConversations, a.conversation)
	sends := w.t.sender != bot.Nobody
	if sends { // else all that is said waits
		w.pg.queue(pgBehind, a.conversation, int64(w.t.sender))
	}
	return w.opened(sends)
}

// opened sends what open queued, and reads it.
func (w *pgWriter) opened(behinds bool) error {
	begin := len(w.pg.first)
	var out pgx.Batch
	for _, text := range w.pg.first {
		out.Queue(text)
	}
	out.QueuedQueries = append(out.QueuedQueries, w.pg.batch.QueuedQueries...)
	w.pg.drop()
	w.pg.count.statements.Add(int64(len(out.QueuedQueries)))
	w.pg.count.trips.Add(1)
	br := w.pg.c.SendBatch(context.Background(), &out)
	defer br.Close()
	for range begin {
		if _, err := br.Exec(); err != nil {
			return err
		}
	}
	err := w.pg.rows(br, func(r row) { w.fresh[eventKey{bot.ChannelID(r.text(0)), r.text(1)}] = true })
	if err != nil {
		return wrap("note events", err)
	}
	if _, err := br.Exec(); err != nil {
		return wrap("insert conversations", err)
	}
	err = w.pg.rows(br, func(r row) {
		c := scanConversation(r)
		w.found[c.ID] = c
	})
	if err != nil {
		return wrap("read conversations", err)
	}
	if behinds {
		err = w.pg.rows(br, func(r row) {
			w.queue[bot.ConversationID(r.text(0))] = behind{r.int(1) >= 0, max(0, r.int(1)), r.int(2) == 0, r.int(3) > 0}
		})
		if err != nil {
			return wrap("look for messages that wait", err)
		}
	}
	return br.Close()
}

// one runs one request.
func (w *pgWriter) one(r *request) error {
	w.t.turn, w.t.mine = nil, nil
	if r.ev == nil {
		return w.call(r, nil)
	}
	k := eventKey{r.ev.Channel, r.ev.ID}
	if !w.fresh[k] {
		return errRepeat
	}
	delete(w.fresh, k) // a second one in this group is a repeat
	if w.queue[r.ev.Conversation].deferred && !r.ev.Deferred && !r.ev.Kind.Ours() {
		return fmt.Errorf("store: conversation %q: %w", r.ev.Conversation, bot.ErrDeferred)
	}
	c := w.found[r.ev.Conversation]
	if c == nil {
		return fmt.Errorf("store: conversation %q is gone", r.ev.Conversation)
	}
	stored := *c
	if c.User == "" && r.ev.From != "" {
		c.User = r.ev.From
		if err := w.pg.read(identityGet, func(r row) { known(r, c) }, string(c.Channel), c.User); err != nil {
			return wrap("read identity", err)
		}
	}
	w.t.turn, w.t.held, w.t.mine, w.t.behind = &stored, c.Version, c, w.queue[c.ID]
	if w.t.sender == bot.Nobody {
		w.t.behind.unplaced = true // nobody has looked: whoever sends gives places
	}
	return w.call(r, c)
}

// call runs the function and does not let it hide an error of the server.
func (w *pgWriter) call(r *request, c *bot.Conversation) error {
	if err := r.call(&w.t, c); err != nil {
		return err
	}
	return w.pg.failed
}
