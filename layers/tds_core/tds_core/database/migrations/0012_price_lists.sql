-- Price lists (Zoho's pricebooks) and the prices in them.
CREATE TABLE erp.price_lists (
    pricelist_id text PRIMARY KEY,
    name text,
    description text,
    status text,
    currency text,
    currency_id text,
    pricebook_type text,
    sales_or_purchase_type text,
    percentage numeric,
    is_increase boolean,
    is_default boolean,
    rounding_type text,
    decimal_place integer,
    pricing_scheme text,
    created_time timestamptz
);
SELECT tds.as_mirror('erp.price_lists');

CREATE TABLE erp.price_list_items (
    pricelist_id text,
    product_id text,
    pricebook_item_id text,
    name text,
    rate numeric,
    discount text,
    pricing_scheme text,
    price_brackets jsonb,
    PRIMARY KEY (pricelist_id, product_id)
);
CREATE INDEX ON erp.price_list_items (product_id);
SELECT tds.as_child('erp.price_list_items');
