package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"latchkey/bot"
)

// A Resealer renews what depends on a key.
type Resealer struct {
	// Reseal opens sealed at its place and seals it with the newest key. nil
	// or an equal result leaves the value as it is.
	Reseal func(place string, sealed []byte) ([]byte, error)
	// DestHash makes the keyed hash of a method's number or address again;
	// m.Sealed is what Reseal gave. It is asked for methods that have a
	// DestHash. nil leaves them as they are.
	DestHash func(m *bot.Method) ([]byte, error)
}

// resealKey is where the walk has come to.
const resealKey = "store.reseal"

// The tables of the walk, in its order.
const (
	resealMethods    = "method"
	resealSecrets    = "secret"
	resealChallenges = "challenge"
	resealInbound    = "inbound"
	resealOutbox     = "outbox"
	resealTickets    = "ticket"
	resealChecks     = "caller_check"
	resealRefs       = "reference" // of people in the audit record: bound by a key, not sealed
)

// Reseal renews the next batch of sealed values and reports how many rows it
// looked at, and whether there are more. The place that it has come to is
// stored in the same transaction, so that a walk that was interrupted goes on
// there, in this process or another; after the last batch a new walk begins.
// Turns go on meanwhile. Values that are stored during the walk are sealed with
// the newest key anyway.
func (db *DB) Reseal(ctx context.Context, batch int, r Resealer) (done int, more bool, err error) {
	if batch <= 0 {
		batch = 200
	}
	err = db.update(ctx, func(t *tx) error {
		done, more = 0, false
		at, err := t.meta(resealKey)
		if err != nil && !errors.Is(err, bot.ErrNotFound) {
			return err
		}
		table, after, _ := strings.Cut(string(at), "|")
		if table == "" {
			table = resealMethods
		}
		w := resealWalk{t: t, c: t.c.(texter), r: r, batch: batch}
		switch table {
		case resealMethods:
			done, after, err = w.methods(after)
		case resealSecrets:
			done, after, err = w.secrets(after)
		case resealChallenges:
			done, after, err = w.challenges(after)
		case resealInbound:
			done, after, err = w.inbound(after)
		case resealOutbox:
			done, after, err = w.outbox(after)
		case resealTickets:
			done, after, err = w.tickets(after)
		case resealChecks:
			done, after, err = w.checks(after)
		case resealRefs:
			done, after, err = w.refs(after)
		default:
			err = fmt.Errorf("unknown place %q of the walk: delete meta %q", at, resealKey)
		}
		if err != nil {
			return err
		}
		if done < batch { // this table is through
			next := map[string]string{resealMethods: resealSecrets, resealSecrets: resealChallenges, resealChallenges: resealInbound, resealInbound: resealOutbox,
				resealOutbox: resealTickets, resealTickets: resealChecks, resealChecks: resealRefs}
			table, after = next[table], ""
		}
		more = table != ""
		if more {
			table += "|" + after
		}
		return t.setMeta(resealKey, []byte(table))
	})
	if err != nil {
		return 0, true, wrap("reseal", err)
	}
	return done, more, nil
}

type resealWalk struct {
	t     *tx
	c     texter
	r     Resealer
	batch int
}

// renew gives the new form of a value, and whether it differs.
func (w *resealWalk) renew(place string, sealed []byte) ([]byte, bool, error) {
	if sealed == nil {
		return nil, false, nil
	}
	v, err := w.r.Reseal(place, sealed)
	if err != nil {
		return sealed, false, fmt.Errorf("value at %q: %w", place, err)
	}
	if v == nil || bytes.Equal(v, sealed) {
		return sealed, false, nil
	}
	return v, true, nil
}

