"""A stack starts once, survives an outage of its database, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import psycopg
import pytest

from cli.failure import CommandFailed
from cli.local.health import send_probe
from cli.local.stack import LocalStack, Wish
from cli.local.state import StateDirectory
from cli.local.supervisor import Plan
from tests.stack.running import Stack, wait_for

ROOT = Path(__file__).parents[2]


def test_a_second_stack_is_refused_where_one_is_up(stack: Stack) -> None:
    with pytest.raises(CommandFailed, match="a stack is up"):
        LocalStack(stack.local.directory).up(Wish())


def test_everything_listens_on_loopback_only(stack: Stack) -> None:
    supervisor = psutil.Process(stack.state.supervisor_pid)
    listening = [
        connection.laddr.ip
        for process in [supervisor, *supervisor.children(recursive=True)]
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 3
    assert set(listening) == {"127.0.0.1"}


def test_the_databases_owner_is_no_superuser(stack: Stack) -> None:
    with psycopg.connect(stack.state.database_dsn) as connection:
        row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    assert row == (False,)


def test_a_webhook_during_an_outage_is_applied_when_postgresql_is_back(stack: Stack) -> None:
    stack.local.stop_database()
    wait_for(lambda: not _answers(stack.state.database_dsn), "PostgreSQL still answers")
    try:
        send_probe(stack.state)
        time.sleep(3)  # long enough for a failed delivery
    finally:
        stack.local.start_database()
    wait_for(lambda: _answers(stack.state.database_dsn), "PostgreSQL does not come back")
    wait_for(lambda: _probe_is_seen(stack), "the webhook was lost", timeout_s=60)


class Supervised(NamedTuple):
    """A supervisor at work, and its database."""

    process: "subprocess.Popen[str]"
    dsn: str


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervised]:
    """A supervisor with everything started and nothing deployed."""
    (tmp_path / "logs").mkdir()
    plan = Plan(data=str(StateDirectory(tmp_path).data), logs=str(tmp_path / "logs"), simulator=[])
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.local.supervisor"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["layers/tds_core", "."])},
        start_new_session=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(plan.line())
        process.stdin.flush()
        yield Supervised(process, json.loads(process.stdout.readline())["database_dsn"])
        process.kill()
    StateDirectory(tmp_path).remove_data()


def test_a_stack_ends_with_whoever_holds_its_tether(supervisor: Supervised) -> None:
    children = psutil.Process(supervisor.process.pid).children(recursive=True)
    assert supervisor.process.stdin is not None
    supervisor.process.stdin.close()
    supervisor.process.wait(60)
    _, alive = psutil.wait_procs(children, timeout=5)
    assert len(children) > 3
    assert not alive


def test_processes_end_with_a_killed_supervisor(supervisor: Supervised) -> None:
    children = psutil.Process(supervisor.process.pid).children(recursive=True)
    supervisor.process.send_signal(signal.SIGKILL)
    supervisor.process.wait(10)
    _, alive = psutil.wait_procs(children, timeout=20)
    assert len(children) > 3
    assert not alive


def test_an_outage_that_ends_before_postgresql_has_ended_ends_all_the_same(supervisor: Supervised) -> None:
    with psycopg.connect(supervisor.dsn) as connection:
        started = connection.execute("SELECT pg_postmaster_start_time()").fetchone()
    family = psutil.Process(supervisor.process.pid).children(recursive=True)
    (checkpointer,) = [one for one in family if _is_checkpointer(one)]
    checkpointer.suspend()  # without it PostgreSQL takes its time to end
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        supervisor.process.send_signal(number)
        time.sleep(1)
    checkpointer.resume()
    wait_for(lambda: _started_at(supervisor.dsn) not in (None, started), "PostgreSQL does not come back")
    assert supervisor.process.poll() is None


def _is_checkpointer(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return "checkpointer" in " ".join(process.cmdline())
    return False


def _answers(dsn: str) -> bool:
    return _started_at(dsn) is not None


def _started_at(dsn: str) -> tuple[Any, ...] | None:
    """When PostgreSQL was started; None while it does not answer."""
    try:
        with psycopg.connect(dsn, connect_timeout=2) as connection:
            return connection.execute("SELECT pg_postmaster_start_time()").fetchone()
    except psycopg.OperationalError:
        return None


def _probe_is_seen(stack: Stack) -> bool:
    try:
        return bool(stack.deployment.ask("probe", {})["seen"])
    except CommandFailed:  # the console's connection broke with the outage; its next answer is from a new one
        return False
