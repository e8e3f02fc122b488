-- Purchase bills and a view of their lines.
CREATE TABLE erp.bills (
    bill_id text PRIMARY KEY,
    bill_number text,
    reference_number text,
    vendor_id text,
    vendor_name text,
    bill_date date,
    due_date date,
    status text,
    currency text,
    exchange_rate numeric,
    total numeric,
    balance numeric,
    subtotal numeric,
    tax_total numeric,
    discount_total numeric,
    adjustment numeric,
    payment_made numeric,
    vendor_credits_applied numeric,
    payment_terms integer,
    payment_terms_label text,
    line_items jsonb,
    taxes jsonb,
    payments jsonb,
    vendor_credits jsonb,
    billing_address jsonb,
    location_id text,
    location_name text,
    notes text,
    terms text,
    custom_fields jsonb,
    created_time timestamptz
);
CREATE INDEX ON erp.bills (vendor_id);
CREATE INDEX ON erp.bills (bill_date);
CREATE INDEX ON erp.bills (bill_number);
SELECT tds.as_mirror('erp.bills');

-- One row per line of a live bill, in the order in which it shows them.
CREATE VIEW erp.bill_lines WITH (security_invoker = true) AS
SELECT
    bill.bill_id,
    line.number AS line_number,
    line.item ->> 'line_item_id' AS line_item_id,
    bill.bill_number,
    bill.vendor_id,
    bill.bill_date,
    bill.status,
    bill.currency,
    NULLIF(line.item ->> 'item_id', '') AS product_id,
    NULLIF(line.item ->> 'name', '') AS name,
    NULLIF(line.item ->> 'description', '') AS description,
    NULLIF(line.item ->> 'unit', '') AS unit,
    erp.to_numeric(line.item ->> 'quantity') AS quantity,
    erp.to_numeric(line.item ->> 'rate') AS rate,
    NULLIF(line.item ->> 'tax_name', '') AS tax_name,
    erp.to_numeric(line.item ->> 'tax_percentage') AS tax_percentage,
    erp.to_numeric(line.item ->> 'item_total') AS item_total,
    NULLIF(line.item ->> 'account_id', '') AS account_id,
    NULLIF(line.item ->> 'account_name', '') AS account_name,
    NULLIF(line.item ->> 'location_id', '') AS location_id
FROM erp.bills AS bill
CROSS JOIN LATERAL jsonb_array_elements(bill.line_items) WITH ORDINALITY AS line (item, number)
WHERE bill.deleted_at IS NULL;
GRANT SELECT ON erp.bill_lines TO tds_app, erp_reader;
