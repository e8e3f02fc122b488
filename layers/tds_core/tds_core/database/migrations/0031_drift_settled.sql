-- When a difference came to its end, whoever ended it: what a record's story tells beside its suspicion.
ALTER TABLE tds.drift ADD COLUMN settled_at timestamptz;

CREATE FUNCTION tds.note_settled() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    NEW.settled_at := CASE WHEN NEW.how IS NOT NULL THEN clock_timestamp() END;
    RETURN NEW;
END $$;
CREATE TRIGGER settled BEFORE INSERT OR UPDATE OF how ON tds.drift
    FOR EACH ROW EXECUTE FUNCTION tds.note_settled();
