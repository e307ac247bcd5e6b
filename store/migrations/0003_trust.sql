-- Who may change what. A person's two stops of ours stand beside the
-- directory's: an import never touches them.
ALTER TABLE person ADD COLUMN stopped_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE person ADD COLUMN frozen_at BIGINT NOT NULL DEFAULT 0;
-- When the first method was ever proven: "had one once" is never "never had one".
ALTER TABLE person ADD COLUMN first_method_at BIGINT NOT NULL DEFAULT 0;
-- Answers are no method by themselves.
UPDATE person SET first_method_at = coalesce((SELECT min(m.proven_at) FROM method m
	WHERE m.person = person.id AND m.proven_at > 0 AND m.kind <> 'questions'), 0);
-- More that a directory says.
ALTER TABLE person ADD COLUMN kind TEXT NOT NULL DEFAULT '';
ALTER TABLE person ADD COLUMN site TEXT NOT NULL DEFAULT '';
ALTER TABLE person ADD COLUMN hired_on TEXT NOT NULL DEFAULT '';

-- A new link is held for a while; see bot.Identity.
ALTER TABLE identity ADD COLUMN held_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE identity ADD COLUMN evidence TEXT NOT NULL DEFAULT '';

-- Where a method was begun, until when it proves nothing elsewhere, and how far
-- its clock is off.
ALTER TABLE method ADD COLUMN conversation TEXT NOT NULL DEFAULT '';
ALTER TABLE method ADD COLUMN held_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE method ADD COLUMN drift BIGINT NOT NULL DEFAULT 0;

-- A line of the audit record names a person by a random reference, which only
-- person.ref leads back from. Each line names the key of its hash; was is what
-- a line of before that was sealed had for a hash (see bot/audit).
ALTER TABLE person ADD COLUMN ref TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX person_ref ON person (ref) WHERE ref <> '';
ALTER TABLE audit RENAME COLUMN person TO ref;
ALTER TABLE audit ADD COLUMN key TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN was BLOB;

-- Where the record begins: the last line that retention removed, and its seal.
ALTER TABLE audit_head ADD COLUMN from_seq BIGINT NOT NULL DEFAULT 0;
ALTER TABLE audit_head ADD COLUMN from_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE audit_head ADD COLUMN from_hash BLOB;
ALTER TABLE audit_head ADD COLUMN from_key TEXT NOT NULL DEFAULT '';
ALTER TABLE audit_head ADD COLUMN from_seal BLOB;

-- When a method was removed: its row is pruned some time after that.
ALTER TABLE method ADD COLUMN removed_at BIGINT NOT NULL DEFAULT 0;

-- Since when the last staff list that was imported does not have the person;
-- 0: it has, or nothing was imported since this is known.
ALTER TABLE person ADD COLUMN unlisted_at BIGINT NOT NULL DEFAULT 0;

-- People who were erased while a list still had them, by a keyed hash of their
-- id: an import leaves them out.
CREATE TABLE tombstone (
	hash BLOB NOT NULL PRIMARY KEY,
	at   BIGINT NOT NULL
) /*sqlite WITHOUT ROWID*/;

-- What an operator has to know: one row of a kind for each person, told when
-- told_at has come up to at.
CREATE TABLE alert (
	kind     TEXT NOT NULL,
	person   TEXT NOT NULL,
	detail   TEXT NOT NULL,
	n        BIGINT NOT NULL,
	first_at BIGINT NOT NULL,
	at       BIGINT NOT NULL,
	told_at  BIGINT NOT NULL,
	PRIMARY KEY (kind, person)
) /*sqlite WITHOUT ROWID*/;
