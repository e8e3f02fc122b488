-- What of payments was paid back, and a statement that runs to what Zoho says is owed.
CREATE TABLE erp.payment_refunds (
    payment_id text,
    payment_refund_id text,
    date date,
    refund_mode text,
    amount_fcy numeric,
    amount_bcy numeric,
    reference_number text,
    PRIMARY KEY (payment_id, payment_refund_id)
);
CREATE INDEX ON erp.payment_refunds (date);
SELECT tds.as_child('erp.payment_refunds');

-- Whether a document with this status counts in anybody's balance: what nobody approved or sent yet does not.
CREATE FUNCTION erp.is_posted(status text) RETURNS boolean LANGUAGE sql IMMUTABLE
    RETURN coalesce(status, '') NOT IN ('draft', 'void', 'pending_approval', 'approved', 'rejected');

CREATE OR REPLACE VIEW erp.receivables_aged WITH (security_invoker = true) AS
SELECT i.customer_id, max(i.customer_name) AS customer_name, i.currency,
    erp.age_bucket(coalesce(i.due_date, i.invoice_date)) AS bucket,
    count(*) AS invoices, sum(i.balance) AS balance
FROM erp.invoices AS i
WHERE i.deleted_at IS NULL AND i.balance <> 0 AND erp.is_posted(i.status)
GROUP BY 1, 3, 4;

CREATE OR REPLACE VIEW erp.payables_aged WITH (security_invoker = true) AS
SELECT b.vendor_id, max(b.vendor_name) AS vendor_name, b.currency,
    erp.age_bucket(coalesce(b.due_date, b.bill_date)) AS bucket,
    count(*) AS bills, sum(b.balance) AS balance
FROM erp.bills AS b
WHERE b.deleted_at IS NULL AND b.balance <> 0 AND erp.is_posted(b.status)
GROUP BY 1, 3, 4;

-- A customer's invoices, write-offs, payments, credit notes and refunds in time order, each in its own currency; what is
-- owed is added, what is paid, credited or given up is taken away, and `balance` runs on within a currency: at its end
-- it is the outstanding receivable less the unused credits. Zoho gives no day for a write-off: it stands beside its
-- invoice.
CREATE OR REPLACE VIEW erp.customer_statement WITH (security_invoker = true) AS
SELECT m.*, sum(m.amount) OVER (
    PARTITION BY m.customer_id, m.currency ORDER BY m.date, m.kind, m.id ROWS UNBOUNDED PRECEDING) AS balance
FROM (
    SELECT i.customer_id, i.currency, i.invoice_date AS date, 'invoice' AS kind, i.invoice_id AS id,
        i.invoice_number AS number, i.total AS amount
    FROM erp.invoices AS i WHERE i.deleted_at IS NULL AND erp.is_posted(i.status)
    UNION ALL
    SELECT i.customer_id, i.currency, i.invoice_date, 'write-off', i.invoice_id, i.invoice_number, -i.write_off_amount
    FROM erp.invoices AS i
    WHERE i.deleted_at IS NULL AND erp.is_posted(i.status) AND i.write_off_amount <> 0
    UNION ALL
    SELECT p.customer_id, p.currency, p.payment_date, 'payment', p.payment_id, p.payment_number, -p.amount
    FROM erp.payments AS p WHERE p.deleted_at IS NULL
    UNION ALL
    SELECT p.customer_id, p.currency, r.date, 'payment refund', r.payment_refund_id, p.payment_number, r.amount_fcy
    FROM erp.payment_refunds AS r JOIN erp.payments AS p USING (payment_id) WHERE p.deleted_at IS NULL
    UNION ALL
    SELECT c.customer_id, c.currency, c.date, 'credit note', c.creditnote_id, c.creditnote_number, -c.total
    FROM erp.credit_notes AS c WHERE c.deleted_at IS NULL AND erp.is_posted(c.status)
    UNION ALL
    SELECT c.customer_id, c.currency, r.date, 'refund', r.creditnote_refund_id, c.creditnote_number, r.amount_fcy
    FROM erp.credit_note_refunds AS r JOIN erp.credit_notes AS c USING (creditnote_id)
    WHERE c.deleted_at IS NULL AND erp.is_posted(c.status)
) AS m;
