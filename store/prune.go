package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"latchkey/bot"
	"latchkey/bot/audit"
)

// Ages say how long things that have done their work are kept. Zero keeps them
// for ever. People are never pruned, nor what holds trust: a method in use, a
// link in use, the time of a person's first method.
type Ages struct {
	Events     time.Duration // ids of events; as long as a platform may repeat one
	Outbox     time.Duration // rows that are sent, given up or retracted; deferred events that were given up
	GivenUp    time.Duration // the text of rows that were given up, and their place in the list
	Challenges time.Duration // after they were closed or ran out
	Tallies    time.Duration // at least the longest window of a limit
	Passes     time.Duration // after they ran out; until then people are told that they did
	// Conversations: after the last turn, and never before their messages. Of
	// somebody whose account on the channel is linked, the last one stays.
	Conversations time.Duration
	Links         time.Duration // of accounts that have written nothing since
	Removed       time.Duration // removed methods, closed tickets with what was said, campaigns that are over
	Audit         time.Duration // lines of the record; the chain is sealed anew at its beginning, once a day; checks of callers, to which lines lead
	// Passing are channels whose accounts are browsers: such a link goes with
	// its conversation.
	Passing []bot.ChannelID
}

// Pruned counts what Prune deleted.
type Pruned struct {
	Events, Outbox, Inbound, Challenges, Tallies, Passes int

	GivenUp, Conversations, Browsers, Links, Methods, Tickets, Campaigns, Checks, Audit int
}

const (
	// prunePage is how many rows one transaction looks at.
	prunePage = 5000
	// prunePause is left to the turns between two pages.
	prunePause = 20 * time.Millisecond
)

