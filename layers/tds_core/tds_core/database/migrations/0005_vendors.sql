-- Vendors: Zoho's contacts of that type.
CREATE TABLE erp.vendors (
    vendor_id text PRIMARY KEY,
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
    vendor_name text,
    vendor_name_ar text,
    outstanding_payable_amount numeric,
    outstanding_payable_amount_bcy numeric,
    unused_credits_payable_amount numeric,
    unused_credits_payable_amount_bcy numeric,
    created_time timestamptz
);
CREATE INDEX ON erp.vendors (vendor_name);
SELECT tds.as_mirror('erp.vendors');
