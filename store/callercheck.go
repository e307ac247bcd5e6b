package store

import (
	"fmt"
	"time"

	"latchkey/bot"
)

// A checkRow is a row of the table caller_check.
type checkRow struct {
	bot.CallerCheck
	state, tries, at, expires, ended int64
}

// checkTable is the one list of the table's columns.
var checkTable = columns[checkRow]{
	{name: "id", text: func(v *checkRow) *string { return &v.ID }},
	{name: "person", text: func(v *checkRow) *string { return (*string)(&v.Person) }},
	{name: "ticket", text: func(v *checkRow) *string { return &v.Ticket }},
	{name: "agent", text: func(v *checkRow) *string { return (*string)(&v.Agent) }},
	{name: "act", text: func(v *checkRow) *string { return &v.Act }},
	{name: "method", text: func(v *checkRow) *string { return (*string)(&v.Method) }},
	{name: "way", text: func(v *checkRow) *string { return (*string)(&v.Way) }},
	{name: "target", text: func(v *checkRow) *string { return &v.Target }},
	{name: "second", text: func(v *checkRow) *string { return (*string)(&v.Second) }},
	{name: "state", num: func(v *checkRow) *int64 { return &v.state }},
	{name: "tries", num: func(v *checkRow) *int64 { return &v.tries }},
	{name: "at", num: func(v *checkRow) *int64 { return &v.at }},
	{name: "expires_at", num: func(v *checkRow) *int64 { return &v.expires }},
	{name: "ended_at", num: func(v *checkRow) *int64 { return &v.ended }},
	{name: "hash", blob: func(v *checkRow) *[]byte { return &v.Hash }},
	{name: "answer", blob: func(v *checkRow) *[]byte { return &v.Answer }},
	{name: "reason", blob: func(v *checkRow) *[]byte { return &v.Reason }},
	{name: "revision", num: func(v *checkRow) *int64 { return &v.Revision }},
}

var (
	checkInsert = `INSERT INTO caller_check (` + checkTable.names("") + `) VALUES (` + checkTable.params(1) + `) ON CONFLICT (id) DO NOTHING`
	checkUpdate = `UPDATE caller_check SET ` + checkTable[1:].sets(2) + fmt.Sprintf(` WHERE id = $1 AND revision = $%d`, len(checkTable)+1)
	checkSelect = `SELECT ` + checkTable.names("") + ` FROM caller_check `
)

// PutCallerCheck implements bot.CallerCheckTx.
func (t *tx) PutCallerCheck(c *bot.CallerCheck) error {
	if t.g == nil {
		return errReadOnly
	}
	v := checkRow{CallerCheck: *c, state: int64(c.State), tries: int64(c.Tries), at: millis(c.At), expires: millis(c.ExpiresAt), ended: millis(c.EndedAt)}
	v.Revision++
	text, args := checkInsert, checkTable.args(nil, &v)
	if c.Revision > 0 {
		text, args = checkUpdate, append(args, c.Revision)
	}
	n, err := t.c.(texter).do(text, args...)
	if err != nil {
		return wrap("store the check of a caller", err)
	}
	if n == 0 {
		return fmt.Errorf("store: check of a caller %s at revision %d: %w", c.ID, c.Revision, bot.ErrConflict)
	}
	c.Revision++
	return nil
}

func (t *tx) callerChecks(which string, args ...any) (cs []bot.CallerCheck, err error) {
	err = t.c.(texter).ask(checkSelect+which, func(r row) {
		var v checkRow
		checkTable.scan(r, 0, &v)
		c := v.CallerCheck
		c.State, c.Tries = bot.CallerCheckState(v.state), int(v.tries)
		c.At, c.ExpiresAt, c.EndedAt = fromMillis(v.at), fromMillis(v.expires), fromMillis(v.ended)
		cs = append(cs, c)
	}, args...)
	return cs, wrap("read checks of callers", err)
}

// CallerCheck implements bot.CallerCheckTx.
func (t *tx) CallerCheck(id string) (*bot.CallerCheck, error) {
	cs, err := t.callerChecks(`WHERE id = $1`, id)
	if err != nil {
		return nil, err
	}
	if len(cs) == 0 {
		return nil, notFound("check of a caller", id)
	}
	return &cs[0], nil
}

// CallerChecksOf implements bot.CallerCheckTx.
func (t *tx) CallerChecksOf(p bot.PersonID, since time.Time) ([]bot.CallerCheck, error) {
	return t.callerChecks(`WHERE person = $1 AND at >= $2 ORDER BY at DESC, id`, string(p), millis(since))
}

// CallerChecksBy implements bot.CallerCheckTx.
func (t *tx) CallerChecksBy(agent bot.PersonID, since time.Time) ([]bot.CallerCheck, error) {
	return t.callerChecks(`WHERE agent = $1 AND at >= $2 ORDER BY at DESC, id`, string(agent), millis(since))
}
