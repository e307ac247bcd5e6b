-- Events that are acknowledged and not taken in yet: their authors have to be
-- looked up at the platform. body is sealed.
CREATE TABLE inbound (
	channel      TEXT   NOT NULL,
	id           TEXT   NOT NULL,
	conversation TEXT   NOT NULL,
	body         BLOB   NOT NULL,
	at           BIGINT NOT NULL,
	no           BIGINT NOT NULL,
	owner        TEXT   NOT NULL,
	until        BIGINT NOT NULL,
	given_up     BIGINT NOT NULL,
	error        TEXT   NOT NULL,
	PRIMARY KEY (channel, id)
);
CREATE INDEX inbound_no ON inbound (no);
CREATE INDEX inbound_conversation ON inbound (conversation);
