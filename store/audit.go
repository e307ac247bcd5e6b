package store

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"latchkey/bot"
	"latchkey/bot/audit"
)

// auditHead is the last line of the record as this group sees it. In
// PostgreSQL reading it locks it, so that lines of several processes form one
// chain.
type auditHead struct {
	seq    int64
	hash   []byte
	loaded bool
	moved  bool // to be stored before the commit
	wrote  bool // stored: it is the record's head once the group is committed
	// person is whom ref is about, so that several lines about one person ask once.
	person bot.PersonID
	ref    string
}

// noPerson is what auditHeadGet gives for an id that nobody has.
const noPerson = "-"

// Audit implements bot.AuditTx. A line about somebody who is not in the store
// names nobody.
func (t *tx) Audit(e bot.AuditEntry) (int64, error) {
	if t.g == nil {
		return 0, errReadOnly
	}
	h := &t.g.head
	if err := t.loadHead(e.Person); err != nil {
		return 0, err
	}
	e.Ref = h.ref
	e.Seq = h.seq + 1
	e.At = fromMillis(t.ms)
	e.Prev = h.hash
	if t.keys == nil {
		e.Key, e.Hash = "", audit.Sum(h.hash, e)
	} else {
		if e.Key == "" {
			e.Key = t.keys.AuditKey()
		}
		if e.Hash = audit.Seal(t.keys, h.hash, e); e.Hash == nil {
			return 0, fmt.Errorf("store: insert audit line: key %s is not in the ring", e.Key)
		}
	}
	if err := t.c.write(auditInsert, e.Seq, t.ms, e.Ref, e.Actor, e.Action, e.Subject, string(e.Channel), e.Evidence, e.Prev, e.Hash, e.Key); err != nil {
		return 0, wrap("insert audit line", err)
	}
	h.seq, h.hash, h.moved = e.Seq, e.Hash, true
	return e.Seq, nil
}

// loadHead reads the head, once for the group, and the reference of the person.
func (t *tx) loadHead(p bot.PersonID) error {
	h := &t.g.head
	switch {
	case !h.loaded:
		if err := t.c.read(auditHeadGet, func(r row) { h.seq, h.hash, h.ref, h.loaded = r.int(0), r.blob(1), r.text(2), true }, string(p)); err != nil {
			return wrap("read audit head", err)
		}
		if !h.loaded {
			return errors.New("store: the head of the audit record is gone from the database: keep the database as it is, run `latchkey audit verify`, and restore a backup")
		}
	case p == h.person && h.ref != "":
		return nil
	case p == "":
		h.ref = noPerson
	default:
		var err error
		if h.ref, err = t.personRef(p); err != nil {
			return err
		}
	}
	if h.ref == "" {
		var err error
		if h.ref, err = t.newRef(p); err != nil {
			return err
		}
	}
	if h.person = p; h.ref == noPerson {
		h.person, h.ref = "", ""
	}
	return nil
}

// personRef reads the reference of a person; "" for none yet, noPerson for
// nobody.
func (t *tx) personRef(p bot.PersonID) (string, error) {
	ref := noPerson
	err := t.c.read(personRef, func(r row) { ref = r.text(0) }, string(p))
	return ref, wrap("read a person's reference", err)
}

// newRef gives the person a reference, unless another process just did.
func (t *tx) newRef(p bot.PersonID) (string, error) {
	ref := randomRef()
	key, seal := t.sealRef(ref, p)
	n, err := t.c.change(personRefPut, string(p), ref, key, seal)
	if err != nil {
		return "", wrap("store a person's reference", err)
	}
	if n == 0 {
		return t.personRef(p)
	}
	return ref, nil
}

// sealRef binds a reference to a person by the newest key.
func (t *tx) sealRef(ref string, p bot.PersonID) (key string, seal []byte) {
	if t.keys == nil {
		return "", nil
	}
	key = t.keys.AuditKey()
	return key, audit.SealRef(t.keys, key, ref, p)
}

