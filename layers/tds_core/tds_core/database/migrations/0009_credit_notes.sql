-- Credit notes, what of each is applied to which invoice or paid back, and a view of their lines.
CREATE TABLE erp.credit_notes (
    creditnote_id text PRIMARY KEY,
    creditnote_number text,
    reference_number text,
    customer_id text,
    customer_name text,
    date date,
    status text,
    currency text,
    exchange_rate numeric,
    total numeric,
    balance numeric,
    invoice_id text,
    refund_mode text,
    subtotal numeric,
    tax_total numeric,
    discount text,
    shipping_charge numeric,
    adjustment numeric,
    total_credits_used numeric,
    total_refunded_amount numeric,
    line_items jsonb,
    taxes jsonb,
    billing_address jsonb,
    shipping_address jsonb,
    salesperson_id text,
    salesperson_name text,
    location_id text,
    location_name text,
    notes text,
    terms text,
    custom_fields jsonb,
    created_time timestamptz
);
CREATE INDEX ON erp.credit_notes (customer_id);
CREATE INDEX ON erp.credit_notes (date);
CREATE INDEX ON erp.credit_notes (creditnote_number);
SELECT tds.as_mirror('erp.credit_notes');

CREATE TABLE erp.credit_note_invoices (
    creditnote_id text,
    creditnote_invoice_id text,
    invoice_id text,
    invoice_number text,
    credited_amount numeric,
    date date,
    PRIMARY KEY (creditnote_id, creditnote_invoice_id)
);
CREATE INDEX ON erp.credit_note_invoices (invoice_id);
SELECT tds.as_child('erp.credit_note_invoices');

CREATE TABLE erp.credit_note_refunds (
    creditnote_id text,
    creditnote_refund_id text,
    date date,
    refund_mode text,
    amount_fcy numeric,
    amount_bcy numeric,
    reference_number text,
    description text,
    PRIMARY KEY (creditnote_id, creditnote_refund_id)
);
CREATE INDEX ON erp.credit_note_refunds (date);
SELECT tds.as_child('erp.credit_note_refunds');

-- One row per line of a live credit note, in the order in which it shows them.
CREATE VIEW erp.credit_note_lines WITH (security_invoker = true) AS
SELECT
    credit_note.creditnote_id,
    line.number AS line_number,
    line.item ->> 'line_item_id' AS line_item_id,
    credit_note.creditnote_number,
    credit_note.customer_id,
    credit_note.date,
    credit_note.status,
    credit_note.currency,
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
    NULLIF(line.item ->> 'invoice_id', '') AS invoice_id,
    NULLIF(line.item ->> 'location_id', '') AS location_id
FROM erp.credit_notes AS credit_note
CROSS JOIN LATERAL jsonb_array_elements(credit_note.line_items) WITH ORDINALITY AS line (item, number)
WHERE credit_note.deleted_at IS NULL;
GRANT SELECT ON erp.credit_note_lines TO tds_app, erp_reader;
