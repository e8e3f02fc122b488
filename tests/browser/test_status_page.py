"""The status page as people see it: in their language, on their screen, well and broken, safe whatever Zoho holds."""

from collections.abc import Callable

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error, Page

from tds_core.database import watch
from tds_core.database.connection import Database
from tds_core.page.access import LOGINS_REFUSED
from tds_core.sync.signals import QUEUED
from tds_core.sync.watch import Watch
from tests.browser.conftest import PHONE, Open
from tests.integration.graveyard import Graveyard
from tests.integration.road import Queued, backlog_of, document, message, record
from tests.integration.well import differ, verify
from tests.page_server import OPERATOR, VIEWER, PageServer

HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(2)> شركة "O\'Neil" & Söhne'
Keep = Callable[[Page, str], None]


def company(database: Database) -> None:
    """Some records in two currencies, that webhooks brought."""
    invoices = [
        document("invoices", str(900 + n), total=total, balance=balance, currency_code=currency, line_items=[])
        for n, (total, balance, currency) in enumerate(
            [("1250.5", "250.125", "USD"), ("48000000", "0", "IQD"), ("99.99", "99.99", "USD")] * 8
        )
    ]
    for whole in invoices:
        Queued("invoices", database).handle(record(message("invoices", whole, webhook="invoices/created")))
    customer = document("customers", "77", contact_name=HOSTILE, customer_name=HOSTILE)
    Queued("customers", database).handle(record(message("customers", customer, webhook="contacts/updated")))
    sums = [
        {"currency": currency, "status": status, "column": column, "zoho": value, "erp": value}
        for currency, column, values in (
            ("USD", "total", ("10000", "803.92")),
            ("USD", "balance", ("2000.90", "800.02")),
            ("IQD", "total", ("384000000", "0")),
        )
        for status, value in zip(("sent", "paid"), values, strict=True)
    ]
    verify(database, parts={"invoices": {"totals": sums}})
    database.execute(
        """
        INSERT INTO tds.api_budget (product, since, resets_at, day_limit, remaining)
        VALUES ('books', now(), now() + interval '7 hours', 10000, 6120),
            ('inventory', now(), now() + interval '7 hours', 10000, 6120)
        """
    )
    database.execute(
        """
        UPDATE tds.change_log SET at = at - make_interval(hours => id::int * 7 %% 20),
            observed_at = at - make_interval(hours => id::int * 7 %% 20, secs => 0.4 + id::int %% 5 * 0.3)
        WHERE %s
        """,
        (True,),
    )
    for ago in range(12):
        database.execute("INSERT INTO tds.days (day, good) VALUES (current_date - %s, 1440)", (ago,))


def break_it(grave: Graveyard) -> None:
    """Everything that makes the verdict bad, and some that only needs attention."""
    database = grave.database
    differ(database, verify(database), "invoices", "900", "901", erp=HOSTILE, zoho="1250.5")
    grave.poison("905", reason=f"InvalidDocument: {HOSTILE}")
    grave.unrouted(b"<html>")
    grave.failed_run(mode="poll")
    grave.park("invoices", "906")
    Watch(
        grave.settings, database=database, places=grave.places, queues={"bills": lambda: 4}, gauge=lambda *_: None
    ).look()
    database.execute("UPDATE tds.places SET waiting_since = now() - interval '4 minutes' WHERE place = 'queue/bills'")
    database.execute("UPDATE tds.cursors SET polled_at = now() - interval '3 hours' WHERE scan = 'sales_orders'")
    database.execute("UPDATE tds.oauth_token SET refusal = 'invalid_code'")
    database.execute("UPDATE tds.circuit SET state = 'open'")


def violations(page: Page) -> list[str]:
    """What axe-core finds against WCAG 2.2 A and AA and its best practices."""
    found = Axe().run(page)
    return [f"{one['id']}: {[node['html'][:120] for node in one['nodes'][:3]]}" for one in found.response["violations"]]


def test_a_well_system_is_said_to_be_well(visit: Open, database: Database, keep: Keep) -> None:
    company(database)
    page = visit()
    assert page.locator("h1").inner_text().endswith("Yes: the ERP is equal to Zoho")
    assert page.locator("html").get_attribute("dir") == "ltr"
    row = page.locator("tr", has_text="Invoices").first
    assert "24" in row.inner_text()
    assert "10,803.92" in page.content()
    assert violations(page) == []
    keep(page, "well-en")


def test_arabic_reads_from_right_to_left_with_its_own_digits(visit: Open, database: Database, keep: Keep) -> None:
    company(database)
    page = visit(language="ar-IQ")
    assert page.locator("html").get_attribute("dir") == "rtl"
    assert page.locator("h1").inner_text().endswith("نعم: النظام مطابق لزوهو")
    assert "٣٨٤٬٠٠٠٬٠٠٠" in page.content()
    assert violations(page) == []
    keep(page, "well-ar")


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_broken_system_says_what_is_wrong_and_what_to_do(
    visit: Open, grave: Graveyard, keep: Keep, language: str, dark: bool
) -> None:
    company(grave.database)
    break_it(grave)
    page = visit(f"/status?lang={language}", dark=dark)
    reasons = page.locator(".reasons li")
    assert reasons.count() == 9
    assert all("\n" in text for text in reasons.all_inner_texts()), "each with what to do"
    assert violations(page) == []
    keep(page, f"broken-{language}-{'dark' if dark else 'light'}")


