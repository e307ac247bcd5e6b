package store

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"latchkey/bot"
)

// Keys of the meta table.
const (
	passesEndedKey  = "store.passes_ended" // changed by every EndPasses
	tombstoneSecret = "store.tombstone"    // keys the hashes of the tombstone table
)

// among is a set of texts as one argument.
const among = `(SELECT value FROM /*sqlite json_each($1)*/ /*postgres json_array_elements_text(CAST($1 AS json)) ids(value)*/)`

// array is a set of texts for among.
func array[S ~string](list []S) string {
	if len(list) == 0 {
		return "[]"
	}
	b, err := json.Marshal(list)
	if err != nil {
		return "[]" // strings always marshal
	}
	return string(b)
}

// rare gives the connection for texts that are not in the table.
func (t *tx) rare() (texter, error) {
	if t.g == nil {
		return nil, errReadOnly
	}
	return t.c.(texter), nil
}

// EndPasses implements bot.OperatorTx.
func (t *tx) EndPasses(convs []bot.ConversationID) (int, error) {
	x, err := t.rare()
	if err != nil {
		return 0, err
	}
	ended := map[string]bool{}
	err = x.ask(`SELECT hash FROM pass WHERE conversation <> '' AND conversation IN `+among,
		func(r row) { ended[string(r.blob(0))] = true }, array(convs))
	if err != nil {
		return 0, wrap("passes of conversations", err)
	}
	// A sign-in under way belongs to nobody yet, but it knows where it began.
	err = x.ask(`SELECT hash, data FROM pass WHERE kind = $1 AND data IS NOT NULL`, func(r row) {
		var s bot.SignInState
		if json.Unmarshal(r.blob(1), &s) == nil && (ended[string(s.Page)] || ended[string(s.Session)]) {
			ended[string(r.blob(0))] = true
		}
	}, string(bot.PassSignIn))
	if err != nil {
		return 0, wrap("sign-ins under way", err)
	}
	for hash := range ended {
		if err := t.DropPass([]byte(hash)); err != nil {
			return 0, err
		}
	}
	return len(ended), t.setMeta(passesEndedKey, []byte(rand.Text()))
}

// PassesEnded implements bot.OperatorTx.
func (t *tx) PassesEnded() (string, error) {
	mark, err := t.meta(passesEndedKey)
	if errors.Is(err, bot.ErrNotFound) {
		return "", nil
	}
	return string(mark), err
}

// VoidChallenges implements bot.OperatorTx.
func (t *tx) VoidChallenges(p bot.PersonID, convs []bot.ConversationID, purpose string) (int, error) {
	x, err := t.rare()
	if err != nil {
		return 0, err
	}
	args := []any{array(convs), string(p), t.ms, purpose}
	where := ` WHERE person = $2 AND closed_at = 0 AND ($4 = '' OR purpose = $4) AND conversation IN ` + among
	if convs == nil {
		where = ` WHERE person = $2 AND closed_at = 0 AND ($4 = '' OR purpose = $4) AND $1 <> ''`
	}
	n, err := x.do(`UPDATE challenge SET closed_at = CAST($3 AS BIGINT), sealed_code = NULL, sealed_to = NULL`+where, args...)
	return int(n), wrap("void codes", err)
}

// ClearSaid implements bot.OperatorTx.
func (t *tx) ClearSaid(c bot.ConversationID) error {
	x, err := t.rare()
	if err != nil {
		return err
	}
	if _, err := x.do(`DELETE FROM outbox WHERE conversation = $1 AND NOT (live = 1 AND state = 1)`, string(c)); err != nil {
		return wrap("delete what was said", err)
	}
	_, err = x.do(`UPDATE outbox SET message = NULL, kept = 0 WHERE conversation = $1`, string(c))
	return wrap("delete what was said", err)
}

