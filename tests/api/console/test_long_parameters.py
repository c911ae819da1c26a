"""What stands in an address or a form may be longer than anything that is stored under it: the page says so."""

from urllib.parse import quote

import pytest

from tests.support.console_client import PASSWORD, ConsoleClient, logged_in, person
from tests.support.harness import TestApp

LONG = "https://x.example/" + "€" * 1_000


@pytest.fixture
def admin(latchkey: TestApp) -> ConsoleClient:
    """An administrator who is logged in."""
    return logged_in(latchkey, person(name="Root", admin=True))


@pytest.mark.parametrize("path", ["/admin/applications", "/admin/applications/end"])
def test_id_that_no_application_can_have_is_not_found(admin: ConsoleClient, path: str) -> None:
    """By whichever page it is asked for; what was typed isn't cut, which could make another's id of it."""
    page = admin.open(f"{path}?client_id={quote(LONG, safe='')}")
    assert (page.status, "application has this client ID" in page.html) == (404, True)
    page = admin.open(f"{path}?client_id={quote('https://client.example/' + 'x' * 2_000, safe='')}")
    assert (page.status, "application has this client ID" in page.html) == (404, True)


def test_application_that_cant_be_is_not_ended(admin: ConsoleClient) -> None:
    """The form that ends one is answered in words."""
    csrf = dict(admin.open("/settings/account").read.forms[0].fields)["csrf"]
    for client_id in ("", LONG, "x" * 5_000):
        page = admin.send("/admin/applications/end", {"csrf": csrf, "client_id": client_id, "reason": "because"})
        assert page.status == 404, client_id[:20]


@pytest.mark.parametrize("fields", [{}, {"client_id": ""}, {"client_id": LONG}, {"client_id": "x" * 3_000}])
def test_disconnecting_nothing_is_not_found(admin: ConsoleClient, fields: dict[str, str]) -> None:
    """Without an id, or with one that nothing can have, nothing is disconnected, and the page says so."""
    csrf = dict(admin.open("/settings/account").read.forms[0].fields)["csrf"]
    page = admin.send("/settings/connected", {"csrf": csrf, "password": PASSWORD, **fields})
    assert (page.status, "connected." in page.html) == (404, True)


@pytest.mark.parametrize(
    "query",
    [
        "find=a&after=zzz",
        f"find=a&after={'x' * 2_000}",
        f"find={quote('ΐ' * 254)}",
        f"find={quote('€' * 2_000)}&after=a",
    ],
    ids=["the end before the beginning", "a long place", "longer when folded", "a long address"],
)
def test_accounts_that_cant_be_are_not_found(admin: ConsoleClient, query: str) -> None:
    """Whatever is looked for, and from wherever on."""
    assert admin.open(f"/admin?{query}").status == 404