// Prune deletes what is older than ages, in small transactions that ride with
// the turns. When ctx ends, what was done stays done.
func (db *DB) Prune(ctx context.Context, ages Ages) (Pruned, error) {
	var n Pruned
	// The earlier of the two clocks: a time of the store that ran ahead, or was
	// put into the database by hand, must not make young rows old.
	now := db.Now()
	if wall := db.Wall(); wall.Before(now) {
		now = wall
	}
	cutOf := func(age time.Duration) int64 { return now.Add(-age).UnixMilli() }
	passing := "''" // no channel has this name
	for _, ch := range ages.Passing {
		passing += ", '" + strings.ReplaceAll(string(ch), "'", "''") + "'"
	}
	idle := `linked_at < $%[1]d AND NOT EXISTS (SELECT 1 FROM conversation c WHERE c.channel = identity.channel AND c.user_id = identity.user_id AND c.updated >= $%[1]d)`
	openings := 0 // they go with their conversations
	talks := max(ages.Conversations, ages.Outbox)
	if ages.Conversations <= 0 {
		talks = 0
	}
	for _, p := range []struct {
		age   time.Duration
		n     *int
		table string
		key   []string
		where string // $%[1]d is the cut
	}{
		{ages.Events, &n.Events, "event", []string{"channel", "id"}, `at < $%[1]d`},
		{ages.Tallies, &n.Tallies, "tally", []string{"bucket", "key"}, `at < $%[1]d`},
		{ages.Outbox, &n.Outbox, "outbox", nil, `created_at < $%[1]d AND state <> 0`},
		{ages.Outbox, &n.Inbound, "inbound", []string{"channel", "id"}, `given_up <> 0 AND given_up < $%[1]d`},
		{ages.Challenges, &n.Challenges, "challenge", []string{"id"}, `(expires_at < $%[1]d OR closed_at <> 0 AND closed_at < $%[1]d)`},
		{ages.Passes, &n.Passes, "pass", nil, `expires_at < $%[1]d`},
		{ages.Removed, &n.Tickets, "ticket", []string{"id"}, `closed_at <> 0 AND closed_at < $%[1]d`},
		{ages.Removed, &n.Campaigns, "campaign", []string{"id"}, `state >= 5 AND next_at < $%[1]d`},
		{ages.Removed, &n.Methods, "method", []string{"id"}, `state = 2 AND removed_at < $%[1]d AND created_at < $%[1]d AND used_at < $%[1]d`},
		{ages.Audit, &n.Checks, "caller_check", []string{"id"}, `at < $%[1]d`},
		{ages.Links, &n.Links, "identity", []string{"channel", "user_id"}, `channel NOT IN (` + passing + `) AND ` + idle},
		{talks, &n.Browsers, "identity", []string{"channel", "user_id"}, `channel IN (` + passing + `) AND ` + idle},
		{talks, &n.Conversations, "conversation", []string{"id"}, `updated < $%[1]d
			AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.conversation = conversation.id AND o.live = 1 AND o.owner = 0)
			AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.conversation = conversation.id AND o.live = 1 AND o.owner <> 0)
			AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.conversation = conversation.id AND o.kept = 1)
			AND NOT EXISTS (SELECT 1 FROM ticket k WHERE k.conversation = conversation.id AND k.closed_at = 0)
			AND (NOT EXISTS (SELECT 1 FROM identity i WHERE i.channel = conversation.channel AND i.user_id = conversation.user_id)
				OR EXISTS (SELECT 1 FROM conversation n WHERE n.channel = conversation.channel AND n.user_id = conversation.user_id AND n.updated > conversation.updated))
			AND NOT EXISTS (SELECT 1 FROM opening p WHERE p.id = conversation.id AND EXISTS (SELECT 1 FROM conversation n WHERE n.id = p.opened))`},
		{talks, &openings, "opening", []string{"id"}, `at < $%[1]d AND NOT EXISTS (SELECT 1 FROM conversation c WHERE c.id = opening.id)`},
	} {
		if p.age <= 0 {
			continue
		}
		var err error
		if p.key == nil {
			*p.n, err = db.pruneOldest(ctx, p.table, fmt.Sprintf(p.where, 1), cutOf(p.age))
		} else {
			*p.n, err = db.pruneAlong(ctx, p.table, p.key, p.where, cutOf(p.age))
		}
		if err != nil {
			return n, err
		}
	}
	for _, p := range []struct {
		n         int
		table, of string
	}{{n.Tickets, "ticket_line", "ticket"}, {n.Campaigns, "campaign_part", "campaign"}, {n.Campaigns, "campaign_name", "campaign"}} {
		if p.n == 0 {
			continue
		}
		err := db.update(ctx, func(t *tx) error {
			_, err := t.c.(texter).do(fmt.Sprintf(`DELETE FROM %[1]s WHERE NOT EXISTS (SELECT 1 FROM %[2]s k WHERE k.id = %[1]s.%[2]s)`, p.table, p.of))
			return err
		})
		if err != nil {
			return n, wrap("prune "+p.table, err)
		}
	}
	if ages.GivenUp > 0 {
		err := db.update(ctx, func(t *tx) error {
			k, err := t.c.(texter).do(`UPDATE outbox SET live = 0, message = CASE WHEN kept = 1 THEN message END WHERE live > 1 AND created_at < $1`, cutOf(ages.GivenUp))
			n.GivenUp = int(k)
			return err
		})
		if err != nil {
			return n, wrap("prune messages that were given up", err)
		}
	}
	if ages.Audit > 0 {
		var err error
		if n.Audit, err = db.pruneAudit(ctx, now.Add(-ages.Audit).Truncate(24*time.Hour)); err != nil {
			return n, err
		}
	}
	return n, nil
}

