package store

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"latchkey/bot"
)

// A ticketRow is a row of the table ticket.
type ticketRow struct {
	bot.Ticket
	state, rating                               int64
	at, closed, waitsSince, takenAt, answeredAt int64
}

// ticketTable is the one list of the table's columns.
var ticketTable = columns[ticketRow]{
	{name: "id", text: func(v *ticketRow) *string { return &v.ID }},
	{name: "person", text: func(v *ticketRow) *string { return (*string)(&v.Person) }},
	{name: "conversation", text: func(v *ticketRow) *string { return (*string)(&v.Conversation) }},
	{name: "matter", text: func(v *ticketRow) *string { return &v.Matter }},
	{name: "flow", text: func(v *ticketRow) *string { return &v.Flow }},
	{name: "step", text: func(v *ticketRow) *string { return &v.Step }},
	{name: "error", text: func(v *ticketRow) *string { return &v.Error }},
	{name: "lang", text: func(v *ticketRow) *string { return &v.Lang }},
	{name: "at", num: func(v *ticketRow) *int64 { return &v.at }},
	{name: "closed_at", num: func(v *ticketRow) *int64 { return &v.closed }},
	{name: "state", num: func(v *ticketRow) *int64 { return &v.state }},
	{name: "agent", text: func(v *ticketRow) *string { return (*string)(&v.Agent) }},
	{name: "revision", num: func(v *ticketRow) *int64 { return &v.Revision }},
	{name: "waits_since", num: func(v *ticketRow) *int64 { return &v.waitsSince }},
	{name: "taken_at", num: func(v *ticketRow) *int64 { return &v.takenAt }},
	{name: "answered_at", num: func(v *ticketRow) *int64 { return &v.answeredAt }},
	{name: "words", text: func(v *ticketRow) *string { return &v.Words }},
	{name: "rating", num: func(v *ticketRow) *int64 { return &v.rating }},
	{name: "contact", blob: func(v *ticketRow) *[]byte { return &v.Contact }},
}

var (
	ticketInsert = `INSERT INTO ticket (` + ticketTable.names("") + `) VALUES (` + ticketTable.params(1) + `) ON CONFLICT (id) DO NOTHING`
	ticketUpdate = `UPDATE ticket SET ` + ticketTable[1:].sets(2) + fmt.Sprintf(` WHERE id = $1 AND revision = $%d`, len(ticketTable)+1)
	ticketSelect = `SELECT ` + ticketTable.names("") + ` FROM ticket `
)

// PutTicket implements bot.TicketTx.
func (t *tx) PutTicket(q *bot.Ticket) error {
	if t.g == nil {
		return errReadOnly
	}
	x := t.c.(texter)
	if q.At.IsZero() {
		q.At = t.now
	}
	if q.WaitsSince.IsZero() {
		q.WaitsSince = q.At
	}
	if q.State.Open() {
		other, err := t.TicketOf(q.Conversation)
		if err != nil && !errors.Is(err, bot.ErrNotFound) {
			return err
		}
		if err == nil && other.ID != q.ID {
			return fmt.Errorf("store: conversation %q already has the open ticket %s: %w", q.Conversation, other.ID, bot.ErrConflict)
		}
		q.ClosedAt = fromMillis(0)
	} else if q.ClosedAt.IsZero() {
		q.ClosedAt = t.now
	}
	v := ticketRow{Ticket: *q, state: int64(q.State), rating: int64(q.Rating), at: millis(q.At), closed: millis(q.ClosedAt),
		waitsSince: millis(q.WaitsSince), takenAt: millis(q.TakenAt), answeredAt: millis(q.AnsweredAt)}
	v.Revision++
	text, args := ticketInsert, ticketTable.args(nil, &v)
	if q.Revision > 0 {
		text, args = ticketUpdate, append(args, q.Revision)
	}
	n, err := x.do(text, args...)
	if err != nil {
		return wrap("store ticket", err)
	}
	if n == 0 {
		return fmt.Errorf("store: ticket %s at revision %d: %w", q.ID, q.Revision, bot.ErrConflict)
	}
	q.Revision++
	t.g.news = append(t.g.news, bot.News{Ticket: q.ID})
	return nil
}

