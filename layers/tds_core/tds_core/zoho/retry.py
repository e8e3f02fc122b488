"""The one retry policy: few tries around each call, for what is likely to pass within it, and every wait beside it.

Everything that needs longer is the backlog's business, whose own waits are `BackoffBaseS` doubled with each attempt up
to six hours. What happens to a call, with all the numbers:

| answer | within the call | everybody else |
|---|---|---|
| 5xx, HTML, cut off, no answer | 3 tries, 0.5 to 4 s apart | 5 of them over 3 requests open the circuit |
| code 1070: too many in flight | 3 tries, 0.5 to 4 s apart | goes on |
| code 44: the minute is used up | given up | all wait for Retry-After, else as long as an open circuit, 60 s |
| code 45: the day is used up | given up | all wait for the organisation's midnight, with one probe an hour |
| 401 | one new token, if the old one is 5 minutes old | use the new token |
| the token host says no | given up | ask again after 60 s, at most 7 times in 10 minutes |
| the token host fails | given up | ask again after 5 s, at most 7 times in 10 minutes |
| any other 4xx | given up | goes on |

The circuit's own numbers are the parameters `BreakerFailures`, `BreakerRequests` and `BreakerOpenS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import stamina

from tds_core.errors import PermitDenied, TdsError, ZohoThrottled, ZohoUnavailable

IN_FLIGHT_CODE = 1070
# seconds by Zoho's code where no Retry-After tells; the client waits as long as an open circuit for 44
THROTTLED_WAIT_S = {44: 60.0, 45: 3_600.0, IN_FLIGHT_CODE: 2.0}
LONGEST_WAIT_S = 86_400.0
# Zoho blocks a refresh token that mints 10 access tokens within 10 minutes
MINT_LIMIT = 7
MINT_REFUSED_S = 60.0
MINT_FAILED_S = 5.0
YOUNG_TOKEN_S = 300.0
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