// CloseTickets implements bot.OperatorTx.
func (t *tx) CloseTickets(p bot.PersonID, flow string, by bot.PersonID) (int, error) {
	x, err := t.rare()
	if err != nil {
		return 0, err
	}
	var closed []string
	state, code := bot.TicketDropped, "not_needed"
	if flow == bot.FlowFreeze {
		code = "thawed"
	}
	if by != "" {
		state, code = bot.TicketSolved, "solved"
	}
	err = x.ask(`UPDATE ticket SET closed_at = CAST($3 AS BIGINT), state = CAST($4 AS BIGINT), revision = revision + 1,
			agent = CASE WHEN $5 = '' THEN agent ELSE $5 END, taken_at = CASE WHEN $5 <> '' AND taken_at = 0 THEN CAST($3 AS BIGINT) ELSE taken_at END
		WHERE person = $1 AND flow = $2 AND closed_at = 0 RETURNING id`,
		func(r row) { closed = append(closed, r.text(0)) }, string(p), flow, t.ms, int64(state), string(by))
	if err != nil {
		return 0, wrap("close tickets", err)
	}
	for _, id := range closed {
		if err := t.AddLine(&bot.TicketLine{Ticket: id, Kind: bot.LineEvent, By: by, Code: code}); err != nil {
			return 0, err
		}
	}
	return len(closed), nil
}

// personTallies are the counters of a person by the forms that their keys have:
// the id alone, "person|ID", "ID|...", and "...|person|ID".
const (
	endsWithPerson = `substr(key, length(key) - length(CAST($1 AS TEXT)) - 7) = '|person|' || CAST($1 AS TEXT)`
	personTallies  = ` FROM tally WHERE key = CAST($1 AS TEXT) OR key = 'person|' || CAST($1 AS TEXT)
	OR substr(key, 1, length(CAST($1 AS TEXT)) + 1) = CAST($1 AS TEXT) || '|' OR ` + endsWithPerson + `
	`
)

// ownTallies are the counters of chat accounts, methods and codes: "KEY" and
// "KEY|...".
const ownTallies = ` FROM tally WHERE EXISTS (SELECT 1 FROM ` + among + ` own
	WHERE tally.key = own.value OR substr(tally.key, 1, length(own.value) + 1) = own.value || '|')`

// spellings are a person's id as it is stored and, where that is another, as the
// directory spells it: a GUID in lower case without braces (stageSpelled). Where
// the other is somebody's own id, or is besides, it is not the person's.
func (t *tx) spellings(p, besides bot.PersonID) ([]bot.PersonID, error) {
	plain := plainID(p)
	if plain == p || plain == besides {
		return []bot.PersonID{p}, nil
	}
	switch _, err := t.Person(plain); {
	case err == nil:
		return []bot.PersonID{p}, nil
	case !errors.Is(err, bot.ErrNotFound):
		return nil, err
	}
	return []bot.PersonID{p, plain}, nil
}

// plainID is an id as the directory spells it.
func plainID(p bot.PersonID) bot.PersonID {
	return bot.PersonID(strings.ToLower(strings.Trim(string(p), "{}")))
}

