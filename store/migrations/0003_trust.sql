-- Who may change what. A person's two stops of ours stand beside the
-- directory's: an import never touches them.
ALTER TABLE person ADD COLUMN stopped_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE person ADD COLUMN frozen_at BIGINT NOT NULL DEFAULT 0;
-- When the first method was ever proven: "had one once" is never "never had one".
ALTER TABLE person ADD COLUMN first_method_at BIGINT NOT NULL DEFAULT 0;
UPDATE person SET first_method_at = coalesce((SELECT min(m.proven_at) FROM method m WHERE m.person = person.id AND m.proven_at > 0), 0);
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
