-- Where a walk turns. walked_pages: the pages of the last pass. walk_end: the last page of the pass under way, known once
-- it was reached; from there a pass goes down to page 1.
ALTER TABLE tds.cursors
    ADD COLUMN walked_pages int,
    ADD COLUMN walk_end int;
