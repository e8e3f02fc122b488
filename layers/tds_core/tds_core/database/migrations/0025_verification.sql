-- Verification: the runs, what each saw on both sides at one moment, and what differed.

-- A run waits until the one before it has ended. phase and place say how far it has come: a killed one goes on there.
CREATE TABLE tds.verifications (
    run_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cause text NOT NULL CHECK (cause IN ('night', 'manual')),
    entities text[] NOT NULL,
    heal boolean NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at timestamptz,
    phase_at timestamptz,
    ended_at timestamptz,
    phase text NOT NULL DEFAULT 'lists',
    place jsonb NOT NULL DEFAULT '{}',
    zoho_calls int NOT NULL DEFAULT 0,
    error text,
    report jsonb
);
CREATE INDEX ON tds.verifications (run_id) WHERE ended_at IS NULL;

-- Both sides of a record as they stood when its page was read; the first sight counts, so a page may be repeated. zoho is
-- NULL where the list has no such row, erp where the mirror has none. sight: when the mirror last saw the record.
CREATE TABLE tds.verification_seen (
    run_id bigint,
    entity text,
    id text,
    zoho jsonb,
    erp jsonb,
    in_motion boolean NOT NULL,
    sight timestamptz,
    PRIMARY KEY (run_id, entity, id)
);

-- Every difference with both values. It is open until how is known: a suspicion is dismissed or confirmed by a fetch,
-- a local one is certain at once; healed_at is empty for what stays as it is. field is '' for a whole record.
CREATE TABLE tds.drift (
    run_id bigint,
    entity text,
    id text,
    kind text NOT NULL CHECK (kind IN ('missing', 'extra', 'mismatched', 'local', 'unannounced')),
    field text,
    erp_value jsonb,
    zoho_value jsonb,
    suspected_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    status text NOT NULL DEFAULT 'suspected' CHECK (status IN ('suspected', 'dismissed', 'confirmed')),
    healed_at timestamptz,
    how text,
    PRIMARY KEY (run_id, entity, id, kind, field)
);
CREATE INDEX ON tds.drift (run_id, entity) WHERE how IS NULL;
CREATE INDEX ON tds.drift (entity, id);
