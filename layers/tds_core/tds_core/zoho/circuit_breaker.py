"""What a call's end means for the shared circuit; its state is a row that every permit is taken through.

The circuit opens after `breaker_failures` consecutive upstream failures over at least `breaker_requests` different
requests (one poisonous record opens nothing), for `breaker_open_s`; then one probe at a time, and it closes after
two successes.
"""

from typing import Literal

from tds_core.errors import ZohoUnavailable

Outcome = Literal["success", "failure", "neutral"]


def outcome_of(error: BaseException | None) -> Outcome:
    """Only what says that Zoho is ill counts: not 44, 45, 1070, not 401 and no other 4xx."""
    if error is None:
        return "success"
    return "failure" if isinstance(error, ZohoUnavailable) else "neutral"
