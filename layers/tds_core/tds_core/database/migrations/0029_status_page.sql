-- What the status page shows that nobody else keeps, and the role that reads it.

-- What waits on each queue and in each place of dead messages, as housekeeping saw it. waiting_since: since when there
-- has always been something and nothing moved; NULL when it was empty.
CREATE TABLE tds.places (
    place text PRIMARY KEY,
    messages bigint NOT NULL,
    waiting_since timestamptz,
    observed_at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Some of the dead messages, so that people see the reasons without a look into the queues.
CREATE TABLE tds.dead_things (
    id text PRIMARY KEY,
    place text NOT NULL,
    entity text,
    ids text[] NOT NULL,
    reason text NOT NULL,
    first_seen timestamptz NOT NULL,
    redrives int NOT NULL,
    trace_id text
);

-- How often in a day of the organisation the verdict was what, one look a minute, and why it was bad.
CREATE TABLE tds.days (
    day date PRIMARY KEY,
    good int NOT NULL DEFAULT 0,
    attention int NOT NULL DEFAULT 0,
    bad int NOT NULL DEFAULT 0,
    reasons text[] NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);

-- The state of the token without the token, for everybody who only looks.
CREATE VIEW tds.token AS
SELECT access_token IS NOT NULL AS is_held, minted_at, expires_at, mints, refusal, api_domain FROM tds.oauth_token;
REVOKE INSERT, UPDATE, DELETE ON tds.token FROM tds_app;

-- Reads what the status page shows. It gets its password from the migrate function.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tds_reader') THEN
        CREATE ROLE tds_reader LOGIN CONNECTION LIMIT 5;
    END IF;
END $$;
ALTER ROLE tds_reader SET default_transaction_read_only = on;
ALTER ROLE tds_reader SET statement_timeout = '10s';
ALTER ROLE tds_reader SET lock_timeout = '2s';
ALTER ROLE tds_reader SET idle_in_transaction_session_timeout = '15s';
ALTER ROLE tds_reader SET timezone = 'UTC';
GRANT USAGE ON SCHEMA erp, tds TO tds_reader;

-- Lets the reader read every column of the mirror but the raw documents, and of the machinery the tables named here:
-- neither the token nor what a verification saw. Called by every migration run, so that a new entity needs no thought.
CREATE FUNCTION tds.admit_reader() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    mirror record;
    name text;
BEGIN
    FOR mirror IN
        SELECT c.oid::regclass AS relation, c.relrowsecurity AS has_rules,
            string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns
        FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = 'erp'::regnamespace AND c.relkind = 'r' AND a.attname <> 'zoho'
        GROUP BY c.oid, c.relrowsecurity
    LOOP
        EXECUTE format('GRANT SELECT (%s) ON %s TO tds_reader', mirror.columns, mirror.relation);
        IF mirror.has_rules AND NOT EXISTS (
            SELECT FROM pg_policy WHERE polrelid = mirror.relation AND polname = 'reader_rows'
        ) THEN
            EXECUTE format('CREATE POLICY reader_rows ON %s FOR SELECT TO tds_reader USING (true)', mirror.relation);
        END IF;
    END LOOP;
    FOREACH name IN ARRAY ARRAY[
        'api_budget', 'api_minute', 'api_slots', 'backlog', 'change_log', 'circuit', 'cursors', 'days', 'dead_things',
        'drift', 'images', 'leases', 'operations', 'organization', 'outbox', 'places', 'revisions', 'runs', 'token',
        'tombstones', 'verifications'
    ] LOOP
        IF to_regclass('tds.' || name) IS NOT NULL THEN
            EXECUTE format('GRANT SELECT ON tds.%I TO tds_reader', name);
        END IF;
    END LOOP;
END $$;
