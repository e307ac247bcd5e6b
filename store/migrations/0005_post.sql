-- Processes that send messages. An id is given once: it tells who owns a row,
-- and whether that one may still write. Whoever has not beaten until beat_until
-- is deleted, and others send what it had.
CREATE TABLE worker (
	id         /*sqlite INTEGER PRIMARY KEY AUTOINCREMENT*/ /*postgres BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY*/,
	beat_until BIGINT NOT NULL
) /*postgres WITH (fillfactor = 10)*/;

-- Who can read a conversation (0 one person, 1 a room, 2 a thread of parent),
-- and who answers there (0 the bot, 1 the desk, 2 nobody).
ALTER TABLE conversation ADD COLUMN kind BIGINT NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN parent TEXT NOT NULL DEFAULT '';
ALTER TABLE conversation ADD COLUMN route BIGINT NOT NULL DEFAULT 0;

-- A message is addressed, urgent (lane), due, and somebody's to send (owner, 0:
-- it waits; -1: nobody has to any more). seq is 0 until it is owned. op is what
-- is done with the message target: 0 say, 1 edit, 2 take back. doubt counts how
-- often it may have been sent. live: 1 pending, or sent and to be retracted; 2
-- given up and listed; 3 the same, and the person was not told yet.
ALTER TABLE outbox RENAME COLUMN not_before TO due;
ALTER TABLE outbox ADD COLUMN account TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN author TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN lane BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN expires BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN owner BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN op BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN target BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN doubt BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN campaign TEXT NOT NULL DEFAULT '';
UPDATE outbox SET account = coalesce((SELECT c.channel FROM conversation c WHERE c.id = outbox.conversation), '') WHERE live = 1;
UPDATE outbox SET owner = -1 WHERE live = 1 AND state <> 0;
-- What a program of before had not marked may have been sent by it.
UPDATE outbox SET due = 0, doubt = 1 WHERE live = 1 AND state = 0;
DROP INDEX outbox_live;
CREATE INDEX outbox_owned ON outbox (conversation, seq) WHERE live = 1 AND owner <> 0;
CREATE INDEX outbox_wait ON outbox (conversation, id) WHERE live = 1 AND owner = 0;
CREATE INDEX outbox_due ON outbox (account, lane, due, id) WHERE live = 1 AND owner = 0;
CREATE INDEX outbox_given_up ON outbox (id) WHERE live > 1;
