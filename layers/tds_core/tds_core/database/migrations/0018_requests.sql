-- Somebody asked at this time that the document be written even if nothing seems to differ; a fetch that begins later
-- and knows of it clears it.
ALTER TABLE tds.backlog ADD COLUMN forced_at timestamptz;
