"""Free ports on loopback."""

import socket


def free_port() -> int:
    """A port that nothing listens on now; another process may take it first, so the caller tries again."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