func (w *resealWalk) methods(after string) (int, string, error) {
	var ms []bot.Method
	err := w.c.ask(`SELECT `+methodColumns+` FROM method WHERE id > $1 ORDER BY id LIMIT $2 /*postgres FOR UPDATE*/`,
		func(r row) { ms = append(ms, scanMethod(r)) }, after, int64(w.batch))
	for i := range ms {
		if err != nil {
			break
		}
		m := &ms[i]
		after = string(m.ID)
		var changed bool
		if m.Sealed, changed, err = w.renew(m.Place(), m.Sealed); err != nil {
			break
		}
		if m.DestHash != nil && m.Sealed != nil && w.r.DestHash != nil {
			h, herr := w.r.DestHash(m)
			if herr != nil {
				return 0, "", fmt.Errorf("hash of method %q: %w", m.ID, herr)
			}
			changed = changed || !bytes.Equal(h, m.DestHash)
			m.DestHash = h
		}
		if changed {
			_, err = w.c.do(`UPDATE method SET sealed = $2, dest_hash = $3 WHERE id = $1`, string(m.ID), m.Sealed, m.DestHash)
		}
	}
	return len(ms), after, err
}

func (w *resealWalk) secrets(after string) (int, string, error) {
	type secret struct {
		bot.MethodSecret
		person bot.PersonID
	}
	no, method := int64(-1), ""
	if n, m, ok := strings.Cut(after, "|"); ok {
		no, _ = strconv.ParseInt(n, 10, 64)
		method = m
	}
	var ss []secret
	err := w.c.ask(`SELECT s.method, s.no, s.name, s.sealed, m.person FROM method_secret s JOIN method m ON m.id = s.method
		WHERE (s.method, s.no) > ($1, $2) ORDER BY s.method, s.no LIMIT $3 /*postgres FOR UPDATE OF s*/`, func(r row) {
		ss = append(ss, secret{bot.MethodSecret{Method: bot.MethodID(r.text(0)), No: int(r.int(1)), Name: r.text(2), Sealed: r.blob(3)}, bot.PersonID(r.text(4))})
	}, method, no, int64(w.batch))
	for i := range ss {
		if err != nil {
			break
		}
		s := &ss[i]
		after = fmt.Sprintf("%d|%s", s.No, s.Method)
		var changed bool
		if s.Sealed, changed, err = w.renew(s.Place(s.person), s.Sealed); err == nil && changed {
			_, err = w.c.do(`UPDATE method_secret SET sealed = $3 WHERE method = $1 AND no = $2`, string(s.Method), int64(s.No), s.Sealed)
		}
	}
	return len(ss), after, err
}

func (w *resealWalk) challenges(after string) (int, string, error) {
	var cs []bot.Challenge
	err := w.c.ask(`SELECT `+challengeColumns+` FROM challenge WHERE id > $1 ORDER BY id LIMIT $2 /*postgres FOR UPDATE*/`,
		func(r row) { cs = append(cs, scanChallenge(r)) }, after, int64(w.batch))
	for i := range cs {
		if err != nil {
			break
		}
		c := &cs[i]
		after = c.ID
		var code, to bool
		if c.SealedCode, code, err = w.renew(c.Place("code"), c.SealedCode); err != nil {
			break
		}
		if c.SealedTo, to, err = w.renew(c.Place("to"), c.SealedTo); err != nil {
			break
		}
		if code || to {
			_, err = w.c.do(`UPDATE challenge SET sealed_code = $2, sealed_to = $3 WHERE id = $1`, c.ID, c.SealedCode, c.SealedTo)
		}
	}
	return len(cs), after, err
}

func (w *resealWalk) inbound(after string) (int, string, error) {
	no, _ := strconv.ParseInt(after, 10, 64)
	var rows []bot.InboundRow
	err := w.c.ask(`SELECT `+inboundColumns+` FROM inbound WHERE no > $1 ORDER BY no LIMIT $2 /*postgres FOR UPDATE*/`,
		func(r row) { rows = append(rows, scanInbound(r)) }, no, int64(w.batch))
	for i := range rows {
		if err != nil {
			break
		}
		r := &rows[i]
		after = strconv.FormatInt(r.No, 10)
		var changed bool
		if r.Body, changed, err = w.renew(r.Place(), r.Body); err == nil && changed {
			_, err = w.c.do(`UPDATE inbound SET body = $3 WHERE channel = $1 AND id = $2`, string(r.Channel), r.ID, r.Body)
		}
	}
	return len(rows), after, err
}

