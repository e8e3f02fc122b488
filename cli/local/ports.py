"""Free ports on loopback."""

import socket
import subprocess
import time
from typing import Any

_START_TIMEOUT_S = 30.0


def free_port() -> int:
    """A port that nothing listens on now; another process may take it first, so the caller tries again."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, process: "subprocess.Popen[Any]") -> bool:
    """Wait until somebody listens there; False when the process ended before that."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return True
        except OSError:
            time.sleep(0.05)
    return False
