"""TDS Core: an exact, provable mirror of Zoho Books and Zoho Inventory in PostgreSQL."""
