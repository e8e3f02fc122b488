"""The whole stack on one machine: PostgreSQL, AWS and Zoho's simulator, with this project deployed on it."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil

from cli.failure import CommandFailed
from cli.local import deploy, emulator
from cli.local.health import point_simulator_at, wait_until_healthy
from cli.local.state import PROJECT, StackState, StateDirectory, is_running
from cli.local.supervisor import Plan

_STOP_TIMEOUT_S = 60.0
_TELL_EVERY_S = 3.0
_DAY_LIMIT = 10_000
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ZohoServer:
    """A Zoho-compatible server and the credentials for it."""

    api_url: str
    accounts_url: str
    client_id: str
    client_secret: str
    refresh_token: str
    organization_id: str
    control_url: str = ""

    @classmethod
    def from_environment(cls, *, api_url: str, accounts_url: str, environment: Mapping[str, str]) -> "ZohoServer":
        """A given server, its credentials from ZOHO_*; raises CommandFailed when one is missing."""
        names = ("client_id", "client_secret", "refresh_token", "organization_id")
        values = {name: environment.get(f"ZOHO_{name.upper()}", "") for name in names}
        if missing := [f"ZOHO_{name.upper()}" for name, value in values.items() if not value]:
            raise CommandFailed(f"--zoho-url needs {', '.join(missing)} in the environment")
        return cls(api_url=api_url.rstrip("/"), accounts_url=accounts_url.rstrip("/"), **values)

    @classmethod
    def from_simulator(cls, details: Mapping[str, Any]) -> "ZohoServer":
        """The simulator that printed these details."""
        return cls(**{name: str(details[name]) for name in cls.__dataclass_fields__})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What `tds up` was asked for; `minute_limit` None leaves the simulator at Zoho's limits and the stack below."""

    zoho: ZohoServer | None = None
    size: str = "small"
    seed: int = 1
    counts: Mapping[str, int] = field(default_factory=dict)
    minute_limit: int | None = None
    in_flight_limit: int | None = None
    day_limit: int = _DAY_LIMIT
    schedules: bool = True
    fresh: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)

    def simulator_options(self) -> list[str] | None:
        """The simulator's command line; None when another server is given."""
        if self.zoho is not None:
            return None
        options = ["--size", self.size, "--seed", str(self.seed), "--per-day", str(self.day_limit)]
        options += ["--per-minute", str(self.minute_limit)] if self.minute_limit else []
        options += ["--in-flight", str(self.in_flight_limit)] if self.in_flight_limit else []
        for entity, count in self.counts.items():
            options += ["--count", f"{entity}={count}"]
        return options

    def template_parameters(self) -> dict[str, str]:
        """What the deployed template gets besides addresses and secrets."""
        limits = {"MinuteLimit": self.minute_limit, "InFlightLimit": self.in_flight_limit, "DayLimit": self.day_limit}
        stated = {name: str(value) for name, value in limits.items() if value}
        return stated | {"SchedulesState": "ENABLED" if self.schedules else "DISABLED"} | dict(self.parameters)


