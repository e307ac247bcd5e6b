package store

import (
	"fmt"
	"strconv"
	"strings"
)

// A stmt numbers a statement of the table below. Connections keep prepared
// statements by it.
type stmt uint8

const (
	eventInsert stmt = iota
	conversationInsert
	conversationGet
	conversationSave
	conversationUser
	conversationsOf
	conversationsRecent
	conversationHeads
	conversationOpen
	conversationChannel
	conversationGrow
	outboxInsert
	outboxNewest
	outboxGet
	outboxPending
	outboxPendingOf
	outboxMark
	outboxMarkWaiting
	outboxRevise
	outboxRecall
	outboxAmend
	outboxHold
	outboxClaimable
	outboxClaim
	outboxDueLanes
	outboxOwnedBy
	outboxOrphans
	outboxFree
	outboxFleeting
	outboxFleetingAll
	outboxSaid
	openingInsert
	openingGet
	openingFind
	openingsOf
	openingDirect
	openingRecent
	openingNote
	openingMove
	openingDead
	openingWake
	inboundGate
	inboundPut
	inboundMine
	inboundDrop
	inboundClaim
	inboundMark
	inboundRetry
	inboundList
	outboxGivenUp
	outboxGivenUpOf
	outboxSentAfter
	outboxSaidAt
	outboxUnlist
	outboxUntold
	outboxTold
	personGet
	personByLogin
	personStage
	personNudge
	personLang
	personStopped
	personFrozen
	personFirstMethod
	identityPut
	identityDelete
	identityGet
	identitiesOf
	methodsOf
	methodGet
	methodPut
	methodMark
	methodDrop
	secretsDrop
	methodStep
	methodShared
	secretsDelete
	secretInsert
	secretsGet
	secretSpend
	challengePut
	challengeGet
	challengesOpen
	challengeTry
	challengeClose
	challengeSend
	challengeByRef
	tallyAdd
	tallyCount
	tallyKeys
	tallyClear
	tallyClearAll
	tallyGate
	personRef
	personRefPut
	auditHeadGet
	auditHeadPut
	auditEnds
	auditFromPut
	auditInsert
	auditReseal
	auditLines
	auditNamed
	auditCut
	passPut
	passGet
	passSpend
	passDrop
	passSessions
	alertRaise
	alertsOf
	alertTold
	alertDrop
	registrationGet
	registrationPut
	registrationDrop
	entryPut
	entryDrop
	memberPut
	syncBegin
	syncGet
	metaGet
	metaPut
	stmtCount
)

const (
	// The two look-ups stand in the columns: for a LEFT JOIN, SQLite prepares
	// the statement anew at every call, which costs five times the query.
	conversationOwner = `
		coalesce((SELECT i.person FROM identity i WHERE i.channel = c.channel AND i.user_id = c.user_id), ''),
		coalesce((SELECT i.level + CASE WHEN (SELECT p.frozen_at FROM person p WHERE p.id = i.person) <> 0 THEN 8 ELSE 0 END
			FROM identity i WHERE i.channel = c.channel AND i.user_id = c.user_id), 0)`
	inboundColumns   = `channel, id, conversation, body, at, no, owner, given_up, error`
	inboundBare      = `channel, id, conversation, NULL, at, no, owner, given_up, error`
	personColumns    = `id, username, email, name, given_name, department, title, manager, work_phone, lang, time_zone, disabled, stage, started_at, done_at, next_nudge, stopped_at, frozen_at, first_method_at, kind, site, hired_on, unlisted_at, synced`
	methodColumns    = `id, person, kind, state, label, via, sealed, dest_hash, last_step, failures, created_at, proven_at, used_at, replaces, conversation, held_until, drift`
	challengeColumns = `id, person, conversation, method, purpose, tier, via, lang, code_hash, sealed_code, sealed_to, tries, sent, provider_ref, created_at, expires_at, closed_at`
	openingColumns   = `id, channel, kind, what, title, opened, why, explained, at`
	openingShown     = `p.id, p.channel, p.kind, p.what, p.title, CASE WHEN ` + openingStands + ` THEN p.opened ELSE '' END, p.why, p.explained, p.at`
	// openingStands: the conversation that opening p became is there, and its
	// account is not another person's now.
	openingStands = `EXISTS (SELECT 1 FROM conversation k WHERE k.id = p.opened AND NOT (p.kind = 0
		AND EXISTS (SELECT 1 FROM identity i WHERE i.channel = k.channel AND i.user_id = k.user_id AND i.person <> p.what)))`
	// openingWaits and openingTaken are the rows that were said to an opening; each is
	// found by an index of its own, and both together by none.
	openingWaits = `SELECT id FROM outbox WHERE conversation = $1 AND live = 1 AND owner = 0`
	openingTaken = `SELECT id FROM outbox WHERE conversation = $1 AND live = 1 AND owner <> 0 AND state = 0`
	// openedAs is what conversation c became, when it is an opening.
	openedAs     = `(SELECT p.opened FROM opening p WHERE p.id = c.id AND ` + openingStands + `)`
	passColumns  = `hash, kind, conversation, data, created_at, used_at, expires_at, spent_at`
	auditColumns = `seq, at, ref, actor, action, subject, channel, evidence, prev, hash, key, was`
)

