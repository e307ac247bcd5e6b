-- What is announced to many. state: 0 draft, 1 scheduled, 2 running, 3 paused, 4
-- halted, 5 stopped, 6 done. body is the rest, as JSON.
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

-- Who is in an audience by name, or left out of it.
CREATE TABLE campaign_name (
	campaign  TEXT   NOT NULL,
	person    TEXT   NOT NULL,
	leave_out BIGINT NOT NULL,
	PRIMARY KEY (campaign, person)
) /*sqlite WITHOUT ROWID*/;
CREATE INDEX campaign_name_person ON campaign_name (person);

-- Everybody's part. due is 0 where nothing is to be sent; whoever waits for the
-- first message is found by state and place.
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
) /*sqlite WITHOUT ROWID*/;
CREATE INDEX campaign_part_due ON campaign_part (campaign, due, place) WHERE due <> 0;
CREATE INDEX campaign_part_state ON campaign_part (campaign, state, place);
CREATE INDEX campaign_part_person ON campaign_part (person);
CREATE UNIQUE INDEX campaign_part_token ON campaign_part (token);
CREATE INDEX campaign_part_row ON campaign_part (row_id) WHERE row_id <> 0;