// RenamePerson implements bot.OperatorTx.
func (t *tx) RenamePerson(old, now bot.PersonID, reseal func([]byte, string, string) ([]byte, error)) error {
	x, err := t.rare()
	if err != nil {
		return err
	}
	if _, err := t.Person(old); err != nil {
		return err
	}
	switch _, err := t.Person(now); {
	case err == nil:
		return fmt.Errorf("store: somebody has the id %q: %w", now, bot.ErrConflict)
	case !errors.Is(err, bot.ErrNotFound):
		return err
	}
	ids, err := t.spellings(old, now)
	if err != nil {
		return err
	}
	var ms []bot.Method
	if err := x.ask(`SELECT `+methodColumns+` FROM method WHERE person = $1 ORDER BY id /*postgres FOR UPDATE*/`,
		func(r row) { ms = append(ms, scanMethod(r)) }, string(old)); err != nil {
		return wrap("methods", err)
	}
	for i := range ms {
		if err := t.moveMethod(&ms[i], now, reseal); err != nil {
			return err
		}
	}
	// The answer of a check holds for the old id: the right one would count as wrong.
	if _, err := x.do(`UPDATE caller_check SET state = $2, ended_at = $3, answer = NULL, revision = revision + 1 WHERE person = $1 AND state <= $4`,
		string(old), int64(bot.CheckVoid), t.ms, int64(bot.CheckPassed)); err != nil {
		return wrap("void checks of a caller", err)
	}
	for _, text := range []string{
		// A sync that does not have the new id yet must not miss it.
		`UPDATE person SET id = $2, synced = 0 WHERE id = $1`,
		`UPDATE identity SET person = $2 WHERE person = $1`,
		`UPDATE ticket SET person = $2 WHERE person = $1`,
		`UPDATE ticket SET agent = $2 WHERE agent = $1`,
		`UPDATE ticket_line SET agent = $2 WHERE agent = $1`,
		`UPDATE agent SET person = $2 WHERE person = $1`,
		`UPDATE caller_check SET person = $2 WHERE person = $1`,
		`UPDATE caller_check SET agent = $2 WHERE agent = $1`,
		`UPDATE caller_check SET second = $2 WHERE second = $1`,
		`UPDATE campaign_part SET person = $2 WHERE person = $1`,
		`UPDATE campaign_name SET person = $2 WHERE person = $1`,
		// A closed code is good for nothing; it only tells an old code from a wrong one.
		`UPDATE challenge SET person = $2 WHERE person = $1`,
		`INSERT INTO tally (bucket, key, at, n) SELECT bucket,
			CASE WHEN key = 'person|' || CAST($1 AS TEXT) THEN 'person|' || CAST($2 AS TEXT)
			WHEN ` + endsWithPerson + ` THEN substr(key, 1, length(key) - length(CAST($1 AS TEXT))) || CAST($2 AS TEXT)
			ELSE CAST($2 AS TEXT) || substr(key, length(CAST($1 AS TEXT)) + 1) END, at, n` + personTallies + `
			ON CONFLICT (bucket, key, at) DO UPDATE SET n = tally.n + excluded.n`,
		`UPDATE alert SET person = $2 WHERE person = $1`,
		`UPDATE opening SET what = $2 WHERE kind = 0 AND what = $1`,
	} {
		if _, err := x.do(text, string(old), string(now)); err != nil {
			return wrap("rename person", err)
		}
	}
	for _, id := range ids { // the one that is stored wins
		for _, text := range []string{
			`UPDATE person SET manager = $2 WHERE manager = $1`,
			`DELETE FROM registration WHERE person = $1 AND EXISTS (SELECT 1 FROM registration r WHERE r.person = $2)`,
			`UPDATE registration SET person = $2 WHERE person = $1`,
		} {
			if _, err := x.do(text, string(id), string(now)); err != nil {
				return wrap("rename person", err)
			}
		}
	}
	if err := t.moveRef(x, old, now); err != nil {
		return err
	}
	for _, table := range []string{"pass", "ticket"} { // of "this was not me"
		_, err := x.do(`UPDATE `+table+` SET conversation = $2 WHERE conversation = $1`, string(bot.NotMeConversation(old)), string(bot.NotMeConversation(now)))
		if err != nil {
			return wrap("rename the conversation of a "+table, err)
		}
	}
	if _, err := x.do(`DELETE`+personTallies, string(old)); err != nil {
		return wrap("rename counters", err)
	}
	// What the directory says of the old id is not said of the new one.
	for _, id := range ids {
		if err := t.blankEntries(x, id); err != nil {
			return err
		}
	}
	for _, text := range []string{`DELETE FROM directory_entry WHERE id IN ` + among, `DELETE FROM directory_member WHERE person IN ` + among} {
		if _, err := x.do(text, array(ids)); err != nil {
			return wrap("rename person", err)
		}
	}
	jobs, err := t.jobsWith(map[string]bool{string(old): true})
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if j.args["person"] != string(old) {
			continue
		}
		j.args["person"] = string(now)
		body, err := json.Marshal(j.args)
		if err != nil {
			return wrap("rename in a job", err)
		}
		if _, err := x.do(`UPDATE river_job SET args = /*sqlite jsonb($2)*/ /*postgres CAST($2 AS jsonb)*/ WHERE id = $1`, j.id, string(body)); err != nil {
			return wrap("rename in a job", err)
		}
	}
	return nil
}

