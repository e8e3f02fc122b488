-- Inventory adjustments, and the locations where stock is held.
CREATE TABLE erp.inventory_adjustments (
    adjustment_id text PRIMARY KEY,
    date date,
    adjustment_type text,
    reason text,
    reason_id text,
    reference_number text,
    description text,
    total numeric,
    status text,
    location_id text,
    location_name text,
    line_items jsonb,
    custom_fields jsonb,
    created_time timestamptz
);
CREATE INDEX ON erp.inventory_adjustments (date);
SELECT tds.as_mirror('erp.inventory_adjustments');

CREATE TABLE erp.locations (
    location_id text PRIMARY KEY,
    location_name text,
    type text,
    status text,
    is_primary boolean,
    email text,
    phone text,
    address jsonb,
    parent_location_id text,
    is_all_users_selected boolean,
    associated_users jsonb,
    created_time timestamptz
);
SELECT tds.as_mirror('erp.locations');
