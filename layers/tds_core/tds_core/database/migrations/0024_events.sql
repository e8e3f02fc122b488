-- What changed from what to what, and which event of its record an outcome became; both NULL where there is none.
ALTER TABLE tds.change_log
    ADD COLUMN changes jsonb,
    ADD COLUMN sequence bigint;

-- How many events each record has had: the number of its last one. It outlives a tombstone, so a record that returns
-- goes on counting.
CREATE TABLE tds.revisions (
    entity text NOT NULL,
    id text NOT NULL,
    revision bigint NOT NULL,
    PRIMARY KEY (entity, id)
) WITH (fillfactor = 80);

-- Events that no bus has accepted yet. Writers of one record follow each other under its lock, so event_id has the
-- order of its sequence; across records it has none.
CREATE TABLE tds.outbox (
    event_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entity text NOT NULL,
    id text NOT NULL,
    kind text NOT NULL,
    changed text[] NOT NULL,
    sequence bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    trace_id text
);
