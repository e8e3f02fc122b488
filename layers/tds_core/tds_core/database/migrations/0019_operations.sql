-- What was done to dead things, by whom: nothing that was dropped vanishes without a trace. subject: the dead thing's
-- id. operator: the name that the caller gave, or housekeeping.
CREATE TABLE tds.operations (
    operation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    operator text NOT NULL,
    operation text NOT NULL,
    subject text NOT NULL,
    entity text,
    ids text[] NOT NULL DEFAULT '{}',
    reason text,
    trace_id text
);
CREATE INDEX ON tds.operations (at);
CREATE INDEX ON tds.runs (started_at);
CREATE INDEX ON tds.backlog (parked_at) WHERE parked_at IS NOT NULL;

-- Drops the change log's months that ended more than 90 days ago, and what the default partition holds of that time;
-- returns how many partitions went. Only the owner may drop, so this runs as the owner and takes no argument.
CREATE FUNCTION tds.retire_change_log() RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = tds AS $$
DECLARE
    old text;
    gone int := 0;
BEGIN
    FOR old IN
        SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'tds.change_log'::regclass AND c.relname ~ '^change_log_\d{6}$'
            AND to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month' < now() - interval '90 days'
    LOOP
        EXECUTE format('DROP TABLE tds.%I', old);
        gone := gone + 1;
    END LOOP;
    DELETE FROM tds.change_log_unpartitioned WHERE at < now() - interval '90 days';
    RETURN gone;
END $$;
REVOKE ALL ON FUNCTION tds.retire_change_log() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tds.retire_change_log() TO tds_app;
