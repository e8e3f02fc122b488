"""The shared access token: one mint for a whole fleet, renewed ahead, limited, and never waited for in vain."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import pytest

from tds_core.database.connection import Database
from tds_core.errors import CredentialsRejected, ScopeMissing, TdsError, TokenUnavailable
from tds_core.zoho import status as zoho_status
from tds_core.zoho.auth import Tokens, ZohoCredentials
from tests import zoho_fakes
from tests.zoho_fakes import FakeZoho, answer

Connect = Callable[[], Database]


def tokens(
    zoho: FakeZoho,
    database: Database,
    credentials: Callable[[], ZohoCredentials] = zoho_fakes.credentials,
    **options: Any,
) -> Tokens:
    return Tokens(zoho_fakes.settings(), database, credentials, zoho.http, **options)


def age(database: Database, minutes: float) -> None:
    """Let the stored token be so much older."""
    database.execute(
        """UPDATE tds.oauth_token SET minted_at = minted_at - make_interval(secs => %s),
        expires_at = expires_at - make_interval(secs => %s)""",
        (minutes * 60, minutes * 60),
    )


class SlowMint:
    """Answers with a token once the test lets it."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.may_answer = threading.Event()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.set()
        assert self.may_answer.wait(10)
        return httpx.Response(200, json={"access_token": "slow", "expires_in": 3600})


def test_a_fleet_of_workers_mints_once(connect: Connect) -> None:
    zoho = FakeZoho(answer())
    fleet = [tokens(zoho, connect()) for _ in range(8)]
    with ThreadPoolExecutor(24) as pool:
        got = list(pool.map(lambda number: fleet[number % 8].current().value, range(240)))
    assert len(zoho.mints) == 1
    assert set(got) == {"the-access-token-1"}


def test_a_fleet_that_is_told_401_mints_once(connect: Connect) -> None:
    zoho = FakeZoho(answer())
    fleet = [tokens(zoho, connect()) for _ in range(8)]
    held = [one.current() for one in fleet]
    age(connect(), 6)
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda pair: pair[0].replace(pair[1], endpoint="x").value, zip(fleet, held, strict=True)))
    assert len(zoho.mints) == 2
    assert set(got) == {"the-access-token-2"}


def test_nothing_secret_is_sent_in_the_address(database: Database) -> None:
    zoho = FakeZoho(answer())
    tokens(zoho, database).current()
    request = zoho.mints[0]
    assert str(request.url) == "https://accounts.test/oauth/v2/token"
    assert b"grant_type=refresh_token" in request.content


def test_a_token_is_kept_in_memory_until_it_is_to_be_renewed(connect: Connect) -> None:
    zoho, now = FakeZoho(answer()), 0.0
    database = connect()
    own = tokens(zoho, database, clock=lambda: now)
    own.current()
    database.close()
    age(connect(), 54)
    now = 54 * 60
    assert own.current().value == "the-access-token-1"
    age(connect(), 1.5)
    now = 55.5 * 60
    assert own.current().value == "the-access-token-2"


def test_others_use_the_old_token_while_one_renews_it(connect: Connect) -> None:
    slow = SlowMint()
    zoho = FakeZoho(answer())
    first = tokens(zoho, connect())
    first.current()
    age(connect(), 56)
    zoho.token = slow
    with ThreadPoolExecutor(1) as pool:
        renewal = pool.submit(tokens(zoho, connect()).current)
        assert slow.asked.wait(10)
        assert tokens(zoho, connect()).current().value == "the-access-token-1"
        slow.may_answer.set()
        assert renewal.result().value == "slow"
    assert tokens(zoho, connect()).current().value == "slow"
    assert len(zoho.mints) == 2


def test_a_failed_renewal_leaves_the_old_token_in_use(connect: Connect) -> None:
    zoho = FakeZoho(answer())
    own = tokens(zoho, connect())
    own.current()
    age(connect(), 56)
    zoho.token = httpx.Response(503)
    assert tokens(zoho, connect()).current().value == "the-access-token-1"


def test_without_a_token_workers_wait_for_the_one_who_mints_and_then_give_up(connect: Connect) -> None:
    connect().execute(
        "UPDATE tds.oauth_token SET lease_owner = gen_random_uuid(), leased_until = now() + interval '30 s'"
    )
    zoho, naps = FakeZoho(answer()), []
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        naps.append(seconds)

    with pytest.raises(TokenUnavailable, match="another worker"):
        tokens(zoho, connect(), clock=lambda: now, sleep=sleep).current()
    assert 9 < sum(naps) < 11
    assert not zoho.mints


