"""One process's connection to PostgreSQL: opened when needed, reopened when lost, never held open across a call."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from select import select
from typing import Any, TypeVar

import psycopg
from psycopg import Connection, sql
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow
from psycopg.types.json import set_json_dumps, set_json_loads

from tds_core import lossless_json
from tds_core.errors import DatabaseUnavailable

Conninfo = Callable[[], str]
Rows = list[TupleRow]
Statement = str | sql.SQL | sql.Composed
T = TypeVar("T")

set_json_dumps(lossless_json.dumps)
set_json_loads(lossless_json.loads)

_log = logging.getLogger(__name__)
_CONFLICTS = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
# the server is well and refuses this very value: too long for an index, nested too deep
REFUSED = (psycopg.errors.ProgramLimitExceeded, psycopg.errors.StatementTooComplex)
# after a failover this connection may lead to a server that only reads: another one leads to the right one
_LOST = (psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.IdleInTransactionSessionTimeout)
_UNAVAILABLE = (psycopg.OperationalError, psycopg.InterfaceError, *_LOST)
_TRIES = 5


class Database:
    """A lazily opened connection, safe to share between threads (they take turns).

    `conninfo` is asked at every connect, so a rotated password is picked up without a restart.
    """

    def __init__(self, conninfo: Conninfo, *, application_name: str) -> None:
        self._conninfo = conninfo
        self._application_name = application_name
        self._connection: Connection[TupleRow] | None = None
        self._lock = threading.RLock()

    def execute(self, query: Statement, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Rows:
        """Run one autocommitted statement and return its rows.

        Raises DatabaseUnavailable; the statement may then have been committed or not.
        """
        with self._lock, self._session() as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def transaction(self) -> Iterator[Connection[TupleRow]]:
        """One transaction: committed at the end of the block, rolled back on any error.

        Raises DatabaseUnavailable when the server cannot be reached or breaks off, also to end a deadlock.
        """
        with self._lock, self._session() as connection, connection.transaction():
            yield connection

    def run(self, work: Callable[[Connection[TupleRow]], T]) -> T:
        """Run `work` in one transaction, again from the start after a deadlock or serialisation failure."""
        for attempt in range(1, _TRIES + 1):
            try:
                with self.transaction() as connection:
                    return work(connection)
            except DatabaseUnavailable as exc:
                conflict = exc.__cause__
                if not isinstance(conflict, _CONFLICTS):
                    raise
                _log.warning("transaction conflict", extra={"attempt": attempt, "sqlstate": conflict.sqlstate})
        raise DatabaseUnavailable(f"transaction conflicts {_TRIES} times in a row")

    def close(self) -> None:
        """Close the connection; the next use opens a new one."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def _session(self) -> Iterator[Connection[TupleRow]]:
        try:
            if self._connection is None or not _is_alive(self._connection):
                self.close()
                self._connection = self._connect()
            yield self._connection
        except REFUSED:
            raise
        except _CONFLICTS as exc:  # the connection is well, and nothing was committed
            raise DatabaseUnavailable(type(exc).__name__) from exc
        except _UNAVAILABLE as exc:
            self.close()
            raise DatabaseUnavailable(type(exc).__name__) from exc

    def _connect(self) -> Connection[TupleRow]:
        return psycopg.connect(
            self._conninfo(), autocommit=True, application_name=self._application_name, connect_timeout=5
        )


def _is_alive(connection: Connection[TupleRow]) -> bool:
    """Whether the server is still there, as far as one can tell without asking it.

    A function may be warm for hours: a server that restarted meanwhile has said goodbye, which lies unread. To an idle
    connection it says nothing else, so the first one to use it need not fail.
    """
    if connection.closed or connection.broken:
        return False
    is_idle = connection.info.transaction_status == TransactionStatus.IDLE
    return not (is_idle and select([connection], [], [], 0)[0])