def test_names_that_hold_html_are_text(visit: Open, grave: Graveyard, keep: Keep) -> None:
    company(grave.database)
    break_it(grave)
    page = visit()
    assert page.get_by_text("<script>alert(1)</script>").count() >= 2
    assert page.locator("script, img").count() == 0
    story = visit("/status/record?entity=customers&id=77")
    assert story.get_by_text(HOSTILE).count() >= 1
    assert story.locator("script, img").count() == 0
    nonsense = visit(f"/status/record?entity=invoices&id={'%3Cscript%3E'}")
    assert nonsense.locator("script").count() == 0


@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_phone_shows_all_of_it_without_scrolling_sideways(
    visit: Open, grave: Graveyard, keep: Keep, language: str
) -> None:
    company(grave.database)
    break_it(grave)
    page = visit(f"/status?lang={language}", screen=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert violations(page) == []
    keep(page, f"phone-{language}")


def test_a_records_story_is_told(visit: Open, database: Database, keep: Keep) -> None:
    company(database)
    page = visit()
    page.get_by_label("Zoho id or number").fill("905")
    page.get_by_label("Kind").select_option("invoices")
    page.get_by_role("button", name="Show").click()
    assert page.locator("h1").inner_text() == "Invoices 905"
    assert "created by webhook" in page.content()
    assert violations(page) == []
    keep(page, "record-en")
    page.get_by_role("link", name="العربية").click()
    assert "أُنشئ عبر إشعار" in page.content()
    keep(page, "record-ar")


def test_it_renews_itself_unless_one_does_not_want_it(visit: Open, server: PageServer) -> None:
    page = visit()
    assert httpx.get(f"{server.url}/status", auth=VIEWER).headers["refresh"] == "60"
    page.get_by_role("link", name="Stop renewing").click()
    assert page.url.endswith("refresh=off")
    assert "refresh" not in httpx.get(page.url, auth=VIEWER).headers


def test_without_a_login_nothing_is_shown(visit: Open, server: PageServer) -> None:
    with pytest.raises(Error, match="ERR_INVALID_AUTH_CREDENTIALS"):
        visit(login=None)
    for login in (("owner", "wrong"), ("operator", VIEWER[1]), ("", "")):
        answer = httpx.get(f"{server.url}/status", auth=login)
        assert (answer.status_code, answer.text) == (401, '{"message": "Unauthorized"}')
        assert answer.headers["www-authenticate"].startswith("Basic ")
    assert server.refused == [LOGINS_REFUSED] * 3


def test_every_link_and_button_is_reached_by_the_keyboard(visit: Open, grave: Graveyard) -> None:
    company(grave.database)
    break_it(grave)
    page = visit()
    wanted = page.locator("a[href], button, input:not([type=hidden]), select").count()
    reached = set()
    for _ in range(wanted + 20):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("[...document.querySelectorAll('*')].indexOf(document.activeElement)"))
    assert len(reached) >= wanted


def test_an_operator_confirms_and_then_it_is_done(visit: Open, grave: Graveyard, keep: Keep) -> None:
    company(grave.database)
    grave.poison("905")
    watch.store(grave.database, dict.fromkeys(QUEUED, 0))
    page = visit("/status/action?action=refetch&entity=invoices&subject=905", login=OPERATOR)
    assert "Fetch Invoices 905 from Zoho again" in page.content()
    assert backlog_of(grave.database, "invoices") == {}
    assert violations(page) == []
    keep(page, "confirm-en")
    page.get_by_role("button", name="Yes, do it").click()
    assert page.locator("h1").inner_text() == "Done"
    assert set(backlog_of(grave.database, "invoices")) == {"905"}
    assert grave.operations() == [("operator (127.0.0.1)", "refetch", "invoices", ["905"])]


def test_a_dead_letter_is_driven_back_from_the_page(visit: Open, grave: Graveyard) -> None:
    company(grave.database)
    grave.poison("905")
    looked = Watch(grave.settings, database=grave.database, places=grave.places, queues={}, gauge=lambda *_: None)
    looked.look()
    page = visit(login=OPERATOR)
    page.get_by_role("link", name="Try again").click()
    page.get_by_role("button", name="Yes, do it").click()
    assert page.locator("h1").inner_text() == "Done"
    assert len(grave.taken("invoices")) == 1
    [(operator, operation, *_)] = grave.operations()
    assert (operator, operation) == ("operator (127.0.0.1)", "redrive")


def test_a_verification_is_started_from_the_page(visit: Open, grave: Graveyard) -> None:
    page = visit(login=OPERATOR)
    page.get_by_role("link", name="Compare with Zoho now").click()
    page.get_by_role("button", name="Yes, do it").click()
    waiting = grave.database.execute("SELECT cause, heal FROM tds.verifications WHERE ended_at IS NULL")
    assert waiting == [("manual", True)]
    assert "The comparison begins" in page.content()


def test_a_viewer_may_not_act(server: PageServer, grave: Graveyard) -> None:
    for method in ("GET", "POST"):
        answer = httpx.request(method, f"{server.url}/status/action?action=verify", auth=VIEWER)
        assert answer.status_code == 401
    assert grave.database.execute("SELECT count(*) FROM tds.verifications WHERE ended_at IS NULL") == [(0,)]


def test_printed_it_has_no_buttons(visit: Open, database: Database, keep: Keep) -> None:
    company(database)
    page = visit()
    page.emulate_media(media="print")
    assert page.locator(".button, form, nav").evaluate_all("all => all.every(one => !one.offsetParent)")
    keep(page, "print-en")
