"""Every route and page is tried as every role, and as callers who may not act in the account (docs/access.md)."""

import re
from collections.abc import Iterator

import pytest

from chalicelib.accounts import change, roles
from chalicelib.accounts.states import SUSPENDED
from chalicelib.api.console import cookies
from chalicelib.core import secrets
from chalicelib.credentials import scopes
from chalicelib.limits import tiers
from chalicelib.termination import member_removal
from infra import access_matrix
from tests.api.console.places import create_failed_delivery, create_invitation
from tests.support.console_client import ConsoleClient, Page, log_in_as, new_account
from tests.support.harness import AccountOfTest, TestApp

UNKNOWN = {
    "user_id": "usr_00000000000000000000",
    "account_id": "acc_00000000000000000000",
    "key_id": "key_00000000000000000000",
    "member_id": "mem_00000000000000000000",
    "invitation_id": "inv_00000000000000000000",
    "webhook_id": "whk_00000000000000000000",
    "message_id": "evt_00000000000000000000",
    "client_id": "app_00000000000000000000",
}
BODIES: dict[str, dict[str, object]] = {
    "/v1/members/{member_id}": {"role": "viewer"},
    "/v1/keys/{key_id}": {"name": "Renamed"},
    "/v1/webhooks/{webhook_id}": {"name": "Renamed"},
}
"""Valid bodies of the routes that check the body before they look for the id."""
REFUSALS = {"insufficient_scope", "insufficient_role", "invalid_api_key", "missing_api_key", "suspended"}


def test_the_printed_table_is_current() -> None:
    assert access_matrix.PAGE.read_text() == access_matrix.page()


@pytest.mark.parametrize("caller", access_matrix.CALLERS)
def test_each_route_gives_each_caller_what_the_table_says(latchkey: TestApp, caller: str) -> None:
    owner = new_account(tier=tiers.ENTERPRISE)
    ids = UNKNOWN if caller in roles.ALL else real_ids(latchkey, owner)
    secret = secret_of(latchkey, owner, caller)
    wrong = []
    for method, path, needs in access_matrix.api_routes():
        latchkey.clock.forward(1)
        body = None if method == "GET" else BODIES.get(path, {})
        response = latchkey.call(method, path.format(**ids), secret, json_body=body)
        error = response.json().get("error", "") if response.status >= 400 else ""
        expected = access_matrix.api_cells(path, needs)[caller]
        if outcome_of(error, expected) != expected:
            wrong.append((method, path, response.status, error, expected))
    assert wrong == []


@pytest.mark.parametrize("caller", access_matrix.CALLERS)
def test_each_page_gives_each_caller_what_the_table_says(latchkey: TestApp, caller: str) -> None:
    owner = new_account(tier=tiers.ENTERPRISE)
    ids = UNKNOWN if caller in roles.ALL else real_ids(latchkey, owner)
    console = console_of(latchkey, owner, caller)
    wrong = []
    for method, path in access_matrix.account_pages():
        latchkey.clock.forward(1)
        page = send(console, method, path.format(**ids), owner.id)
        expected = access_matrix.page_cells(method, path)[caller]
        if page_outcome(page.status, page.location, page.html, expected) != expected:
            wrong.append((method, path, page.status, page.location, expected))
    assert wrong == []


def real_ids(latchkey: TestApp, owner: AccountOfTest) -> dict[str, str]:
    sent = create_failed_delivery(owner)
    invited = create_invitation(owner)
    return {
        "user_id": owner.user_id,
        "account_id": owner.id,
        "key_id": latchkey.key(owner).key.id,
        "member_id": owner.membership.id,
        "invitation_id": invited.invitation.id,
        "webhook_id": sent.endpoint_id,
        "message_id": sent.id,
        "client_id": "app_00000000000000000000",
    }


def secret_of(latchkey: TestApp, owner: AccountOfTest, caller: str) -> str | None:
    if caller == access_matrix.NOBODY:
        return None
    acting = acting_as(latchkey, owner, caller)
    secret = latchkey.key(acting, *scopes.ALL).secret
    if caller in (access_matrix.SUSPENDED, access_matrix.REMOVED):
        # The gateway has cached the key's policy before the account changes.
        assert latchkey.call("GET", "/v1/limits", secret).status == 200
        end(owner, acting, caller)
    return secret


def console_of(latchkey: TestApp, owner: AccountOfTest, caller: str) -> ConsoleClient:
    if caller == access_matrix.NOBODY:
        console = ConsoleClient(latchkey)
        console.open("/login")
        return console
    acting = acting_as(latchkey, owner, caller)
    console = log_in_as(latchkey, acting)
    end(owner, acting, caller)
    return console


def acting_as(latchkey: TestApp, owner: AccountOfTest, caller: str) -> AccountOfTest:
    if caller == access_matrix.OTHER:
        return new_account(name="Eve", tier=tiers.ENTERPRISE)
    if caller in (roles.OWNER, access_matrix.SUSPENDED):
        return owner
    return latchkey.member(owner, roles.ADMIN if caller == access_matrix.REMOVED else caller)


def end(owner: AccountOfTest, acting: AccountOfTest, caller: str) -> None:
    if caller == access_matrix.SUSPENDED:
        change.set_tier_and_status(owner.id, tier=None, status=SUSPENDED, actor="operator")
    elif caller == access_matrix.REMOVED:
        member_removal.remove(owner.membership.manager, acting.user_id, member_removal.REVOKE)


def send(console: ConsoleClient, method: str, path: str, account_id: str) -> Page:
    if method == "GET":
        # Without a selected scope, this page leads back to the key.
        return console.open(f"{path}?scopes=read" if path.endswith("/narrow") else path)
    bound_to = console.cookies.get(console.cookie_name(cookies.SESSION)) or console.cookies.get(
        console.cookie_name(cookies.BROWSER)
    )
    # A caller who knows the derivation of the token can make it for any account.
    token = secrets.digest(f"csrf {bound_to} {account_id}")[:32]
    return console.send(path, {"csrf": token, "account": account_id})


def outcome_of(error: str, expected: str) -> str:
    """Return `yes` unless the request was refused. With an unknown id, 404 means that the role allows the request."""
    if error in REFUSALS or (error == "not_found" and expected == "not_found"):
        return error
    return access_matrix.ALLOWED


def page_outcome(status: int, location: str, html: str, expected: str) -> str:
    if status == 303 and location.startswith("/login"):
        return "log in"
    if status == 403:
        return "suspended" if "is suspended" in html else "insufficient_role" if "needs the role" in html else "forged"
    if status == 404 and expected == "not_found":
        return "not_found"
    return access_matrix.ALLOWED


def test_every_route_with_a_credential_is_in_the_table() -> None:
    printed = set(re.findall(r"^\| `(\w+ /v1/[^`]+)` \|", access_matrix.PAGE.read_text(), re.MULTILINE))
    assert printed == {f"{method} {path}" for method, path, _ in access_matrix.api_routes()}
    assert len(list(_pages())) > 40


def _pages() -> Iterator[tuple[str, str]]:
    yield from access_matrix.account_pages()
