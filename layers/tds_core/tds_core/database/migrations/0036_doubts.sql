-- How often in a row a fetch could not decide: each time the next one waits longer. It is no failure, so no attempt.
ALTER TABLE tds.backlog ADD COLUMN doubts int NOT NULL DEFAULT 0;
