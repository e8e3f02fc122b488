"""A stack starts once, survives an outage of its database, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

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


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
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
        assert "aws_endpoint_url" in json.loads(process.stdout.readline())
        yield process
        process.kill()
    StateDirectory(tmp_path).remove_data()


def test_a_stack_ends_with_whoever_holds_its_tether(supervisor: "subprocess.Popen[str]") -> None:
    children = psutil.Process(supervisor.pid).children(recursive=True)
    assert supervisor.stdin is not None
    supervisor.stdin.close()
    supervisor.wait(60)
    _, alive = psutil.wait_procs(children, timeout=5)
    assert len(children) > 3
    assert not alive


def test_processes_end_with_a_killed_supervisor(supervisor: "subprocess.Popen[str]") -> None:
    children = psutil.Process(supervisor.pid).children(recursive=True)
    supervisor.send_signal(signal.SIGKILL)
    supervisor.wait(10)
    _, alive = psutil.wait_procs(children, timeout=20)
    assert len(children) > 3
    assert not alive


def _answers(dsn: str) -> bool:
    try:
        psycopg.connect(dsn, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _probe_is_seen(stack: Stack) -> bool:
    try:
        return bool(stack.deployment.ask("probe", {})["seen"])
    except CommandFailed:  # the console's connection broke with the outage; its next answer is from a new one
        return False
