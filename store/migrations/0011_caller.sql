-- How agents make sure that a caller is the person. state: 0 an answer is waited
-- for, 1 passed, 2 used, 3 failed, 4 void. answer and reason are sealed.
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