// refHolds reports whether a reference is bound to a person.
func (t *tx) refHolds(key, ref string, p bot.PersonID, seal []byte) bool {
	want := audit.SealRef(t.keys, key, ref, p)
	return want != nil && hmac.Equal(want, seal)
}

func randomRef() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// settle stores the head once for the whole group.
func (h *auditHead) settle(c conn) error {
	if !h.moved {
		return nil
	}
	h.moved, h.wrote = false, true
	return wrap("store audit head", c.write(auditHeadPut, h.seq, h.hash))
}

// noteAudit remembers the head of a group that was committed.
func (db *DB) noteAudit(h *auditHead) {
	for h.wrote {
		old := db.auditHead.Load()
		if old != nil && old.Seq >= h.seq || db.auditHead.CompareAndSwap(old, &audit.Head{Seq: h.seq, Hash: h.hash}) {
			return // two writers of PostgreSQL may come here in any order
		}
	}
}

// AuditMoved is the last line that this process has committed; the zero Head
// when it has written none.
func (db *DB) AuditMoved() audit.Head {
	if h := db.auditHead.Load(); h != nil {
		return *h
	}
	return audit.Head{}
}

func scanAudit(r row) bot.AuditEntry {
	return bot.AuditEntry{
		Seq: r.int(0), At: fromMillis(r.int(1)), Ref: r.text(2), Actor: r.text(3), Action: r.text(4), Subject: r.text(5),
		Channel: bot.ChannelID(r.text(6)), Evidence: r.text(7), Prev: r.blob(8), Hash: r.blob(9), Key: r.text(10), Was: r.blob(11),
	}
}

// auditPage is how many lines one read takes.
const auditPage = 1000

// AuditLines calls fn for every line from fromSeq on, in order, until fn
// fails, with the people to whom the lines' references lead. It reads in pages,
// so that a long record holds nobody up.
func (db *DB) AuditLines(ctx context.Context, fromSeq int64, fn func(bot.AuditEntry) error) error {
	for {
		var lines []bot.AuditEntry
		err := db.view(ctx, func(t *tx) error {
			return wrap("read audit lines", t.c.read(auditNamed, func(r row) {
				e := scanAudit(r)
				e.Person = bot.PersonID(r.text(12))
				lines = append(lines, e)
			}, fromSeq, int64(auditPage)))
		})
		if err != nil {
			return err
		}
		for _, e := range lines {
			if err := fn(e); err != nil {
				return err
			}
			fromSeq = e.Seq + 1
		}
		if len(lines) < auditPage {
			return nil
		}
	}
}

// AuditHead gives the number and the hash of the last line as they were stored
// beside the record, so that lines that were cut off at the end are missed.
func (db *DB) AuditHead(ctx context.Context) (audit.Head, error) {
	h, _, err := db.auditEnds(ctx)
	return h, err
}

// HasAuditLine reports whether the record has the line that a head names, or
// had it until retention removed it.
func (db *DB) HasAuditLine(ctx context.Context, h audit.Head) (has bool, err error) {
	err = db.view(ctx, func(t *tx) error {
		_, from, err := t.auditEnds()
		if err != nil {
			return err
		}
		if has = h.Seq <= from.Seq; has {
			return nil
		}
		return t.c.read(auditLines, func(r row) {
			e := scanAudit(r)
			has = e.Seq == h.Seq && bytes.Equal(e.Hash, h.Hash)
		}, h.Seq, int64(1))
	})
	return has, err
}

func (db *DB) auditEnds(ctx context.Context) (h audit.Head, b audit.Beginning, err error) {
	err = db.view(ctx, func(t *tx) (err error) { h, b, err = t.auditEnds(); return err })
	return h, b, err
}

// auditEnds reads where the record begins and ends.
func (t *tx) auditEnds() (h audit.Head, b audit.Beginning, err error) {
	err = t.c.read(auditEnds, func(r row) {
		h = audit.Head{Seq: r.int(0), Hash: r.blob(1)}
		b = audit.Beginning{Head: audit.Head{Seq: r.int(2), Hash: r.blob(4)}, At: fromMillis(r.int(3)), Key: r.text(5), MAC: r.blob(6)}
	})
	return h, b, wrap("read audit head", err)
}