// outbox renews relays.
func (w *resealWalk) outbox(after string) (int, string, error) {
	id, _ := strconv.ParseInt(after, 10, 64)
	n := 0
	sealed := map[int64]outboxRow{}
	err := w.c.ask(`SELECT id, account, created_at, CASE WHEN lane = 1 THEN message END FROM outbox WHERE id > $1 ORDER BY id LIMIT $2 /*postgres FOR UPDATE*/`, func(r row) {
		n, after = n+1, strconv.FormatInt(r.int(0), 10)
		if v := (outboxRow{account: r.text(1), createdAt: r.int(2), message: r.blob(3)}); len(v.message) > 0 && v.message[0] != '{' {
			sealed[r.int(0)] = v
		}
	}, id, int64(w.batch))
	for id, v := range sealed {
		if err != nil {
			break
		}
		var changed bool
		if v.message, changed, err = w.renew(v.place(), v.message); err == nil && changed {
			_, err = w.c.do(`UPDATE outbox SET message = $2 WHERE id = $1`, id, v.message)
		}
	}
	return n, after, err
}

// tickets renews what tickets keep sealed, and their lines.
func (w *resealWalk) tickets(after string) (int, string, error) {
	type line struct {
		no   int64
		body []byte
	}
	tickets, err := w.t.tickets(`WHERE id > $1 ORDER BY id LIMIT $2 /*postgres FOR UPDATE*/`, after, int64(w.batch))
	for i := range tickets {
		if err != nil {
			break
		}
		q := &tickets[i]
		after = q.ID
		var changed bool
		if q.Contact, changed, err = w.renew(q.Place(), q.Contact); err == nil && changed {
			_, err = w.c.do(`UPDATE ticket SET contact = $2 WHERE id = $1`, q.ID, q.Contact)
		}
		var lines []line
		if err == nil {
			err = w.c.ask(`SELECT no, body FROM ticket_line WHERE ticket = $1 ORDER BY no`, func(r row) { lines = append(lines, line{r.int(0), r.blob(1)}) }, q.ID)
		}
		for _, l := range lines {
			if err != nil {
				break
			}
			if l.body, changed, err = w.renew(q.Place(), l.body); err == nil && changed {
				_, err = w.c.do(`UPDATE ticket_line SET body = $3 WHERE ticket = $1 AND no = $2`, q.ID, l.no, l.body)
			}
		}
	}
	return len(tickets), after, err
}

// checks renews what the checks of callers keep sealed.
func (w *resealWalk) checks(after string) (int, string, error) {
	cs, err := w.t.callerChecks(`WHERE id > $1 ORDER BY id LIMIT $2 /*postgres FOR UPDATE*/`, after, int64(w.batch))
	for i := range cs {
		if err != nil {
			break
		}
		c := &cs[i]
		after = c.ID
		var answer, reason bool
		if c.Answer, answer, err = w.renew(c.Place("answer"), c.Answer); err != nil {
			break
		}
		if c.Reason, reason, err = w.renew(c.Place("reason"), c.Reason); err == nil && (answer || reason) {
			_, err = w.c.do(`UPDATE caller_check SET answer = $2, reason = $3 WHERE id = $1`, c.ID, c.Answer, c.Reason)
		}
	}
	return len(cs), after, err
}

// refs binds references with the newest key that are bound with another one.
func (w *resealWalk) refs(after string) (int, string, error) {
	type bound struct{ id, ref, key string }
	var bs []bound
	n := 0
	err := w.c.ask(`SELECT id, ref, ref_key, ref_seal FROM person WHERE id > $1 ORDER BY id LIMIT $2 /*postgres FOR UPDATE*/`, func(r row) {
		n, after = n+1, r.text(0)
		b := bound{after, r.text(1), r.text(2)}
		if w.t.keys != nil && b.ref != "" && b.key != w.t.keys.AuditKey() && w.t.refHolds(b.key, b.ref, bot.PersonID(b.id), r.blob(3)) {
			bs = append(bs, b)
		}
	}, after, int64(w.batch))
	for _, b := range bs {
		if err == nil {
			err = w.t.putSealRef(w.c, b.ref, bot.PersonID(b.id))
		}
	}
	return n, after, err
}