// pruneAlong walks a table along its key of one or two texts and deletes the
// rows that where chooses. There is no index on their time: it would make every
// turn dearer.
func (db *DB) pruneAlong(ctx context.Context, table string, key []string, where string, cut int64) (int, error) {
	keys, n := strings.Join(key, ", "), len(key)
	params := func(from int) string {
		if n == 1 {
			return fmt.Sprintf("$%d", from)
		}
		return fmt.Sprintf("$%d, $%d", from, from+1)
	}
	end := fmt.Sprintf(`SELECT %[2]s FROM %[1]s WHERE (%[2]s) > (%[4]s) ORDER BY %[2]s LIMIT 1 OFFSET %[3]d`, table, keys, prunePage, params(1))
	del := fmt.Sprintf(`DELETE FROM %[1]s WHERE (%[2]s) > (%[3]s) AND (%[2]s) <= (%[4]s) AND `, table, keys, params(1), params(1+n)) + fmt.Sprintf(where, 1+2*n)
	last := fmt.Sprintf(`DELETE FROM %[1]s WHERE (%[2]s) > (%[3]s) AND `, table, keys, params(1)) + fmt.Sprintf(where, 1+n)
	total := 0
	at := make([]any, n)
	for i := range at {
		at[i] = ""
	}
	for more := true; more; {
		next := make([]any, n)
		var count int64
		err := db.update(ctx, func(t *tx) (err error) {
			x := t.c.(texter)
			more = false
			err = x.ask(end, func(r row) {
				for i := range next {
					next[i] = r.text(i)
				}
				more = true
			}, at...)
			if err != nil {
				return err
			}
			args := append([]any{}, at...)
			if more {
				count, err = x.do(del, append(append(args, next...), cut)...)
			} else {
				count, err = x.do(last, append(args, cut)...)
			}
			if err == nil && table == "method" && count > 0 {
				_, err = x.do(`DELETE FROM method_secret WHERE NOT EXISTS (SELECT 1 FROM method m WHERE m.id = method_secret.method)`)
			}
			return err
		})
		if err != nil {
			return total, wrap("prune "+table, err)
		}
		total += int(count)
		at = next
		if more {
			if err := breathe(ctx); err != nil {
				return total, err
			}
		}
	}
	return total, nil
}

// pruneOldest deletes from the oldest row of a table on.
func (db *DB) pruneOldest(ctx context.Context, table, where string, cut int64) (int, error) {
	key, order := "id", " ORDER BY id"
	if table == "pass" {
		key, order = "hash", ""
	}
	text := fmt.Sprintf(`DELETE FROM %[1]s WHERE %[2]s IN (SELECT %[2]s FROM %[1]s WHERE %[3]s%[4]s LIMIT %[5]d)`, table, key, where, order, prunePage)
	for total := 0; ; {
		var n int64
		err := db.update(ctx, func(t *tx) (err error) { n, err = t.c.(texter).do(text, cut); return err })
		if err != nil {
			return total, wrap("prune "+table, err)
		}
		total += int(n)
		if n < prunePage {
			return total, nil
		}
		if err := breathe(ctx); err != nil {
			return total, err
		}
	}
}

// breathe lets the turns through.
func breathe(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(prunePause):
		return nil
	}
}

// pruneAudit removes the lines from before cut at the beginning of the record.
// The last of them becomes its sealed beginning in the same transaction, so
// that what is left can still be checked. The newest line always stays.
func (db *DB) pruneAudit(ctx context.Context, cut time.Time) (int, error) {
	total := 0
	for {
		n := 0
		err := db.update(ctx, func(t *tx) error {
			n = 0
			var last audit.Head
			var at time.Time
			head, from, err := t.auditEnds()
			if err != nil {
				return err
			}
			open := true
			err = t.c.read(auditLines, func(r row) {
				e := scanAudit(r)
				if open = open && e.At.Before(cut) && e.Seq < head.Seq; open {
					n++
					last, at = audit.Head{Seq: e.Seq, Hash: e.Hash}, e.At
				}
			}, from.Seq+1, int64(prunePage))
			if err != nil || n == 0 {
				return err
			}
			b := audit.Begin(t.keys, last, at)
			if err := t.write(auditFromPut, b.Seq, millis(b.At), b.Hash, b.Key, b.MAC); err != nil {
				return err
			}
			return t.write(auditCut, b.Seq)
		})
		if err != nil {
			return total, wrap("prune audit", err)
		}
		if total += n; n < prunePage {
			break
		}
		if err := breathe(ctx); err != nil {
			return total, err
		}
	}
	if total == 0 {
		return 0, nil
	}
	return total, wrap("prune audit", db.Update(ctx, func(tx bot.Tx) error {
		_, err := tx.Audit(bot.AuditEntry{Actor: "system", Action: "audit.pruned", Subject: fmt.Sprintf("%d lines from before %s", total, cut.Format(time.DateOnly))})
		return err
	}))
}