func (t *tx) tickets(which string, args ...any) (qs []bot.Ticket, err error) {
	err = t.c.(texter).ask(ticketSelect+which, func(r row) {
		var v ticketRow
		ticketTable.scan(r, 0, &v)
		q := v.Ticket
		q.State, q.Rating = bot.TicketState(v.state), int(v.rating)
		q.At, q.ClosedAt = fromMillis(v.at), fromMillis(v.closed)
		q.WaitsSince, q.TakenAt, q.AnsweredAt = fromMillis(v.waitsSince), fromMillis(v.takenAt), fromMillis(v.answeredAt)
		qs = append(qs, q)
	}, args...)
	return qs, wrap("read tickets", err)
}

func (t *tx) oneTicket(what, id, which string) (*bot.Ticket, error) {
	qs, err := t.tickets(which, id)
	if err != nil {
		return nil, err
	}
	if len(qs) == 0 {
		return nil, notFound(what, id)
	}
	return &qs[0], nil
}

// Ticket implements bot.TicketTx.
func (t *tx) Ticket(id string) (*bot.Ticket, error) {
	return t.oneTicket("ticket", id, `WHERE id = $1`)
}

// TicketOf implements bot.TicketTx.
func (t *tx) TicketOf(c bot.ConversationID) (*bot.Ticket, error) {
	return t.oneTicket("open ticket of conversation", string(c), `WHERE conversation = $1 AND closed_at = 0`)
}

// TicketsOfPerson implements bot.TicketTx.
func (t *tx) TicketsOfPerson(p bot.PersonID) ([]bot.Ticket, error) {
	return t.tickets(`WHERE person = $1 ORDER BY at DESC, id LIMIT 100`, string(p))
}

// Tickets implements bot.TicketTx.
func (t *tx) Tickets(limit int) ([]bot.Ticket, error) {
	return t.tickets(`WHERE closed_at = 0 ORDER BY at, id LIMIT $1`, int64(limit))
}

// ClosedTickets implements bot.TicketTx.
func (t *tx) ClosedTickets(limit int) ([]bot.Ticket, error) {
	return t.tickets(`WHERE closed_at <> 0 ORDER BY closed_at DESC, id LIMIT $1`, int64(limit))
}

// ClosedSince implements bot.TicketTx.
func (t *tx) ClosedSince(since, before time.Time, id string, limit int) ([]bot.Ticket, error) {
	return t.tickets(`WHERE closed_at <> 0 AND closed_at >= $1 AND closed_at <= $2 AND (closed_at < $2 OR id < $3) ORDER BY closed_at DESC, id DESC LIMIT $4`,
		millis(since), millis(before), id, int64(limit))
}

// AddLine implements bot.TicketTx. The ticket's own row, which each line's
// transaction changes too, keeps two lines from getting one number.
func (t *tx) AddLine(l *bot.TicketLine) error {
	if t.g == nil {
		return errReadOnly
	}
	l.At = t.now
	err := t.c.(texter).ask(`INSERT INTO ticket_line (ticket, no, at, kind, agent, code, body)
		VALUES ($1, 1 + coalesce((SELECT max(no) FROM ticket_line WHERE ticket = $1), 0), $2, $3, $4, $5, $6) RETURNING no`,
		func(r row) { l.No = r.int(0) }, l.Ticket, t.ms, int64(l.Kind), string(l.By), l.Code, l.Body)
	t.g.news = append(t.g.news, bot.News{Ticket: l.Ticket})
	if err == nil && t.db.onLine != nil {
		err = t.db.onLine(t, l)
	}
	return wrap("add a line to a ticket", err)
}

// OnLine says what else happens in each transaction that adds a line to a ticket.
// It is called once, before anybody writes.
func (db *DB) OnLine(fn func(tx bot.Tx, l *bot.TicketLine) error) { db.onLine = fn }

// TellNext implements bot.TicketTx. It writes the row in any case: on PostgreSQL
// that makes whoever ends telling, and whoever adds a line, come one after the
// other.
func (t *tx) TellNext(ticket string, was, next int64) (ok bool, err error) {
	if t.g == nil {
		return false, errReadOnly
	}
	err = t.c.(texter).ask(`UPDATE ticket SET telling = CASE WHEN telling = $2 THEN CAST($3 AS BIGINT) ELSE telling END WHERE id = $1 RETURNING telling`,
		func(r row) { ok = r.int(0) == next }, ticket, was, next)
	return ok, wrap("note what is told of a ticket", err)
}

func (t *tx) lines(which string, ticket string, args ...any) (ls []bot.TicketLine, err error) {
	err = t.c.(texter).ask(`SELECT no, at, kind, agent, code, body FROM ticket_line WHERE ticket = $1 AND `+which, func(r row) {
		ls = append(ls, bot.TicketLine{Ticket: ticket, No: r.int(0), At: fromMillis(r.int(1)), Kind: bot.LineKind(r.int(2)),
			By: bot.PersonID(r.text(3)), Code: r.text(4), Body: r.blob(5)})
	}, append([]any{ticket}, args...)...)
	return ls, wrap("read the lines of a ticket", err)
}