// moveMethod seals a method and its secrets for their new place.
func (t *tx) moveMethod(m *bot.Method, now bot.PersonID, reseal func([]byte, string, string) ([]byte, error)) error {
	ss, err := t.Secrets(m.ID)
	if err != nil {
		return err
	}
	for i := range ss {
		if ss[i].Sealed == nil {
			continue
		}
		if ss[i].Sealed, err = reseal(ss[i].Sealed, ss[i].Place(m.Person), ss[i].Place(now)); err != nil {
			return fmt.Errorf("store: secret %d of method %s: %w", ss[i].No, m.ID, err)
		}
	}
	if len(ss) > 0 {
		if err := t.PutSecrets(m.ID, ss); err != nil {
			return err
		}
	}
	from := m.Place()
	m.Person = now
	if m.Sealed != nil {
		if m.Sealed, err = reseal(m.Sealed, from, m.Place()); err != nil {
			return fmt.Errorf("store: method %s: %w", m.ID, err)
		}
	}
	return t.PutMethod(m)
}

// A storedJob is a job with what it was given.
type storedJob struct {
	id   int64
	args map[string]any
}

// jobsWith lists the jobs, done or not, that were given one of the texts.
func (t *tx) jobsWith(texts map[string]bool) ([]storedJob, error) {
	var found []storedJob
	err := t.c.(texter).ask(`SELECT id, /*sqlite json(args)*/ /*postgres CAST(args AS TEXT)*/ FROM river_job ORDER BY id`, func(r row) {
		j := storedJob{id: r.int(0)}
		if json.Unmarshal([]byte(r.text(1)), &j.args) != nil {
			return
		}
		for _, v := range j.args {
			if s, ok := v.(string); ok && texts[s] {
				found = append(found, j)
				return
			}
		}
	})
	return found, wrap("jobs of a person", err)
}

