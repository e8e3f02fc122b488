"""What answers mean, told without a network."""

from datetime import UTC, datetime

import httpx
import pytest

from tds_core.errors import (
    DatabaseUnavailable,
    OrganizationRejected,
    PermitDenied,
    TdsError,
    ZohoRejected,
    ZohoThrottled,
    ZohoUnavailable,
)
from tds_core.zoho import answers
from tds_core.zoho.budget import Quota
from tds_core.zoho.circuit_breaker import outcome_of
from tds_core.zoho.retry import RetryPolicy
from tds_core.zoho.transport import Answer

NOW = datetime(2026, 6, 2, tzinfo=UTC)
AT_ONCE = RetryPolicy(attempts=3, wait_initial_s=0, wait_max_s=0, wait_jitter_s=0)


def answer(status: int, body: str, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, headers=httpx.Headers(named), body=body.encode())


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (429, '{"code":44}', ZohoThrottled),
        (429, "<html>", ZohoThrottled),
        (200, '{"code":45}', ZohoThrottled),
        (200, '{"code":"45"}', ZohoThrottled),
        (401, '{"code":57}', answers.Unauthorized),
        (400, '{"code":57}', answers.Unauthorized),
        (401, "<html>", answers.Unauthorized),
        (400, '{"code":6041}', OrganizationRejected),
        (400, '{"code":4029}', OrganizationRejected),
        (400, '{"code":2}', ZohoRejected),
        (404, "<html>", ZohoRejected),
        (200, '{"code":2}', ZohoRejected),
        (500, '{"code":1000}', ZohoUnavailable),
        (503, "<html>", ZohoUnavailable),
        (200, "<html>", ZohoUnavailable),
        (200, "", ZohoUnavailable),
        (200, "[]", ZohoUnavailable),
        (200, "null", ZohoUnavailable),
        (301, "{}", ZohoUnavailable),
    ],
)
def test_an_answer_says_who_should_do_what(status: int, body: str, expected: type[TdsError]) -> None:
    with pytest.raises(expected):
        answers.read(answer(status, body))


def test_a_success_is_its_document_without_loss() -> None:
    document = answers.read(answer(200, '{"code":0,"id":1234567890123456789,"price":0.055}'))
    assert (document["id"], str(document["price"])) == (1234567890123456789, "0.055")


@pytest.mark.parametrize(
    ("headers", "pause_s", "wait_s"),
    [
        ({}, None, 60),
        ({}, 3.0, 3),
        ({"Retry_After": "7"}, 3.0, 7),
        ({"Retry_After": "Wed, 21 Oct"}, None, 60),
        ({"Retry_After": "nan"}, None, 60),
    ],
    ids=["its minute", "configured", "Zoho's own word", "a date", "no number"],
)
def test_code_44_waits_as_long_as_it_is_told(headers: dict[str, str], pause_s: float | None, wait_s: float) -> None:
    with pytest.raises(ZohoThrottled) as caught:
        answers.read(answer(429, '{"code":44}', **headers), pause_s=pause_s)
    assert caught.value.retry_after_s == wait_s


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Tue, 02 Jun 2026 10:00:00 GMT", datetime(2026, 6, 2, 10, tzinfo=UTC)),
        ("Tue, 02 Jun 2026 10:00:00 +0300", datetime(2026, 6, 2, 7, tzinfo=UTC)),
        ("yesterday", NOW),
        (None, NOW),
    ],
)
def test_a_page_was_served_when_its_date_header_says(date: str | None, expected: datetime) -> None:
    headers = httpx.Headers({"Date": date} if date else {})
    assert answers.served_at(headers, otherwise=NOW) == expected


def quota_headers(limit: str, remaining: str, reset: str) -> httpx.Headers:
    return httpx.Headers(
        {"x-rate-limit-limit": limit, "x-rate-limit-remaining": remaining, "x-rate-limit-reset": reset}
    )


def test_the_quota_is_read_from_its_three_headers() -> None:
    assert Quota.parse(quota_headers("1000", "999", "3600")) == Quota(limit=1_000, remaining=999, reset_s=3_600)


@pytest.mark.parametrize(
    "headers",
    [
        httpx.Headers({"x-rate-limit-limit": "1000"}),
        quota_headers("many", "1", "1"),
        quota_headers("0", "0", "1"),
        quota_headers("1000", "-1", "1"),
        quota_headers("1000", "1001", "1"),
        quota_headers("1000", "1", "1765432100"),
        quota_headers("99999999999", "1", "1"),
    ],
    ids=["missing", "text", "no limit", "negative", "more than the limit", "an epoch", "too large"],
)
def test_headers_that_make_no_sense_say_nothing(headers: httpx.Headers) -> None:
    assert Quota.parse(headers) is None


def test_only_what_says_that_zoho_is_ill_counts_for_the_circuit() -> None:
    neutral: list[BaseException] = [
        ZohoThrottled(code=44, retry_after_s=1),
        ZohoThrottled(code=1070, retry_after_s=1),
        answers.Unauthorized(),
        ZohoRejected(status=404, code=1002),
        DatabaseUnavailable(),
        KeyboardInterrupt(),
    ]
    assert [outcome_of(error) for error in neutral] == ["neutral"] * len(neutral)
    assert outcome_of(ZohoUnavailable()) == "failure"
    assert outcome_of(None) == "success"


class Attempts:
    """Fails as scripted, then returns."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.count = 0

    def __call__(self) -> str:
        self.count += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def run(attempts: Attempts, *, left_s: float = 45, policy: RetryPolicy = AT_ONCE) -> str:
    return policy.run(attempts, time_left_s=lambda: left_s)


def test_what_passes_is_tried_again_a_few_times() -> None:
    assert run(Attempts(ZohoUnavailable(), ZohoThrottled(code=1070, retry_after_s=2))) == "done"
    failing = Attempts(*[ZohoUnavailable()] * 5)
    with pytest.raises(ZohoUnavailable):
        run(failing)
    assert failing.count == 3


@pytest.mark.parametrize(
    "error",
    [
        ZohoThrottled(code=44, retry_after_s=60),
        ZohoThrottled(code=45, retry_after_s=60),
        PermitDenied(limit="minute", wait_s=1),
        ZohoRejected(status=400, code=2),
        ValueError(),
    ],
    ids=["44", "45", "no permit", "rejected", "a bug"],
)
def test_what_does_not_pass_within_the_call_is_not_tried_again(error: Exception) -> None:
    attempts = Attempts(error)
    with pytest.raises(type(error)):
        run(attempts)
    assert attempts.count == 1


def test_nothing_is_tried_again_past_the_deadline() -> None:
    attempts = Attempts(ZohoUnavailable())
    with pytest.raises(ZohoUnavailable):
        run(attempts, left_s=3.9, policy=RetryPolicy(wait_initial_s=0, wait_jitter_s=0))
    assert attempts.count == 1