// Lines implements bot.TicketTx.
func (t *tx) Lines(ticket string, after int64) ([]bot.TicketLine, error) {
	return t.lines(`no > $2 ORDER BY no`, ticket, after)
}

// oneLine is lines for at most one.
func (t *tx) oneLine(what, which, ticket string, args ...any) (*bot.TicketLine, error) {
	ls, err := t.lines(which, ticket, args...)
	if err != nil {
		return nil, err
	}
	if len(ls) == 0 {
		return nil, notFound(what+" in ticket", ticket)
	}
	return &ls[0], nil
}

// NextLine implements bot.TicketTx.
func (t *tx) NextLine(ticket string, after int64) (*bot.TicketLine, error) {
	return t.oneLine("a later line", `no > $2 ORDER BY no LIMIT 1`, ticket, after)
}

var amongCodes = strings.ReplaceAll(among, "$1", "$4")

// LastEvent implements bot.TicketTx.
func (t *tx) LastEvent(ticket string, below int64, codes ...string) (*bot.TicketLine, error) {
	return t.oneLine("such an event", `no < $2 AND kind = $3 AND code IN `+amongCodes+` ORDER BY no DESC LIMIT 1`, ticket, below, int64(bot.LineEvent), array(codes))
}

// Turns implements bot.TicketTx.
func (t *tx) Turns(tickets []string, codes ...string) (ls []bot.TicketLine, err error) {
	err = t.c.(texter).ask(`SELECT ticket, no, at, kind, agent, code FROM ticket_line WHERE ticket IN `+among+`
		AND (kind <= $2 OR kind = $3 AND code IN `+amongCodes+`) ORDER BY ticket, no`, func(r row) {
		ls = append(ls, bot.TicketLine{Ticket: r.text(0), No: r.int(1), At: fromMillis(r.int(2)), Kind: bot.LineKind(r.int(3)), By: bot.PersonID(r.text(4)), Code: r.text(5)})
	}, array(tickets), int64(bot.LineAgent), int64(bot.LineEvent), array(codes))
	return ls, wrap("read who spoke in tickets", err)
}

// LastSaid implements bot.TicketTx.
func (t *tx) LastSaid(ticket string) (*bot.TicketLine, error) {
	return t.oneLine("a line that was said", `kind <= $2 ORDER BY no DESC LIMIT 1`, ticket, int64(bot.LineAgent))
}

// PutAgent implements bot.TicketTx.
func (t *tx) PutAgent(a *bot.DeskAgent) error {
	if t.g == nil {
		return errReadOnly
	}
	a.At = t.now
	_, err := t.c.(texter).do(`INSERT INTO agent (person, role, by_whom, why, at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (person) DO UPDATE SET role = excluded.role, by_whom = excluded.by_whom, why = excluded.why, at = excluded.at`,
		string(a.Person), string(a.Role), a.By, a.Why, t.ms)
	return wrap("store agent", err)
}

// DropAgent implements bot.TicketTx.
func (t *tx) DropAgent(p bot.PersonID) error {
	if t.g == nil {
		return errReadOnly
	}
	_, err := t.c.(texter).do(`DELETE FROM agent WHERE person = $1`, string(p))
	return wrap("drop agent", err)
}

func (t *tx) agents(which string, args ...any) (as []bot.DeskAgent, err error) {
	err = t.c.(texter).ask(`SELECT person, role, by_whom, why, at FROM agent `+which, func(r row) {
		as = append(as, bot.DeskAgent{Person: bot.PersonID(r.text(0)), Role: bot.Role(r.text(1)), By: r.text(2), Why: r.text(3), At: fromMillis(r.int(4))})
	}, args...)
	return as, wrap("read agents", err)
}

// Agent implements bot.TicketTx.
func (t *tx) Agent(p bot.PersonID) (*bot.DeskAgent, error) {
	as, err := t.agents(`WHERE person = $1`, string(p))
	if err != nil {
		return nil, err
	}
	if len(as) == 0 {
		return nil, notFound("agent", string(p))
	}
	return &as[0], nil
}

// Agents implements bot.TicketTx.
func (t *tx) Agents() ([]bot.DeskAgent, error) { return t.agents(`ORDER BY person`) }
