"""The simulator's control interface: what Zoho really holds, and what shall happen there."""

from collections.abc import Mapping
from typing import Any

import httpx

from cli.failure import CommandFailed, ExitCode

_TIMEOUT_S = 30.0


class Simulation:
    """A running simulator, by its control address."""

    def __init__(self, control_url: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(base_url=control_url, timeout=_TIMEOUT_S, transport=transport)

    def ask(self, method: str, path: str, *, body: Any = None, parameters: Mapping[str, str] | None = None) -> Any:
        """One call of the control interface; its JSON answer.

        Raises CommandFailed when no simulator answers or when it refuses.
        """
        try:
            answer = self._http.request(method, path, json=body, params=parameters)
        except httpx.HTTPError as exc:
            raise CommandFailed(f"no simulator answers at {self._http.base_url}: {type(exc).__name__}") from exc
        if answer.is_success:
            return answer.json()
        code = ExitCode.WRONG_USAGE if answer.status_code == httpx.codes.BAD_REQUEST else ExitCode.NOT_OK
        raise CommandFailed(f"the simulator refused {method} {path}: {_error(answer)}", code)


def _error(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code}"
