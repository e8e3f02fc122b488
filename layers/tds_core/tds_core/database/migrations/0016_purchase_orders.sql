-- Purchase orders and a view of their lines.
CREATE TABLE erp.purchase_orders (
    purchaseorder_id text PRIMARY KEY,
    purchaseorder_number text,
    reference_number text,
    vendor_id text,
    vendor_name text,
    date date,
    delivery_date date,
    expected_delivery_date date,
    status text,
    order_status text,
    billed_status text,
    received_status text,
    current_sub_status text,
    currency text,
    total numeric,
    quantity numeric,
    quantity_yet_to_receive numeric,
    quantity_marked_as_received numeric,
    is_drop_shipment boolean,
    is_backorder boolean,
    exchange_rate numeric,
    subtotal numeric,
    tax_total numeric,
    discount_amount numeric,
    adjustment numeric,
    line_items jsonb,
    taxes jsonb,
    purchasereceives jsonb,
    bills jsonb,
    salesorders jsonb,
    payment_terms integer,
    payment_terms_label text,
    ship_via text,
    attention text,
    billing_address jsonb,
    delivery_address jsonb,
    location_id text,
    location_name text,
    notes text,
    terms text,
    custom_fields jsonb,
    created_time timestamptz
);
CREATE INDEX ON erp.purchase_orders (vendor_id);
CREATE INDEX ON erp.purchase_orders (date);
CREATE INDEX ON erp.purchase_orders (purchaseorder_number);
SELECT tds.as_mirror('erp.purchase_orders');

-- One row per line of a live purchase order, in the order in which it shows them.
CREATE VIEW erp.purchase_order_lines WITH (security_invoker = true) AS
SELECT
    purchase_order.purchaseorder_id,
    line.number AS line_number,
    line.item ->> 'line_item_id' AS line_item_id,
    purchase_order.purchaseorder_number,
    purchase_order.vendor_id,
    purchase_order.date,
    purchase_order.status,
    purchase_order.currency,
    NULLIF(line.item ->> 'item_id', '') AS product_id,
    NULLIF(line.item ->> 'name', '') AS name,
    NULLIF(line.item ->> 'description', '') AS description,
    NULLIF(line.item ->> 'unit', '') AS unit,
    erp.to_numeric(line.item ->> 'quantity') AS quantity,
    erp.to_numeric(line.item ->> 'quantity_received') AS quantity_received,
    erp.to_numeric(line.item ->> 'quantity_billed') AS quantity_billed,
    erp.to_numeric(line.item ->> 'quantity_cancelled') AS quantity_cancelled,
    erp.to_numeric(line.item ->> 'rate') AS rate,
    NULLIF(line.item ->> 'tax_name', '') AS tax_name,
    erp.to_numeric(line.item ->> 'tax_percentage') AS tax_percentage,
    erp.to_numeric(line.item ->> 'item_total') AS item_total,
    NULLIF(line.item ->> 'account_id', '') AS account_id,
    NULLIF(line.item ->> 'account_name', '') AS account_name,
    NULLIF(line.item ->> 'location_id', '') AS location_id
FROM erp.purchase_orders AS purchase_order
CROSS JOIN LATERAL jsonb_array_elements(purchase_order.line_items) WITH ORDINALITY AS line (item, number)
WHERE purchase_order.deleted_at IS NULL;
GRANT SELECT ON erp.purchase_order_lines TO tds_app, erp_reader;
