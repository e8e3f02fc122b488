-- A history shares the minute with what webhooks need: it spreads its calls, and lets them go first. And our own limit
-- of the day is one for all products.

-- urgent_until: somebody more urgent than a history was denied by the minute and comes back before this.
ALTER TABLE tds.circuit ADD COLUMN urgent_until timestamptz NOT NULL DEFAULT '-infinity';

-- The day of a product with the calls of all products, as our own limit and the shares count them.
CREATE FUNCTION tds.day_of_all(today tds.api_budget, at timestamptz) RETURNS tds.api_budget LANGUAGE plpgsql AS $$
BEGIN
    SELECT array_agg(p.used ORDER BY p.place), array_agg(p.asked_at ORDER BY p.place)
    INTO today.used, today.asked_at
    FROM (
        SELECT u.place, coalesce(sum(u.used) FILTER (WHERE b.resets_at > at), 0)::int AS used,
            max(u.asked_at) AS asked_at
        FROM tds.api_budget b CROSS JOIN unnest(b.used, b.asked_at) WITH ORDINALITY AS u (used, asked_at, place)
        GROUP BY u.place
    ) AS p;
    RETURN today;
END $$;

-- Calls that are left to everybody of a product's day: what Zoho told, and of our own limit what all products left.
CREATE FUNCTION tds.left_of_day(
    today tds.api_budget, all_products tds.api_budget, day_limit int
) RETURNS int LANGUAGE sql AS $$
    SELECT least(
        today.remaining,
        today.day_limit - (SELECT sum(u) FROM unnest(today.used) u),
        left_of_day.day_limit - (SELECT sum(u) FROM unnest(all_products.used) u))::int
$$;

