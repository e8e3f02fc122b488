-- Product images: what is stored of each, its address in the product's row, and who asks for it to be looked at.
-- image_url is written with the stored image's row and by nobody else: no list row and no document has such a column.
ALTER TABLE erp.products
    ADD COLUMN image_url text,
    ADD CONSTRAINT image_url_is_its_own CHECK (image_url = '/product-images/' || product_id || '.jpg');

-- sha256, source_type and source_bytes are those of Zoho's file, the others those of the JPEG that is served.
CREATE TABLE erp.product_images (
    product_id text PRIMARY KEY,
    image_document_id text,
    sha256 text,
    source_type text,
    source_bytes int,
    bytes int,
    thumbnail_bytes int,
    width int,
    height int,
    stored_at timestamptz
);
SELECT tds.as_child('erp.product_images');

-- Ask for a product's image to be fetched or taken away (priority 7, as tds_core.priority has it).
CREATE FUNCTION tds.request_image() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tds.backlog AS b (entity, id, priority, cause) VALUES ('product_images', NEW.product_id, 7, 'product')
    ON CONFLICT (entity, id) DO UPDATE SET requested_at = greatest(b.requested_at, EXCLUDED.requested_at),
        not_before = least(b.not_before, EXCLUDED.not_before), parked_at = NULL,
        attempts = CASE WHEN b.parked_at IS NULL THEN b.attempts ELSE 0 END;
    RETURN NULL;
END $$;

-- In the product's own transaction, whoever writes it: a new image, another one, none any more, a product that is
-- deleted or back. What leaves both alone asks for nothing.
CREATE TRIGGER image_of_a_new_product AFTER INSERT ON erp.products FOR EACH ROW
    WHEN (NEW.image_document_id IS NOT NULL AND NEW.deleted_at IS NULL)
    EXECUTE FUNCTION tds.request_image();
CREATE TRIGGER image_of_a_changed_product AFTER UPDATE OF image_document_id, deleted_at ON erp.products FOR EACH ROW
    WHEN (NEW.image_document_id IS DISTINCT FROM OLD.image_document_id
        OR (NEW.image_document_id IS NOT NULL AND (NEW.deleted_at IS NULL) <> (OLD.deleted_at IS NULL)))
    EXECUTE FUNCTION tds.request_image();

INSERT INTO tds.backlog (entity, id, priority, cause)
SELECT 'product_images', product_id, 7, 'product' FROM erp.products
WHERE image_document_id IS NOT NULL AND deleted_at IS NULL
ON CONFLICT DO NOTHING;