// An AuditReport is what VerifyAudit found.
type AuditReport struct {
	Lines    int64
	Head     audit.Head
	From     audit.Beginning
	Problems []audit.Problem
	Methods  int64 // proven methods that must have a line: those proven since the record begins
}

// VerifyAudit reads the whole record and compares it with its head, with the
// known heads and with the methods. Turns go on meanwhile. Its memory does not
// grow with the record.
func (db *DB) VerifyAudit(ctx context.Context, known []audit.Head) (AuditReport, error) {
	for try := 0; ; try++ {
		rep, moved, err := db.verifyAudit(ctx, known)
		if err != nil || !moved || try == retries {
			return rep, err
		}
	}
}

// verifyAudit is one pass. moved says that retention removed lines meanwhile.
func (db *DB) verifyAudit(ctx context.Context, known []audit.Head) (rep AuditReport, moved bool, err error) {
	_, from, err := db.auditEnds(ctx)
	if err != nil {
		return rep, false, err
	}
	v := audit.Verifier{Keys: db.opts.Audit, From: from, Known: known}
	lines := make([]bot.AuditEntry, 0, auditPage)
	for next, more := int64(0), true; more; {
		lines = lines[:0]
		err := db.view(ctx, func(t *tx) (err error) {
			if err = t.c.read(auditLines, func(r row) { lines = append(lines, scanAudit(r)) }, next, int64(auditPage)); err != nil {
				return wrap("read audit lines", err)
			}
			// The head of the same instant as the last page.
			if more = len(lines) == auditPage; !more {
				rep.Head, rep.From, err = t.auditEnds()
			}
			return err
		})
		if err != nil {
			return rep, false, err
		}
		for _, e := range lines {
			v.Line(e)
			next = e.Seq + 1
		}
	}
	rep.Lines, rep.Problems = v.End(rep.Head)
	if rep.From.Seq != from.Seq {
		return rep, true, nil
	}
	for _, compare := range []func(context.Context, *AuditReport) error{db.compareMethods, db.compareLinks, db.compareRefs} {
		if err := compare(ctx, &rep); err != nil {
			return rep, false, err
		}
	}
	return rep, false, nil
}

// compareLinks wants a line for every chat account that was linked since the
// record begins, and that proves its person.
func (db *DB) compareLinks(ctx context.Context, rep *AuditReport) error {
	const missing = `SELECT count(*) FROM identity i JOIN person p ON p.id = i.person
		WHERE i.level >= 2 AND i.linked_at > $1 AND NOT EXISTS (SELECT 1 FROM audit a WHERE a.ref = p.ref AND p.ref <> '' AND a.at = i.linked_at
		AND a.channel = i.channel AND a.action IN ('identity.linked', 'identity.renewed'))`
	var lost int64
	err := db.view(ctx, func(t *tx) error {
		return wrap("compare links with the record", t.c.(texter).ask(missing, func(r row) { lost = r.int(0) }, millis(rep.From.At)))
	})
	if err != nil || lost == 0 {
		return err
	}
	rep.Problems = append(rep.Problems, audit.Problem{Kind: audit.NoLines,
		Text: fmt.Sprintf("%d linked chat accounts have no line that says so: their lines are gone, or somebody linked them without Latchkey", lost)})
	return nil
}

// compareRefs checks what leads from the lines to people, in pages.
func (db *DB) compareRefs(ctx context.Context, rep *AuditReport) error {
	if db.opts.Audit == nil {
		return nil
	}
	var wrong []string
	n := 0
	for after, more := "", true; more; {
		more = false
		err := db.view(ctx, func(t *tx) error {
			return wrap("read references", t.c.(texter).ask(`SELECT id, ref, ref_key, ref_seal FROM person WHERE id > $1 AND ref <> '' ORDER BY id LIMIT 1000`, func(r row) {
				after, more = r.text(0), true
				if t.refHolds(r.text(2), r.text(1), bot.PersonID(after), r.blob(3)) {
					return
				}
				if n++; len(wrong) < 5 {
					wrong = append(wrong, after)
				}
			}, after))
		})
		if err != nil {
			return err
		}
	}
	if n > 0 {
		more := ""
		if n > len(wrong) {
			more = fmt.Sprintf(" and %d more", n-len(wrong))
		}
		rep.Problems = append(rep.Problems, audit.Problem{Kind: audit.WrongRef,
			Text: fmt.Sprintf("lines lead to the wrong people: the references of %s%s were changed without Latchkey", strings.Join(wrong, ", "), more)})
	}
	return nil
}