// ErasePerson implements bot.OperatorTx.
func (t *tx) ErasePerson(p bot.PersonID, tombstone bool) (bot.Erased, error) {
	var n bot.Erased
	x, err := t.rare()
	if err != nil {
		return n, err
	}
	if _, err := t.Person(p); err != nil {
		return n, err
	}
	ids, err := t.spellings(p, "")
	if err != nil {
		return n, err
	}
	w := erasure{t: t, x: x, p: p}
	if err := w.collect(); err != nil {
		return n, err
	}
	if n.Passes, err = t.EndPasses(w.convs); err != nil {
		return n, err
	}
	person, spelled, convs, methods := string(p), array(ids), array(w.convs), array(w.methods)
	entries := 0
	for _, s := range []struct {
		n    *int
		text string
		arg  string
	}{
		{&n.Messages, `DELETE FROM outbox WHERE conversation IN ` + among, convs},
		{nil, `DELETE FROM inbound WHERE conversation IN ` + among, convs},
		{nil, `DELETE FROM opening WHERE kind = 0 AND what = $1`, person},
		{&n.Conversations, `DELETE FROM conversation WHERE id IN ` + among, convs},
		{nil, `DELETE FROM method_secret WHERE method IN ` + among, methods},
		{&n.Methods, `DELETE FROM method WHERE person = $1`, person},
		{&n.Codes, `DELETE FROM challenge WHERE person = $1`, person},
		{nil, `DELETE FROM ticket_line WHERE ticket IN (SELECT id FROM ticket WHERE person = $1)`, person},
		{nil, `DELETE FROM ticket_line WHERE ticket IN (SELECT id FROM ticket WHERE conversation IN ` + among + `)`, convs},
		{&n.Tickets, `DELETE FROM ticket WHERE person = $1`, person},
		{nil, `DELETE FROM ticket WHERE conversation IN ` + among, convs},
		{nil, `UPDATE ticket SET agent = '' WHERE agent = $1`, person},
		{nil, `UPDATE ticket_line SET agent = '' WHERE agent = $1`, person},
		{nil, `DELETE FROM agent WHERE person = $1`, person},
		{nil, `DELETE FROM caller_check WHERE person = $1`, person},
		{nil, `UPDATE caller_check SET agent = '' WHERE agent = $1`, person},
		{nil, `UPDATE caller_check SET second = '' WHERE second = $1`, person},
		{nil, `DELETE FROM campaign_part WHERE person = $1`, person},
		{nil, `DELETE FROM campaign_name WHERE person = $1`, person},
		{&n.Counters, `DELETE` + personTallies, person},
		{nil, `DELETE` + ownTallies, array(slices.Concat(w.keys, w.codes, w.methods))},
		{nil, `DELETE FROM alert WHERE person = $1`, person},
		{nil, `DELETE FROM registration WHERE person IN ` + among, spelled},
		{&entries, `DELETE FROM directory_entry WHERE id IN ` + among, spelled},
		{nil, `DELETE FROM directory_member WHERE person IN ` + among, spelled},
		{&n.Accounts, `DELETE FROM identity WHERE person = $1`, person},
		{nil, `UPDATE person SET manager = '' WHERE manager IN ` + among, spelled},
		{nil, `DELETE FROM person WHERE id = $1`, person},
	} {
		k, err := x.do(s.text, s.arg)
		if err != nil {
			return n, wrap("erase person", err)
		}
		if s.n != nil {
			*s.n = int(k)
		}
	}
	for _, id := range ids {
		if err := t.blankEntries(x, id); err != nil {
			return n, err
		}
	}
	if err := w.events(); err != nil {
		return n, err
	}
	if n.Jobs, err = w.jobs(); err != nil {
		return n, err
	}
	if n.LeftOut = tombstone || entries > 0; n.LeftOut {
		err = t.putTombstone(p)
	}
	return n, err
}

// An erasure knows what leads to one person.
type erasure struct {
	t        *tx
	x        texter
	p        bot.PersonID
	accounts []bot.Identity
	convs    []bot.ConversationID
	methods  []string
	codes    []string // ids of challenges
	keys     []string // of counters of chat accounts
}

// collect reads the rows that lead to other rows, and holds the conversations,
// so that turns that are under way end first.
func (w *erasure) collect() (err error) {
	if w.accounts, err = w.t.IdentitiesOf(w.p); err != nil {
		return err
	}
	for _, id := range w.accounts {
		w.keys = append(w.keys, string(id.Channel)+"|"+id.User)
		w.convs = append(w.convs, bot.ConversationID(string(id.Channel)+":"+id.User)) // of a session that has said nothing yet
	}
	texts := func(into *[]string, text string) {
		if err == nil {
			err = wrap("erase person", w.x.ask(text, func(r row) { *into = append(*into, r.text(0)) }, string(w.p)))
		}
	}
	texts(&w.methods, `SELECT id FROM method WHERE person = $1`)
	texts(&w.codes, `SELECT id FROM challenge WHERE person = $1`)
	// Conversations of linked accounts, those that were somebody's of this person
	// once or were opened for them, and are nobody's now, and what waits to be
	// opened.
	var convs []string
	texts(&convs, `SELECT c.id FROM conversation c WHERE c.id IN (
			SELECT conversation FROM challenge WHERE person = $1 UNION SELECT conversation FROM ticket WHERE person = $1
			UNION SELECT conversation FROM method WHERE person = $1
			UNION SELECT opened FROM opening WHERE kind = 0 AND what = $1 UNION SELECT id FROM opening WHERE kind = 0 AND what = $1)
		AND NOT EXISTS (SELECT 1 FROM identity i WHERE i.channel = c.channel AND i.user_id = c.user_id AND i.person <> $1)
		UNION SELECT c.id FROM conversation c JOIN identity i ON i.channel = c.channel AND i.user_id = c.user_id WHERE i.person = $1`)
	if err != nil {
		return err
	}
	for _, c := range convs {
		w.convs = append(w.convs, bot.ConversationID(c))
	}
	w.convs = append(w.convs, bot.NotMeConversation(w.p)) // of no chat, but there are passes and a ticket
	slices.Sort(w.convs)
	w.convs = slices.Compact(w.convs)
	for _, c := range w.convs {
		if _, err := w.t.Conversation(c); err != nil && !errors.Is(err, bot.ErrNotFound) {
			return err
		}
	}
	return nil
}

