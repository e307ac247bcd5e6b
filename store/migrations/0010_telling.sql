-- Which line of a ticket is told to an outside system at the moment; 0: none.
ALTER TABLE ticket ADD COLUMN telling BIGINT NOT NULL DEFAULT 0;
