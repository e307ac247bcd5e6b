package store

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"latchkey/bot"
)

// pgTexts is the SQL text of one kind of connection.
type pgTexts [stmtCount]string

func newPGTexts(lock bool) *pgTexts {
	var t pgTexts
	for i, s := range statements {
		t[i] = postgresText(s, lock)
	}
	return &t
}

// Statements that only PostgreSQL has: the work of a whole group in one.
const (
	pgEvents = `INSERT INTO event (channel, id, at) SELECT c, i, $3 FROM unnest($1::text[], $2::text[]) u(c, i)
		ORDER BY c, i ON CONFLICT DO NOTHING RETURNING channel, id`
	pgConversationsNew = `INSERT INTO conversation (id, channel, user_id, address, out_seq, version, updated)
		SELECT i, c, u, a, 0, 0, $5 FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[]) x(i, c, u, a)
		ORDER BY i ON CONFLICT DO NOTHING`
	pgClock = `SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint`
)

var (
	pgConversations = `SELECT ` + conversationTable.names("c.") + `, coalesce(i.person, ''), coalesce(i.level, 0) + CASE WHEN p.frozen_at <> 0 THEN 8 ELSE 0 END
		FROM conversation c LEFT JOIN identity i ON i.channel = c.channel AND i.user_id = c.user_id LEFT JOIN person p ON p.id = i.person
		WHERE c.id = ANY($1::text[]) ORDER BY c.id FOR UPDATE OF c`
	// It travels in one pipeline with COMMIT, so the server itself must refuse
	// when a row was not as it was read: it divides by zero.
	pgConversationsSave = `WITH saved AS (UPDATE conversation c SET ` + conversationSaved.froms("u.") + `, version = u.next
		FROM ` + pgSaved.unnest(1, "u") + ` WHERE c.id = u.id AND c.version = u.version RETURNING 1)
		SELECT 1 / (CASE WHEN count(*) = cardinality($1::bigint[]) THEN 1 ELSE 0 END) FROM saved`
	pgOutbox = `INSERT INTO outbox (` + outboxTable.names("") + `) SELECT ` + outboxTable.names("") + ` FROM ` + outboxTable.unnest(1, "u")
	pgMarked = append(outboxTable.only("owner"), outboxMarked...)
	// The index of owned rows holds a few, and the dead ones of the last minute:
	// the server would read it all for each mark, since it takes it to be small.
	// So each row's id is looked up first, and CASE keeps the conditions on the
	// row itself from being answered by that index, or taken to choose one row.
	pgMarks = `UPDATE outbox o SET ` + markText("o.owner", func(c string) string { return "u." + c }) + ` FROM ` + pgMarked.unnest(1, "u") + `
		CROSS JOIN LATERAL (SELECT f.id FROM outbox f WHERE f.conversation = u.conversation AND f.seq = u.seq AND f.live = 1 AND f.owner <> 0 OFFSET 0) f
		WHERE o.id = f.id AND CASE WHEN o.live = 1 AND o.owner <> 0 THEN ` + markFence("u.owner", "u.state", "u.receipt") + ` END`
	// Under the locks of the conversations: where something waits before what
	// their turns will say, and until when. What another process sends is
	// before it, too. And where events are deferred in another process.
	pgBehind = `SELECT b.conversation, coalesce(max(b.due), -1), coalesce(min(b.seq), -1), count(b.deferred) FROM (
		SELECT o.conversation, o.due, o.seq, CAST(NULL AS BIGINT) AS deferred FROM outbox o WHERE o.conversation = ANY($1::text[]) AND o.live = 1 AND o.owner = 0 AND o.lane < 2
		UNION ALL SELECT o.conversation, 0, o.seq, NULL FROM outbox o WHERE o.conversation = ANY($1::text[]) AND o.live = 1 AND o.owner <> 0
			AND o.owner <> $2 AND o.state = 0
		UNION ALL SELECT i.conversation, NULL, NULL, 1 FROM inbound i WHERE i.conversation = ANY($1::text[]) AND i.given_up = 0 AND i.owner <> $2) b GROUP BY b.conversation`
)

// A pgSave is a queued save: next is the version that it leaves.
type pgSave struct {
	conversationRow
	next int64
}

