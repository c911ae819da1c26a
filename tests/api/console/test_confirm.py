"""Actions that can't be undone, or that stop something in use, have a confirmation page that works without
JavaScript.
"""

import pytest

from chalicelib.accounts.tables import Account
from chalicelib.credentials import find
from chalicelib.oauth import clients, grants
from tests.api.console.places import create_failed_delivery
from tests.support.console_client import ConsoleClient, log_in_as, new_account
from tests.support.harness import TestApp

ASKED = {
    "webhook deleted": ("/settings/webhooks/{webhook}", "/settings/webhooks/{webhook}/delete", "Delete webhook"),
    "webhook's secret rotated": (
        "/settings/webhooks/{webhook}",
        "/settings/webhooks/{webhook}/secret",
        "Rotate secret",
    ),
    "webhook disabled": ("/settings/webhooks/{webhook}", "/settings/webhooks/{webhook}/status", "Disable webhook"),
    "application deleted": (
        "/settings/applications/{app}",
        "/settings/applications/{app}/delete",
        "Delete application",
    ),
    "client secret rotated": ("/settings/applications/{app}", "/settings/applications/{app}/secret", "Rotate secret"),
    "app disconnected": ("/settings/connected", "/settings/connected/disconnect?client_id={app}", "Disconnect"),
    "key revoked": ("/settings/keys/{key}", "/settings/keys/{key}/revoke", "Revoke key"),
    "key rotated": ("/settings/keys/{key}", "/settings/keys/{key}/rotate", "Rotate key"),
    "account suspended": ("/admin/accounts/{other}", "/admin/accounts/{other}/suspend", "Suspend"),
    "somebody's key revoked": (
        "/admin/accounts/{account}",
        "/admin/accounts/{account}/keys/{key}/revoke",
        "Revoke key",
    ),
    "session ended": ("/settings/profile/sessions", "/settings/profile/sessions/{session}/end", "Log out"),
    "logged out everywhere": (
        "/settings/profile/sessions",
        "/settings/profile/log-out-everywhere",
        "Log out everywhere",
    ),
}
"""For each action: the page with the link to it, the confirmation page, and the label of the button."""


def create_items(latchkey: TestApp) -> tuple[ConsoleClient, dict[str, str]]:
    """Create an administrator with an item of each type; return the browser and the ids of these items."""
    account = new_account(name="Root", admin=True)
    created = clients.register(
        name="Ledger",
        uris=["https://ledger.example.com/"],
        auth_method="client_secret_basic",
        grant_types={clients.CODE},
        wanted={"read"},
        registered_by="account",
        account_id=account.id,
    )
    grants.new(account.id, account.user_id, created.client.client_id, scopes={"read"}, resources=set()).save()
    console = log_in_as(latchkey, account)
    names = {
        "account": account.id,
        "other": new_account(name="Bob").id,
        "app": created.client.client_id,
        "key": latchkey.key(account).key.id,
        "webhook": create_failed_delivery(account).endpoint_id,
        "session": console.session_id,
    }
    return console, names


@pytest.mark.parametrize("what", ASKED)
def test_action_has_a_confirmation_page(latchkey: TestApp, what: str) -> None:
    """An action begins with a link to a confirmation page, which states the consequence and has the button."""
    console, names = create_items(latchkey)
    offered, asked, button = (part.format(**names) for part in ASKED[what])
    latchkey.clock.forward(1)
    page = console.open(offered)
    assert asked in page.urls
    path = asked.partition("?")[0]
    assert [form for form in page.content.forms if form.action in (path, offered) and form.method == "post"] == []
    question = console.open(asked)
    assert question.status == 200
    (form,) = [form for form in question.content.forms if form.action != "/logout"]
    assert (form.method, form.action in (path, "/settings/connected")) == ("post", True)
    assert f">{button}</button>" in question.html
    assert offered in question.urls


def test_removing_scopes_asks_first(latchkey: TestApp) -> None:
    """The confirmation page lists the scopes to remove, because they can't be added back."""
    account = new_account()
    console, path = log_in_as(latchkey, account), f"/settings/keys/{latchkey.key(account).key.id}"
    page = console.open(f"{path}/narrow?ask=first&scopes=read")
    assert "loses these scopes: Write, Manage keys. It keeps: Read." in page.text
    (key,) = find.keys_of(account.id)
    assert key.scopes == {"read", "write", "keys"}
    console.submit(f"{path}/narrow", on=f"{path}/narrow?ask=first&scopes=read")
    (key,) = find.keys_of(account.id)
    assert key.scopes == {"read"}


def test_confirmation_pages_change_nothing(latchkey: TestApp) -> None:
    """Opening a confirmation page changes nothing."""
    console, names = create_items(latchkey)
    for _, asked, _ in ASKED.values():
        latchkey.clock.forward(1)
        assert console.open(asked.format(**names)).status == 200
    assert {Account.get(names[each]).status for each in ("account", "other")} == {"active"}
    assert {key.state for key in find.keys_of(names["account"])} == {"live"}
    assert clients.find(names["app"]) is not None
    assert console.open("/settings/keys").status == 200


def test_get_request_for_a_form_path_redirects_to_its_page(latchkey: TestApp) -> None:
    """A GET request for the path of a form redirects to the page with the form."""
    console, names = create_items(latchkey)
    for path, form in (
        ("/settings/account/name", "/settings/account"),
        (f"/settings/keys/{names['key']}/rename", f"/settings/keys/{names['key']}"),
        (f"/settings/webhooks/{names['webhook']}/change", f"/settings/webhooks/{names['webhook']}"),
        ("/logout", "/"),
    ):
        assert console.open(path).location == form
