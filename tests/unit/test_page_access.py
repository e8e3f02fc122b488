"""Who is let to the status page, and who may act there."""

import base64
from typing import Any

import pytest

from tds_core.page.access import (
    FAILURES_A_MINUTE,
    LOGINS_REFUSED,
    Attempts,
    Gate,
    Login,
    Logins,
    Unauthorized,
    admitted,
)
from tds_core.page.http import Request

LOGINS = Logins(
    viewers=lambda: {"owner": "see", "both": "v", "empty": ""}, operators=lambda: {"op": "act", "both": "o"}
)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def event(header: str, *, path: str = "/status", address: str = "192.0.2.1") -> dict[str, Any]:
    return {
        "headers": {"authorization": header} if header else {},
        "path": path,
        "methodArn": "arn:aws:execute-api:x:1:api/live/GET/status",
        "requestContext": {"identity": {"sourceIp": address}},
    }


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def refused() -> list[tuple[str, float]]:
    return []


@pytest.fixture
def gate(clock: Clock, refused: list[tuple[str, float]]) -> Gate:
    return Gate(LOGINS, count=lambda name, value: refused.append((name, value)), attempts=Attempts(clock=clock))


@pytest.mark.parametrize(
    ("header", "login"),
    [
        pytest.param(basic("owner", "see"), Login(user="owner", is_operator=False), id="viewer"),
        pytest.param(basic("op", "act"), Login(user="op", is_operator=True), id="operator"),
        pytest.param(basic("both", "v"), Login(user="both", is_operator=False), id="both-as-viewer"),
        pytest.param(basic("both", "o"), Login(user="both", is_operator=True), id="both-as-operator"),
        pytest.param(basic("owner", "act"), None, id="others-password"),
        pytest.param(basic("empty", ""), None, id="empty-password"),
        pytest.param(basic("", ""), None, id="nobody"),
        pytest.param("", None, id="nothing"),
        pytest.param("Basic", None, id="no-credentials"),
        pytest.param("Basic %%%", None, id="not-base64"),
        pytest.param("Basic /////w==", None, id="not-utf-8"),
        pytest.param("Bearer " + basic("owner", "see")[6:], None, id="another-scheme"),
    ],
)
def test_a_login_is_a_name_with_its_own_password(header: str, login: Login | None) -> None:
    assert LOGINS.check(header) == login


def test_the_gate_lets_a_viewer_see(gate: Gate) -> None:
    policy = gate.admit(event(basic("owner", "see")))
    [statement] = policy["policyDocument"]["Statement"]
    assert (statement["Effect"], statement["Resource"]) == ("Allow", event("")["methodArn"])
    assert admitted({"requestContext": {"authorizer": policy["context"]}}) == "owner"


@pytest.mark.parametrize("path", ["/status/action", "/status/action/", "/live/status/action"])
def test_only_an_operator_may_act(gate: Gate, path: str) -> None:
    with pytest.raises(Unauthorized, match=r"^Unauthorized$"):
        gate.admit(event(basic("owner", "see"), path=path))
    assert gate.admit(event(basic("op", "act"), path=path))["principalId"] == "op"


def test_after_some_failures_nothing_from_there_is_compared_for_a_minute(
    gate: Gate, clock: Clock, refused: list[tuple[str, float]]
) -> None:
    for _ in range(FAILURES_A_MINUTE):
        with pytest.raises(Unauthorized):
            gate.admit(event(basic("owner", "guess")))
    assert refused == [(LOGINS_REFUSED, 1.0)] * FAILURES_A_MINUTE
    with pytest.raises(Unauthorized):
        gate.admit(event(basic("owner", "see")))
    assert gate.admit(event(basic("owner", "see"), address="192.0.2.2"))
    clock.now = 61.0
    assert gate.admit(event(basic("owner", "see")))


def test_a_request_without_a_login_is_no_failure(gate: Gate, refused: list[tuple[str, float]]) -> None:
    with pytest.raises(Unauthorized):
        gate.admit(event(""))
    assert refused == []


def test_many_addresses_do_not_fill_the_memory(clock: Clock) -> None:
    attempts = Attempts(clock=clock)
    for number in range(5_000):
        attempts.fail(str(number))
    assert len(attempts._failed) <= 2_000


@pytest.mark.parametrize("context", [{}, {"authorizer": None}, {"authorizer": {}}, {"authorizer": {"user": ""}}, None])
def test_what_came_past_the_gate_is_nobody(context: Any) -> None:
    assert admitted({"requestContext": context, "headers": {"Authorization": basic("owner", "see")}}) is None


@pytest.mark.parametrize(
    ("asked", "accepted", "language"),
    [
        pytest.param("ar", "en", "ar", id="asked"),
        pytest.param("", "ar-IQ,ar;q=0.9,en;q=0.8", "ar", id="accepted"),
        pytest.param("", "fr, en;q=0.5, ar;q=0.7", "ar", id="by-quality"),
        pytest.param("xx", "", "en", id="unknown"),
        pytest.param("", "ar;q=0, *", "en", id="refused"),
        pytest.param("", "ar;q=much", "en", id="nonsense"),
    ],
)
def test_the_language_is_what_is_asked_for_or_what_the_browser_prefers(
    asked: str, accepted: str, language: str
) -> None:
    headers = {"Accept-Language": accepted}
    query = {"lang": asked}
    request = Request.parse(
        {"httpMethod": "GET", "path": "/status", "headers": headers, "queryStringParameters": query}
    )
    assert request.language == language
