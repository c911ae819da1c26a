"""Parameters that are longer than any stored key get an error page."""

from urllib.parse import quote

import pytest

from tests.support.console_client import PASSWORD, ConsoleClient, log_in_as, new_account
from tests.support.harness import TestApp

LONG = "https://x.example/" + "€" * 1_000


@pytest.fixture
def admin(latchkey: TestApp) -> ConsoleClient:
    """An administrator who is logged in."""
    return log_in_as(latchkey, new_account(name="Root", admin=True))


@pytest.mark.parametrize("path", ["/admin/applications", "/admin/applications/end"])
def test_too_long_client_id_is_not_found(admin: ConsoleClient, path: str) -> None:
    """A client id that is too long isn't found. It isn't truncated, because it could then match another client."""
    page = admin.open(f"{path}?client_id={quote(LONG, safe='')}")
    assert (page.status, "application has this client ID" in page.html) == (404, True)
    page = admin.open(f"{path}?client_id={quote('https://client.example/' + 'x' * 2_000, safe='')}")
    assert (page.status, "application has this client ID" in page.html) == (404, True)


def test_too_long_client_id_is_not_ended(admin: ConsoleClient) -> None:
    """The deletion of a client whose id is too long gets a 404 page."""
    tokens = admin.token_fields()
    for client_id in ("", LONG, "x" * 5_000):
        page = admin.send("/admin/applications/end", {**tokens, "client_id": client_id, "reason": "because"})
        assert page.status == 404, client_id[:20]


@pytest.mark.parametrize("fields", [{}, {"client_id": ""}, {"client_id": LONG}, {"client_id": "x" * 3_000}])
def test_disconnecting_an_invalid_client_id_is_not_found(admin: ConsoleClient, fields: dict[str, str]) -> None:
    """Disconnecting a client with a missing or invalid id disconnects nothing and gets an error page."""
    tokens = admin.token_fields()
    page = admin.send("/settings/connected", {**tokens, "password": PASSWORD, **fields})
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
def test_invalid_account_searches_find_nothing(admin: ConsoleClient, query: str) -> None:
    """Invalid search texts and cursors find no account."""
    assert admin.open(f"/admin?{query}").status == 404
