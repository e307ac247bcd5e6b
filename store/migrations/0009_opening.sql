-- Where somebody wants to write before it is known where that is: what is said to
-- the conversation id waits until it is opened. what is the person (kind
-- 0, one person), the platform's id of a room (1), or the id of the outbox row
-- under which a thread is (2). opened is the conversation that it became; why and
-- explained tell why it could not be opened.
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