// pgSaved are the columns of pgConversationsSave.
var pgSaved = func() columns[pgSave] {
	cs := columns[pgSave]{{name: "next", num: func(v *pgSave) *int64 { return &v.next }}}
	for _, c := range append(conversationTable.only("id", "version"), conversationSaved...) {
		p := column[pgSave]{name: c.name}
		switch {
		case c.num != nil:
			p.num = func(v *pgSave) *int64 { return c.num(&v.conversationRow) }
		case c.text != nil:
			p.text = func(v *pgSave) *string { return c.text(&v.conversationRow) }
		default:
			p.blob = func(v *pgSave) *[]byte { return c.blob(&v.conversationRow) }
		}
		cs = append(cs, p)
	}
	return cs
}()

// pgConn is one connection to PostgreSQL inside a transaction. What nobody
// waits for is queued and travels with the next read, or with COMMIT.
type pgConn struct {
	c     *pgx.Conn
	texts *pgTexts
	count *counters
	first []string // texts that go before everything else: BEGIN, savepoints
	batch pgx.Batch
	row   pgRow
	saves []pgSave
	says  []outboxRow
	marks []outboxRow
	// failed is the first error since the last savepoint. The server has given
	// the transaction up then, even if the function did not say so.
	failed error
}

func (p *pgConn) queue(text string, args ...any) { p.batch.Queue(text, args...) }

// write implements conn.
func (p *pgConn) write(s stmt, args ...any) error {
	p.queue(p.texts[s], args...)
	return nil
}

// save implements conn. A second save of a conversation takes the place of the
// first.
func (p *pgConn) save(v *conversationRow) error {
	if i := len(p.saves) - 1; i >= 0 && p.saves[i].ID == v.ID && p.saves[i].next == v.Version {
		held := p.saves[i].Version
		p.saves[i] = pgSave{*v, v.Version + 1}
		p.saves[i].Version = held
		return nil
	}
	p.saves = append(p.saves, pgSave{*v, v.Version + 1})
	return nil
}

// say implements conn.
func (p *pgConn) say(v *outboxRow) error {
	p.says = append(p.says, *v)
	return nil
}

// mark implements conn. A second mark of a row must find what the first has left;
// the same one again, of a turn beside the outbox, would find nothing to do.
func (p *pgConn) mark(v *outboxRow) error {
	for i := range p.marks {
		if p.marks[i].conversation == v.conversation && p.marks[i].seq == v.seq {
			if pgMarked.same(&p.marks[i], v) {
				return nil
			}
			if err := p.flush(); err != nil {
				return err
			}
			break
		}
	}
	p.marks = append(p.marks, *v)
	return nil
}

// send puts what is queued before a text on the wire, with it, and reads all
// answers but the last. Marks stay for COMMIT unless the text may read them: two
// groups mark the same row at times, and neither waits for the other in a circle
// only when each marks all its rows at once, in one order.
func (p *pgConn) send(text string) (pgx.BatchResults, error) {
	var lead pgx.Batch
	var stay []outboxRow
	if text != "" && !strings.Contains(text, "outbox") {
		stay, p.marks = p.marks, nil
	}
	for _, text := range p.first {
		lead.Queue(text)
	}
	if len(p.saves) > 0 {
		lead.Queue(pgConversationsSave, pgSaved.arrays(nil, p.saves)...)
	}
	if len(p.says) > 0 {
		lead.Queue(pgOutbox, outboxTable.arrays(nil, p.says)...)
	}
	if len(p.marks) > 0 {
		slices.SortFunc(p.marks, func(a, b outboxRow) int {
			return cmp.Or(strings.Compare(a.conversation, b.conversation), cmp.Compare(a.seq, b.seq))
		})
		lead.Queue(pgMarks, pgMarked.arrays(nil, p.marks)...)
	}
	if p.failed != nil {
		p.drop()
		return nil, p.failed
	}
	out := &p.batch
	if len(lead.QueuedQueries) > 0 {
		lead.QueuedQueries = append(lead.QueuedQueries, p.batch.QueuedQueries...)
		out = &lead
	}
	n := len(out.QueuedQueries)
	last := len(p.batch.QueuedQueries) > 0
	sent := *out
	p.drop()
	if stay != nil {
		p.marks = stay
	}
	p.count.statements.Add(int64(n))
	p.count.trips.Add(1)
	br := p.c.SendBatch(context.Background(), &sent)
	if last {
		n--
	}
	for range n {
		if _, err := br.Exec(); err != nil {
			br.Close()
			if pe := (*pgconn.PgError)(nil); errors.As(err, &pe) && pe.Code == "22012" {
				err = fmt.Errorf("a conversation was saved over another change: %w", bot.ErrConflict)
			}
			return nil, p.fail(err)
		}
	}
	return br, nil
}