var (
	// The two tables whose rows are structs: see column.
	conversationColumns = conversationTable.names("c.") + `, ` + conversationOwner
	outboxColumns       = `id, ` + outboxTable.names("")
	outboxBare          = strings.Replace(outboxColumns, "message", "NULL", 1)
)

const (
	// The rows that nobody has sent yet stand in two small indices: outbox_wait
	// has those that wait, outbox_owned those that somebody sends.
	outboxWaits = `live = 1 AND owner = 0`
	outboxOwned = `live = 1 AND owner <> 0 AND state = 0`
	// Nobody can have seen anything of it, on the platform or in the transcript.
	outboxUnseen = `id = $1 AND ` + outboxWaits + ` AND state = 0 AND doubt = 0 AND receipt = '' AND (kept = 0 OR seq = 0)`
	// What of a conversation goes out in which order. What has a place keeps it.
	outboxOrder = `CASE WHEN seq > 0 THEN 0 ELSE 1 END, seq, id`
	// noneOwned: nobody sends anything of the conversation of row %s. The OFFSET
	// has PostgreSQL ask the index for each row: it would compare each with all
	// that is owned.
	noneOwned = `NOT EXISTS (SELECT 1 FROM outbox q WHERE q.conversation = %s.conversation AND q.live = 1 AND q.owner <> 0 AND q.state = 0 /*postgres OFFSET 0*/)`
)

// outboxMarked are the columns that a mark finds its row by and stores.
var outboxMarked = outboxTable.only("conversation", "seq", "state", "attempts", "due", "expires", "doubt", "receipt", "error", "live")

// markText stores a mark; the values stand at val(column). The text of a message
// goes as soon as nobody needs it any more; that of a kept one is somebody's
// only transcript, and one that was given up can be said again.
func markText(owner string, val func(column string) string) string {
	state, live := `CAST(`+val("state")+` AS BIGINT)`, `CAST(`+val("live")+` AS BIGINT)`
	return `state = ` + val("state") + `, attempts = ` + val("attempts") + `, due = ` + val("due") + `, expires = ` + val("expires") + `, doubt = ` + val("doubt") + `,
		receipt = ` + val("receipt") + `, error = ` + val("error") + `, owner = CASE WHEN ` + state + ` = 0 THEN 0 ELSE ` + owner + ` END,
		message = CASE WHEN ` + state + ` = 0 OR ` + live + ` > 0 OR kept = 1 THEN message END,
		live = CASE WHEN ` + state + ` = 0 OR (` + state + ` = 1 AND fleeting = 1) THEN 1 ELSE ` + live + ` END`
}

// place is where the value of a column of outboxMarked stands.
func place(column string) string {
	for i, c := range outboxMarked {
		if c.name == column {
			return "$" + strconv.Itoa(i+1)
		}
	}
	panic("store: no column " + column)
}

// markFence lets a mark touch a row only as long as its owner still has it. What
// was sent may be taken back by anybody who knows all its parts: an edit may just
// have added one.
func markFence(owner, state, receipt string) string {
	return `(o.state = 0 AND o.owner = ` + owner + ` OR o.state = 1 AND CAST(` + state + ` AS BIGINT) > 1 AND o.receipt = ` + receipt + `)`
}

