-- Sales invoices and a view of their lines.
CREATE TABLE erp.invoices (
    invoice_id text PRIMARY KEY,
    invoice_number text,
    reference_number text,
    customer_id text,
    customer_name text,
    invoice_date date,
    due_date date,
    status text,
    currency text,
    exchange_rate numeric,
    total numeric,
    balance numeric,
    salesperson_id text,
    salesperson_name text,
    last_payment_date date,
    write_off_amount numeric,
    shipping_charge numeric,
    adjustment numeric,
    subtotal numeric,
    tax_total numeric,
    discount_total numeric,
    payment_made numeric,
    credits_applied numeric,
    bcy_total numeric,
    bcy_sub_total numeric,
    bcy_tax_total numeric,
    line_items jsonb,
    taxes jsonb,
    billing_address jsonb,
    shipping_address jsonb,
    salesorder_id text,
    notes text,
    terms text,
    created_time timestamptz
);
CREATE INDEX ON erp.invoices (customer_id);
CREATE INDEX ON erp.invoices (invoice_date);
CREATE INDEX ON erp.invoices (invoice_number);
SELECT tds.as_mirror('erp.invoices');

-- Zoho writes "" for an empty number, so a plain cast would fail for the whole view.
CREATE FUNCTION erp.to_numeric(value text) RETURNS numeric LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE WHEN pg_input_is_valid(value, 'numeric') THEN value::numeric END;

-- One row per line of a live invoice, in the order in which the invoice shows them.
CREATE VIEW erp.invoice_lines WITH (security_invoker = true) AS
SELECT
    invoice.invoice_id,
    line.number AS line_number,
    line.item ->> 'line_item_id' AS line_item_id,
    invoice.invoice_number,
    invoice.customer_id,
    invoice.invoice_date,
    invoice.status,
    invoice.currency,
    NULLIF(line.item ->> 'item_id', '') AS product_id,
    NULLIF(line.item ->> 'name', '') AS name,
    NULLIF(line.item ->> 'description', '') AS description,
    NULLIF(line.item ->> 'unit', '') AS unit,
    erp.to_numeric(line.item ->> 'quantity') AS quantity,
    erp.to_numeric(line.item ->> 'rate') AS rate,
    erp.to_numeric(line.item ->> 'discount_amount') AS discount_amount,
    NULLIF(line.item ->> 'tax_name', '') AS tax_name,
    erp.to_numeric(line.item ->> 'tax_percentage') AS tax_percentage,
    erp.to_numeric(line.item ->> 'item_total') AS item_total,
    NULLIF(line.item ->> 'location_id', '') AS location_id
FROM erp.invoices AS invoice
CROSS JOIN LATERAL jsonb_array_elements(invoice.line_items) WITH ORDINALITY AS line (item, number)
WHERE invoice.deleted_at IS NULL;
GRANT SELECT ON erp.invoice_lines TO tds_app, erp_reader;
