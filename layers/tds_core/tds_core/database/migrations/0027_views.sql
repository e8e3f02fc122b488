-- What people ask the mirror for. All of it sees live rows only, and erp_reader may read it.

-- The organisation's own date: what is overdue is decided by it.
CREATE FUNCTION erp.today() RETURNS date LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, tds AS $$
    SELECT (now() AT TIME ZONE coalesce(
        (SELECT o.time_zone FROM tds.organization AS o ORDER BY o.observed_at DESC LIMIT 1), 'Asia/Baghdad'))::date
$$;

CREATE FUNCTION erp.age_bucket(due date) RETURNS text LANGUAGE sql STABLE
    RETURN CASE
        WHEN due IS NULL OR due >= erp.today() THEN 'current'
        WHEN erp.today() - due <= 30 THEN '1-30'
        WHEN erp.today() - due <= 60 THEN '31-60'
        WHEN erp.today() - due <= 90 THEN '61-90'
        ELSE '>90' END;

-- Open invoices by customer, currency and age; drafts and void ones are owed by nobody.
CREATE VIEW erp.receivables_aged WITH (security_invoker = true) AS
SELECT i.customer_id, max(i.customer_name) AS customer_name, i.currency,
    erp.age_bucket(coalesce(i.due_date, i.invoice_date)) AS bucket,
    count(*) AS invoices, sum(i.balance) AS balance
FROM erp.invoices AS i
WHERE i.deleted_at IS NULL AND i.balance <> 0 AND coalesce(i.status, '') NOT IN ('draft', 'void')
GROUP BY 1, 3, 4;

-- Open bills by vendor, currency and age.
CREATE VIEW erp.payables_aged WITH (security_invoker = true) AS
SELECT b.vendor_id, max(b.vendor_name) AS vendor_name, b.currency,
    erp.age_bucket(coalesce(b.due_date, b.bill_date)) AS bucket,
    count(*) AS bills, sum(b.balance) AS balance
FROM erp.bills AS b
WHERE b.deleted_at IS NULL AND b.balance <> 0 AND coalesce(b.status, '') NOT IN ('draft', 'void')
GROUP BY 1, 3, 4;

-- A customer's invoices, payments, credit notes and refunds in time order, each in its own currency; what is owed is
-- added, what is paid or credited is taken away, and `balance` runs on within a currency.
CREATE VIEW erp.customer_statement WITH (security_invoker = true) AS
SELECT m.*, sum(m.amount) OVER (
    PARTITION BY m.customer_id, m.currency ORDER BY m.date, m.kind, m.id ROWS UNBOUNDED PRECEDING) AS balance
FROM (
    SELECT i.customer_id, i.currency, i.invoice_date AS date, 'invoice' AS kind, i.invoice_id AS id,
        i.invoice_number AS number, i.total AS amount
    FROM erp.invoices AS i
    WHERE i.deleted_at IS NULL AND coalesce(i.status, '') NOT IN ('draft', 'void')
    UNION ALL
    SELECT p.customer_id, p.currency, p.payment_date, 'payment', p.payment_id, p.payment_number, -p.amount
    FROM erp.payments AS p WHERE p.deleted_at IS NULL
    UNION ALL
    SELECT c.customer_id, c.currency, c.date, 'credit note', c.creditnote_id, c.creditnote_number, -c.total
    FROM erp.credit_notes AS c
    WHERE c.deleted_at IS NULL AND coalesce(c.status, '') NOT IN ('draft', 'void')
    UNION ALL
    SELECT c.customer_id, c.currency, r.date, 'refund', r.creditnote_refund_id, c.creditnote_number, r.amount_fcy
    FROM erp.credit_note_refunds AS r JOIN erp.credit_notes AS c USING (creditnote_id) WHERE c.deleted_at IS NULL
) AS m;

CREATE VIEW erp.stock_by_location WITH (security_invoker = true) AS
SELECT s.location_id, coalesce(l.location_name, s.location_name) AS location_name, p.product_id, p.name, p.sku, p.unit,
    s.stock_on_hand, s.available_stock, s.actual_available_stock
FROM erp.stock_levels AS s
JOIN erp.products AS p ON p.product_id = s.product_id AND p.deleted_at IS NULL
LEFT JOIN erp.locations AS l ON l.location_id = s.location_id AND l.deleted_at IS NULL;

-- Every price that a price list names for a product; a list of one percentage names none.
CREATE VIEW erp.consumer_prices WITH (security_invoker = true) AS
SELECT l.pricelist_id, l.name AS price_list, l.currency, l.status AS price_list_status, p.product_id, p.name, p.sku,
    p.status AS product_status, i.rate, i.price_brackets
FROM erp.price_lists AS l
JOIN erp.price_list_items AS i ON i.pricelist_id = l.pricelist_id
JOIN erp.products AS p ON p.product_id = i.product_id AND p.deleted_at IS NULL
WHERE l.deleted_at IS NULL;

GRANT SELECT ON erp.receivables_aged, erp.payables_aged, erp.customer_statement, erp.stock_by_location,
    erp.consumer_prices TO tds_app, erp_reader;