def test_the_lease_of_a_killed_minter_runs_out(connect: Connect) -> None:
    connect().execute(
        "UPDATE tds.oauth_token SET lease_owner = gen_random_uuid(), leased_until = now() - interval '1 s'"
    )
    assert tokens(FakeZoho(answer()), connect()).current().value == "the-access-token-1"


def test_a_minter_that_lost_its_lease_does_not_overwrite_its_heirs_token(connect: Connect) -> None:
    zoho = FakeZoho(answer())

    def mint(request: httpx.Request) -> httpx.Response:
        zoho.token = None
        connect().execute("UPDATE tds.oauth_token SET leased_until = now() - interval '1 s'")
        tokens(zoho, connect()).current()
        return httpx.Response(200, json={"access_token": "late", "expires_in": 3600})

    zoho.token = mint
    assert tokens(zoho, connect()).current().value == "the-access-token-2"


def test_the_eighth_mint_in_ten_minutes_is_refused(connect: Connect) -> None:
    zoho, database = FakeZoho(answer()), connect()
    for _ in range(7):
        tokens(zoho, database).current()
        age(database, 61)
    with pytest.raises(TokenUnavailable, match="7 tokens"):
        tokens(zoho, database, patience_s=0).current()
    assert len(zoho.mints) == 7
    database.execute("UPDATE tds.oauth_token SET mints = ARRAY(SELECT m - interval '10 minutes' FROM unnest(mints) m)")
    tokens(zoho, database).current()


def test_a_token_is_replaced_only_when_it_is_five_minutes_old(database: Database) -> None:
    zoho = FakeZoho(answer())
    own = tokens(zoho, database)
    token = own.current()
    age(database, 4.9)
    with pytest.raises(ScopeMissing, match="books/bills"):
        own.replace(token, endpoint="books/bills")
    age(database, 0.2)
    assert own.replace(token, endpoint="books/bills").value == "the-access-token-2"


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (httpx.Response(200, json={"error": "invalid_code"}), CredentialsRejected),
        (httpx.Response(400, json={"error": "Access Denied"}), TokenUnavailable),
    ],
    ids=["revoked", "too many"],
)
def test_a_refusal_is_remembered_for_everybody_and_asked_again_after_a_minute(
    connect: Connect, token: httpx.Response, expected: type[TdsError]
) -> None:
    zoho = FakeZoho(answer(), token=token)
    for _ in range(5):
        with pytest.raises(expected):
            tokens(zoho, connect()).current()
    assert len(zoho.mints) == 1
    zoho.token = None
    connect().execute("UPDATE tds.oauth_token SET leased_until = leased_until - interval '61 s'")
    tokens(zoho, connect()).current()


def test_new_credentials_are_tried_at_once_and_never_served_anothers_token(connect: Connect) -> None:
    zoho = FakeZoho(answer(), token=httpx.Response(200, json={"error": "invalid_code"}))
    with pytest.raises(CredentialsRejected):
        tokens(zoho, connect()).current()

    def renewed() -> ZohoCredentials:
        return ZohoCredentials(client_id="the-client-id", client_secret="x", refresh_token="another")

    zoho.token = None
    fresh = tokens(zoho, connect(), renewed).current()
    assert tokens(zoho, connect()).current().value != fresh.value


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(
    ("error", "expected", "advice"),
    [
        ("invalid_code", CredentialsRejected, "make a new one in Zoho's API console"),
        ("invalid_client", CredentialsRejected, "set ZohoAccountsUrl to its data centre"),
        ("invalid_client_secret", CredentialsRejected, "copy it from Zoho's API console"),
        ("Access Denied", TokenUnavailable, "give this deployment a refresh token of its own"),
    ],
)
def test_each_refusal_says_what_to_do_in_its_error_and_in_the_status(
    database: Database, status: int, error: str, expected: type[TdsError], advice: str
) -> None:
    zoho = FakeZoho(answer(), token=httpx.Response(status, json={"error": error}))
    with pytest.raises(expected, match=advice):
        tokens(zoho, database).current()
    shown = zoho_status.read(zoho_fakes.settings(), database)
    assert advice in (shown.token_refusal or "")
    assert shown.token_expires_in_s is None


def test_a_refusal_that_zoho_names_otherwise_is_told_by_its_name(database: Database) -> None:
    zoho = FakeZoho(answer(), token=httpx.Response(200, json={"error": "general_error"}))
    with pytest.raises(TokenUnavailable, match="HTTP 200 and general_error without a token"):
        tokens(zoho, database).current()


