-- A request is a ticket now. state: 0 in the queue, 1 an agent has it, 2 solved,
-- 3 not needed any more. contact is sealed.
ALTER TABLE request RENAME TO ticket;
ALTER TABLE ticket ADD COLUMN matter TEXT NOT NULL DEFAULT '';
ALTER TABLE ticket ADD COLUMN state BIGINT NOT NULL DEFAULT 0;
ALTER TABLE ticket ADD COLUMN agent TEXT NOT NULL DEFAULT '';
ALTER TABLE ticket ADD COLUMN revision BIGINT NOT NULL DEFAULT 1;
ALTER TABLE ticket ADD COLUMN waits_since BIGINT NOT NULL DEFAULT 0;
ALTER TABLE ticket ADD COLUMN taken_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE ticket ADD COLUMN answered_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE ticket ADD COLUMN words TEXT NOT NULL DEFAULT '';
ALTER TABLE ticket ADD COLUMN rating BIGINT NOT NULL DEFAULT 0;
ALTER TABLE ticket ADD COLUMN contact BLOB;
UPDATE ticket SET matter = flow, waits_since = at, state = CASE WHEN closed_at = 0 THEN 0 ELSE 3 END;
DROP INDEX request_open;
DROP INDEX request_at;
CREATE UNIQUE INDEX ticket_open ON ticket (conversation) WHERE closed_at = 0;
CREATE INDEX ticket_at ON ticket (at, id) WHERE closed_at = 0;
CREATE INDEX ticket_person ON ticket (person, at);
CREATE INDEX ticket_closed ON ticket (closed_at, id) WHERE closed_at <> 0;

-- What was said and what happened. kind: 0 the person's words, 1 an agent's, 2 a
-- note of the desk, 3 an event (code). body is sealed.
CREATE TABLE ticket_line (
	ticket TEXT   NOT NULL,
	no     BIGINT NOT NULL,
	at     BIGINT NOT NULL,
	kind   BIGINT NOT NULL,
	agent  TEXT   NOT NULL,
	code   TEXT   NOT NULL,
	body   BLOB,
	PRIMARY KEY (ticket, no)
);

-- Who works at the help desk.
CREATE TABLE agent (
	person TEXT   NOT NULL PRIMARY KEY,
	role   TEXT   NOT NULL,
	by_whom TEXT  NOT NULL,
	why    TEXT   NOT NULL,
	at     BIGINT NOT NULL
);