// events deletes the ids of events that name an account of the person.
func (w *erasure) events() error {
	for _, id := range w.accounts {
		_, err := w.x.do(`DELETE FROM event WHERE channel = $1 AND /*sqlite instr*/ /*postgres strpos*/(id, $2) > 0`, string(id.Channel), id.User)
		if err != nil {
			return wrap("erase events", err)
		}
	}
	return nil
}

func (w *erasure) jobs() (int, error) {
	texts := map[string]bool{string(w.p): true}
	for _, list := range [][]string{w.methods, w.codes} {
		for _, id := range list {
			texts[id] = true
		}
	}
	for _, c := range w.convs {
		texts[string(c)] = true
	}
	jobs, err := w.t.jobsWith(texts)
	if err != nil {
		return 0, err
	}
	for _, j := range jobs {
		if _, err := w.x.do(`DELETE FROM river_job WHERE id = $1`, j.id); err != nil {
			return 0, wrap("erase a job", err)
		}
	}
	return len(jobs), nil
}

// putTombstone makes imports leave an id out.
func (t *tx) putTombstone(p bot.PersonID) error {
	secret, err := t.meta(tombstoneSecret)
	if errors.Is(err, bot.ErrNotFound) {
		secret = make([]byte, 32)
		rand.Read(secret)
		err = t.setMeta(tombstoneSecret, secret)
	}
	if err != nil {
		return err
	}
	_, err = t.c.(texter).do(`INSERT INTO tombstone (hash, at) VALUES ($1, $2) ON CONFLICT DO NOTHING`, tombstoneHash(secret, p), t.ms)
	return wrap("put a tombstone", err)
}

// DropTombstone implements bot.OperatorTx.
func (t *tx) DropTombstone(p bot.PersonID) (bool, error) {
	x, err := t.rare()
	if err != nil {
		return false, err
	}
	secret, err := t.meta(tombstoneSecret)
	if errors.Is(err, bot.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	n, err := x.do(`DELETE FROM tombstone WHERE hash = $1`, tombstoneHash(secret, p))
	if err != nil || n == 0 {
		return false, wrap("drop a tombstone", err)
	}
	// The copy was made without them, and changes alone would not bring them.
	s, err := t.SyncState(bot.PeopleReading)
	if err != nil || s.Run == 0 {
		return true, err
	}
	s.Anew = true
	return true, t.PutSyncState(bot.PeopleReading, s)
}

func tombstoneHash(secret []byte, p bot.PersonID) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(plainID(p)))
	return h.Sum(nil)
}

// Tombstones tell an import who was erased for good. The zero value knows
// nobody.
type tombstones struct {
	secret []byte
	hashes map[string]bool
}

func (s *tombstones) has(p bot.PersonID) bool {
	return len(s.hashes) > 0 && s.hashes[string(tombstoneHash(s.secret, p))]
}

// readTombstones reads all of them: few people are erased while they are
// listed.
func readTombstones(c texter) (tombstones, error) {
	var s tombstones
	err := c.ask(`SELECT hash FROM tombstone`, func(r row) {
		if s.hashes == nil {
			s.hashes = map[string]bool{}
		}
		s.hashes[string(r.blob(0))] = true
	})
	if err == nil && len(s.hashes) > 0 {
		err = c.ask(`SELECT value FROM meta WHERE key = $1`, func(r row) { s.secret = r.blob(0) }, tombstoneSecret)
	}
	return s, wrap("read who was erased", err)
}