// statements is the one SQL text.
var statements = [stmtCount]string{
	eventInsert: `INSERT INTO event (channel, id, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,

	conversationInsert: `INSERT INTO conversation (` + conversationTable.names("") + `)
		VALUES (` + conversationTable.params(1) + `) ON CONFLICT DO NOTHING`,
	conversationGet: `SELECT ` + conversationColumns + ` FROM conversation c WHERE c.id = $1 /*lock FOR UPDATE OF c*/`,
	// How a turn reads its conversation on SQLite: with what waits there before
	// what it will say, see behindOf.
	conversationOpen: `SELECT ` + conversationColumns + `,
		coalesce((SELECT max(w.due) * 2 + 1 + (min(w.seq) = 0) FROM outbox w WHERE w.conversation = c.id AND w.live = 1 AND w.owner = 0 AND w.lane < 2), 0)
		FROM conversation c WHERE c.id = $1`,
	// The last column: what waits there of the dialogue is not due before.
	conversationChannel: `SELECT c.channel, coalesce(` + openedAs + `, ''), coalesce((SELECT max(w.due) FROM outbox w
		WHERE w.conversation = coalesce(` + openedAs + `, c.id) AND w.live = 1 AND w.owner = 0 AND w.lane < 2), 0) FROM conversation c WHERE c.id = $1`,
	conversationGrow: `UPDATE conversation SET out_seq = out_seq + 1, version = version + 1 WHERE id IN ` + among,
	conversationSave: `UPDATE conversation SET ` + conversationSaved.sets(3) + `, version = version + 1 WHERE id = $1 AND version = $2`,
	conversationUser: `UPDATE conversation SET channel = $2, user_id = $3 WHERE id = $1`,
	conversationsOf: `SELECT ` + conversationTable.names("c.") + `, i.person, i.level
		FROM identity i JOIN conversation c ON c.channel = i.channel AND c.user_id = i.user_id
		WHERE i.person = $1 ORDER BY c.updated DESC, c.id`,
	conversationsRecent: `SELECT ` + strings.Replace(conversationTable.names("c."), "c.state", "NULL", 1) + `, COALESCE(i.person, ''), COALESCE(i.level, 0)
		FROM conversation c LEFT JOIN identity i ON i.channel = c.channel AND i.user_id = c.user_id
		WHERE c.channel = $1 AND c.kind = 0 AND NOT EXISTS (SELECT 1 FROM opening p WHERE p.id = c.id) ORDER BY c.updated DESC, c.id LIMIT $2`,
	// The ids come as one JSON array, which both can take apart.
	conversationHeads: `SELECT id, out_seq FROM conversation WHERE id IN
		(SELECT value FROM /*sqlite json_each($1)*/ /*postgres json_array_elements_text($1::json) ids(value)*/)`,

	outboxInsert: `INSERT INTO outbox (` + outboxTable.names("") + `) VALUES (` + outboxTable.params(1) + `)`,
	// The id that the database gave the row that this connection inserted last.
	outboxNewest: `SELECT /*sqlite max(id) FROM outbox*/ /*postgres currval(pg_get_serial_sequence('outbox', 'id'))*/`,
	outboxGet:    `SELECT ` + outboxColumns + ` FROM outbox WHERE id = $1`,
	outboxPending: `SELECT * FROM (SELECT ` + outboxColumns + ` FROM outbox WHERE ` + outboxWaits + `
		UNION ALL SELECT ` + outboxColumns + ` FROM outbox WHERE ` + outboxOwned + `) o ORDER BY conversation, ` + outboxOrder + ` LIMIT $1`,
	outboxPendingOf: `SELECT * FROM (SELECT ` + outboxColumns + ` FROM outbox WHERE conversation = $1 AND ` + outboxWaits + `
		UNION ALL SELECT ` + outboxColumns + ` FROM outbox WHERE conversation = $1 AND ` + outboxOwned + `) o ORDER BY ` + outboxOrder,
	// By the id that it looks up first: SQLite takes twice the time to change a row
	// that it finds through an index of what is changed.
	outboxMark: `UPDATE outbox AS o SET ` + markText("owner", place) + `
		WHERE id = (SELECT id FROM outbox WHERE conversation = $1 AND seq = $2 AND live = 1 AND owner <> 0) AND ` + markFence("$11", place("state"), place("receipt")),
	outboxMarkWaiting: `UPDATE outbox SET ` + markText("-1", place) + `
		WHERE conversation = $1 AND ` + outboxWaits + ` AND (id = $11 OR CAST($11 AS BIGINT) = 0 AND seq = $2)`,
	// A change that waits comes after the message, and would undo a newer one in it.
	outboxRevise: `UPDATE outbox SET message = $2, fleeting = $3, kept = $4 WHERE ` + outboxUnseen + `
		AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.conversation = outbox.conversation AND e.live = 1 AND e.owner = 0 AND e.target = outbox.id)`,
	outboxRecall: `UPDATE outbox SET message = NULL, state = 3, live = 0, owner = -1 WHERE ` + outboxUnseen,
	outboxAmend: `UPDATE outbox SET state = $2, receipt = $3, message = CASE WHEN CAST($2 AS BIGINT) = 3 THEN NULL ELSE message END,
		live = CASE WHEN CAST($2 AS BIGINT) = 3 THEN 0 ELSE live END WHERE id = $1 AND state = 1`,
	outboxHold: `UPDATE outbox SET due = $2 WHERE conversation = $1 AND ` + outboxWaits + ` AND lane < 2 AND due < $2`,
	// Candidates, with the lock of their conversations.
	outboxClaimable: `SELECT c.id, c.user_id, c.address, c.out_seq, c.kind,
		(SELECT count(*) FROM (SELECT 1 FROM outbox w WHERE w.conversation = c.id AND w.live = 1 AND w.owner = 0 LIMIT 2) two)
		FROM conversation c WHERE c.id IN (SELECT d.conversation FROM (
		SELECT o.conversation FROM outbox o WHERE o.live = 1 AND o.owner = 0 AND o.account = $1 AND o.lane = $2 AND o.due <= $3
		AND ` + fmt.Sprintf(noneOwned, "o") + ` ORDER BY o.due, o.id LIMIT $4) d)
		/*lock ORDER BY c.id FOR UPDATE OF c SKIP LOCKED*/`,
	// Of each, the first. A notice for tomorrow holds up none of today, but one
	// that was tried already keeps its place.
	outboxClaim: `UPDATE outbox SET owner = $2, attempts = attempts + 1,
		seq = CASE WHEN seq > 0 THEN seq ELSE 1 + (SELECT c.out_seq FROM conversation c WHERE c.id = outbox.conversation) END
		WHERE id IN (SELECT (SELECT w.id FROM outbox w WHERE w.conversation = v.value AND w.live = 1 AND w.owner = 0
			AND (w.lane < 2 OR w.due <= $3 OR w.attempts > 0)
			ORDER BY CASE WHEN w.lane > 1 THEN w.lane ELSE 0 END, ` + outboxOrder + ` LIMIT 1)
			FROM /*sqlite json_each($1) v*/ /*postgres json_array_elements_text(CAST($1 AS json)) v(value)*/)
		AND due <= $3 AND ` + outboxWaits + ` AND ` + fmt.Sprintf(noneOwned, "outbox") + ` RETURNING ` + outboxColumns,
	outboxDueLanes: `SELECT d.account, d.lane, d.due FROM (SELECT a.value AS account, l.lane AS lane,
		(SELECT o.due FROM outbox o WHERE o.live = 1 AND o.owner = 0 AND o.account = a.value AND o.lane = l.lane ORDER BY o.due, o.id LIMIT 1) AS due
		FROM /*sqlite json_each($1) a*/ /*postgres json_array_elements_text(CAST($1 AS json)) a(value)*/
		CROSS JOIN (SELECT 0 AS lane UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) l) d WHERE d.due IS NOT NULL`,
	outboxOwnedBy: `SELECT ` + outboxColumns + ` FROM outbox WHERE ` + outboxOwned + ` AND owner = $1 AND created_at < $2 ORDER BY conversation, seq LIMIT $3`,
	outboxOrphans: `SELECT DISTINCT o.owner FROM outbox o WHERE o.live = 1 AND o.owner <> 0 AND o.state = 0
		AND NOT EXISTS (SELECT 1 FROM worker w WHERE w.id = o.owner)`,
	outboxFree: `UPDATE outbox SET owner = 0, due = 0, doubt = CASE WHEN doubt > 0 THEN doubt ELSE 1 END
		WHERE id IN (SELECT o.id FROM outbox o WHERE o.live = 1 AND o.owner <> 0 AND o.owner = $1 AND o.state = 0
		ORDER BY o.conversation, o.seq LIMIT $2 /*lock FOR UPDATE SKIP LOCKED*/) RETURNING account, conversation`,
	outboxGivenUp:   `SELECT ` + outboxColumns + ` FROM outbox WHERE live > 1 ORDER BY id DESC LIMIT $1`,
	outboxGivenUpOf: `SELECT ` + outboxColumns + ` FROM outbox WHERE live > 1 AND conversation = $1 ORDER BY id`,
	outboxSentAfter: `SELECT ` + outboxBare + ` FROM outbox WHERE id > $2 AND conversation = $1 AND state = 1 ORDER BY id`,
	outboxSaidAt:    `SELECT ` + outboxBare + ` FROM outbox WHERE id > (SELECT max(id) FROM outbox) - 100000 AND conversation = $1 AND created_at = $2 ORDER BY id`,
	outboxUnlist:    `UPDATE outbox SET live = 0, message = CASE WHEN kept = 1 THEN message END WHERE id = $1 AND live > 1`,
	outboxUntold:    `SELECT DISTINCT conversation FROM outbox WHERE live > 1 AND live = 3`,
	outboxTold:      `UPDATE outbox SET live = 2 WHERE live > 1 AND live = 3 AND conversation = $1`,
	outboxFleeting: `SELECT ` + outboxBare + ` FROM outbox WHERE live = 1 AND owner <> 0 AND state = 1 AND conversation = $1 AND created_at < $2
		ORDER BY seq`,
	outboxFleetingAll: `SELECT ` + outboxBare + ` FROM outbox WHERE live = 1 AND owner <> 0 AND state = 1 AND created_at < $1
		ORDER BY conversation, seq`,
	outboxSaid: `SELECT ` + outboxColumns + ` FROM outbox WHERE kept = 1 AND conversation = $1 AND seq > $2
		ORDER BY seq DESC LIMIT $3`,

	openingInsert: `INSERT INTO opening (` + openingColumns + `) VALUES ($1, $2, $3, $4, $5, '', '', '', $6) ON CONFLICT DO NOTHING`,
	openingGet:    `SELECT ` + openingShown + ` FROM opening p WHERE id = $1`,
	openingFind:   `SELECT id FROM opening WHERE kind = $1 AND what = $2 AND channel = $3`,
	openingsOf:    `SELECT ` + openingShown + ` FROM opening p WHERE kind = 0 AND what = $1 ORDER BY channel`,
	// Where the person has written, and where they were written to before.
	openingDirect: `SELECT c.id FROM identity i JOIN conversation c ON c.channel = i.channel AND c.user_id = i.user_id
		WHERE i.person = $1 AND i.channel = $2 AND c.kind = 0 ORDER BY c.updated DESC, c.id LIMIT 1`,
	openingRecent: `SELECT p.opened FROM opening p WHERE p.kind = 0 AND p.what = $1 AND p.channel = $2 AND ` + openingStands,
	openingNote:   `UPDATE opening SET opened = $2, why = $3, explained = $4, at = $5 WHERE id = $1`,
	// Nothing of it was ever sent. What a failed attempt has held up is due now.
	openingMove: `UPDATE outbox SET conversation = $2, seq = 0, owner = 0, attempts = 0, doubt = 0, error = '',
		due = CASE WHEN lane < 2 OR attempts > 0 THEN CAST($3 AS BIGINT) ELSE due END
		WHERE id IN (` + openingWaits + ` UNION ALL ` + openingTaken + `) RETURNING due`,
	openingDead: `UPDATE outbox SET state = 2, live = 2, error = $2, doubt = 0, owner = CASE WHEN owner = 0 THEN -1 ELSE owner END
		WHERE id IN (` + openingWaits + ` AND due <= $3 UNION ALL ` + openingTaken + `)`,
	openingWake: `UPDATE outbox SET due = $2 WHERE live = 1 AND owner = 0 AND due > $2 AND attempts > 0
		AND conversation IN (SELECT id FROM opening WHERE kind = 2 AND what = $1) RETURNING account, conversation`,

	inboundGate: `SELECT 1 /*postgres FROM (SELECT pg_advisory_xact_lock(1819636331, 2)) gate*/`,
	// What comes after a row of somebody else waits until that is gone.
	inboundPut: `INSERT INTO inbound (` + inboundColumns + `) VALUES ($1, $2, $3, $4, $5, (SELECT coalesce(max(no), 0) + 1 FROM inbound),
		CASE WHEN EXISTS (SELECT 1 FROM inbound i WHERE i.conversation = $3 AND i.given_up = 0 AND i.owner <> CAST($6 AS BIGINT)) THEN 0 ELSE CAST($6 AS BIGINT) END, 0, '')
		ON CONFLICT DO NOTHING RETURNING no, owner`,
	inboundMine: `SELECT no, owner FROM inbound WHERE channel = $1 AND id = $2 AND owner = $3 AND given_up = 0`,
	inboundDrop: `DELETE FROM inbound WHERE channel = $1 AND id = $2 AND owner = $3`,
	inboundClaim: `UPDATE inbound SET owner = $1 WHERE given_up = 0 AND owner <> $1 AND conversation IN (
		SELECT i.conversation FROM inbound i WHERE i.given_up = 0 AND i.owner <> $1 AND NOT EXISTS (SELECT 1 FROM inbound o
			WHERE o.conversation = i.conversation AND o.given_up = 0 AND o.owner <> $1 AND o.owner IN (SELECT w.id FROM worker w))
		GROUP BY i.conversation ORDER BY min(i.no) LIMIT $2) RETURNING ` + inboundColumns,
	inboundMark:  `UPDATE inbound SET error = $3, given_up = $4 WHERE channel = $1 AND id = $2 AND owner = $5`,
	inboundRetry: `UPDATE inbound SET given_up = 0, at = $2, owner = 0 WHERE conversation = $1 AND given_up <> 0`,
	inboundList:  `SELECT ` + inboundBare + ` FROM inbound ORDER BY no LIMIT $1`,

	personGet:     `SELECT ` + personColumns + ` FROM person WHERE id = $1`,
	personByLogin: `SELECT ` + personColumns + ` FROM person WHERE username = $1 AND username <> '' UNION ALL SELECT ` + personColumns + ` FROM person WHERE email = $1 AND email <> ''`,
	personStage: `UPDATE person SET stage = $2,
		started_at = CASE WHEN CAST($2 AS BIGINT) > 0 AND started_at = 0 THEN $3 ELSE started_at END,
		done_at = CASE WHEN CAST($2 AS BIGINT) = 2 AND done_at = 0 THEN $3 ELSE done_at END WHERE id = $1`,
	personNudge:       `UPDATE person SET next_nudge = $2 WHERE id = $1`,
	personLang:        `UPDATE person SET lang = $2 WHERE id = $1`,
	personStopped:     `UPDATE person SET stopped_at = $2 WHERE id = $1`,
	personFrozen:      `UPDATE person SET frozen_at = $2 WHERE id = $1`,
	personFirstMethod: `UPDATE person SET first_method_at = $2 WHERE id = $1`,

	identityPut: `INSERT INTO identity (channel, user_id, person, level, linked_at, held_until, evidence) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (channel, user_id) DO UPDATE SET person = excluded.person, level = excluded.level, linked_at = excluded.linked_at,
		held_until = excluded.held_until, evidence = excluded.evidence`,
	identityDelete: `DELETE FROM identity WHERE channel = $1 AND user_id = $2`,
	identityGet: `SELECT channel, user_id, person, level, linked_at, held_until, evidence, coalesce((SELECT p.frozen_at FROM person p WHERE p.id = identity.person), 0)
		FROM identity WHERE channel = $1 AND user_id = $2`,
	identitiesOf: `SELECT channel, user_id, person, level, linked_at, held_until, evidence FROM identity WHERE person = $1 ORDER BY linked_at, channel, user_id`,

	methodsOf: `SELECT ` + methodColumns + ` FROM method WHERE person = $1 AND state <> 2 ORDER BY created_at, id /*lock FOR UPDATE*/`,
	methodGet: `SELECT ` + methodColumns + ` FROM method WHERE id = $1 /*lock FOR UPDATE*/`,
	// The last accepted step never goes back, whoever writes an old copy.
	methodPut: `INSERT INTO method (` + methodColumns + `, removed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
		ON CONFLICT (id) DO UPDATE SET person = excluded.person, kind = excluded.kind, state = excluded.state, label = excluded.label,
		via = excluded.via, sealed = excluded.sealed, dest_hash = excluded.dest_hash,
		last_step = CASE WHEN excluded.last_step > method.last_step THEN excluded.last_step ELSE method.last_step END,
		failures = excluded.failures, created_at = excluded.created_at, proven_at = excluded.proven_at, used_at = excluded.used_at,
		replaces = excluded.replaces, conversation = excluded.conversation, held_until = excluded.held_until, drift = excluded.drift,
		removed_at = CASE WHEN excluded.removed_at > 0 AND method.removed_at > 0 THEN method.removed_at ELSE excluded.removed_at END`,
	methodMark: `UPDATE method SET failures = $2, used_at = $3, drift = $4,
		state = CASE WHEN state = 1 AND CAST($5 AS BIGINT) = 1 THEN 3 ELSE state END WHERE id = $1 AND state IN (1, 3)`,
	methodDrop:    `UPDATE method SET state = 2, sealed = NULL, dest_hash = NULL, removed_at = $2 WHERE id = $1 AND state = 0`,
	secretsDrop:   `DELETE FROM method_secret WHERE method IN (SELECT id FROM method WHERE id = $1 AND state = 0)`,
	methodStep:    `UPDATE method SET last_step = $2 WHERE id = $1 AND (last_step < $2 OR last_step > $3)`,
	methodShared:  `SELECT count(DISTINCT person) FROM method WHERE dest_hash = $1 AND state IN (1, 3) AND person <> $2`,
	secretsDelete: `DELETE FROM method_secret WHERE method = $1`,
	secretInsert:  `INSERT INTO method_secret (method, no, name, sealed, used_at) VALUES ($1, $2, $3, $4, $5)`,
	secretsGet:    `SELECT no, name, sealed, used_at FROM method_secret WHERE method = $1 ORDER BY no`,
	secretSpend:   `UPDATE method_secret SET used_at = $3 WHERE method = $1 AND no = $2 AND used_at = 0`,

	challengePut: `INSERT INTO challenge (` + challengeColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
		ON CONFLICT (id) DO UPDATE SET person = excluded.person, conversation = excluded.conversation, method = excluded.method,
		purpose = excluded.purpose, tier = excluded.tier, via = excluded.via, lang = excluded.lang, code_hash = excluded.code_hash,
		sealed_code = excluded.sealed_code, sealed_to = excluded.sealed_to,
		tries = CASE WHEN excluded.tries > challenge.tries THEN excluded.tries ELSE challenge.tries END,
		sent = CASE WHEN excluded.sent > challenge.sent THEN excluded.sent ELSE challenge.sent END,
		provider_ref = CASE WHEN excluded.provider_ref <> '' THEN excluded.provider_ref ELSE challenge.provider_ref END,
		created_at = excluded.created_at, expires_at = excluded.expires_at,
		closed_at = CASE WHEN challenge.closed_at <> 0 THEN challenge.closed_at ELSE excluded.closed_at END`,
	challengeGet: `SELECT ` + challengeColumns + ` FROM challenge WHERE id = $1 /*lock FOR UPDATE*/`,
	challengesOpen: `SELECT ` + challengeColumns + ` FROM challenge WHERE person = $1 AND purpose = $2 AND closed_at = 0 AND expires_at > $3
		ORDER BY created_at DESC, id DESC /*lock FOR UPDATE*/`,
	challengeTry:   `UPDATE challenge SET tries = tries + 1 WHERE id = $1 RETURNING tries`,
	challengeClose: `UPDATE challenge SET closed_at = $2 WHERE id = $1 AND closed_at = 0`,
	challengeSend: `UPDATE challenge SET sent = $2, provider_ref = CASE WHEN $3 <> '' THEN $3 ELSE provider_ref END
		WHERE id = $1 AND sent < $2`,
	challengeByRef: `SELECT ` + challengeColumns + ` FROM challenge WHERE provider_ref = $1 AND provider_ref <> '' ORDER BY created_at DESC LIMIT 1`,

	tallyAdd: `INSERT INTO tally (bucket, key, at, n) VALUES ($1, $2, $3, 1)
		ON CONFLICT (bucket, key, at) DO UPDATE SET n = tally.n + 1`,
	tallyCount:    `SELECT coalesce(sum(n), 0) /*postgres ::bigint*/, coalesce(min(at), 0) FROM tally WHERE bucket = $1 AND key = $2 AND at >= $3`,
	tallyKeys:     `SELECT coalesce(sum(n), 0) /*postgres ::bigint*/, count(DISTINCT key) FROM tally WHERE bucket = $1 AND at >= $2`,
	tallyClear:    `DELETE FROM tally WHERE bucket = $1 AND key = $2`,
	tallyClearAll: `DELETE FROM tally WHERE bucket = $1`,
	// Whoever counts decides on the count, so counting is one at a time
	// across processes. SQLite has one writer anyway.
	tallyGate: `SELECT 1 /*postgres FROM (SELECT pg_advisory_xact_lock(1819636331, 1)) gate*/`,

	personRef:    `SELECT ref FROM person WHERE id = $1`,
	personRefPut: `UPDATE person SET ref = $2, ref_key = $3, ref_seal = $4 WHERE id = $1 AND ref = ''`,
	// With the reference of the person whom the first line is about: "" when
	// the person has none yet, "-" when there is no such person.
	auditHeadGet: `SELECT h.seq, h.hash, coalesce((SELECT p.ref FROM person p WHERE p.id = $1), '-') FROM audit_head h WHERE h.one = 1 /*lock FOR UPDATE OF h*/`,
	auditHeadPut: `UPDATE audit_head SET seq = $1, hash = $2 WHERE one = 1`,
	auditEnds:    `SELECT seq, hash, from_seq, from_at, from_hash, from_key, from_seal FROM audit_head WHERE one = 1 /*lock FOR UPDATE*/`,
	auditFromPut: `UPDATE audit_head SET from_seq = $1, from_at = $2, from_hash = $3, from_key = $4, from_seal = $5 WHERE one = 1`,
	auditInsert:  `INSERT INTO audit (` + auditColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, NULL)`,
	auditReseal:  `UPDATE audit SET ref = $2, prev = $3, hash = $4, key = $5, was = $6 WHERE seq = $1`,
	auditLines:   `SELECT ` + auditColumns + ` FROM audit WHERE seq >= $1 ORDER BY seq LIMIT $2`,
	auditNamed: `SELECT ` + auditColumns + `, coalesce((SELECT p.id FROM person p WHERE p.ref = a.ref AND p.ref <> ''), '')
		FROM audit a WHERE seq >= $1 ORDER BY seq LIMIT $2`,
	auditCut: `DELETE FROM audit WHERE seq <= $1`,

	// What was spent stays spent, whoever writes an old copy.
	passPut: `INSERT INTO pass (` + passColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (hash) DO UPDATE SET kind = excluded.kind, conversation = excluded.conversation, data = excluded.data,
		created_at = excluded.created_at, used_at = excluded.used_at, expires_at = excluded.expires_at,
		spent_at = CASE WHEN pass.spent_at <> 0 THEN pass.spent_at ELSE excluded.spent_at END`,
	passGet:      `SELECT ` + passColumns + ` FROM pass WHERE hash = $1 /*lock FOR UPDATE*/`,
	passSpend:    `UPDATE pass SET spent_at = $2 WHERE hash = $1 AND spent_at = 0 AND expires_at > $2`,
	passDrop:     `DELETE FROM pass WHERE hash = $1`,
	passSessions: `SELECT ` + passColumns + ` FROM pass WHERE conversation = $1 AND kind = 'session' AND spent_at = 0`,

	alertRaise: `INSERT INTO alert (kind, person, detail, n, first_at, at, told_at) VALUES ($1, $2, $3, 1, $4, $4, 0)
		ON CONFLICT (kind, person) DO UPDATE SET detail = excluded.detail, n = alert.n + 1, at = excluded.at`,
	alertsOf:  `SELECT kind, person, detail, n, first_at, at, told_at FROM alert WHERE kind = $1 OR $1 = '' ORDER BY first_at, kind, person`,
	alertTold: `UPDATE alert SET told_at = $3 WHERE kind = $1 AND person = $2 AND told_at < $3`,
	alertDrop: `DELETE FROM alert WHERE kind = $1 AND person = $2`,

	registrationGet:  `SELECT read_at, body FROM registration WHERE person = $1`,
	registrationDrop: `DELETE FROM registration WHERE person = $1`,
	registrationPut: `INSERT INTO registration (person, read_at, body) VALUES ($1, $2, $3)
		ON CONFLICT (person) DO UPDATE SET read_at = excluded.read_at, body = excluded.body`,

	entryPut: `INSERT INTO directory_entry (id, round, body) VALUES ($1, $2, $3)
		ON CONFLICT (id) DO UPDATE SET round = excluded.round, body = excluded.body`,
	entryDrop: `DELETE FROM directory_entry WHERE id = $1`,
	memberPut: `INSERT INTO directory_member (grp, person, round) VALUES ($1, $2, $3)
		ON CONFLICT (grp, person) DO UPDATE SET round = excluded.round`,
	// The row is there before it is locked: nobody may begin a sync beside.
	syncBegin: `INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING`,
	syncGet:   `SELECT value FROM meta WHERE key = $1 /*lock FOR UPDATE*/`,

	metaGet: `SELECT value FROM meta WHERE key = $1`,
	metaPut: `INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
}
