-- What was compared last is looked for every minute, entity by entity, from the newest run on.
CREATE INDEX ON tds.verifications (ended_at DESC, run_id DESC) WHERE ended_at IS NOT NULL;
