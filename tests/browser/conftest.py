"""A browser in front of the status page: Debian's Chromium, or the one that CHROMIUM names.

Without one these tests are left out and say what to install; where TDS_REQUIRE_BROWSER is set (.ci/run) they fail.
Screenshots are kept in the folder that TDS_SCREENSHOTS names.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws
from playwright.sync_api import Browser, Page, sync_playwright

from tds_core.database.connection import Database
from tds_core.page.actions import Actions
from tds_core.page.site import Site
from tds_core.sync.console import Console
from tests.integration.conftest import aws_credentials, connect, conninfo, database, owner_conninfo, postgres, reader
from tests.integration.graveyard import Graveyard
from tests.integration.well import be_well
from tests.page_server import OPERATOR, VIEWER, PageServer, logins, serving

__all__ = ["aws_credentials", "connect", "conninfo", "database", "owner_conninfo", "postgres", "reader"]

Open = Callable[..., Page]
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1200, "height": 900}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, without a window."""
    found = (shutil.which(name) for name in _PROGRAMS)
    program = os.environ.get("CHROMIUM") or next(filter(None, found), None)
    if program is None:
        missing = "no Chromium: apt-get install chromium, or name one with CHROMIUM=/path/to/it"
        if os.environ.get("TDS_REQUIRE_BROWSER"):
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def grave(database: Database, aws_credentials: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Graveyard]:
    """Queues in memory beside a mirror in which all is well."""
    monkeypatch.setattr("tds_core.sync.dead_queue.WAIT_S", 0)
    with mock_aws():
        be_well(database)
        yield Graveyard.make(database)


@pytest.fixture
def server(grave: Graveyard, reader: Database) -> Iterator[PageServer]:
    """The page, served."""
    parts: dict[str, Any] = {"database": grave.database, "waker": grave.waker, "dead": grave.letters, "doctor": None}
    console = Console(grave.settings, **parts)
    actions = Actions(console, database=grave.database, logins=logins())
    with serving(PageServer(site=Site(grave.settings, database=reader).handle, actions=actions.handle)) as served:
        yield served


@pytest.fixture
def visit(browser: Browser, server: PageServer) -> Iterator[Open]:
    """Opens an address of the page as somebody, in a language, on a screen; errors of the page are failures."""
    pages: list[Page] = []
    errors: list[str] = []

    def opened(
        path: str = "/status",
        *,
        login: tuple[str, str] | None = VIEWER,
        language: str = "en",
        screen: dict[str, int] = DESK,
        dark: bool = False,
    ) -> Page:
        credentials = {"username": login[0], "password": login[1]} if login else None
        context = browser.new_context(
            http_credentials=credentials,  # type: ignore[arg-type]
            locale=language,
            viewport=screen,  # type: ignore[arg-type]
            color_scheme="dark" if dark else "light",
        )
        page = context.new_page()
        page.on("console", lambda one: errors.append(one.text) if "Content Security Policy" in one.text else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{server.url}{path}")
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.context.close()
    assert errors == []


@pytest.fixture
def keep(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """Keeps a screenshot, where somebody wants them."""
    folder = os.environ.get("TDS_SCREENSHOTS")

    def kept(page: Page, name: str) -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            for part, whole in (("", True), ("-top", False)):
                page.screenshot(path=str(Path(folder) / f"{name}{part}.png"), full_page=whole)

    return kept


@pytest.fixture
def operator() -> tuple[str, str]:
    """Who may act."""
    return OPERATOR
