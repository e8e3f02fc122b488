"""The secrets that Zoho signs its webhooks with: the current one and, while it is being changed, the previous one."""

import logging
import time
from collections.abc import Callable
from typing import Any, TypeGuard

from tds_core import lossless_json
from tds_core.errors import ConfigurationError, InvalidDocument

Secrets = tuple[str, ...]

MAX_AGE_S = 300.0
READ_AGAIN_S = 60.0

_log = logging.getLogger(__name__)


class WebhookSecrets:
    """The secrets at most five minutes old, and read again at once, but not more than once a minute, on suspicion.

    `read` gives the secret's JSON text. Without a secret there is no WebhookSecrets: the constructor raises
    ConfigurationError. Later failures to read keep the last ones.
    """

    def __init__(self, read: Callable[[], str], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._known = parse_secrets(read())
        self._stale_at = clock() + MAX_AGE_S
        self._suspicion_at = clock()

    def known(self) -> Secrets:
        """The secrets as far as they are known."""
        if self._clock() >= self._stale_at:
            self._refresh()
        return self._known

    def read_again(self) -> bool:
        """Read them now because a signature did not match; says whether they are others than before."""
        if self._clock() < self._suspicion_at:
            return False
        self._suspicion_at = self._clock() + READ_AGAIN_S
        before = self._known
        self._refresh()
        return self._known != before

    def _refresh(self) -> None:
        try:
            self._known = parse_secrets(self._read())
            self._stale_at = self._clock() + MAX_AGE_S
        except ConfigurationError:
            self._stale_at = self._clock() + READ_AGAIN_S
            _log.exception("webhook secrets cannot be read")


def parse_secrets(text: str) -> Secrets:
    """Read {"current": ..., "previous": ...}; raises ConfigurationError unless there is a current one."""
    try:
        values = lossless_json.loads(text)
    except InvalidDocument:
        raise ConfigurationError("the webhook secret is not JSON") from None  # its text must not reach a log
    if not isinstance(values, dict):
        raise ConfigurationError("the webhook secret is not an object")
    current, previous = values.get("current"), values.get("previous")
    if not _is_secret(current):
        raise ConfigurationError("the webhook secret has no current value")
    return (current, previous) if _is_secret(previous) else (current,)


def _is_secret(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value.strip())
