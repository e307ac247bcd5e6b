package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"latchkey/bot"
)

// syncKey is where the state of a reading stands in the meta table.
func syncKey(r bot.Reading) string { return "store.sync." + string(r) }

// SyncState implements bot.DirectoryTx.
func (t *tx) SyncState(r bot.Reading) (bot.SyncState, error) {
	var s bot.SyncState
	var v []byte
	if t.g != nil {
		if err := t.write(syncBegin, syncKey(r), []byte{}); err != nil {
			return s, wrap("begin the state of a sync", err)
		}
	}
	if err := t.c.read(syncGet, func(r row) { v = r.blob(0) }, syncKey(r)); err != nil {
		return s, wrap("read the state of a sync", err)
	}
	if len(v) == 0 {
		return s, nil
	}
	if err := json.Unmarshal(v, &s); err != nil {
		return s, fmt.Errorf("store: state of the sync of %s: %w", r, err)
	}
	return s, nil
}

// PutSyncState implements bot.DirectoryTx.
func (t *tx) PutSyncState(r bot.Reading, s bot.SyncState) error {
	v, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("store: state of the sync of %s: %w", r, err)
	}
	return t.setMeta(syncKey(r), v)
}

// syncsAnew ends the syncs of a restored copy, whose jobs and times are of the
// past. The next ones begin at once and read everything.
func (t *tx) syncsAnew() error {
	for _, r := range []bot.Reading{bot.PeopleReading, bot.ReportReading} {
		s, err := t.SyncState(r)
		if err == nil && s.Run > 0 {
			err = t.PutSyncState(r, bot.SyncState{Run: s.Run, Step: s.Step, Round: s.Round, Anew: true})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// directoryEntry is an entry of the copy while a page is laid over it.
type directoryEntry struct {
	round   int64
	body    []byte
	known   bool // stands in the table
	changed bool
}

// LayEntries implements bot.DirectoryTx.
func (t *tx) LayEntries(round int64, changes []bot.DirectoryChange) (bot.Laid, error) {
	var laid bot.Laid
	x, err := t.rare()
	if err != nil {
		return laid, err
	}
	erased, err := readTombstones(x)
	if err != nil {
		return laid, err
	}
	copied := make(map[bot.PersonID]*directoryEntry, len(changes))
	var ids []bot.PersonID // in the order of the page
	for _, c := range changes {
		if copied[c.ID] == nil {
			copied[c.ID] = &directoryEntry{}
			ids = append(ids, c.ID)
		}
	}
	err = x.ask(`SELECT id, round, body FROM directory_entry WHERE id IN `+among, func(r row) {
		if e := copied[bot.PersonID(r.text(0))]; e != nil {
			e.round, e.body, e.known = r.int(1), r.blob(2), true
		}
	}, array(ids))
	if err != nil {
		return laid, wrap("read the directory's copy", err)
	}
	for _, c := range changes {
		c.Body = erased.blank(c.Body)
		if err := copied[c.ID].lay(round, c); err != nil {
			return laid, fmt.Errorf("store: account %s of the directory: %w", c.ID, err)
		}
	}
	for _, id := range ids {
		e := copied[id]
		switch {
		case erased.has(id):
			laid.Erased++
			err = t.write(entryDrop, string(id))
		case e.body == nil && e.known:
			laid.Gone++
			err = t.write(entryDrop, string(id))
		case e.body != nil && e.changed:
			laid.Stored++
			err = t.write(entryPut, string(id), e.round, e.body)
		}
		if err != nil {
			return laid, wrap("store the directory's copy", err)
		}
	}
	return laid, nil
}

// lay lays one change over the entry.
func (e *directoryEntry) lay(round int64, c bot.DirectoryChange) error {
	if c.Gone {
		e.body, e.round = nil, round
		return nil
	}
	var said map[string]json.RawMessage
	if err := json.Unmarshal(c.Body, &said); err != nil || said == nil {
		return fmt.Errorf("its properties are no JSON object")
	}
	all := map[string]json.RawMessage{}
	// A full reading leaves out what is empty, so it begins with nothing.
	if e.body != nil && e.round == round {
		if err := json.Unmarshal(e.body, &all); err != nil {
			return fmt.Errorf("what is stored of it: %w", err)
		}
	}
	maps.Copy(all, said)
	body, err := json.Marshal(all) // in order of name
	if err != nil {
		return err
	}
	if e.round == round && bytes.Equal(e.body, body) {
		return nil // a repeat
	}
	e.round, e.body, e.changed = round, body, true
	return nil
}

// blank takes the ids of people who were erased out of an object of the
// directory, which may name them as somebody's manager.
func (s *tombstones) blank(body []byte) []byte {
	if len(s.hashes) == 0 {
		return body
	}
	return blank(body, func(text string) bool { return len(text) == guidLength && s.has(bot.PersonID(text)) })
}

// guidLength is that of the directory's ids.
const guidLength = len("00000000-0000-0000-0000-000000000000")

// blank empties the texts of a JSON value that are erased. What is no JSON stays.
func blank(body []byte, erased func(string) bool) []byte {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return body
	}
	found := false
	var walk func(v any) any
	walk = func(v any) any {
		switch x := v.(type) {
		case string:
			if erased(x) {
				found = true
				return ""
			}
		case []any:
			for i := range x {
				x[i] = walk(x[i])
			}
		case map[string]any:
			for k := range x {
				x[k] = walk(x[k])
			}
		}
		return v
	}
	v = walk(v)
	if !found {
		return body
	}
	b, err := json.Marshal(v)
	if err != nil {
		return body // what was read can be written
	}
	return b
}

// blankEntries takes an id out of what the directory says of others.
func (t *tx) blankEntries(x texter, p bot.PersonID) error {
	named := map[string]directoryEntry{}
	err := x.ask(`SELECT id, round, body FROM directory_entry WHERE /*sqlite instr(body, CAST($1 AS BLOB))*/ /*postgres position(convert_to($1, 'UTF8') IN body)*/ > 0`,
		func(r row) { named[r.text(0)] = directoryEntry{round: r.int(1), body: r.blob(2)} }, string(p))
	for id, e := range named {
		if err == nil {
			err = t.write(entryPut, id, e.round, blank(e.body, func(text string) bool { return text == string(p) }))
		}
	}
	return wrap("erase from the directory's copy", err)
}

// DropEntries implements bot.DirectoryTx.
func (t *tx) DropEntries(round int64) (int, error) {
	return t.drop(`DELETE FROM directory_entry WHERE round < $1`, round)
}

// drop deletes rows of the directory's copy.
func (t *tx) drop(text string, args ...any) (int, error) {
	x, err := t.rare()
	if err != nil {
		return 0, err
	}
	n, err := x.do(text, args...)
	return int(n), wrap("drop from the directory's copy", err)
}

// CountEntries implements bot.DirectoryTx.
func (t *tx) CountEntries() (int, error) { return t.count(`SELECT count(*) FROM directory_entry`) }

func (t *tx) count(text string, args ...any) (n int, err error) {
	err = t.c.(texter).ask(text, func(r row) { n = int(r.int(0)) }, args...)
	return n, wrap("count", err)
}

// Entries implements bot.DirectoryTx.
func (t *tx) Entries(groups []string, after bot.PersonID, limit int) ([]bot.DirectoryEntry, error) {
	text := `SELECT id, body FROM directory_entry WHERE id > $2`
	if len(groups) > 0 {
		text += ` AND EXISTS (SELECT 1 FROM directory_member m WHERE m.person = directory_entry.id AND m.grp IN ` + among + `)`
	} else {
		text += ` AND $1 <> ''`
	}
	var found []bot.DirectoryEntry
	err := t.c.(texter).ask(text+` ORDER BY id LIMIT $3`, func(r row) {
		found = append(found, bot.DirectoryEntry{ID: bot.PersonID(r.text(0)), Body: r.blob(1)})
	}, array(groups), string(after), int64(limit))
	return found, wrap("list the directory's copy", err)
}

// LayMembers implements bot.DirectoryTx.
func (t *tx) LayMembers(group string, round int64, ids []bot.PersonID) (fresh int, err error) {
	x, err := t.rare()
	if err != nil {
		return 0, err
	}
	erased, err := readTombstones(x)
	if err != nil {
		return 0, err
	}
	seen := map[bot.PersonID]bool{}
	err = x.ask(`SELECT person FROM directory_member WHERE grp = $2 AND round = $3 AND person IN `+among,
		func(r row) { seen[bot.PersonID(r.text(0))] = true }, array(ids), group, round)
	if err != nil {
		return 0, wrap("read the members of a group", err)
	}
	for _, id := range ids {
		if erased.has(id) || seen[id] {
			continue
		}
		seen[id] = true
		if err := t.write(memberPut, group, string(id), round); err != nil {
			return 0, wrap("store a member", err)
		}
		fresh++
	}
	return fresh, nil
}

// DropMembers implements bot.DirectoryTx.
func (t *tx) DropMembers(group string, round int64) (int, error) {
	return t.drop(`DELETE FROM directory_member WHERE grp = $1 AND round < $2`, group, round)
}

// KeepGroups implements bot.DirectoryTx.
func (t *tx) KeepGroups(groups []string) error {
	_, err := t.drop(`DELETE FROM directory_member WHERE grp NOT IN `+among, array(groups))
	return err
}

// Known implements bot.DirectoryTx.
func (t *tx) Known(ids []bot.PersonID) (map[bot.PersonID]bot.PersonID, error) {
	means := map[bot.PersonID]bot.PersonID{} // the id by each of its spellings
	for _, id := range ids {
		upper := bot.PersonID(strings.ToUpper(string(id)))
		for _, spelled := range []bot.PersonID{upper, "{" + id + "}", "{" + upper + "}"} {
			means[spelled] = id
		}
	}
	for _, id := range ids {
		means[id] = id
	}
	known := map[bot.PersonID]bot.PersonID{}
	err := t.c.(texter).ask(`SELECT id FROM person WHERE id IN `+among+` ORDER BY id`, func(r row) {
		spelled := bot.PersonID(r.text(0))
		id := means[spelled]
		if known[id] == "" || spelled == id { // as an import takes them, see stageKnown
			known[id] = spelled
		}
	}, array(slices.Collect(maps.Keys(means))))
	return known, wrap("look for people", err)
}

// OldRegistrations implements bot.DirectoryTx.
func (t *tx) OldRegistrations(before time.Time, limit int) ([]bot.Registration, error) {
	var found []bot.Registration
	var bad error
	err := t.c.(texter).ask(`SELECT person, read_at, body FROM registration WHERE read_at <> 0 AND read_at < $1 ORDER BY person LIMIT $2`, func(r row) {
		g, err := scanRegistration(bot.PersonID(r.text(0)), r.int(1), r.blob(2))
		if err != nil {
			bad = err
			return
		}
		found = append(found, *g)
	}, millis(before), int64(limit))
	if err != nil {
		return nil, wrap("list old registrations", err)
	}
	return found, bad
}

// CountRegistrations implements bot.DirectoryTx.
func (t *tx) CountRegistrations(before time.Time) (int, error) {
	return t.count(`SELECT count(*) FROM registration WHERE read_at <> 0 AND (CAST($1 AS BIGINT) = 0 OR read_at < $1)`, millis(before))
}

// DropRegistration implements bot.DirectoryTx.
func (t *tx) DropRegistration(p bot.PersonID) error {
	return wrap("drop a registration", t.write(registrationDrop, string(p)))
}
