"""`tds up` against a Zoho-compatible server that somebody else runs, through the command itself, to its end."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from cli.local.stack import LocalStack
from cli.local.state import StackState, StateDirectory
from cli.local.zoho_simulator import Running, start
from tds_core.entities import scans
from tests.stack import history
from tests.stack.running import Stack

ROOT = Path(__file__).parents[2]
RATE = 3_000  # the server grants it, too: a minute that it calls used up is a minute of waiting
COUNTS = {"products": 12, "customers": 5, "vendors": 3, "invoices": 80, "payments": 6}
CREDENTIALS = ("client_id", "client_secret", "refresh_token", "organization_id")
ADDRESSES = ("api_url", "database_dsn", "zoho_url", "accounts_url", "aws_endpoint_url")
HALF = 80  # of 207 calls, and more than may be made twice
# an image whose message is lost with its queue is sent again after the shortest wait
OPTIONS = ("--rate", str(RATE), "--in-flight", str(history.IN_FLIGHT), "--param", "BackoffBaseS=1")
KEYS = {*CREDENTIALS, *ADDRESSES, "webhook_secret", "stack_name"}


@pytest.fixture
def server() -> Iterator[Running]:
    """A server that the stack neither starts nor knows how to control."""
    running = start(seed=5, counts=COUNTS, per_minute=RATE)
    yield running
    running.stop()


@pytest.fixture
def environment(server: Running, tmp_path: Path) -> Iterator[Mapping[str, str]]:
    """A folder of its own for the stack, and the server's credentials as the operator gives them."""
    known = server.details.as_dict()
    variables = {f"ZOHO_{name.upper()}": str(known[name]) for name in CREDENTIALS}
    paths = {"TDS_STATE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(["layers/tds_core", "."])}
    yield {**os.environ, **paths, **variables}
    tds("down", environment={**os.environ, **paths})
    StateDirectory(tmp_path).remove_data()


def tds(*arguments: str, environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run the command."""
    command = [sys.executable, "-m", "cli", *arguments]
    return subprocess.run(
        command, env=dict(environment), cwd=ROOT, text=True, capture_output=True, check=False, timeout=180
    )


def told(*arguments: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """What the command answers with --json; it has to succeed."""
    done = tds(*arguments, "--json", environment=environment)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_stack_reads_another_server_leaves_nothing_running_and_goes_on_where_it_was(
    server: Running, environment: Mapping[str, str], record_property: Callable[[str, object], None]
) -> None:
    """All but the database is lost in the middle of a history: functions, queues, schedules, whatever was under way."""
    urls = ("--zoho-url", server.details.api_url, "--accounts-url", server.details.accounts_url)
    without = {name: value for name, value in environment.items() if name != "ZOHO_REFRESH_TOKEN"}
    refused = tds("up", *urls, environment=without)
    assert (refused.returncode != 0, "ZOHO_REFRESH_TOKEN" in refused.stderr) == (True, True)

    up = ("up", *urls, "--schedules", "off", *OPTIONS)
    told(*up, environment=environment)
    assert_described(told("info", environment=environment), server)
    stack = controlled(server, environment)
    history.begin(stack)
    history.until_fetched(stack, HALF)
    processes = stack_processes(stack)
    assert len(processes) > 3
    assert server.process.pid not in {process.pid for process in processes}
    assert tds("down", environment=environment).returncode == 0
    assert_ended(processes, stack)
    assert tds("info", environment=environment).returncode != 0
    assert httpx.get(f"{server.details.control_url}/health").is_success, "the other server was ended too"

    told(*up, environment=environment)
    stack = controlled(server, environment)
    history.run_out(stack)
    record_property("figures", history.end(stack, kills=1))
    looked = tds("status", "--json", environment=environment)
    assert looked.returncode == 1, "nothing watches a stack whose schedules are off"
    before = stack.zoho("GET", "/stats")["total_calls"]
    assert tds("backfill", "--wait", environment=environment).returncode == 0
    stats = stack.zoho("GET", "/stats")
    assert stats["total_calls"] == before + len(scans()), f"asked for again, lists alone are read: {stats}"


def assert_described(info: Mapping[str, Any], server: Running) -> None:
    """What a person is told leads to the stack and to the given server."""
    own = server.details.as_dict()
    assert info.keys() >= KEYS
    assert all(info[name] for name in KEYS)
    assert {name: info[name] for name in CREDENTIALS} == {name: own[name] for name in CREDENTIALS}
    assert (info["zoho_url"], info["accounts_url"]) == (server.details.api_url, server.details.accounts_url)


def controlled(server: Running, environment: Mapping[str, str]) -> Stack:
    """The stack that is up, for who knows how the server is controlled."""
    local = LocalStack(StateDirectory(Path(environment["TDS_STATE_DIR"])))
    state = StackState.read(local.directory.state_file)
    assert state is not None
    return Stack.of(local, replace(state, control_url=server.details.control_url))


def stack_processes(stack: Stack) -> list[psutil.Process]:
    """The supervisor and everything that it started."""
    supervisor = psutil.Process(stack.state.supervisor_pid)
    return [supervisor, *supervisor.children(recursive=True)]


def assert_ended(processes: Sequence[psutil.Process], stack: Stack) -> None:
    """Nothing that the stack started is alive, and nobody answers where it was."""
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert not alive
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(stack.state.database_dsn, connect_timeout=2)
    with pytest.raises(httpx.ConnectError):
        httpx.get(stack.state.aws_endpoint_url)
