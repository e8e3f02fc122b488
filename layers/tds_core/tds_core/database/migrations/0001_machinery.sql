-- Schemas, roles and the machinery of the mirror. Runs as the database's owner; migrations only expand.
CREATE SCHEMA IF NOT EXISTS erp;
CREATE SCHEMA IF NOT EXISTS tds;

-- tds_app gets its password from the migrate function, erp_reader from whoever grants it to a login.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tds_app') THEN
        CREATE ROLE tds_app LOGIN CONNECTION LIMIT 50;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'erp_reader') THEN
        CREATE ROLE erp_reader NOLOGIN;
    END IF;
END $$;
ALTER ROLE tds_app SET statement_timeout = '30s';
ALTER ROLE tds_app SET lock_timeout = '5s';
ALTER ROLE tds_app SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE tds_app SET timezone = 'UTC';

GRANT USAGE ON SCHEMA erp, tds TO tds_app;
GRANT USAGE ON SCHEMA erp TO erp_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA tds GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO tds_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA tds GRANT USAGE ON SEQUENCES TO tds_app;

-- What every mirror table has besides its business columns: the raw document, the header track (what list rows
-- said last), the document track (what the last full document said), and the tombstone mark.
CREATE FUNCTION tds.as_mirror(mirror regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format($ddl$
        ALTER TABLE %1$s
            ADD COLUMN IF NOT EXISTS last_modified_time timestamptz,
            ADD COLUMN zoho jsonb,
            ADD COLUMN observed_at timestamptz,
            ADD COLUMN observed_by text,
            ADD COLUMN list_hash bytea,
            ADD COLUMN detail_version timestamptz,
            ADD COLUMN detail_observed_at timestamptz,
            ADD COLUMN detail_observed_by text,
            ADD COLUMN content_hash bytea,
            ADD COLUMN synced_at timestamptz DEFAULT now(),
            ADD COLUMN deleted_at timestamptz;
        CREATE INDEX ON %1$s (last_modified_time DESC);
        CREATE INDEX ON %1$s (created_time DESC) WHERE detail_observed_at IS NULL;
        ALTER TABLE %1$s ENABLE ROW LEVEL SECURITY;
        CREATE POLICY live_rows ON %1$s FOR SELECT TO erp_reader USING (deleted_at IS NULL);
        CREATE POLICY all_rows ON %1$s TO tds_app USING (true) WITH CHECK (true);
        GRANT SELECT, INSERT, UPDATE, DELETE ON %1$s TO tds_app;
        GRANT SELECT ON %1$s TO erp_reader;
    $ddl$, mirror);
    BEGIN
        EXECUTE format('ALTER TABLE %s ALTER COLUMN zoho SET COMPRESSION lz4', mirror);
    EXCEPTION WHEN feature_not_supported THEN
        NULL; -- a server built without lz4 compresses more slowly, no more
    END;
END $$;

-- Child rows exist only while their document lives, so they need no tombstone of their own.
CREATE FUNCTION tds.as_child(child regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %1$s TO tds_app; GRANT SELECT ON %1$s TO erp_reader', child);
END $$;

-- Ids to fetch, by priority. A row is leased while it is fetched, and leaves only by a fetch that began after
-- requested_at under that very lease.
CREATE TABLE tds.backlog (
    entity text NOT NULL,
    id text NOT NULL,
    priority smallint NOT NULL,
    cause text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    not_before timestamptz NOT NULL DEFAULT now(),
    attempts int NOT NULL DEFAULT 0,
    lags int NOT NULL DEFAULT 0,
    lease uuid,
    leased_until timestamptz,
    parked_at timestamptz,
    reason text,
    PRIMARY KEY (entity, id)
) WITH (fillfactor = 80);
CREATE INDEX ON tds.backlog (priority, requested_at DESC);

-- Deleted ids with their evidence, also of records that never had a row.
CREATE TABLE tds.tombstones (
    entity text NOT NULL,
    id text NOT NULL,
    deleted_at timestamptz NOT NULL,
    evidence jsonb NOT NULL,
    PRIMARY KEY (entity, id)
);

-- Every outcome of every webhook and fetch: a record's story.
CREATE TABLE tds.change_log (
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    entity text NOT NULL,
    id text NOT NULL,
    outcome text NOT NULL,
    kind text NOT NULL,
    source text NOT NULL,
    observed_at timestamptz NOT NULL,
    version timestamptz,
    trace_id text,
    reason text
) PARTITION BY RANGE (at);
CREATE INDEX ON tds.change_log (entity, id, at);
CREATE INDEX ON tds.change_log (source, at);
CREATE TABLE tds.change_log_unpartitioned PARTITION OF tds.change_log DEFAULT;

-- Makes the partitions of the current and the next three months; called by every migration run and every walk. Rows of
-- a month whose partition was not made in time stay in the default one, which then keeps that month.
CREATE FUNCTION tds.extend_change_log() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = tds AS $$
DECLARE
    month date;
BEGIN
    FOR i IN 0..3 LOOP
        month := (date_trunc('month', now()) + make_interval(months => i))::date;
        BEGIN
            EXECUTE format('CREATE TABLE tds.change_log_%s PARTITION OF tds.change_log FOR VALUES FROM (%L) TO (%L)',
                to_char(month, 'YYYYMM'), month, (month + interval '1 month')::date);
        EXCEPTION WHEN duplicate_table OR check_violation THEN
            NULL;
        END;
    END LOOP;
END $$;
SELECT tds.extend_change_log();

-- How far change detection and walks have come, one row per scan. touched_at: a written document may have changed
-- its records without Zoho saying so (contact balances), so a walk is due.
CREATE TABLE tds.cursors (
    scan text PRIMARY KEY,
    changed_since timestamptz,
    polled_at timestamptz,
    touched_at timestamptz,
    walk_requested_at timestamptz,
    walk_started_at timestamptz,
    walk_page int,
    walk_rows bigint,
    walked_at timestamptz,
    walked_rows bigint
);

-- One holder per mode; a dead holder's lease runs out.
CREATE TABLE tds.leases (
    name text PRIMARY KEY,
    holder uuid NOT NULL,
    until timestamptz NOT NULL
);

-- Every poll, walk and drain with what it did.
CREATE TABLE tds.runs (
    run_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mode text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    zoho_calls int NOT NULL DEFAULT 0,
    outcomes jsonb NOT NULL DEFAULT '{}',
    error text
);
CREATE INDEX ON tds.runs (mode, started_at DESC);
