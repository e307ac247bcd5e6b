-- Written by TestSchemaOfNewFile from the folder migrations; see migrate.go.
CREATE TABLE latchkey_schema (version BIGINT NOT NULL);
CREATE TABLE meta (
	key   TEXT NOT NULL PRIMARY KEY,
	value BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE event (
	channel TEXT NOT NULL,
	id      TEXT NOT NULL,
	at      BIGINT NOT NULL,
	PRIMARY KEY (channel, id)
) WITHOUT ROWID;
CREATE TABLE conversation (
	id      TEXT NOT NULL PRIMARY KEY,
	channel TEXT NOT NULL,
	user_id TEXT NOT NULL,
	address BLOB,
	state   BLOB,
	out_seq BIGINT NOT NULL,
	version BIGINT NOT NULL,
	updated BIGINT NOT NULL
, kind BIGINT NOT NULL DEFAULT 0, parent TEXT NOT NULL DEFAULT '', route BIGINT NOT NULL DEFAULT 0) WITHOUT ROWID ;
CREATE INDEX conversation_user ON conversation (channel, user_id);
CREATE TABLE outbox (
	id           INTEGER PRIMARY KEY ,
	conversation TEXT NOT NULL,
	seq          BIGINT NOT NULL,
	message      BLOB,
	fleeting     BIGINT NOT NULL,
	live         BIGINT NOT NULL,
	state        BIGINT NOT NULL,
	attempts     BIGINT NOT NULL,
	due   BIGINT NOT NULL,
	receipt      TEXT NOT NULL,
	error        TEXT NOT NULL,
	created_at   BIGINT NOT NULL
, kept BIGINT NOT NULL DEFAULT 0, account TEXT NOT NULL DEFAULT '', author TEXT NOT NULL DEFAULT '', lane BIGINT NOT NULL DEFAULT 0, expires BIGINT NOT NULL DEFAULT 0, owner BIGINT NOT NULL DEFAULT 0, op BIGINT NOT NULL DEFAULT 0, target BIGINT NOT NULL DEFAULT 0, doubt BIGINT NOT NULL DEFAULT 0, campaign TEXT NOT NULL DEFAULT '');
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
, stopped_at BIGINT NOT NULL DEFAULT 0, frozen_at BIGINT NOT NULL DEFAULT 0, first_method_at BIGINT NOT NULL DEFAULT 0, kind TEXT NOT NULL DEFAULT '', site TEXT NOT NULL DEFAULT '', hired_on TEXT NOT NULL DEFAULT '', ref TEXT NOT NULL DEFAULT '', unlisted_at BIGINT NOT NULL DEFAULT 0, ref_key TEXT NOT NULL DEFAULT '', ref_seal BLOB, synced BIGINT NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE UNIQUE INDEX person_username ON person (username) WHERE username <> '';
CREATE UNIQUE INDEX person_email ON person (email) WHERE email <> '';
CREATE INDEX person_stage ON person (stage, id);
CREATE INDEX person_due ON person (next_nudge, id) WHERE stage < 2;
CREATE TABLE identity (
	channel   TEXT NOT NULL,
	user_id   TEXT NOT NULL,
	person    TEXT NOT NULL,
	level     BIGINT NOT NULL,
	linked_at BIGINT NOT NULL, held_until BIGINT NOT NULL DEFAULT 0, evidence TEXT NOT NULL DEFAULT '',
	PRIMARY KEY (channel, user_id)
) WITHOUT ROWID;
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
, conversation TEXT NOT NULL DEFAULT '', held_until BIGINT NOT NULL DEFAULT 0, drift BIGINT NOT NULL DEFAULT 0, removed_at BIGINT NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE INDEX method_person ON method (person);
CREATE INDEX method_destination ON method (dest_hash) WHERE dest_hash IS NOT NULL;
CREATE TABLE method_secret (
	method  TEXT NOT NULL,
	no      BIGINT NOT NULL,
	name    TEXT NOT NULL,
	sealed  BLOB,
	used_at BIGINT NOT NULL,
	PRIMARY KEY (method, no)
) WITHOUT ROWID;
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
) WITHOUT ROWID;
CREATE INDEX challenge_open ON challenge (person, purpose) WHERE closed_at = 0;
CREATE INDEX challenge_ref ON challenge (provider_ref) WHERE provider_ref <> '';
CREATE TABLE tally (
	bucket TEXT NOT NULL,
	key    TEXT NOT NULL,
	at     BIGINT NOT NULL,
	n      BIGINT NOT NULL,
	PRIMARY KEY (bucket, key, at)
) WITHOUT ROWID;
CREATE TABLE audit (
	seq      INTEGER  NOT NULL PRIMARY KEY,
	at       BIGINT NOT NULL,
	ref   TEXT NOT NULL,
	actor    TEXT NOT NULL,
	action   TEXT NOT NULL,
	subject  TEXT NOT NULL,
	channel  TEXT NOT NULL,
	evidence TEXT NOT NULL,
	prev     BLOB,
	hash     BLOB NOT NULL
, key TEXT NOT NULL DEFAULT '', was BLOB);
CREATE TABLE audit_head (
	one  BIGINT NOT NULL PRIMARY KEY,
	seq  BIGINT NOT NULL,
	hash BLOB
, from_seq BIGINT NOT NULL DEFAULT 0, from_at BIGINT NOT NULL DEFAULT 0, from_hash BLOB, from_key TEXT NOT NULL DEFAULT '', from_seal BLOB);
CREATE TABLE "ticket" (
	id           TEXT NOT NULL PRIMARY KEY,
	person       TEXT NOT NULL,
	conversation TEXT NOT NULL,
	flow         TEXT NOT NULL,
	step         TEXT NOT NULL,
	error        TEXT NOT NULL,
	lang         TEXT NOT NULL,
	at           BIGINT NOT NULL,
	closed_at    BIGINT NOT NULL
, matter TEXT NOT NULL DEFAULT '', state BIGINT NOT NULL DEFAULT 0, agent TEXT NOT NULL DEFAULT '', revision BIGINT NOT NULL DEFAULT 1, waits_since BIGINT NOT NULL DEFAULT 0, taken_at BIGINT NOT NULL DEFAULT 0, answered_at BIGINT NOT NULL DEFAULT 0, words TEXT NOT NULL DEFAULT '', rating BIGINT NOT NULL DEFAULT 0, contact BLOB, telling BIGINT NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE INDEX outbox_kept ON outbox (conversation, seq) WHERE kept = 1;
CREATE TABLE pass (
	hash         BLOB NOT NULL PRIMARY KEY,
	kind         TEXT NOT NULL,
	conversation TEXT NOT NULL,
	data         BLOB,
	created_at   BIGINT NOT NULL,
	used_at      BIGINT NOT NULL,
	expires_at   BIGINT NOT NULL,
	spent_at     BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX pass_expires ON pass (expires_at);
CREATE UNIQUE INDEX person_ref ON person (ref) WHERE ref <> '';
CREATE TABLE tombstone (
	hash BLOB NOT NULL PRIMARY KEY,
	at   BIGINT NOT NULL
) WITHOUT ROWID;
CREATE TABLE alert (
	kind     TEXT NOT NULL,
	person   TEXT NOT NULL,
	detail   TEXT NOT NULL,
	n        BIGINT NOT NULL,
	first_at BIGINT NOT NULL,
	at       BIGINT NOT NULL,
	told_at  BIGINT NOT NULL,
	PRIMARY KEY (kind, person)
) WITHOUT ROWID;
CREATE TABLE registration (
	person  TEXT   NOT NULL PRIMARY KEY,
	read_at BIGINT NOT NULL,
	body    BLOB   NOT NULL
) WITHOUT ROWID;
CREATE TABLE directory_entry (
	id    TEXT   NOT NULL PRIMARY KEY,
	round BIGINT NOT NULL,
	body  BLOB   NOT NULL
) WITHOUT ROWID;
CREATE TABLE directory_member (
	grp    TEXT   NOT NULL,
	person TEXT   NOT NULL,
	round  BIGINT NOT NULL,
	PRIMARY KEY (grp, person)
) WITHOUT ROWID;
CREATE TABLE readiness_day (
	day  TEXT NOT NULL,
	unit TEXT NOT NULL,
	body BLOB NOT NULL,
	PRIMARY KEY (day, unit)
) WITHOUT ROWID;
CREATE TABLE worker (
	id         INTEGER PRIMARY KEY AUTOINCREMENT ,
	beat_until BIGINT NOT NULL
);
CREATE INDEX outbox_owned ON outbox (conversation, seq) WHERE live = 1 AND owner <> 0;
CREATE INDEX outbox_wait ON outbox (conversation, id) WHERE live = 1 AND owner = 0;
CREATE INDEX outbox_due ON outbox (account, lane, due, id) WHERE live = 1 AND owner = 0;
CREATE INDEX outbox_given_up ON outbox (id) WHERE live > 1;
CREATE TABLE inbound (
	channel      TEXT   NOT NULL,
	id           TEXT   NOT NULL,
	conversation TEXT   NOT NULL,
	body         BLOB   NOT NULL,
	at           BIGINT NOT NULL,
	no           BIGINT NOT NULL,
	given_up     BIGINT NOT NULL,
	error        TEXT   NOT NULL, owner BIGINT NOT NULL DEFAULT 0,
	PRIMARY KEY (channel, id)
);
CREATE INDEX inbound_no ON inbound (no);
CREATE INDEX inbound_conversation ON inbound (conversation);
CREATE UNIQUE INDEX ticket_open ON ticket (conversation) WHERE closed_at = 0;
CREATE INDEX ticket_at ON ticket (at, id) WHERE closed_at = 0;
CREATE INDEX ticket_person ON ticket (person, at);
CREATE INDEX ticket_closed ON ticket (closed_at, id) WHERE closed_at <> 0;
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
CREATE TABLE agent (
	person TEXT   NOT NULL PRIMARY KEY,
	role   TEXT   NOT NULL,
	by_whom TEXT  NOT NULL,
	why    TEXT   NOT NULL,
	at     BIGINT NOT NULL
);
CREATE TABLE opening (
	id        TEXT   NOT NULL PRIMARY KEY,
	channel   TEXT   NOT NULL,
	kind      BIGINT NOT NULL,
	what      TEXT   NOT NULL,
	title     TEXT   NOT NULL,
	opened    TEXT   NOT NULL,
	why       TEXT   NOT NULL,
	explained TEXT   NOT NULL,
	at        BIGINT NOT NULL
);
CREATE UNIQUE INDEX opening_what ON opening (kind, what, channel);
CREATE TABLE caller_check (
	id         TEXT   NOT NULL PRIMARY KEY,
	person     TEXT   NOT NULL,
	ticket     TEXT   NOT NULL,
	agent      TEXT   NOT NULL,
	act        TEXT   NOT NULL,
	method     TEXT   NOT NULL,
	way        TEXT   NOT NULL,
	target     TEXT   NOT NULL,
	second     TEXT   NOT NULL,
	state      BIGINT NOT NULL,
	tries      BIGINT NOT NULL,
	at         BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	ended_at   BIGINT NOT NULL,
	hash       BLOB,
	answer     BLOB,
	reason     BLOB,
	revision   BIGINT NOT NULL
);
CREATE INDEX caller_check_person ON caller_check (person, at);
CREATE INDEX caller_check_agent ON caller_check (agent, at);
CREATE TABLE campaign (
	id       TEXT   NOT NULL PRIMARY KEY,
	state    BIGINT NOT NULL,
	code     TEXT   NOT NULL,
	next_at  BIGINT NOT NULL,
	gathered TEXT   NOT NULL,
	settled  TEXT   NOT NULL,
	made_at  BIGINT NOT NULL,
	body     BLOB   NOT NULL,
	revision BIGINT NOT NULL
);
CREATE UNIQUE INDEX campaign_code ON campaign (code) WHERE code <> '';
CREATE TABLE campaign_name (
	campaign  TEXT   NOT NULL,
	person    TEXT   NOT NULL,
	leave_out BIGINT NOT NULL,
	PRIMARY KEY (campaign, person)
) WITHOUT ROWID;
CREATE INDEX campaign_name_person ON campaign_name (person);
CREATE TABLE campaign_part (
	campaign  TEXT   NOT NULL,
	person    TEXT   NOT NULL,
	state     BIGINT NOT NULL,
	why       TEXT   NOT NULL,
	step      TEXT   NOT NULL,
	progress  TEXT   NOT NULL,
	reminders BIGINT NOT NULL,
	via       TEXT   NOT NULL,
	tried     TEXT   NOT NULL,
	row_id    BIGINT NOT NULL,
	due       BIGINT NOT NULL,
	place     TEXT   NOT NULL,
	token     TEXT   NOT NULL,
	first_at  BIGINT NOT NULL,
	last_at   BIGINT NOT NULL,
	revision  BIGINT NOT NULL,
	PRIMARY KEY (campaign, person)
) WITHOUT ROWID;
CREATE INDEX campaign_part_due ON campaign_part (campaign, due, place) WHERE due <> 0;
CREATE INDEX campaign_part_state ON campaign_part (campaign, state, place);
CREATE INDEX campaign_part_person ON campaign_part (person);
CREATE UNIQUE INDEX campaign_part_token ON campaign_part (token);
CREATE INDEX campaign_part_row ON campaign_part (row_id) WHERE row_id <> 0;
CREATE TABLE river_leader (
    elected_at timestamp NOT NULL,
    expires_at timestamp NOT NULL,
    leader_id text NOT NULL,
    name text PRIMARY KEY NOT NULL DEFAULT 'default' CHECK (name = 'default'),
    CONSTRAINT name_length CHECK (length(name) > 0 AND length(name) < 128),
    CONSTRAINT leader_id_length CHECK (length(leader_id) > 0 AND length(leader_id) < 128)
);
CREATE TABLE river_migration (
    line text NOT NULL,
    version integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT line_length CHECK (length(line) > 0 AND length(line) < 128),
    CONSTRAINT version_gte_1 CHECK (version >= 1),
    PRIMARY KEY (line, version)
);
CREATE TABLE river_notification (
    id integer PRIMARY KEY AUTOINCREMENT,
    created_at timestamp NOT NULL DEFAULT (datetime('now', 'subsec')),
    payload text NOT NULL,
    topic text NOT NULL,
    CONSTRAINT topic_length CHECK (length(topic) > 0 AND length(topic) < 128)
);
CREATE INDEX river_notification_created_at_idx ON river_notification (created_at);
CREATE INDEX river_notification_topic_id_idx ON river_notification (topic, id);
CREATE TABLE river_queue (
    name text PRIMARY KEY NOT NULL,
    created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    metadata blob NOT NULL DEFAULT (jsonb('{}')),
    paused_at timestamp,
    updated_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE river_job (
    id integer PRIMARY KEY AUTOINCREMENT,
    args blob NOT NULL DEFAULT (jsonb('{}')),
    attempt integer NOT NULL DEFAULT 0,
    attempted_at timestamp,
    attempted_by blob, -- json
    created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    errors blob, -- json
    finalized_at timestamp,
    kind text NOT NULL,
    max_attempts integer NOT NULL DEFAULT 25,
    metadata blob NOT NULL DEFAULT (jsonb('{}')),
    priority integer NOT NULL DEFAULT 1,
    queue text NOT NULL DEFAULT 'default',
    state text NOT NULL DEFAULT 'available',
    scheduled_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    tags blob NOT NULL DEFAULT (jsonb('[]')),
    unique_key blob,
    unique_states integer,
    CONSTRAINT finalized_or_finalized_at_null CHECK (
        (finalized_at IS NULL AND state NOT IN ('cancelled', 'completed', 'discarded')) OR
        (finalized_at IS NOT NULL AND state IN ('cancelled', 'completed', 'discarded'))
    ),
    CONSTRAINT priority_in_range CHECK (priority >= 1 AND priority <= 4),
    CONSTRAINT queue_length CHECK (length(queue) > 0 AND length(queue) < 128),
    CONSTRAINT kind_length CHECK (length(kind) > 0 AND length(kind) < 128),
    CONSTRAINT state_valid CHECK (state IN ('available', 'cancelled', 'completed', 'discarded', 'pending', 'retryable', 'running', 'scheduled'))
);
CREATE INDEX river_job_kind ON river_job (kind);
CREATE INDEX river_job_state_and_finalized_at_index ON river_job (state, finalized_at) WHERE finalized_at IS NOT NULL;
CREATE INDEX river_job_prioritized_fetching_index ON river_job (state, queue, priority, scheduled_at, id);
CREATE UNIQUE INDEX river_job_unique_idx ON river_job (unique_key)
    WHERE unique_key IS NOT NULL
        AND unique_states IS NOT NULL
        AND CASE state
            WHEN 'available' THEN unique_states & (1 << 0)
            WHEN 'cancelled' THEN unique_states & (1 << 1)
            WHEN 'completed' THEN unique_states & (1 << 2)
            WHEN 'discarded' THEN unique_states & (1 << 3)
            WHEN 'pending'   THEN unique_states & (1 << 4)
            WHEN 'retryable' THEN unique_states & (1 << 5)
            WHEN 'running'   THEN unique_states & (1 << 6)
            WHEN 'scheduled' THEN unique_states & (1 << 7)
            ELSE 0
        END >= 1;
INSERT INTO latchkey_schema (version) VALUES (12);
INSERT INTO audit_head (one, seq, hash, from_seq, from_at, from_hash, from_key, from_seal) VALUES (1, 0, NULL, 0, 0, NULL, '', NULL);
INSERT INTO river_migration (line, version) VALUES ('main', 1);
INSERT INTO river_migration (line, version) VALUES ('main', 2);
INSERT INTO river_migration (line, version) VALUES ('main', 3);
INSERT INTO river_migration (line, version) VALUES ('main', 4);
INSERT INTO river_migration (line, version) VALUES ('main', 5);
INSERT INTO river_migration (line, version) VALUES ('main', 6);
INSERT INTO river_migration (line, version) VALUES ('main', 7);
INSERT INTO river_migration (line, version) VALUES ('main', 8);
