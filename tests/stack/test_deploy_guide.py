"""docs/deploy.md, followed word for word on the emulator: every block that is marked `run`, in one shell, in order."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from cli.local import emulator
from tests import deploy_guide
from tests.stack.running import Stack

DATABASE = "guide"
NAME = "tds-guide"
TIMEOUT_S = 900


@pytest.fixture
def owner(stack: Stack) -> Iterator[dict[str, Any]]:
    """The owner's login of an empty database on the stack's server; afterwards the stack's own role is as it was.

    The role tds_app is the server's, so the guide's deployment changes its password.
    """
    login = conninfo_to_dict(stack.state.database_dsn)
    with psycopg.connect(stack.state.database_dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    yield login
    # the database stays: functions that are warm may still be connected to it, and it goes with the stack's data
    assert stack.deployment.invoke(stack.deployment.output("MigrateFunctionName"), {})["Status"] == "SUCCESS"


@pytest.fixture
def clone(tmp_path: Path, stack: Stack, owner: dict[str, Any]) -> Path:
    """What a clone holds, where the guide's build leaves no trace, with the two files that the reader writes."""
    for name in ("template.yaml", "samconfig.toml"):
        shutil.copy(deploy_guide.ROOT / name, tmp_path)
    for name in ("functions", "layers"):
        shutil.copytree(deploy_guide.ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    login = {name: getattr(stack.state, name) for name in ("client_id", "client_secret", "refresh_token")}
    (tmp_path / "zoho.json").write_text(json.dumps(login))
    (tmp_path / "owner.json").write_text(json.dumps({"username": owner["user"], "password": owner["password"]}))
    return tmp_path


def chosen(stack: Stack, owner: dict[str, Any]) -> dict[str, str]:
    """What the reader fills in, for this machine."""
    return {
        "AWS_REGION": emulator.REGION,
        "STACK": NAME,
        "ZOHO_ORGANIZATION_ID": stack.state.organization_id,
        "ZOHO_API_URL": stack.state.zoho_url,
        "ZOHO_ACCOUNTS_URL": stack.state.accounts_url,
        "DATABASE_HOST": owner["host"],
        "DATABASE_PORT": str(owner["port"]),
        "DATABASE_NAME": DATABASE,
        "DATABASE_SSLMODE": "disable",
        "SUBNET_IDS": "",
        "SECURITY_GROUP_IDS": "",
        "ALARM_EMAIL": "operations@example.com",
    }


def environment(stack: Stack, programs: Path) -> dict[str, str]:
    """The emulator instead of AWS, this machine instead of Lambda, and `tds` on the path."""
    programs.mkdir()
    tds = programs / "tds"
    tds.write_text(f'#!/bin/sh\nPYTHONPATH="{os.pathsep.join(sys.path)}" exec "{sys.executable}" -m cli "$@"\n')
    tds.chmod(0o700)
    return {
        **os.environ,
        **emulator.CREDENTIALS,
        "AWS_ENDPOINT_URL": stack.state.aws_endpoint_url,
        "AWS_PAGER": "",
        "LAYER_TARGET": "host",
        "LAYER_PYTHON": str(emulator.interpreter()),
        "PATH": os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "SAM_CLI_POLL_DELAY": "0.5",
        "SAM_CLI_TELEMETRY": "0",
        "TMPDIR": str(programs),  # packaging makes a folder for each zip and removes none
    }


def script() -> str:
    """The guide's blocks as one script that stops at the first failure."""
    steps = [f'echo "### block {number}"\n{commands}' for number, commands in enumerate(deploy_guide.runnable())]
    return "set -euo pipefail\n" + "\n".join(steps)


def test_every_command_that_the_emulator_carries_works_in_its_order(
    stack: Stack, clone: Path, owner: dict[str, Any]
) -> None:
    values = chosen(stack, owner)
    assert set(values) == deploy_guide.choices()
    assert shutil.which("aws", path=environment(stack, clone / "found")["PATH"]), "the AWS CLI is missing: make setup"
    (clone / "guide.sh").write_text(script())
    done = subprocess.run(
        ["bash", "guide.sh"],
        cwd=clone,
        env=environment(stack, clone / "programs") | values,
        input="y\n" * 10,  # the changeset is what the reader was waiting for
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    told = f"{done.stdout[-6000:]}\n--- stderr\n{done.stderr[-3000:]}"
    assert done.returncode == 0, told
    assert done.stdout.count("### block") == len(deploy_guide.runnable())
    assert "look at this" in done.stdout and " broken" not in done.stdout, told
    with psycopg.connect(make_conninfo(stack.state.database_dsn, dbname=DATABASE)) as connection:
        (users,) = connection.execute("SELECT count(*) FROM erp.users").fetchone() or (0,)
    assert users == len(stack.documents("users")), "the mirror outlives its stack"
    stacks = stack.cloud.client("cloudformation").list_stacks()["StackSummaries"]
    left = {one["StackName"] for one in stacks if one["StackStatus"] != "DELETE_COMPLETE"}
    assert NAME not in left and stack.state.stack_name in left
    buckets = [one["Name"] for one in stack.cloud.client("s3").list_buckets()["Buckets"]]
    assert len([name for name in buckets if name.startswith(NAME)]) == 2, "what was not understood, and the images"
    assert not list(clone.glob("*.json")), "no secret is left in a file"
