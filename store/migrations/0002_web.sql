-- kept: the text stays until the row is pruned, for channels whose platform
-- keeps no transcript. Only their rows stand in the index.
ALTER TABLE outbox ADD COLUMN kept BIGINT NOT NULL DEFAULT 0;
CREATE INDEX outbox_kept ON outbox (conversation, seq) WHERE kept = 1;

-- What a token opens. Only the token's hash is here.
CREATE TABLE pass (
	hash         BLOB NOT NULL PRIMARY KEY,
	kind         TEXT NOT NULL,
	conversation TEXT NOT NULL,
	data         BLOB,
	created_at   BIGINT NOT NULL,
	used_at      BIGINT NOT NULL,
	expires_at   BIGINT NOT NULL,
	spent_at     BIGINT NOT NULL
) /*sqlite WITHOUT ROWID*/;
CREATE INDEX pass_expires ON pass (expires_at);
