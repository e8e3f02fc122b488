-- Customers: Zoho's contacts of that type.
CREATE TABLE erp.customers (
    customer_id text PRIMARY KEY,
    company_name text,
    first_name text,
    last_name text,
    email text,
    phone text,
    mobile text,
    website text,
    status text,
    payment_terms integer,
    payment_terms_label text,
    currency text,
    contact_persons jsonb,
    address jsonb,
    shipping_address jsonb,
    credit_limit numeric,
    owner_id text,
    owner_name text,
    notes text,
    custom_fields jsonb,
    customer_name text,
    customer_sub_type text,
    outstanding_receivable_amount numeric,
    outstanding_receivable_amount_bcy numeric,
    unused_credits_receivable_amount numeric,
    unused_credits_receivable_amount_bcy numeric,
    pricebook_id text,
    pricebook_name text,
    created_time timestamptz
);
CREATE INDEX ON erp.customers (customer_name);
SELECT tds.as_mirror('erp.customers');
