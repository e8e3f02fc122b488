"""What `tds up` asks of simulator and template, and where a stack keeps its things."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from samcli.cli.types import CfnParameterOverridesType
from typer.testing import CliRunner

from cli.failure import CommandFailed
from cli.local import deploy, stack
from cli.local.deploy import overrides
from cli.local.stack import LocalStack, Wish, ZohoServer, parse_pairs
from cli.local.state import PROJECT, StackState, StateDirectory
from cli.local.zoho_simulator.options import SIZES
from cli.main import app

CREDENTIALS = {
    "ZOHO_CLIENT_ID": "id",
    "ZOHO_CLIENT_SECRET": "secret",
    "ZOHO_REFRESH_TOKEN": "token",
    "ZOHO_ORGANIZATION_ID": "10",
}


def state(**changes: object) -> StackState:
    me = psutil.Process()
    values: dict[str, object] = dict.fromkeys(StackState.__dataclass_fields__, "text")
    values |= {"supervisor_pid": me.pid, "supervisor_started": me.create_time(), **changes}
    return StackState(**values)  # type: ignore[arg-type]


def test_one_rate_limits_simulator_and_stack() -> None:
    wish = Wish(minute_limit=6_000, in_flight_limit=10, day_limit=50_000)
    options = wish.simulator_options()
    assert options is not None
    assert "--per-minute 6000 --in-flight 10" in " ".join(options)
    assert "--per-day 50000" in " ".join(options)
    parameters = wish.template_parameters()
    assert (parameters["MinuteLimit"], parameters["InFlightLimit"], parameters["DayLimit"]) == ("6000", "10", "50000")


def test_without_a_rate_the_stack_stays_below_zohos_limits() -> None:
    parameters = Wish().template_parameters()
    assert "MinuteLimit" not in parameters
    assert "InFlightLimit" not in parameters


def test_a_parameter_outranks_what_up_sets() -> None:
    wish = Wish(schedules=True, parameters={"SchedulesState": "DISABLED", "WorkS": "5"})
    assert wish.template_parameters()["SchedulesState"] == "DISABLED"
    assert wish.template_parameters()["WorkS"] == "5"


@pytest.mark.parametrize("value", ["rate(1 minute)", "", "a,b", 'say "yes"', "x=y"])
def test_a_parameters_value_reaches_sam_whole(value: str) -> None:
    read = CfnParameterOverridesType().convert(tuple(overrides({"First": value, "Second": "2"})), None, None)
    assert read == {"First": value, "Second": "2"}


def test_another_zoho_server_needs_no_simulator() -> None:
    zoho = ZohoServer.from_environment(api_url="http://a/", accounts_url="http://b", environment=CREDENTIALS)
    assert zoho.api_url == "http://a"
    assert Wish(zoho=zoho).simulator_options() is None


def test_another_zoho_server_without_its_credentials_is_refused_by_their_names() -> None:
    with pytest.raises(CommandFailed, match="ZOHO_CLIENT_SECRET, ZOHO_REFRESH_TOKEN"):
        ZohoServer.from_environment(
            api_url="http://a",
            accounts_url="http://b",
            environment={"ZOHO_CLIENT_ID": "id", "ZOHO_ORGANIZATION_ID": "10"},
        )


def test_pairs_keep_what_follows_the_first_equals_sign() -> None:
    assert parse_pairs(["A=1", "B=x=y"]) == {"A": "1", "B": "x=y"}
    with pytest.raises(CommandFailed, match="not KEY=VALUE: C"):
        parse_pairs(["C"])


def test_a_state_file_is_private_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    state().write(path)
    assert path.stat().st_mode & 0o077 == 0
    assert StackState.read(path) == state()


@pytest.mark.parametrize(
    "stale",
    [{"supervisor_started": 1.0}, {"supervisor_pid": 2**22 + 1}],
    ids=["number given to another process", "process gone"],
)
def test_the_state_of_a_stack_that_ended_is_none(tmp_path: Path, stale: dict[str, object]) -> None:
    path = tmp_path / "state.json"
    state(**stale).write(path)
    assert StackState.read(path) is None


@pytest.mark.parametrize("text", ["", "{", "{}", json.dumps({**asdict(state()), "unknown": 1})])
def test_an_unreadable_state_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)
    assert StackState.read(path) is None


def test_data_stays_outside_the_clone_and_apart_for_each_state_directory(tmp_path: Path) -> None:
    first, second = StateDirectory(PROJECT / ".tds"), StateDirectory(tmp_path)
    assert PROJECT not in first.data.parents
    assert first.data != second.data
    assert first.data == StateDirectory(PROJECT / ".tds").data


def test_down_without_a_stack_says_so_and_is_no_error(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["down"], env={"TDS_STATE_DIR": str(tmp_path)})
    assert done.exit_code == 0
    assert LocalStack(StateDirectory(tmp_path)).down() is False


def test_info_tells_scripts_every_address_and_secret(tmp_path: Path) -> None:
    state().write(tmp_path / "state.json")
    done = CliRunner().invoke(app, ["info", "--json"], env={"TDS_STATE_DIR": str(tmp_path)})
    promised = {
        "api_url", "database_dsn", "zoho_url", "accounts_url", "client_id", "client_secret", "refresh_token",
        "organization_id", "webhook_secret", "stack_name", "aws_endpoint_url",
    }  # fmt: skip
    assert promised <= set(json.loads(done.stdout))


def test_up_refuses_half_an_address(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["up", "--zoho-url", "http://a"], env={"TDS_STATE_DIR": str(tmp_path)})
    assert done.exit_code == 2
    assert "go together" in done.stderr


@pytest.mark.parametrize(
    ("name", "near"), [("MinuteLimits", "MinuteLimit"), ("pollintervals", "PollIntervalS"), ("Zzz", "template.yaml")]
)
def test_up_refuses_a_parameter_that_the_template_lacks(tmp_path: Path, name: str, near: str) -> None:
    done = CliRunner().invoke(app, ["up", "--param", f"{name}=1"], env={"TDS_STATE_DIR": str(tmp_path)})
    assert done.exit_code == 2
    assert f"no parameter {name}" in done.stderr
    assert near in done.stderr


def test_every_parameter_of_the_template_may_be_given() -> None:
    deploy.check_parameters(["MinuteLimit", "ReserveConcurrency", *Wish().template_parameters()])


def test_up_refuses_a_size_that_there_is_not_and_lists_those_there_are(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["up", "--size", "huge"], env={"TDS_STATE_DIR": str(tmp_path)})
    assert done.exit_code == 2
    assert all(word in done.stderr for word in ("huge", *SIZES))


def test_sam_leaves_no_temporary_folders_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    directory, used = StateDirectory(tmp_path), list[Path]()

    def run(command: list[str], *, env: Mapping[str, str], **_: Any) -> Any:
        used.append(Path(env["TMPDIR"]))
        (used[-1] / "tmp1").mkdir()
        return SimpleNamespace(returncode=len(used) - 1)

    monkeypatch.setattr("cli.local.deploy.subprocess.run", run)
    monkeypatch.setattr("cli.local.deploy.emulator.interpreter", lambda: Path("python"))
    directory.logs.mkdir()
    deploy.build(directory)
    with pytest.raises(RuntimeError, match="sam build failed"):
        deploy.build(directory)
    assert len(used) == 2 and not used[0].exists() and used[0].is_relative_to(tmp_path)


def test_the_end_says_what_it_waits_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(stack, "_TELL_EVERY_S", 0.1)
    told: list[str] = []
    slow = "import signal, subprocess, sys, time; signal.signal(15, lambda *_: (time.sleep(0.5), sys.exit()));"
    slow += "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1)']); print(flush=True); time.sleep(9)"
    with subprocess.Popen([sys.executable, "-c", slow], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline()
        LocalStack(StateDirectory(tmp_path), report=told.append)._end(process.pid)
    assert any(text.startswith("waiting for python") for text in told), told
    assert told[-1] == "removing what the functions left"
