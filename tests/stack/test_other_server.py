"""`tds up` against a Zoho-compatible server that somebody else runs, through the command itself, to its end."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from cli.local.state import StateDirectory
from cli.local.zoho_simulator import Running, start

ROOT = Path(__file__).parents[2]
RATE = 3_000  # the server grants it, too: a minute that it calls used up is a minute of waiting
COUNTS = {"products": 12, "customers": 5, "vendors": 3, "invoices": 8, "payments": 6}
CREDENTIALS = ("client_id", "client_secret", "refresh_token", "organization_id")
ADDRESSES = ("api_url", "database_dsn", "zoho_url", "accounts_url", "aws_endpoint_url")
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


def test_a_stack_reads_another_server_and_leaves_nothing_running(
    server: Running, environment: Mapping[str, str]
) -> None:
    urls = ("--zoho-url", server.details.api_url, "--accounts-url", server.details.accounts_url)
    without = {name: value for name, value in environment.items() if name != "ZOHO_REFRESH_TOKEN"}
    refused = tds("up", *urls, environment=without)
    assert (refused.returncode != 0, "ZOHO_REFRESH_TOKEN" in refused.stderr) == (True, True)

    told("up", *urls, "--schedules", "off", "--rate", str(RATE), environment=environment)
    info = told("info", environment=environment)
    assert info.keys() >= KEYS
    assert all(info[name] for name in KEYS)
    own = server.details.as_dict()
    assert {name: info[name] for name in CREDENTIALS} == {name: own[name] for name in CREDENTIALS}
    assert (info["zoho_url"], info["accounts_url"]) == (server.details.api_url, server.details.accounts_url)

    assert tds("backfill", "--wait", environment=environment).returncode == 0
    looked = tds("status", "--json", environment=environment)
    assert looked.returncode == 1, "nothing watches a stack whose schedules are off"
    entities = json.loads(looked.stdout)["entities"]
    truth = httpx.get(f"{server.details.control_url}/truth").json()
    assert {name: truth[name]["count"] for name in COUNTS} == COUNTS
    assert {name: (part["erp"], part["details_pending"]) for name, part in entities.items()} == {
        name: (truth[name]["count"], 0) for name in entities
    }

    processes = stack_processes(environment)
    assert len(processes) > 3
    assert server.process.pid not in {process.pid for process in processes}
    assert tds("down", environment=environment).returncode == 0
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert not alive
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(info["database_dsn"], connect_timeout=2)
    with pytest.raises(httpx.ConnectError):
        httpx.get(info["aws_endpoint_url"])
    assert tds("info", environment=environment).returncode != 0
    assert httpx.get(f"{server.details.control_url}/health").is_success, "the other server was ended too"


def stack_processes(environment: Mapping[str, str]) -> list[psutil.Process]:
    """The supervisor and everything that it started."""
    state = json.loads((Path(environment["TDS_STATE_DIR"]) / "state.json").read_text())
    supervisor = psutil.Process(state["supervisor_pid"])
    return [supervisor, *supervisor.children(recursive=True)]
