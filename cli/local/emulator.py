"""AWS on this machine: the emulator `ministack`, in an environment of its own.

Its functions run in its interpreter with the deployed layer, so a package that the layer lacks fails here as it
would in the cloud. It keeps everything in memory: every start is an empty account.
"""

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from cli.local.state import PROJECT

REGION = "us-east-1"
_START_TIMEOUT_S = 60.0
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}


def interpreter() -> Path:
    """The emulator's Python: what `make setup` made, or TDS_EMULATOR_PYTHON."""
    path = Path(os.environ.get("TDS_EMULATOR_PYTHON") or PROJECT / ".venv-emulator/bin/python")
    if not path.exists():
        raise RuntimeError(f"there is no AWS emulator at {path}; run `make setup`")
    return path


@dataclass(frozen=True, slots=True)
class Emulator:
    """One emulator with its temporary files in one folder."""

    directory: Path

    def prepare(self) -> None:
        """An empty folder for the functions' code."""
        self.clean_up()
        (self.directory / "emulator").mkdir(mode=0o700, parents=True)

    def clean_up(self) -> None:
        """Remove that folder."""
        shutil.rmtree(self.directory / "emulator", ignore_errors=True)

    def command(self) -> list[str]:
        """The emulator in the foreground."""
        return [str(interpreter()), "-m", "ministack"]

    def environment(self, port: int) -> dict[str, str]:
        """What the emulator and the functions inherit: nothing that would not be there on AWS."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.directory / "emulator"),
            "TMPDIR": str(self.directory / "emulator"),
            "LANG": "C.UTF-8",
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "IOT_MTLS_ENABLED": "0",
            "LAMBDA_WARM_TTL_SECONDS": "900",
            **CREDENTIALS,
        }

    def wait(self, port: int, process: "subprocess.Popen[Any]") -> bool:
        """Wait until it answers; False when the process ended before that."""
        deadline = time.monotonic() + _START_TIMEOUT_S
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/_ministack/health", timeout=2).is_success:
                    return True
            except httpx.HTTPError:
                time.sleep(0.1)
        return False
