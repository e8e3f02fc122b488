-- How each entity's columns were read from Zoho's documents when its rows were written. While the code reads them otherwise,
-- `towards` is how it does and `after` the key up to which rows were written anew from their own documents.
CREATE TABLE tds.mappings (
    entity text PRIMARY KEY,
    known jsonb NOT NULL,
    towards jsonb,
    after text NOT NULL DEFAULT ''
);
