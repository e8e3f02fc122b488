-- Which webhook an outcome came by: its module, and its event where the address has one ('invoices/updated').
ALTER TABLE tds.change_log ADD COLUMN webhook text;

-- The last webhook of each entity.
CREATE INDEX ON tds.change_log (entity, observed_at) WHERE source = 'webhook';
