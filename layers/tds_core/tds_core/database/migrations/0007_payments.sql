-- Payments received and what of each is applied to which invoice.
CREATE TABLE erp.payments (
    payment_id text PRIMARY KEY,
    payment_number text,
    customer_id text,
    customer_name text,
    payment_date date,
    amount numeric,
    unused_amount numeric,
    payment_mode text,
    reference_number text,
    notes text,
    account_id text,
    account_name text,
    tax_amount_withheld numeric,
    bcy_amount numeric,
    bcy_unused_amount numeric,
    bcy_refunded_amount numeric,
    currency text,
    payment_status text,
    exchange_rate numeric,
    bank_charges numeric,
    discount_amount numeric,
    custom_fields jsonb,
    created_time timestamptz
);
CREATE INDEX ON erp.payments (customer_id);
CREATE INDEX ON erp.payments (payment_date);
CREATE INDEX ON erp.payments (payment_number);
SELECT tds.as_mirror('erp.payments');

CREATE TABLE erp.payment_invoices (
    payment_id text,
    invoice_id text,
    invoice_payment_id text,
    invoice_number text,
    amount_applied numeric,
    tax_amount_withheld numeric,
    discount_amount numeric,
    apply_date date,
    PRIMARY KEY (payment_id, invoice_id)
);
CREATE INDEX ON erp.payment_invoices (invoice_id);
SELECT tds.as_child('erp.payment_invoices');
