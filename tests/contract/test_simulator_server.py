"""The simulator as a server: its command, its end, and faults that only a real connection shows."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.local.zoho_simulator import Details, Limits, Options, Simulator, start
from cli.local.zoho_simulator.launch import ROOT


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    limits = Limits(per_minute=None, in_flight=None, per_day=None)
    with Simulator(Options(limits=limits)) as running:
        yield running


@pytest.fixture
def http(simulator: Simulator) -> Iterator[httpx.Client]:
    simulator.service.accounts.forget_mints()
    with client(simulator.details) as made:
        yield made
        made.delete("/_simulator/faults")


def client(details: Details) -> httpx.Client:
    """A client with a token that the server gave it."""
    form = {
        "grant_type": "refresh_token",
        "client_id": details.client_id,
        "client_secret": details.client_secret,
        "refresh_token": details.refresh_token,
    }
    token = httpx.post(f"{details.accounts_url}/oauth/v2/token", data=form).raise_for_status().json()
    return httpx.Client(
        base_url=token["api_domain"],
        params={"organization_id": details.organization_id},
        headers={"Authorization": f"Zoho-oauthtoken {token['access_token']}"},
        timeout=10,
    )


def test_a_started_simulator_prints_how_to_reach_it_and_serves() -> None:
    running = start(counts={"invoices": 3, "payments": 0}, per_minute=7, base_date="2026-03-02")
    try:
        with client(running.details) as zoho:
            answer = zoho.get("/books/v3/invoices")
            assert len(answer.json()["invoices"]) == 3
            assert answer.headers["server"] == "ZGS"
            assert zoho.get(f"{running.details.control_url}/limits").json()["per_minute"] == 7
            assert running.details.pid == running.process.pid
    finally:
        running.stop()
    assert running.process.returncode == 0


def test_bad_options_end_the_command_with_a_reason() -> None:
    command = [sys.executable, "-m", "cli.local.zoho_simulator", "--count", "widgets=1"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert "unknown entity in counts: widgets" in ended.stderr
    assert ended.stdout == ""


def test_it_ends_when_its_parent_dies() -> None:
    parent = """
        import time
        from cli.local.zoho_simulator import start
        print(start().process.pid, flush=True)
        time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(parent)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and alive(pid):
        time.sleep(0.1)
    assert not alive(pid)


def alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for has ended."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def fault(http: httpx.Client, **given: Any) -> None:
    http.post("/_simulator/faults", json=given).raise_for_status()


def test_a_reset_connection(http: httpx.Client) -> None:
    fault(http, kind="reset")
    with pytest.raises(httpx.ReadError):
        http.get("/books/v3/invoices")
    assert http.get("/books/v3/invoices").status_code == 200


def test_a_reset_accounts_server(http: httpx.Client) -> None:
    fault(http, kind="reset", product="accounts")
    with pytest.raises(httpx.ReadError):
        http.post("/oauth/v2/token")


def test_a_slow_answer_runs_into_the_callers_timeout(http: httpx.Client) -> None:
    fault(http, kind="slow", seconds=1)
    with pytest.raises(httpx.ReadTimeout):
        http.get("/books/v3/invoices", timeout=0.2)


def test_a_dripping_body_outlives_a_timeout_between_reads(http: httpx.Client) -> None:
    fault(http, kind="drip", seconds=1, pieces=10)
    started = time.monotonic()
    answer = http.get("/books/v3/invoices", timeout=0.5)
    assert time.monotonic() - started > 0.9
    assert json.loads(answer.content)["code"] == 0


def test_answers_do_not_wait_for_acknowledgements(http: httpx.Client) -> None:
    path = f"/books/v3/invoices/{http.get('/books/v3/invoices').json()['invoices'][0]['invoice_id']}"
    seconds = []
    for _ in range(30):
        started = time.perf_counter()
        http.get(path)
        seconds.append(time.perf_counter() - started)
    assert sorted(seconds)[5] < 0.03


def test_calls_in_flight_are_limited(http: httpx.Client) -> None:
    http.put("/_simulator/limits", json={"in_flight": 3, "latency_s": 1.5}).raise_for_status()
    try:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: http.get("/books/v3/invoices", params={"per_page": 1}), range(8)))
    finally:
        http.put("/_simulator/limits", json={"in_flight": None, "latency_s": 0}).raise_for_status()
    codes = [answer.json()["code"] for answer in answers]
    assert codes.count(0) == 3
    assert codes.count(1070) == 5
    assert http.get("/_simulator/stats").json()["max_in_flight"] == 3


def test_a_caller_that_goes_away_frees_its_place(http: httpx.Client) -> None:
    fault(http, kind="drip", seconds=0.5, pieces=5)
    with pytest.raises(httpx.ReadTimeout):
        http.get("/books/v3/invoices", timeout=0.05)
    deadline = time.monotonic() + 5
    while http.get("/_simulator/stats").json()["in_flight"] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert http.get("/_simulator/stats").json()["in_flight"] == 0