// drop forgets what is queued.
func (p *pgConn) drop() {
	p.first = p.first[:0]
	p.batch = pgx.Batch{}
	clear(p.saves)
	clear(p.says)
	clear(p.marks)
	p.saves, p.says, p.marks = p.saves[:0], p.says[:0], p.marks[:0]
}

// empty reports whether nothing is queued.
func (p *pgConn) empty() bool {
	return len(p.first) == 0 && len(p.batch.QueuedQueries) == 0 && len(p.saves) == 0 && len(p.says) == 0 && len(p.marks) == 0
}

// idle reports whether no transaction was begun on the server and none has to be.
func (p *pgConn) idle() bool {
	return p.c.PgConn().TxStatus() == 'I' && len(p.batch.QueuedQueries) == 0 && len(p.saves) == 0 && len(p.says) == 0 && len(p.marks) == 0
}

// flush sends what is queued and waits until it is done.
func (p *pgConn) flush() error {
	if p.empty() {
		return nil
	}
	br, err := p.send("")
	if err != nil {
		return err
	}
	return p.fail(br.Close())
}

// fail remembers the first error.
func (p *pgConn) fail(err error) error {
	if p.failed == nil {
		p.failed = err
	}
	return err
}

// commit sends what is queued together with COMMIT.
func (p *pgConn) commit() error {
	p.queue("COMMIT")
	br, err := p.send("")
	if err != nil {
		return err
	}
	tag, err := br.Exec()
	if cerr := br.Close(); err == nil {
		err = cerr
	}
	if err == nil && tag.String() != "COMMIT" {
		err = fmt.Errorf("the server answered COMMIT with %s", tag)
	}
	return p.fail(err)
}

// change implements conn.
func (p *pgConn) change(s stmt, args ...any) (int64, error) {
	p.queue(p.texts[s], args...)
	br, err := p.send(p.texts[s])
	if err != nil {
		return 0, err
	}
	tag, err := br.Exec()
	if cerr := br.Close(); err == nil {
		err = cerr
	}
	return tag.RowsAffected(), p.fail(err)
}

// read implements conn.
func (p *pgConn) read(s stmt, each func(row), args ...any) error {
	return p.fetch(p.texts[s], each, args...)
}

// ask implements texter.
func (p *pgConn) ask(text string, each func(row), args ...any) error {
	return p.fetch(postgresText(text, false), each, args...)
}

func (p *pgConn) fetch(text string, each func(row), args ...any) error {
	p.queue(text, args...)
	br, err := p.send(text)
	if err != nil {
		return err
	}
	err = p.rows(br, each)
	if cerr := br.Close(); err == nil {
		err = cerr
	}
	return p.fail(err)
}

// do implements texter.
func (p *pgConn) do(text string, args ...any) (int64, error) {
	p.queue(postgresText(text, false), args...)
	br, err := p.send(text)
	if err != nil {
		return 0, err
	}
	tag, err := br.Exec()
	if cerr := br.Close(); err == nil {
		err = cerr
	}
	return tag.RowsAffected(), p.fail(err)
}

// rows reads the next result of br.
func (p *pgConn) rows(br pgx.BatchResults, each func(row)) error {
	rows, err := br.Query()
	if err != nil {
		return err
	}
	for _, f := range rows.FieldDescriptions() {
		if f.Format != pgx.BinaryFormatCode && f.DataTypeOID != pgtype.TextOID { // both forms of TEXT are the same
			rows.Close()
			return fmt.Errorf("store: PostgreSQL sends column %s as text where the binary form is decoded", f.Name)
		}
	}
	for rows.Next() {
		p.row.raw = rows.RawValues()
		each(&p.row)
	}
	rows.Close()
	return rows.Err()
}

// run executes one text and waits.
func (p *pgConn) run(text string) (pgconn.CommandTag, error) {
	p.count.trips.Add(1)
	p.count.statements.Add(1)
	return p.c.Exec(context.Background(), text)
}

// pgRow implements row on the binary form that pgx asks for: integers big
// endian, TEXT and BYTEA as they are.
type pgRow struct{ raw [][]byte }

func (r *pgRow) int(i int) int64 {
	b := r.raw[i]
	switch len(b) {
	case 8:
		return int64(binary.BigEndian.Uint64(b))
	case 4:
		return int64(int32(binary.BigEndian.Uint32(b)))
	}
	return 0
}

func (r *pgRow) text(i int) string { return string(r.raw[i]) }

func (r *pgRow) blob(i int) []byte {
	if r.raw[i] == nil {
		return nil
	}
	return append(make([]byte, 0, len(r.raw[i])), r.raw[i]...)
}
