-- api_domain: the API host that the token host named with the last token; another one than the configured host is the
-- wrong data centre.
ALTER TABLE tds.oauth_token ADD COLUMN api_domain text;
