"""PostgreSQL's clock in the hand of a test: a function of that name which the test's connections find first."""

from datetime import UTC, datetime, timedelta

import psycopg
from psycopg.conninfo import make_conninfo

from tds_core.database.connection import Database

START = datetime(2026, 6, 2, 6, 0, tzinfo=UTC)  # 09:00 in Baghdad
_SETUP = """
    CREATE SCHEMA fake;
    CREATE TABLE fake.now (at timestamptz NOT NULL);
    CREATE FUNCTION fake.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT at FROM fake.now';
    GRANT USAGE ON SCHEMA fake TO tds_app;
    GRANT SELECT ON fake.now TO tds_app;
"""


class PostgresClock:
    """Stands still until it is moved."""

    def __init__(self, owner_conninfo: str, conninfo: str) -> None:
        self._owner = psycopg.connect(owner_conninfo, autocommit=True)
        self._owner.execute("SET synchronous_commit = off")
        self._owner.execute(_SETUP)
        self._owner.execute("INSERT INTO fake.now VALUES (%s)", (START,))
        self._conninfo = make_conninfo(conninfo, options="-c search_path=fake,pg_catalog")
        self.now = START

    def connect(self) -> Database:
        """A connection that lives by this clock."""
        return Database(lambda: self._conninfo, application_name="test")

    def set(self, now: datetime) -> None:
        """Move it to an instant."""
        self.now = now
        self._owner.execute("UPDATE fake.now SET at = %s", (now,))

    def advance(self, seconds: float) -> None:
        """Move it on."""
        if seconds:
            self.set(self.now + timedelta(seconds=seconds))

    def reset(self) -> None:
        """Forget every permit, and be at the start again."""
        self._owner.execute("DELETE FROM tds.api_minute; DELETE FROM tds.api_slots; DELETE FROM tds.api_budget")
        self._owner.execute("DELETE FROM tds.circuit; INSERT INTO tds.circuit DEFAULT VALUES")
        self.set(START)

    def close(self) -> None:
        """Close the clock's own connection."""
        self._owner.close()
