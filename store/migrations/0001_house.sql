-- Times are Unix milliseconds, 0 is "never". See sql.go for how the tables are used.

CREATE TABLE meta (
	key   TEXT NOT NULL PRIMARY KEY,
	value BLOB NOT NULL
) /*sqlite WITHOUT ROWID*/;

-- Ids of events that were taken in. A repeat is found by the key.
CREATE TABLE event (
	channel TEXT NOT NULL,
	id      TEXT NOT NULL,
	at      BIGINT NOT NULL,
	PRIMARY KEY (channel, id)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE conversation (
	id      TEXT NOT NULL PRIMARY KEY,
	channel TEXT NOT NULL,
	user_id TEXT NOT NULL,
	address BLOB,
	state   BLOB,
	out_seq BIGINT NOT NULL,
	version BIGINT NOT NULL,
	updated BIGINT NOT NULL
) /*sqlite WITHOUT ROWID*/ /*postgres WITH (fillfactor = 50)*/;
CREATE INDEX conversation_user ON conversation (channel, user_id);

-- Appended at the end; found through the small index of rows that still
-- matter (live: pending, or sent and to be retracted).
CREATE TABLE outbox (
	id           /*sqlite INTEGER PRIMARY KEY*/ /*postgres BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY*/,
	conversation TEXT NOT NULL,
	seq          BIGINT NOT NULL,
	message      BLOB,
	fleeting     BIGINT NOT NULL,
	live         BIGINT NOT NULL,
	state        BIGINT NOT NULL,
	attempts     BIGINT NOT NULL,
	not_before   BIGINT NOT NULL,
	receipt      TEXT NOT NULL,
	error        TEXT NOT NULL,
	created_at   BIGINT NOT NULL
) /*postgres WITH (fillfactor = 80)*/;
CREATE INDEX outbox_live ON outbox (conversation, seq) WHERE live = 1;

CREATE TABLE person (
	id         TEXT NOT NULL PRIMARY KEY,
	username   TEXT NOT NULL,
	email      TEXT NOT NULL,
	name       TEXT NOT NULL,
	given_name TEXT NOT NULL,
	department TEXT NOT NULL,
	title      TEXT NOT NULL,
	manager    TEXT NOT NULL,
	work_phone TEXT NOT NULL,
	lang       TEXT NOT NULL,
	time_zone  TEXT NOT NULL,
	disabled   BIGINT NOT NULL,
	stage      BIGINT NOT NULL,
	started_at BIGINT NOT NULL,
	done_at    BIGINT NOT NULL,
	next_nudge BIGINT NOT NULL
) /*sqlite WITHOUT ROWID*/;
CREATE UNIQUE INDEX person_username ON person (username) WHERE username <> '';
CREATE UNIQUE INDEX person_email ON person (email) WHERE email <> '';
CREATE INDEX person_stage ON person (stage, id);
CREATE INDEX person_due ON person (next_nudge, id) WHERE stage < 2;

CREATE TABLE identity (
	channel   TEXT NOT NULL,
	user_id   TEXT NOT NULL,
	person    TEXT NOT NULL,
	level     BIGINT NOT NULL,
	linked_at BIGINT NOT NULL,
	PRIMARY KEY (channel, user_id)
) /*sqlite WITHOUT ROWID*/;
CREATE INDEX identity_person ON identity (person);

CREATE TABLE method (
	id         TEXT NOT NULL PRIMARY KEY,
	person     TEXT NOT NULL,
	kind       TEXT NOT NULL,
	state      BIGINT NOT NULL,
	label      TEXT NOT NULL,
	via        TEXT NOT NULL,
	sealed     BLOB,
	dest_hash  BLOB,
	last_step  BIGINT NOT NULL,
	failures   BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	proven_at  BIGINT NOT NULL,
	used_at    BIGINT NOT NULL,
	replaces   TEXT NOT NULL
) /*sqlite WITHOUT ROWID*/;
CREATE INDEX method_person ON method (person);
CREATE INDEX method_destination ON method (dest_hash) WHERE dest_hash IS NOT NULL;

CREATE TABLE method_secret (
	method  TEXT NOT NULL,
	no      BIGINT NOT NULL,
	name    TEXT NOT NULL,
	sealed  BLOB,
	used_at BIGINT NOT NULL,
	PRIMARY KEY (method, no)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE challenge (
	id           TEXT NOT NULL PRIMARY KEY,
	person       TEXT NOT NULL,
	conversation TEXT NOT NULL,
	method       TEXT NOT NULL,
	purpose      TEXT NOT NULL,
	tier         BIGINT NOT NULL,
	via          TEXT NOT NULL,
	lang         TEXT NOT NULL,
	code_hash    BLOB,
	sealed_code  BLOB,
	sealed_to    BLOB,
	tries        BIGINT NOT NULL,
	sent         BIGINT NOT NULL,
	provider_ref TEXT NOT NULL,
	created_at   BIGINT NOT NULL,
	expires_at   BIGINT NOT NULL,
	closed_at    BIGINT NOT NULL
) /*sqlite WITHOUT ROWID*/;
CREATE INDEX challenge_open ON challenge (person, purpose) WHERE closed_at = 0;
CREATE INDEX challenge_ref ON challenge (provider_ref) WHERE provider_ref <> '';

CREATE TABLE tally (
	bucket TEXT NOT NULL,
	key    TEXT NOT NULL,
	at     BIGINT NOT NULL,
	n      BIGINT NOT NULL,
	PRIMARY KEY (bucket, key, at)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE audit (
	seq      /*sqlite INTEGER*/ /*postgres BIGINT*/ NOT NULL PRIMARY KEY,
	at       BIGINT NOT NULL,
	person   TEXT NOT NULL,
	actor    TEXT NOT NULL,
	action   TEXT NOT NULL,
	subject  TEXT NOT NULL,
	channel  TEXT NOT NULL,
	evidence TEXT NOT NULL,
	prev     BLOB,
	hash     BLOB NOT NULL
);

-- One row: the last line. It tells when lines were cut off at the end.
CREATE TABLE audit_head (
	one  BIGINT NOT NULL PRIMARY KEY,
	seq  BIGINT NOT NULL,
	hash BLOB
);
INSERT INTO audit_head (one, seq, hash) VALUES (1, 0, NULL);

CREATE TABLE request (
	id           TEXT NOT NULL PRIMARY KEY,
	person       TEXT NOT NULL,
	conversation TEXT NOT NULL,
	flow         TEXT NOT NULL,
	step         TEXT NOT NULL,
	error        TEXT NOT NULL,
	lang         TEXT NOT NULL,
	at           BIGINT NOT NULL,
	closed_at    BIGINT NOT NULL
) /*sqlite WITHOUT ROWID*/;
CREATE UNIQUE INDEX request_open ON request (conversation) WHERE closed_at = 0;
CREATE INDEX request_at ON request (at, id) WHERE closed_at = 0;
