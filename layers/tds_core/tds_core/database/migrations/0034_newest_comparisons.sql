-- What a run's report compared: entity (or product_images) -> why it could not be read, null where it could. What was
-- compared last is looked for every minute, and a report of 50 KB takes a millisecond to parse.
CREATE FUNCTION tds.compared(report json) RETURNS jsonb LANGUAGE sql IMMUTABLE
    RETURN (
        SELECT jsonb_object_agg(part.key, part.value ->> 'error') FROM (
            SELECT key, value FROM json_each(report -> 'entities')
            UNION ALL
            SELECT 'product_images', report -> 'images' WHERE json_typeof(report -> 'images') = 'object'
        ) AS part
    );
ALTER TABLE tds.verifications ADD COLUMN compared jsonb GENERATED ALWAYS AS (tds.compared(report)) STORED;
CREATE INDEX ON tds.verifications (ended_at DESC, run_id DESC) WHERE ended_at IS NOT NULL;
