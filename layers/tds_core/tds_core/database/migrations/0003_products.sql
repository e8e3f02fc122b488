-- Products (Zoho's items) and their stock per location.
CREATE TABLE erp.products (
    product_id text PRIMARY KEY,
    name text,
    sku text,
    unit text,
    status text,
    item_type text,
    product_type text,
    description text,
    category_id text,
    category_name text,
    group_id text,
    group_name text,
    brand text,
    manufacturer text,
    upc text,
    ean text,
    isbn text,
    part_number text,
    rate numeric,
    purchase_rate numeric,
    purchase_description text,
    tax_id text,
    tax_name text,
    tax_percentage numeric,
    account_id text,
    account_name text,
    purchase_account_id text,
    purchase_account_name text,
    can_be_sold boolean,
    can_be_purchased boolean,
    track_inventory boolean,
    stock_on_hand numeric,
    available_stock numeric,
    actual_available_stock numeric,
    reorder_level numeric,
    vendor_name text,
    image_name text,
    image_type text,
    image_document_id text,
    unit_id text,
    inventory_account_id text,
    vendor_id text,
    custom_fields jsonb,
    created_time timestamptz
);
CREATE INDEX ON erp.products (sku);
CREATE INDEX ON erp.products (name);
SELECT tds.as_mirror('erp.products');

CREATE TABLE erp.stock_levels (
    product_id text,
    location_id text,
    location_name text,
    status text,
    is_primary boolean,
    stock_on_hand numeric,
    available_stock numeric,
    actual_available_stock numeric,
    PRIMARY KEY (product_id, location_id)
);
CREATE INDEX ON erp.stock_levels (location_id);
SELECT tds.as_child('erp.stock_levels');
