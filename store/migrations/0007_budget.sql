-- Deferred events belong to workers, as messages do: owner is one, or 0.
ALTER TABLE inbound DROP COLUMN owner;
ALTER TABLE inbound DROP COLUMN until;
ALTER TABLE inbound ADD COLUMN owner BIGINT NOT NULL DEFAULT 0;

-- How often the methods of platform accounts may still be called, by all
-- processes together: level calls at the time at, rate a second, burst at most,
-- none before hold_until. given is what the last draw got. What a crash loses of
-- it costs nothing, so no draw waits for a disk. A process that has SQLite has it
-- for itself, and keeps budgets in memory.
/*postgres CREATE UNLOGGED TABLE budget (
	account    TEXT             NOT NULL,
	method     TEXT             NOT NULL,
	tenant     TEXT             NOT NULL,
	rate       DOUBLE PRECISION NOT NULL,
	burst      DOUBLE PRECISION NOT NULL,
	level      DOUBLE PRECISION NOT NULL,
	given      DOUBLE PRECISION NOT NULL,
	at         BIGINT           NOT NULL,
	hold_until BIGINT           NOT NULL,
	PRIMARY KEY (account, method, tenant)
) WITH (fillfactor = 10);*/