// compareMethods wants a line for every method that was proven since the
// record begins. Both are written in one transaction, with one time.
func (db *DB) compareMethods(ctx context.Context, rep *AuditReport) error {
	const missing = `SELECT count(*), coalesce(sum(CASE WHEN a.at IS NULL THEN 1 ELSE 0 END), 0) /*postgres ::bigint*/
		FROM (SELECT m.proven_at, p.ref FROM method m JOIN person p ON p.id = m.person WHERE m.state IN (1, 3) AND m.proven_at > $1) m
		LEFT JOIN (SELECT DISTINCT ref, at FROM audit WHERE action IN ('method.proven', 'method.replaced')) a
		ON a.ref = m.ref AND a.at = m.proven_at AND m.ref <> ''`
	var lost int64
	err := db.view(ctx, func(t *tx) error {
		return wrap("compare methods with the record", t.c.(texter).ask(missing, func(r row) { rep.Methods, lost = r.int(0), r.int(1) }, millis(rep.From.At)))
	})
	if err != nil || lost == 0 {
		return err
	}
	p := audit.Problem{Kind: audit.NoLines, Text: fmt.Sprintf("of %d proven methods, %d have no line that says so: their lines are gone, or somebody put the methods in without Latchkey", rep.Methods, lost)}
	if rep.Lines == 0 {
		p.Text = fmt.Sprintf("the record is empty, but proven methods are there (%d): their lines are gone", lost)
	}
	rep.Problems = append(rep.Problems, p)
	return nil
}

// AuditKeys lists the keys that lines of the record, its beginning, or what
// leads from lines to people, need.
func (db *DB) AuditKeys(ctx context.Context) (map[string]bool, error) {
	ids := map[string]bool{}
	err := db.view(ctx, func(t *tx) error {
		return wrap("list the keys of the record", t.c.(texter).ask(`SELECT DISTINCT key FROM audit UNION SELECT from_key FROM audit_head UNION SELECT ref_key FROM person`,
			func(r row) { ids[r.text(0)] = true }))
	})
	return ids, err
}

// sealBefore gives the lines of a record that had no keys their keyed hashes,
// their references instead of people's ids, and a line above them. It is part
// of the migration, and nothing else may call it: whoever could have it run
// again would get what he wrote himself sealed.
func (db *DB) sealBefore(c texter) error {
	bound := db.newTx(c, &group{})
	t := &bound
	old, _, err := t.auditEnds()
	if err != nil {
		return err
	}
	lines, err := t.auditPage(0)
	if err != nil || len(lines) == 0 && old.Seq == 0 {
		return err
	}
	if t.keys == nil {
		return errors.New("store: this database has an audit record that must be sealed with the key ring: open it with the key file")
	}
	if db.opts.AuditFits != nil {
		if err := db.opts.AuditFits(t.meta); err != nil {
			return err
		}
	}
	db.log.Info("sealing the audit record of before with the key ring", "head", old.String())
	var v audit.Verifier
	var last audit.Head
	refs, key, first := map[string]string{"": ""}, t.keys.AuditKey(), int64(0)
	for len(lines) > 0 {
		for _, e := range lines {
			v.Line(e)
			if first == 0 {
				first = e.Seq
			}
			if e.Ref, err = t.oldRef(refs, e.Ref); err != nil {
				return err
			}
			e.Key, e.Prev, e.Was = key, last.Hash, audit.Before(t.keys, key, e.Hash)
			e.Hash = audit.Seal(t.keys, e.Prev, e)
			if err := t.c.write(auditReseal, e.Seq, e.Ref, e.Prev, e.Hash, e.Key, e.Was); err != nil {
				return wrap("seal audit line", err)
			}
			last = audit.Head{Seq: e.Seq, Hash: e.Hash}
		}
		if lines, err = t.auditPage(last.Seq + 1); err != nil {
			return err
		}
	}
	_, problems := v.End(old)
	broken := ""
	for i, p := range problems {
		if i == 10 {
			broken += fmt.Sprintf("; and %d more", len(problems)-i)
			break
		}
		broken += "; " + p.String()
	}
	if broken != "" {
		broken = "the record was not whole when it was sealed" + broken
		db.log.Error("audit: "+broken, "head", old.String())
	}
	t.g.head = auditHead{seq: max(last.Seq, old.Seq), hash: last.Hash, loaded: true}
	if _, err := t.Audit(bot.AuditEntry{Actor: "system", Action: audit.Sealed, Evidence: broken,
		Subject: fmt.Sprintf("lines %d to %d of before; head %d, keyed %x", first, last.Seq, old.Seq, audit.Before(t.keys, key, old.Hash))}); err != nil {
		return err
	}
	if err := t.g.head.settle(t.c); err != nil {
		return err
	}
	db.noteAudit(&t.g.head)
	return nil
}

