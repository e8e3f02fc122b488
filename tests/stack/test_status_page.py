"""The status page on the deployed template: the gate is asked, the page reads as the reader, an operator acts."""

import re
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.stack.running import Stack


def ask(stack: Stack, path: str = "", *, login: tuple[str, str] | None = None, **sent: object) -> httpx.Response:
    """One request to the page or a part of it."""
    method = "POST" if "data" in sent else "GET"
    return httpx.request(method, f"{stack.state.status_url}{path}", auth=login, timeout=60, **sent)  # type: ignore[arg-type]


def judged(verdict: dict[str, Any]) -> tuple[str, list[str]]:
    """The verdict without its figures, of which ages grow between two looks."""
    return verdict["level"], [reason["code"] for reason in verdict["reasons"]]


def test_the_page_is_shown_to_who_has_a_login_and_operators_may_act(stack: Stack) -> None:
    viewer, operator = ("viewer", stack.state.viewer_password), ("operator", stack.state.operator_password)
    for login in (None, ("viewer", "wrong"), ("operator", viewer[1])):
        refused = ask(stack, login=login)
        assert (refused.status_code, refused.json()) == (401, {"message": "Unauthorized"})
        assert refused.headers["www-authenticate"].startswith("Basic realm=")

    page = ask(stack, "?lang=ar", login=viewer)
    assert page.status_code == 200
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert 'dir="rtl"' in page.text
    told = ask(stack, ".json", login=viewer).json()
    assert judged(told["verdict"]) == judged(stack.deployment.ask("status", {})["verdict"])
    assert ask(stack, "/record?entity=invoices&id=1", login=viewer).status_code == 404

    assert ask(stack, "/action?action=verify", login=viewer).status_code == 401
    asked = ask(stack, "/action?action=refetch&entity=invoices&subject=999000111", login=operator)
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', asked.text))
    address = urlsplit(stack.state.status_url)
    assert ask(stack, "/action", login=operator, data=fields).status_code == 403, "nothing says where it comes from"
    own = {"Origin": f"{address.scheme}://{address.netloc}"}
    done = ask(stack, "/action", login=operator, data=fields, headers=own)
    assert done.status_code == 200, done.text
    statement = "SELECT operation, ids FROM tds.operations WHERE operator LIKE 'operator (%%' AND %s"
    assert stack.query(statement, [True]) == [("refetch", ["999000111"])]