class LocalStack:
    """The stack of one state directory."""

    def __init__(self, state: StateDirectory | None = None, *, report: Report = lambda _: None) -> None:
        self.directory = state or StateDirectory.default()
        self._report = report

    def up(self, wish: Wish, *, tethered: bool = False) -> StackState:
        """Start everything and return once it is healthy; a tethered stack ends with this process.

        Raises CommandFailed when one is up already or a part does not start; nothing is left running then.
        """
        with self._locked():
            if StackState.read(self.directory.state_file) or self._supervisor():
                raise CommandFailed(f"a stack is up in {self.directory.root}: end it with `tds down`")
            if wish.fresh:
                self.directory.remove_data()
            elif wish.zoho is None and any(self.directory.data.glob("*")):
                self._report(
                    "the simulator starts anew from its seed: what it told the kept database may be gone there"
                )
            for folder in (self.directory.logs, self.directory.data):
                folder.mkdir(parents=True, exist_ok=True)
            for log in self.directory.logs.glob("*.log"):
                log.unlink()
            supervisor = self._start_supervisor(wish)
            try:
                state = self._deploy(wish, supervisor)
            except BaseException as exc:
                self._end(supervisor.pid)
                if isinstance(exc, RuntimeError | httpx.HTTPError):
                    raise CommandFailed(str(exc)) from exc
                raise
            if not tethered:
                assert supervisor.stdin is not None
                supervisor.stdin.write("release\n")
                supervisor.stdin.flush()
            state.write(self.directory.state_file)
            self._tether = supervisor.stdin  # an open end keeps a tethered stack alive
            return state

    def down(self) -> bool:
        """End the stack and keep its data; returns whether there was one."""
        with self._locked():
            pid = self._supervisor()
            if pid is not None:
                self._end(pid)
            self.directory.state_file.unlink(missing_ok=True)
            return pid is not None

    def stop_database(self) -> None:
        """Begin an outage of PostgreSQL."""
        self._signal(signal.SIGUSR1)

    def start_database(self) -> None:
        """End the outage."""
        self._signal(signal.SIGUSR2)

    def _start_supervisor(self, wish: Wish) -> "subprocess.Popen[str]":
        plan = Plan(data=str(self.directory.data), logs=str(self.directory.logs), simulator=wish.simulator_options())
        with (self.directory.logs / "supervisor.log").open("ab") as log:
            supervisor = subprocess.Popen(
                [sys.executable, "-m", "cli.local.supervisor"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=PROJECT,
                start_new_session=True,
            )
        assert supervisor.stdin is not None
        supervisor.stdin.write(plan.line())
        supervisor.stdin.flush()
        started = psutil.Process(supervisor.pid).create_time()
        self._pid_file.write_text(json.dumps({"pid": supervisor.pid, "started": started}))
        return supervisor

    def _deploy(self, wish: Wish, supervisor: "subprocess.Popen[str]") -> StackState:
        self._report("building; starting PostgreSQL, the AWS emulator" + (" and the simulator" * (wish.zoho is None)))
        with ThreadPoolExecutor(1) as worker:
            built = worker.submit(deploy.build, self.directory)
            assert supervisor.stdout is not None
            started = json.loads(supervisor.stdout.readline() or '{"error": "the supervisor has ended"}')
            built.result()
        if "error" in started:
            raise RuntimeError(started["error"])
        zoho = wish.zoho or ZohoServer.from_simulator(started["simulator"])
        self._check_organization(zoho.organization_id)
        cloud = deploy.Cloud(endpoint_url=started["aws_endpoint_url"], state=self.directory)
        self._report("deploying the template")
        parameters = _parameters(cloud, zoho, started) | wish.template_parameters()
        state = self._state(cloud.deploy(parameters), cloud, zoho, started, parameters, supervisor.pid)
        self._report("sending a probe webhook")
        wait_until_healthy(state)
        if zoho.control_url:
            point_simulator_at(state)
        return state

    def _state(
        self,
        outputs: Mapping[str, str],
        cloud: deploy.Cloud,
        zoho: ZohoServer,
        started: Mapping[str, Any],
        parameters: Mapping[str, str],
        supervisor_pid: int,
    ) -> StackState:
        endpoint = cloud.endpoint_url
        return StackState(
            stack_name=deploy.STACK_NAME,
            region=emulator.REGION,
            aws_endpoint_url=endpoint,
            api_url=f"{endpoint}/_aws/execute-api/{outputs['RestApiId']}/{outputs['StageName']}",
            console_function=outputs["ConsoleFunctionName"],
            database_dsn=started["database_dsn"],
            webhook_secret=cloud.secret(outputs["WebhookSecretArn"])["current"],
            viewer_password=cloud.secret(outputs["ViewerSecretArn"])["viewer"],
            operator_password=cloud.secret(outputs["OperatorSecretArn"])["operator"],
            zoho_url=zoho.api_url,
            accounts_url=zoho.accounts_url,
            client_id=zoho.client_id,
            client_secret=zoho.client_secret,
            refresh_token=zoho.refresh_token,
            organization_id=zoho.organization_id,
            control_url=zoho.control_url,
            image_base_url=str(started["image_base_url"]),
            supervisor_pid=supervisor_pid,
            supervisor_started=psutil.Process(supervisor_pid).create_time(),
        )

    def _check_organization(self, organization_id: str) -> None:
        """A database holds one organisation: another one's records would look like deletions."""
        note = self.directory.data / "organization"
        if note.exists() and note.read_text() != organization_id:
            raise CommandFailed(
                f"the data here is of organisation {note.read_text()}; start with --fresh to replace it"
            )
        note.write_text(organization_id)

    @property
    def _pid_file(self) -> Any:
        return self.directory.root / "supervisor.json"

    def _supervisor(self) -> int | None:
        """The running supervisor's process id."""
        try:
            known = json.loads(self._pid_file.read_text())
        except (OSError, ValueError):
            return None
        return int(known["pid"]) if is_running(known["pid"], known["started"]) else None

    def _signal(self, number: signal.Signals) -> None:
        pid = self._supervisor()
        if pid is None:
            raise CommandFailed(f"no stack is up in {self.directory.root}")
        os.kill(pid, number)

    def _end(self, pid: int) -> None:
        """End a supervisor with its process group."""
        try:
            process = psutil.Process(pid)
            process.terminate()
            self._wait_for(process)
        except psutil.NoSuchProcess:
            pass
        except psutil.TimeoutExpired:
            self._report(f"not ended within {_STOP_TIMEOUT_S:.0f} s, so it is killed")
            os.killpg(pid, signal.SIGKILL)
        self._pid_file.unlink(missing_ok=True)
        self._report("removing what the functions left")
        emulator.Emulator(self.directory.data).clean_up()

    def _wait_for(self, supervisor: psutil.Process) -> None:
        """Wait for its end, and say now and then for whom; raises psutil.TimeoutExpired."""
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        while (left_s := deadline - time.monotonic()) > 0:
            with suppress(psutil.TimeoutExpired):
                supervisor.wait(min(_TELL_EVERY_S, left_s))
                return
            with suppress(psutil.NoSuchProcess):
                self._report(f"waiting for {', '.join(map(_name, supervisor.children())) or 'the supervisor'}")
        raise psutil.TimeoutExpired(_STOP_TIMEOUT_S, supervisor.pid)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.directory.root.mkdir(parents=True, exist_ok=True)
        with self.directory.lock_file.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                raise CommandFailed("another `tds up` or `tds down` is at work here") from exc
            yield


def _name(process: psutil.Process) -> str:
    """What a process of the stack is called: its Python module, or its program."""
    try:
        command = process.cmdline()
        return command[command.index("-m") + 1] if "-m" in command[:-1] else process.name()
    except psutil.Error:
        return "a process that is gone by now"


def _parameters(cloud: deploy.Cloud, zoho: ZohoServer, started: Mapping[str, Any]) -> dict[str, str]:
    """Addresses and secrets of this machine."""
    owner = {"username": "tds_owner", "password": str(started["owner_password"])}
    login = {
        "client_id": zoho.client_id,
        "client_secret": zoho.client_secret,
        "refresh_token": zoho.refresh_token,
    }
    return {
        "DatabaseHost": "127.0.0.1",
        "DatabasePort": str(started["database_port"]),
        "DatabaseSslmode": "disable",
        "DatabaseOwnerSecretArn": cloud.create_secret("tds-database-owner", owner),
        "ZohoApiUrl": zoho.api_url,
        "ZohoAccountsUrl": zoho.accounts_url,
        "ZohoOrganizationId": zoho.organization_id,
        "ZohoSecretArn": cloud.create_secret("tds-zoho", login),
        "ImageBaseUrl": str(started["image_base_url"]),
    }


def parse_pairs(texts: Sequence[str]) -> dict[str, str]:
    """KEY=VALUE options as a mapping; raises CommandFailed."""
    pairs = dict(text.partition("=")[::2] for text in texts)
    if bad := [text for text in texts if "=" not in text]:
        raise CommandFailed(f"not KEY=VALUE: {bad[0]}")
    return pairs
