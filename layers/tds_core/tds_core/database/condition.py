"""What PostgreSQL says of itself and of the role that the functions use, for whoever checks a deployment."""

from dataclasses import dataclass
from datetime import datetime

from tds_core.database.connection import Database

_SERVER = """
    SELECT current_setting('server_version'), current_setting('server_version_num')::int / 10000,
        current_setting('server_encoding'), pg_is_in_recovery(), current_setting('max_connections')::int,
        coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)
"""
_ROLE = """
    SELECT rolname, rolconnlimit, rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls,
        current_setting('statement_timeout'), current_setting('lock_timeout'),
        current_setting('idle_in_transaction_session_timeout')
    FROM pg_roles WHERE rolname = current_user
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The server behind the connection; `is_encrypted` is of this very connection."""

    version: str
    major: int
    encoding: str
    is_read_only: bool
    max_connections: int
    is_encrypted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """The connected role; the timeouts are as PostgreSQL writes them, "0" for none, and -1 connections are all."""

    name: str
    connection_limit: int
    is_powerful: bool
    timeouts: dict[str, str]


def server(database: Database) -> Server:
    """Read the server's facts; raises DatabaseUnavailable."""
    version, major, encoding, is_read_only, connections, is_encrypted = database.execute(_SERVER)[0]
    return Server(
        version=version,
        major=major,
        encoding=encoding,
        is_read_only=is_read_only,
        max_connections=connections,
        is_encrypted=is_encrypted,
    )


def role(database: Database) -> Role:
    """Read the role's limits; raises DatabaseUnavailable."""
    name, connections, is_powerful, statement, lock, idle = database.execute(_ROLE)[0]
    timeouts = {"statement_timeout": statement, "lock_timeout": lock, "idle_in_transaction_session_timeout": idle}
    return Role(name=name, connection_limit=connections, is_powerful=is_powerful, timeouts=timeouts)


def last_polled_at(database: Database) -> datetime | None:
    """When a list was polled last, whichever; None when none ever was."""
    moment: datetime | None = database.execute("SELECT max(polled_at) FROM tds.cursors")[0][0]
    return moment
