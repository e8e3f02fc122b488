"""A connection that outlives its server's restarts unnoticed, and fails only for what is under way."""

from collections.abc import Callable

import psycopg
import pytest

from tds_core.database.connection import Database
from tds_core.errors import DatabaseUnavailable

PROCESS = "SELECT pg_backend_pid()"


def end(conninfo: str, process: int) -> None:
    """End the server's side of a connection, as a restart does, and wait until it is gone."""
    with psycopg.connect(conninfo) as owner:
        owner.execute("SELECT pg_terminate_backend(%s, 5000)", (process,))


def test_a_restart_between_two_uses_is_not_noticed(database: Database, owner_conninfo: str) -> None:
    ((process,),) = database.execute(PROCESS)
    end(owner_conninfo, process)
    ((after,),) = database.execute(PROCESS)
    assert after != process


def test_a_connection_is_kept_between_uses(database: Database) -> None:
    first = database.execute(PROCESS)
    with database.transaction() as connection:
        assert connection.execute(PROCESS).fetchall() == first
        assert database.execute(PROCESS) == first


def test_a_restart_within_a_transaction_is_told(database: Database, owner_conninfo: str) -> None:
    def work(connection: psycopg.Connection[tuple[int]]) -> None:
        process = connection.execute(PROCESS).fetchall()[0][0]
        end(owner_conninfo, process)
        connection.execute(PROCESS)

    with pytest.raises(DatabaseUnavailable):
        database.run(work)
    assert database.execute("SELECT 1") == [(1,)]


def test_a_server_that_cannot_be_reached_is_told() -> None:
    unreachable = Database(lambda: "host=127.0.0.1 port=1", application_name="test")
    with pytest.raises(DatabaseUnavailable):
        unreachable.execute("SELECT 1")


def test_a_conflict_outside_of_a_repeatable_piece_of_work_is_told_as_something_to_try_again(
    database: Database, connect: Callable[[], Database]
) -> None:
    """Nothing was committed, and the connection is as good as before."""
    first = database.execute(PROCESS)

    def conflict() -> None:
        with database.transaction() as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            connection.execute("SELECT FROM tds.circuit")
            connect().execute("UPDATE tds.circuit SET failures = 1")
            connection.execute("UPDATE tds.circuit SET failures = 2")

    with pytest.raises(DatabaseUnavailable, match="SerializationFailure"):
        conflict()
    assert database.execute(PROCESS) == first
    assert database.execute("SELECT failures FROM tds.circuit") == [(1,)]
