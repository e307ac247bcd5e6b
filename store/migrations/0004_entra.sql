-- What the registrar (Microsoft Entra) holds of a person's ways to sign in;
-- body is a bot.Registration as JSON.
CREATE TABLE registration (
	person  TEXT   NOT NULL PRIMARY KEY,
	read_at BIGINT NOT NULL,
	body    BLOB   NOT NULL
) /*sqlite WITHOUT ROWID*/;

-- The copy of the directory's list that a sync fills page by page; it becomes
-- people when it is complete. round is the full reading that saw the row last.
CREATE TABLE directory_entry (
	id    TEXT   NOT NULL PRIMARY KEY,
	round BIGINT NOT NULL,
	body  BLOB   NOT NULL
) /*sqlite WITHOUT ROWID*/;

-- Who is in the groups that are the audience.
CREATE TABLE directory_member (
	grp    TEXT   NOT NULL,
	person TEXT   NOT NULL,
	round  BIGINT NOT NULL,
	PRIMARY KEY (grp, person)
) /*sqlite WITHOUT ROWID*/;

-- 1: the directory's last sync that was taken had the person. A later one can
-- only miss people whom it had.
ALTER TABLE person ADD COLUMN synced BIGINT NOT NULL DEFAULT 0;

-- How many people would still get in, day by day; unit is '' for all, or the
-- school or department; body holds the counts as JSON.
CREATE TABLE readiness_day (
	day  TEXT NOT NULL,
	unit TEXT NOT NULL,
	body BLOB NOT NULL,
	PRIMARY KEY (day, unit)
) /*sqlite WITHOUT ROWID*/;
