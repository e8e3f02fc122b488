-- What everybody who calls Zoho shares: the circuit, the call budget, the access token, the organisation.
-- All times are this server's clock. Whoever takes or ends a permit first locks the circuit's row, so permits are
-- given one after the other.

-- One row. retry_at: an open circuit lets nobody through before it. paused_until: Zoho answered code 44.
CREATE TABLE tds.circuit (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    state text NOT NULL DEFAULT 'closed' CHECK (state IN ('closed', 'open', 'half_open')),
    failures int NOT NULL DEFAULT 0,
    failed_requests text[] NOT NULL DEFAULT '{}',
    successes int NOT NULL DEFAULT 0,
    retry_at timestamptz NOT NULL DEFAULT '-infinity',
    paused_until timestamptz NOT NULL DEFAULT '-infinity',
    changed_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
INSERT INTO tds.circuit DEFAULT VALUES;

-- The day, per product. remaining: the lowest X-Rate-Limit-Remaining since the day began. used and asked_at are by
-- priority, the smallest first. closed: Zoho answered code 45; one probe an hour.
CREATE TABLE tds.api_budget (
    product text PRIMARY KEY,
    since timestamptz NOT NULL,
    resets_at timestamptz NOT NULL,
    day_limit int,
    remaining int,
    closed boolean NOT NULL DEFAULT false,
    probe_at timestamptz,
    used int[] NOT NULL DEFAULT array_fill(0, ARRAY[8]),
    asked_at timestamptz[] NOT NULL DEFAULT array_fill('-infinity'::timestamptz, ARRAY[8])
) WITH (fillfactor = 50);

-- Permits of the last minute, counted in quarters of a second: their number, not the limit's, bounds the cost.
CREATE TABLE tds.api_minute (
    quarter bigint PRIMARY KEY,
    permits int NOT NULL
) WITH (fillfactor = 50);

-- Calls in flight. A slot is used again and again; `permit` says which of its uses it is.
CREATE TABLE tds.api_slots (
    slot int PRIMARY KEY,
    permit bigint NOT NULL,
    product text NOT NULL,
    priority int NOT NULL,
    taken_at timestamptz NOT NULL,
    held_until timestamptz NOT NULL,
    circuit_probe boolean NOT NULL,
    day_probe boolean NOT NULL
) WITH (fillfactor = 50);

-- One row. Whoever holds the lease mints; generation moves with every stored token. mints: attempts of the last 10
-- minutes. credential: a digest that tells a token of other credentials or another host apart.
CREATE TABLE tds.oauth_token (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    generation bigint NOT NULL DEFAULT 0,
    credential text NOT NULL DEFAULT '',
    access_token text,
    minted_at timestamptz NOT NULL DEFAULT 'epoch',
    expires_at timestamptz NOT NULL DEFAULT 'epoch',
    lease_owner uuid,
    leased_until timestamptz NOT NULL DEFAULT '-infinity',
    mints timestamptz[] NOT NULL DEFAULT '{}',
    refusal text
) WITH (fillfactor = 50);
INSERT INTO tds.oauth_token DEFAULT VALUES;

CREATE TABLE tds.organization (
    organization_id text PRIMARY KEY,
    name text,
    time_zone text,
    currency_code text,
    price_precision int,
    fiscal_year_start_month text,
    plan_name text,
    observed_at timestamptz NOT NULL
);

-- Zoho's day ends at midnight in the organisation's zone, unless its headers say otherwise.
CREATE FUNCTION tds.next_midnight(at timestamptz, configured_zone text) RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    zone text := coalesce(
        (SELECT o.time_zone FROM tds.organization o ORDER BY o.observed_at DESC LIMIT 1), configured_zone);
BEGIN
    RETURN (date_trunc('day', at AT TIME ZONE zone) + interval '1 day') AT TIME ZONE zone;
END $$;

-- The product's day, begun anew when its reset has passed.
CREATE FUNCTION tds.current_day(of_product text, at timestamptz, configured_zone text) RETURNS tds.api_budget
LANGUAGE plpgsql AS $$
DECLARE
    today tds.api_budget;
BEGIN
    SELECT * INTO today FROM tds.api_budget b WHERE b.product = of_product;
    IF today.resets_at > at THEN
        RETURN today;
    END IF;
    INSERT INTO tds.api_budget AS b (product, since, resets_at)
    VALUES (of_product, at, tds.next_midnight(at, configured_zone))
    ON CONFLICT (product) DO UPDATE SET since = EXCLUDED.since, resets_at = EXCLUDED.resets_at, remaining = NULL,
        closed = false, probe_at = NULL, used = EXCLUDED.used
    RETURNING b.* INTO today;
    RETURN today;
END $$;

-- Calls that a priority may still take of the day, of which `remaining` are left to everybody:
--   15 % of the limit are held for webhooks and manual work (0, 1);
--   25 % are for polls and verification (2, 3): what they have not used, at most at twice the even pace for the
--   rest of the day, is held from ripples and later (4 and up);
--   of what that leaves, backfill (6) has 80 % and images (7) have 20 %. A share is held in full while its owner
--   has asked within 10 minutes, by the day's rest if it has asked within 24 hours, else not at all.
CREATE FUNCTION tds.spare_calls(
    today tds.api_budget, for_priority int, day_limit int, remaining int, at timestamptz
) RETURNS double precision LANGUAGE plpgsql AS $$
DECLARE
    rest double precision := least(greatest(extract(epoch FROM today.resets_at - at) / 86400, 0), 1);
    urgent double precision := 0.15 * day_limit;
    fixed double precision :=
        greatest(least(0.25 * day_limit - today.used[3] - today.used[4], 0.25 * day_limit * 2 * rest), 0);
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
        - CASE WHEN for_priority >= 2 THEN urgent ELSE 0 END
        - CASE WHEN for_priority >= 4 THEN fixed ELSE 0 END
        - held;
END $$;

-- Take a permit, or say which limit denies it and for how long. Any 62 seconds hold at most minute_limit permits:
-- a permit is used up to 2 s after it was taken, so then any 60 seconds hold at most as many calls.
-- Commits without waiting for the disk: a crash of the server forgets at most its last second of permits.
CREATE FUNCTION tds.take_permit(
    for_product text, for_priority int, minute_limit int, in_flight_limit int, day_limit int, configured_zone text,
    OUT denied text, OUT wait_s double precision, OUT slot int, OUT permit bigint, OUT taken_at timestamptz
) LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz;
    gate tds.circuit;
    today tds.api_budget;
    in_flight int;
    in_minute bigint;
    oldest bigint;
    now_quarter bigint;
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
    remaining := least(today.remaining, whole_day - (SELECT sum(u) FROM unnest(today.used) u)) - in_flight;
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
    ELSIF tds.spare_calls(today, for_priority, whole_day, remaining, at) < 1 THEN
        denied := 'day';
        wait_s := CASE WHEN tds.spare_calls(today, for_priority, whole_day, remaining + in_flight, at) >= 1
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
        RETURN;
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

-- Free a slot; NULL when it ran out and somebody else has it.
CREATE FUNCTION tds.free_slot(of_slot int, of_permit bigint) RETURNS tds.api_slots LANGUAGE plpgsql AS $$
DECLARE
    held tds.api_slots;
BEGIN
    UPDATE tds.api_slots s SET held_until = '-infinity'
    WHERE s.slot = of_slot AND s.permit = of_permit AND s.held_until > '-infinity'
    RETURNING s.* INTO held;
    RETURN held;
END $$;

-- Give back a permit that was not used.
CREATE FUNCTION tds.return_permit(of_slot int, of_permit bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    held tds.api_slots;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    PERFORM FROM tds.circuit FOR UPDATE;
    held := tds.free_slot(of_slot, of_permit);
    IF held.slot IS NULL THEN
        RETURN;
    END IF;
    UPDATE tds.api_minute m SET permits = m.permits - 1
    WHERE m.quarter = floor(extract(epoch FROM held.taken_at) * 4) AND m.permits > 0;
    UPDATE tds.api_budget b
    SET used[held.priority + 1] = greatest(b.used[held.priority + 1] - 1, 0),
        probe_at = CASE WHEN held.day_probe THEN held.taken_at ELSE b.probe_at END
    WHERE b.product = held.product AND b.since <= held.taken_at;
    IF held.circuit_probe THEN
        UPDATE tds.circuit SET retry_at = held.taken_at WHERE state = 'half_open';
    END IF;
END $$;

-- The outcome of one call on the circuit: success, failure or neutral. Calls that began before it opened are not
-- asked any more.
CREATE FUNCTION tds.note_outcome(
    outcome text, was_probe boolean, request text, failures_to_open int, requests_to_open int, open_s double precision
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    gate tds.circuit;
    at timestamptz := clock_timestamp();
BEGIN
    SELECT * INTO STRICT gate FROM tds.circuit;
    IF gate.state = 'closed' THEN
        IF outcome = 'success' AND gate.failures > 0 THEN
            UPDATE tds.circuit SET failures = 0, failed_requests = '{}';
        ELSIF outcome = 'failure' THEN
            IF NOT request = ANY (gate.failed_requests) AND cardinality(gate.failed_requests) < 20 THEN
                gate.failed_requests := gate.failed_requests || request;
            END IF;
            UPDATE tds.circuit SET failures = gate.failures + 1, failed_requests = gate.failed_requests;
            IF gate.failures + 1 >= failures_to_open AND cardinality(gate.failed_requests) >= requests_to_open
            THEN
                UPDATE tds.circuit SET state = 'open', successes = 0, changed_at = at,
                    retry_at = at + make_interval(secs => open_s);
            END IF;
        END IF;
    ELSIF was_probe AND outcome = 'failure' THEN
        UPDATE tds.circuit SET state = 'open', successes = 0, changed_at = at, failures = failures + 1,
            retry_at = at + make_interval(secs => open_s);
    ELSIF was_probe AND outcome = 'success' AND gate.successes >= 1 THEN
        UPDATE tds.circuit SET state = 'closed', failures = 0, failed_requests = '{}', successes = 0,
            changed_at = at, retry_at = '-infinity';
    ELSIF was_probe THEN
        UPDATE tds.circuit SET retry_at = at,
            successes = successes + CASE WHEN outcome = 'success' THEN 1 ELSE 0 END;
    END IF;
END $$;

-- What the X-Rate-Limit headers of a call said. Headers of a call that began before the day did are late; within a
-- day `remaining` only falls. A reset far behind the known one is a new day.
CREATE FUNCTION tds.note_quota(
    held tds.api_slots, quota_limit int, quota_remaining int, quota_reset_s double precision
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    today tds.api_budget;
    resets timestamptz := clock_timestamp() + make_interval(secs => quota_reset_s);
BEGIN
    SELECT * INTO STRICT today FROM tds.api_budget b WHERE b.product = held.product;
    IF held.taken_at < today.since THEN
        RETURN;
    END IF;
    IF today.remaining IS NOT NULL AND resets > today.resets_at + interval '1 hour' THEN
        UPDATE tds.api_budget b SET since = held.taken_at, resets_at = resets, day_limit = quota_limit,
            remaining = quota_remaining, closed = false, probe_at = NULL, used = array_fill(0, ARRAY[8])
        WHERE b.product = held.product;
    ELSE
        UPDATE tds.api_budget b SET resets_at = resets, day_limit = quota_limit,
            remaining = least(b.remaining, quota_remaining)
        WHERE b.product = held.product;
    END IF;
END $$;

-- End a call: free its slot, tell the circuit, keep the headers, close or reopen the day.
CREATE FUNCTION tds.end_permit(
    of_slot int, of_permit bigint, outcome text, request text,
    failures_to_open int, requests_to_open int, open_s double precision,
    quota_limit int, quota_remaining int, quota_reset_s double precision,
    pause_s double precision, day_closed boolean
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    held tds.api_slots;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    PERFORM FROM tds.circuit FOR UPDATE;
    held := tds.free_slot(of_slot, of_permit);
    IF held.slot IS NULL THEN
        RETURN;
    END IF;
    PERFORM tds.note_outcome(outcome, held.circuit_probe, request, failures_to_open, requests_to_open, open_s);
    IF pause_s > 0 THEN
        UPDATE tds.circuit SET paused_until = greatest(paused_until, clock_timestamp() + make_interval(secs => pause_s));
    END IF;
    IF held.day_probe AND outcome = 'success' THEN
        UPDATE tds.api_budget b SET closed = false, probe_at = NULL, remaining = NULL WHERE b.product = held.product;
    END IF;
    IF quota_limit IS NOT NULL THEN
        PERFORM tds.note_quota(held, quota_limit, quota_remaining, quota_reset_s);
    END IF;
    IF day_closed THEN
        UPDATE tds.api_budget b SET closed = true, probe_at = clock_timestamp() + interval '1 hour'
        WHERE b.product = held.product AND b.since <= held.taken_at;
    END IF;
END $$;