def test_the_wrong_data_centre_is_told_by_the_status(database: Database) -> None:
    settings = zoho_fakes.settings(zoho_api_url="https://www.zohoapis.com")
    for domain, told in (("https://www.zohoapis.eu", True), ("https://www.zohoapis.com", False), (7, False)):
        token = httpx.Response(200, json={"access_token": "t", "expires_in": 3600, "api_domain": domain})
        Tokens(settings, database, zoho_fakes.credentials, FakeZoho(answer(), token=token).http).current()
        shown = zoho_status.read(settings, database).data_centre
        assert ("www.zohoapis.eu" in (shown or "")) is told
        age(database, 61)


def test_whatever_the_token_host_says_it_is_asked_seven_times_in_ten_minutes(connect: Connect) -> None:
    """Failing, refusing, minting, to new credentials and after a 401: the eighth is refused."""
    database, zoho = connect(), FakeZoho(answer())
    script: list[Any] = [
        httpx.Response(503),
        httpx.Response(200, json={"error": "invalid_code"}),
        httpx.ConnectError("refused"),
        httpx.Response(400, json={"error": "Access Denied"}),
        None,
    ]
    for number in range(30):
        zoho.token = script[number % len(script)]

        def changed(number: int = number) -> ZohoCredentials:
            return ZohoCredentials(client_id="the-client-id", client_secret="x", refresh_token=f"number {number % 3}")

        with suppress(TdsError):
            tokens(zoho, database, changed, patience_s=0).current()
        age(database, 61)
        database.execute("UPDATE tds.oauth_token SET leased_until = '-infinity'")
    assert len(zoho.mints) == 7
    shown = zoho_status.read(zoho_fakes.settings(), database)
    assert shown.token_mints == 7
    assert shown.token_refusal is not None


@pytest.mark.parametrize(
    ("endpoint", "scope"),
    [
        ("books/bills", "ZohoBooks.bills.READ"),
        ("books/invoices/{id}", "ZohoBooks.invoices.READ"),
        ("books/users", "ZohoBooks.settings.READ"),
        ("books/organizations", "ZohoBooks.settings.READ"),
        ("books/pricebooks/{id}", "ZohoBooks.settings.READ"),
        ("inventory/locations", "ZohoInventory.settings.READ"),
        ("inventory/itemdetails", "ZohoInventory.items.READ"),
        ("inventory/items", "ZohoInventory.items.READ"),
        ("inventory/inventoryadjustments/{id}", "ZohoInventory.inventoryadjustments.READ"),
    ],
)
def test_a_missing_scope_is_named(database: Database, endpoint: str, scope: str) -> None:
    own = tokens(FakeZoho(answer()), database)
    with pytest.raises(ScopeMissing, match=scope):
        own.replace(own.current(), endpoint=endpoint)


@pytest.mark.parametrize(
    "token",
    [
        httpx.Response(503, text="<html>"),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"access_token": "a\r\nb"}),
        httpx.Response(200, json={"access_token": ""}),
        httpx.Response(200, json=["x"]),
        httpx.Response(400, json={"error": "the-refresh-token is unknown"}),
        httpx.ConnectError("refused"),
    ],
    ids=["503", "html", "header injection", "empty", "list", "unknown error", "no connection"],
)
def test_a_token_host_that_makes_no_sense_is_waited_out(database: Database, token: Any) -> None:
    with pytest.raises(TokenUnavailable) as caught:
        tokens(FakeZoho(answer(), token=token), database).current()
    assert not any(secret in str(caught.value) for secret in zoho_fakes.SECRETS)


@pytest.mark.parametrize(
    ("life", "seconds"),
    [({"expires_in": 3_600_000, "expires_in_sec": 3600}, 3600), ({"expires_in": 600}, 600), ({}, 3600)],
    ids=["milliseconds", "short", "unsaid"],
)
def test_a_tokens_life_is_what_zoho_says_in_seconds(database: Database, life: dict[str, int], seconds: int) -> None:
    zoho = FakeZoho(answer(), token=httpx.Response(200, json={"access_token": "t", **life}))
    token = tokens(zoho, database, clock=lambda: 0.0).current()
    assert token.expires_at == pytest.approx(seconds, abs=5)
    assert token.renew_at == pytest.approx(seconds - min(300, seconds / 2), abs=5)


def test_nothing_secret_is_shown(database: Database) -> None:
    shown = repr(zoho_fakes.credentials()) + repr(tokens(FakeZoho(answer()), database).current())
    assert not any(secret in shown for secret in zoho_fakes.SECRETS)