// sealRefs binds the references of before to their people. It is part of the
// migration, and nothing else may call it.
func (db *DB) sealRefs(c texter) error {
	bound := db.newTx(c, &group{})
	t := &bound
	type pair struct{ id, ref string }
	var bare []pair
	err := c.ask(`SELECT id, ref FROM person WHERE ref <> '' AND ref_seal IS NULL`, func(r row) { bare = append(bare, pair{r.text(0), r.text(1)}) })
	if err != nil || len(bare) == 0 {
		return wrap("read references", err)
	}
	if t.keys == nil {
		return errors.New("store: this database has an audit record whose references must be sealed with the key ring: open it with the key file")
	}
	if db.opts.AuditFits != nil {
		if err := db.opts.AuditFits(t.meta); err != nil {
			return err
		}
	}
	for _, p := range bare {
		if err := t.putSealRef(c, p.ref, bot.PersonID(p.id)); err != nil {
			return err
		}
	}
	return nil
}

// putSealRef binds a person's reference, or binds it anew.
func (t *tx) putSealRef(c texter, ref string, p bot.PersonID) error {
	key, seal := t.sealRef(ref, p)
	_, err := c.do(`UPDATE person SET ref_key = $2, ref_seal = $3 WHERE id = $1`, string(p), key, seal)
	return wrap("seal a person's reference", err)
}

// moveRef binds the reference of a person who has got another id. One that was
// not bound to the old id stays so, for `audit verify` to tell.
func (t *tx) moveRef(x texter, old, now bot.PersonID) error {
	ref, good := "", false
	err := x.ask(`SELECT ref, ref_key, ref_seal FROM person WHERE id = $1`, func(r row) {
		ref = r.text(0)
		good = t.keys != nil && ref != "" && t.refHolds(r.text(1), ref, old, r.blob(2))
	}, string(now))
	if err != nil || !good {
		return wrap("read a person's reference", err)
	}
	return t.putSealRef(x, ref, now)
}

// auditPage reads some lines as they are.
func (t *tx) auditPage(from int64) (lines []bot.AuditEntry, err error) {
	err = t.c.read(auditLines, func(r row) { lines = append(lines, scanAudit(r)) }, from, int64(auditPage))
	return lines, wrap("read audit lines", err)
}

// oldRef is the reference for a person's id in a line of before. Somebody who
// is not in the store any more gets one that leads nowhere.
func (t *tx) oldRef(refs map[string]string, id string) (string, error) {
	ref, ok := refs[id]
	if ok {
		return ref, nil
	}
	ref, err := t.personRef(bot.PersonID(id))
	switch {
	case err != nil:
		return "", err
	case ref == noPerson:
		ref = randomRef()
	case ref == "":
		if ref, err = t.newRef(bot.PersonID(id)); err != nil {
			return "", err
		}
	}
	refs[id] = ref
	return ref, nil
}
