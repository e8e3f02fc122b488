-- What the cadence and people need to know of each list, besides how far it has come.
-- poll_retry_at, poll_error: the last round failed, with this error, and is tried again then. walk_priority: what the
-- pass under way is for. refetched_at: when the documents that change without a version were last asked for.
ALTER TABLE tds.cursors
    ADD COLUMN poll_retry_at timestamptz,
    ADD COLUMN poll_error text,
    ADD COLUMN walk_error text,
    ADD COLUMN walk_priority smallint,
    ADD COLUMN refetched_at timestamptz;

-- A lease finds the head of each entity, and its next ids, without reading the tens of thousands that wait.
CREATE INDEX ON tds.backlog (entity, priority, requested_at DESC, id DESC);

-- As before, but what is held for webhooks and manual work is less by what they have used, and polls and verification
-- may take of it towards the day's end as far as it lies above twice the even pace: a history that began with the day
-- left them their quarter only, and what webhooks fetched came out of it. At small limits more than a quarter is held:
-- as many documents change a day there, and each that changes may have to be fetched.
CREATE OR REPLACE FUNCTION tds.spare_calls(
    today tds.api_budget, for_priority int, day_limit int, remaining int, at timestamptz
) RETURNS double precision LANGUAGE plpgsql AS $$
DECLARE
    rest double precision := least(greatest(extract(epoch FROM today.resets_at - at) / 86400, 0), 1);
    urgent double precision := greatest(0.15 * day_limit - today.used[1] - today.used[2], 0);
    polls double precision := greatest(0.25 * day_limit, least(500, 0.5 * day_limit));
    fixed double precision := greatest(least(polls - today.used[3] - today.used[4], polls * 2 * rest), 0);
    bulk double precision := greatest(remaining - urgent - fixed, 0) + today.used[7] + today.used[8];
    other int := CASE for_priority WHEN 6 THEN 8 WHEN 7 THEN 7 END;
    share double precision := CASE for_priority WHEN 6 THEN 0.2 ELSE 0.8 END;
    held double precision := 0;
BEGIN
    IF other IS NOT NULL THEN
        held := greatest(share * bulk - today.used[other], 0) * CASE
            WHEN today.asked_at[other] > at - interval '10 minutes' THEN 1
            WHEN today.asked_at[other] > at - interval '24 hours' THEN rest
            ELSE 0 END;
    END IF;
    RETURN remaining
        - CASE
            WHEN for_priority >= 4 THEN urgent
            WHEN for_priority >= 2 THEN least(urgent, 0.15 * day_limit * 2 * rest)
            ELSE 0 END
        - CASE WHEN for_priority >= 4 THEN fixed ELSE 0 END
        - held;
END $$;