-- As before, but history and images (6 and up) take no permit while the last 10 s hold a sixth of the minute's limit,
-- whoever took it: so permits run out evenly, and one does within seconds. And it is not theirs while somebody more
-- urgent waits for it: a denial by the minute keeps them away until a second after the wait that it told, so one who
-- never comes back costs them no more than that second.
CREATE OR REPLACE FUNCTION tds.take_permit(
    for_product text, for_priority int, minute_limit int, in_flight_limit int, day_limit int, configured_zone text,
    OUT denied text, OUT wait_s double precision, OUT slot int, OUT permit bigint, OUT taken_at timestamptz
) LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz;
    gate tds.circuit;
    today tds.api_budget;
    all_products tds.api_budget;
    in_flight int;
    in_minute bigint;
    oldest bigint;
    now_quarter bigint;
    leaving bigint;
    whole_day int;
    remaining int;
    day_probe boolean := false;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    SELECT * INTO STRICT gate FROM tds.circuit FOR UPDATE;
    at := clock_timestamp();
    taken_at := at;

    IF gate.state <> 'closed' AND gate.retry_at > at THEN
        denied := 'circuit';
        wait_s := extract(epoch FROM gate.retry_at - at);
        IF gate.state = 'half_open' THEN
            wait_s := least(wait_s, 1);  -- the probe may be back any moment
        END IF;
        RETURN;
    END IF;

    SELECT count(*) FILTER (WHERE s.held_until > at), min(s.slot) FILTER (WHERE s.held_until <= at)
    INTO in_flight, slot FROM tds.api_slots s;

    today := tds.current_day(for_product, at, configured_zone);
    -- the smaller of what Zoho gives the organisation and what this deployment may take of it
    whole_day := least(today.day_limit, take_permit.day_limit);
    all_products := tds.day_of_all(today, at);
    remaining := tds.left_of_day(today, all_products, take_permit.day_limit) - in_flight;
    IF for_priority >= 6 AND today.asked_at[for_priority + 1] < at - interval '1 minute' THEN
        UPDATE tds.api_budget b SET asked_at[for_priority + 1] = at WHERE b.product = for_product;
    END IF;
    IF today.closed OR remaining + in_flight <= 0 THEN
        IF today.probe_at IS NULL THEN
            today.probe_at := at + interval '1 hour';
            UPDATE tds.api_budget b SET probe_at = today.probe_at WHERE b.product = for_product;
        END IF;
        day_probe := today.probe_at <= at;
        IF NOT day_probe THEN
            denied := 'day';
            wait_s := extract(epoch FROM least(today.resets_at, today.probe_at) - at);
            RETURN;
        END IF;
    ELSIF tds.spare_calls(all_products, for_priority, whole_day, remaining, at) < 1 THEN
        denied := 'day';
        wait_s := CASE WHEN tds.spare_calls(all_products, for_priority, whole_day, remaining + in_flight, at) >= 1
            THEN 0.2  -- only the calls in flight stand in the way
            ELSE least(extract(epoch FROM today.resets_at - at), 900) END;
        RETURN;
    END IF;

    IF in_flight >= in_flight_limit THEN
        denied := 'in_flight';
        wait_s := 0.05;
        RETURN;
    END IF;

    IF gate.paused_until > at THEN
        denied := 'minute';
        wait_s := extract(epoch FROM gate.paused_until - at);
        RETURN;
    END IF;
    now_quarter := floor(extract(epoch FROM at) * 4);
    SELECT coalesce(sum(m.permits), 0), min(m.quarter) INTO in_minute, oldest
    FROM tds.api_minute m WHERE m.quarter >= now_quarter - 248 AND m.permits > 0;
    IF in_minute >= minute_limit THEN
        denied := 'minute';
        wait_s := greatest((oldest + 249) / 4.0 - extract(epoch FROM at), 0.01);
        IF for_priority < 6 THEN
            UPDATE tds.circuit SET urgent_until = at + make_interval(secs => wait_s + 1);
        END IF;
        RETURN;
    END IF;
    IF for_priority < 6 AND gate.urgent_until > at THEN
        -- others who wait for the same moment are just waking, too
        UPDATE tds.circuit SET urgent_until = least(urgent_until, at + interval '250 milliseconds');
    ELSIF for_priority >= 6 THEN
        -- the newest quarter that has to leave the last 10 s before they hold less than a sixth of the limit
        SELECT max(m.quarter) INTO leaving FROM (
            SELECT n.quarter, sum(n.permits) OVER (ORDER BY n.quarter DESC) AS since
            FROM tds.api_minute n WHERE n.quarter > now_quarter - 40 AND n.permits > 0
        ) AS m WHERE m.since >= ceil(minute_limit / 6.0);
        IF leaving IS NOT NULL OR gate.urgent_until > at THEN
            denied := 'minute';
            wait_s := greatest((leaving + 40) / 4.0 - extract(epoch FROM at), 0.25);
            RETURN;
        END IF;
    END IF;

    UPDATE tds.api_minute m SET permits = m.permits + 1 WHERE m.quarter = now_quarter;
    IF NOT FOUND THEN
        INSERT INTO tds.api_minute VALUES (now_quarter, 1);
        DELETE FROM tds.api_minute m WHERE m.quarter < now_quarter - 400;
    END IF;
    UPDATE tds.api_budget b
    SET used[for_priority + 1] = b.used[for_priority + 1] + 1,
        probe_at = CASE WHEN day_probe THEN at + interval '1 hour' ELSE b.probe_at END
    WHERE b.product = for_product;
    IF gate.state <> 'closed' THEN
        UPDATE tds.circuit SET state = 'half_open', retry_at = at + interval '60 seconds';
    END IF;
    slot := coalesce(slot, (SELECT coalesce(max(s.slot), 0) + 1 FROM tds.api_slots s));
    INSERT INTO tds.api_slots AS s VALUES (
        slot, 1, for_product, for_priority, at, at + interval '60 seconds',
        gate.state <> 'closed', day_probe
    )
    ON CONFLICT ON CONSTRAINT api_slots_pkey DO UPDATE SET permit = s.permit + 1, product = EXCLUDED.product,
        priority = EXCLUDED.priority, taken_at = EXCLUDED.taken_at, held_until = EXCLUDED.held_until,
        circuit_probe = EXCLUDED.circuit_probe, day_probe = EXCLUDED.day_probe
    RETURNING s.permit INTO permit;
END $$;
