"""The one retry policy around the client: few tries, for what is likely to pass within the same call.

Everything that needs longer (a used-up minute or day, an open circuit, a token that cannot be minted) is the
backlog's business.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import stamina

from tds_core.errors import PermitDenied, TdsError, ZohoThrottled, ZohoUnavailable

IN_FLIGHT_CODE = 1070
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how patiently one call is tried; waits in seconds."""

    attempts: int = 3
    wait_initial_s: float = 0.5
    wait_max_s: float = 4.0
    wait_jitter_s: float = 0.5

    def run(self, attempt: Callable[[], T], *, time_left_s: Callable[[], float]) -> T:
        """Call `attempt` until it returns or raises what no retry within `time_left_s` will change.

        Raises the last error; a permit denied to a retry does not hide the failure that the retry was for.
        """
        failure: TdsError | None = None

        def is_worth_it(error: Exception) -> bool:
            passing = isinstance(error, ZohoUnavailable) or (
                isinstance(error, ZohoThrottled) and error.code == IN_FLIGHT_CODE
            )
            return passing and time_left_s() > self.wait_max_s

        for context in stamina.retry_context(
            on=is_worth_it,
            attempts=self.attempts,
            timeout=None,
            wait_initial=self.wait_initial_s,
            wait_max=self.wait_max_s,
            wait_jitter=self.wait_jitter_s,
        ):
            with context:
                try:
                    return attempt()
                except PermitDenied as denied:
                    raise failure or denied from None
                except TdsError as error:
                    failure = error
                    raise
        raise AssertionError("stamina returns or raises")
