-- Sales orders and a view of their lines.
CREATE TABLE erp.sales_orders (
    salesorder_id text PRIMARY KEY,
    salesorder_number text,
    reference_number text,
    customer_id text,
    customer_name text,
    date date,
    shipment_date date,
    status text,
    order_status text,
    invoiced_status text,
    paid_status text,
    shipped_status text,
    current_sub_status text,
    currency text,
    total numeric,
    bcy_total numeric,
    balance numeric,
    quantity numeric,
    delivery_method text,
    sales_channel text,
    source text,
    delivery_date date,
    quantity_invoiced numeric,
    quantity_packed numeric,
    quantity_shipped numeric,
    total_invoiced_amount numeric,
    exchange_rate numeric,
    subtotal numeric,
    tax_total numeric,
    discount_total numeric,
    shipping_charge numeric,
    adjustment numeric,
    bcy_sub_total numeric,
    bcy_tax_total numeric,
    line_items jsonb,
    taxes jsonb,
    packages jsonb,
    billing_address jsonb,
    shipping_address jsonb,
    payment_terms integer,
    payment_terms_label text,
    salesperson_id text,
    salesperson_name text,
    location_id text,
    location_name text,
    pricebook_id text,
    estimate_id text,
    notes text,
    terms text,
    custom_fields jsonb,
    created_time timestamptz
);
CREATE INDEX ON erp.sales_orders (customer_id);
CREATE INDEX ON erp.sales_orders (date);
CREATE INDEX ON erp.sales_orders (salesorder_number);
SELECT tds.as_mirror('erp.sales_orders');

-- One row per line of a live sales order, in the order in which it shows them.
CREATE VIEW erp.sales_order_lines WITH (security_invoker = true) AS
SELECT
    sales_order.salesorder_id,
    line.number AS line_number,
    line.item ->> 'line_item_id' AS line_item_id,
    sales_order.salesorder_number,
    sales_order.customer_id,
    sales_order.date,
    sales_order.status,
    sales_order.currency,
    NULLIF(line.item ->> 'item_id', '') AS product_id,
    NULLIF(line.item ->> 'name', '') AS name,
    NULLIF(line.item ->> 'description', '') AS description,
    NULLIF(line.item ->> 'unit', '') AS unit,
    erp.to_numeric(line.item ->> 'quantity') AS quantity,
    erp.to_numeric(line.item ->> 'quantity_invoiced') AS quantity_invoiced,
    erp.to_numeric(line.item ->> 'quantity_packed') AS quantity_packed,
    erp.to_numeric(line.item ->> 'quantity_shipped') AS quantity_shipped,
    erp.to_numeric(line.item ->> 'rate') AS rate,
    erp.to_numeric(line.item ->> 'discount_amount') AS discount_amount,
    NULLIF(line.item ->> 'tax_name', '') AS tax_name,
    erp.to_numeric(line.item ->> 'tax_percentage') AS tax_percentage,
    erp.to_numeric(line.item ->> 'item_total') AS item_total,
    NULLIF(line.item ->> 'location_id', '') AS location_id
FROM erp.sales_orders AS sales_order
CROSS JOIN LATERAL jsonb_array_elements(sales_order.line_items) WITH ORDINALITY AS line (item, number)
WHERE sales_order.deleted_at IS NULL;
GRANT SELECT ON erp.sales_order_lines TO tds_app, erp_reader;
