-- A person has said that so many deletions of an entity are right, beyond what is believed by itself; for a day.
CREATE TABLE tds.deletion_approvals (
    entity text PRIMARY KEY,
    allowed int NOT NULL CHECK (allowed >= 0),
    approved_at timestamptz NOT NULL DEFAULT now(),
    approved_by text NOT NULL
);
