"""Apply the numbered migrations, each once and in its own transaction."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import psycopg
from psycopg import Connection, sql

from tds_core.database.connection import Database
from tds_core.errors import ConfigurationError

MIGRATIONS = Path(__file__).with_name("migrations")
_LOCK = 7_305_001
_REGISTER = """
    CREATE SCHEMA IF NOT EXISTS tds;
    CREATE TABLE IF NOT EXISTS tds.migrations (
        name text PRIMARY KEY, hash text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
"""
# the register is older than the roles, so no default privilege reaches it
_SHOW = "GRANT SELECT ON tds.migrations TO tds_app"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The migrations of this code that a database lacks, and those that it has and this code does not know."""

    missing: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One numbered SQL file."""

    name: str
    text: str

    @property
    def hash(self) -> str:
        """Tells an applied file that was changed afterwards."""
        return sha256(self.text.encode()).hexdigest()


def migrations(folder: Path = MIGRATIONS) -> Iterator[Migration]:
    """The SQL files in the order of their numbers."""
    for path in sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql")):
        yield Migration(name=path.stem, text=path.read_text("utf-8"))


def migrate(conninfo: str, *, passwords: Mapping[str, str] | None = None) -> list[str]:
    """Bring a database up to date and return the names of what was applied now; safe to call by many at once.

    Needs the database's owner. `passwords` are set for their roles, such as tds_app.
    Raises ConfigurationError when an applied migration was changed, psycopg.Error when one fails: that one is
    rolled back, those before it stay.
    """
    with psycopg.connect(conninfo, autocommit=True, application_name="tds-migrate") as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        connection.execute(_REGISTER)
        applied = _apply(connection)
        connection.execute(_SHOW)
        connection.execute("SELECT tds.extend_change_log(), tds.admit_reader()")
        for role, password in (passwords or {}).items():
            _set_password(connection, role, password)
    return applied


def difference(database: Database) -> Difference:
    """How the database's migrations differ from this code's, as the application's role sees it."""
    known = [migration.name for migration in migrations()]
    applied = [name for (name,) in database.execute("SELECT name FROM tds.migrations ORDER BY name")]
    return Difference(
        missing=tuple(name for name in known if name not in applied),
        unknown=tuple(name for name in applied if name not in known),
    )


def _apply(connection: Connection) -> list[str]:
    known: dict[str, str] = dict(connection.execute("SELECT name, hash FROM tds.migrations").fetchall())
    applied = []
    for migration in migrations():
        if migration.name not in known:
            with connection.transaction():
                connection.execute(migration.text)
                connection.execute(
                    "INSERT INTO tds.migrations (name, hash) VALUES (%s, %s)", (migration.name, migration.hash)
                )
            applied.append(migration.name)
        elif known[migration.name] != migration.hash:
            raise ConfigurationError(f"migration {migration.name} was changed after it was applied; add a new one")
    return applied


def _set_password(connection: Connection, role: str, password: str) -> None:
    """Set it as a SCRAM verifier, so that no server log ever holds the password."""
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(verifier)))
