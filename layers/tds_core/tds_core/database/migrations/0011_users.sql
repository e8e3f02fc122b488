-- Users of the organisation; no login is ever made of a row.
CREATE TABLE erp.users (
    user_id text PRIMARY KEY,
    name text,
    email text,
    role text,
    role_id text,
    status text,
    user_type text,
    photo_url text,
    permissions jsonb,
    created_time timestamptz
);
SELECT tds.as_mirror('erp.users');
