"""Lambda's own runtime interface emulator, as SAM CLI ships it: runs a function without a container, cold or warm."""

import http.client
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
_REQUIREMENTS = ROOT / "layers" / "tds_core" / "requirements.txt"
_START_S = 10.0


class Runtime:
    """One function in the emulator; its first call is a cold start, and it takes one call at a time."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self._process = process
        self._port = port
        self._log = log

    def invoke(self, event: Mapping[str, Any]) -> tuple[Any, float]:
        """The function's answer and the seconds it took, raising RuntimeError with the log when it failed."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        body = json.dumps(event)
        begun = time.perf_counter()
        connection.request("POST", "/2015-03-31/functions/function/invocations", body)
        answer = json.loads(connection.getresponse().read() or b"null")
        seconds = time.perf_counter() - begun
        connection.close()
        if isinstance(answer, dict) and "errorMessage" in answer:
            raise RuntimeError(f"{answer['errorMessage']}\n{self._log.read_text()[-2_000:]}")
        return answer, seconds


@contextmanager
def running(function: Path, folder: Path, *, environment: Mapping[str, str]) -> Iterator[Runtime]:
    """The function in `function`/app.py, seeing its layer and nothing else; `folder` is for its log and packages."""
    packages = layer_packages(folder)
    emulator = folder / "aws-lambda-rie"
    if not emulator.exists():
        shutil.copy(_emulator(), emulator)
        emulator.chmod(0o755)
    port, api_port = _free_ports(2)
    log = folder / f"{function.name}.log"
    command = [
        str(emulator), "--log-level", "error",
        "--runtime-interface-emulator-address", f"127.0.0.1:{port}", "--runtime-api-address", f"127.0.0.1:{api_port}",
        sys.executable, "-S", "-m", "awslambdaric", "app.handler",
    ]  # fmt: skip
    path = os.pathsep.join(map(str, (function, ROOT / "layers" / "tds_core", packages)))
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "AWS_LAMBDA_FUNCTION_NAME": function.name}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=function,
            env=variables | dict(environment),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait_for(port, process)
        yield Runtime(process, port, log)
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def layer_packages(folder: Path) -> Path:
    """A folder of links to the layer's packages and the runtime's client, as this interpreter has them installed."""
    target = folder / "packages"
    if target.exists():
        return target
    target.mkdir()
    lines = [line for line in _REQUIREMENTS.read_text().splitlines() if line and not line.startswith("#")]
    for name in _closure({*lines, "awslambdaric"}):
        distribution = importlib.metadata.distribution(name)
        for top in {file.parts[0] for file in distribution.files or () if file.parts[0] != ".."}:
            source, link = Path(str(distribution.locate_file(top))), target / top
            if source.exists() and not link.exists() and top != "__pycache__":
                link.symlink_to(source)
    return target


def _closure(requirements: set[str]) -> set[str]:
    found: set[str] = set()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        requirement = waiting.pop()
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        waiting += [Requirement(text) for text in importlib.metadata.requires(name) or ()]
    return found


def _emulator() -> Path:
    spec = importlib.util.find_spec("samcli")
    if spec is None or spec.origin is None:
        raise RuntimeError("SAM CLI is not installed in this environment")
    machine = {"aarch64": "arm64", "AMD64": "x86_64"}.get(platform.machine(), platform.machine())
    return Path(spec.origin).parent / "local" / "rapid" / f"aws-lambda-rie-{machine}"


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return ports


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.01)
    raise RuntimeError("the runtime interface emulator did not start")
