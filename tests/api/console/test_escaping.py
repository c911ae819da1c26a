"""User text is shown as it was entered, and never interpreted as HTML or as a template."""

import re
from collections import Counter
from urllib.parse import urlencode

import pytest

from chalicelib.accounts import change
from chalicelib.credentials import find
from chalicelib.limits import tiers
from tests.api.console.places import SHOWN, create_failed_delivery, create_invitation
from tests.support.console_client import PASSWORD, ConsoleClient, Page, log_in_as, new_account
from tests.support.harness import TestApp
from tests.support.mailbox import Mailbox

PAYLOADS = (
    "\"'><img src=x onerror=alert(1)></title>{{7*191}}&lt;b&gt;",
    "</textarea><svg/onload=alert(1)>{% raw %}${7*191}<!--",
    '\' autofocus onfocus=alert(1) x=" onload="alert(1)',
)


def tags(page: Page) -> Counter[str]:
    """Return the number of elements of a page, by tag."""
    return Counter(page.content.tags)


def assert_harmless(page: Page, payload: str) -> None:
    """Assert that no part of a payload became markup."""
    assert payload not in page.html or not re.search(r"[<>\"'&]", payload)
    assert "img" not in page.content.tags
    assert [name for name in page.content.attributes if name.startswith("on")] == []
    assert "1337" not in page.html


def pages_of(latchkey: TestApp, name: str) -> list[Page]:
    """Return every page, for an admin account with `name` in all text fields."""
    account = new_account(name=name, email="ada@example.com", admin=True)
    console = log_in_as(latchkey, account)
    console.submit("/settings/keys/new", name=name)
    (key,) = find.keys_of(account.id)
    sent, invited = create_failed_delivery(account, name), create_invitation(account)
    member = latchkey.member(account, "viewer").user_id
    change.rename_user(member, name)
    created = {
        "key_id": key.id,
        "account_id": account.id,
        "client_id": "app_00000000000000000000",
        "webhook_id": sent.endpoint_id,
        "message_id": sent.id,
        "user_id": member,
        "invitation_id": invited.invitation.id,
        "session_id": "ses_00000000000000000000",
    }
    change.set_tier_and_status(account.id, tier=tiers.PRO, status=None, actor=account.id, reason=name)
    latchkey.set_counters(account.id, tiers.PRO, used=10, refused=1)
    shown = []
    for route in SHOWN:
        latchkey.clock.forward(1)
        shown.append(console.open(route.format(**created)))
    return shown


@pytest.mark.parametrize("payload", PAYLOADS)
def test_stored_text_is_escaped(latchkey: TestApp, payload: str) -> None:
    """Names of users and keys, and reasons, appear as text on every page."""
    pages = pages_of(latchkey, payload)
    for page in pages:
        assert page.status < 500
        assert_harmless(page, payload)
    assert sum(payload in page.text for page in pages) >= 3


def test_text_changes_no_element_of_a_page(latchkey: TestApp) -> None:
    """A page with a payload has the same elements as a page with a plain name."""
    seen = []
    for number, name in enumerate(("Plain", *PAYLOADS)):
        account = new_account(name=name, email=f"n{number}@example.com")
        console = log_in_as(latchkey, account)
        console.submit("/settings/keys/new", name=name)
        (key,) = find.keys_of(account.id)
        targets = ("/settings/account", "/settings/keys", f"/settings/keys/{key.id}", f"/settings/keys/{key.id}/revoke")
        seen.append([tags(console.open(target)) for target in targets])
    assert seen == [seen[0]] * len(seen)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_submitted_text_is_escaped(latchkey: TestApp, box: Mailbox, payload: str) -> None:
    """Values of rejected forms and of queries appear as text."""
    anonymous, admin = ConsoleClient(latchkey), log_in_as(latchkey, new_account(admin=True))
    key = latchkey.key(new_account())
    pages = [
        anonymous.submit("/signup", email=payload, name=payload, password="short"),
        anonymous.submit("/forgot", email=payload),
        anonymous.log_in(payload, "wrong"),
        anonymous.open(f"/login?{urlencode({'next': payload, 'done': payload})}"),
        anonymous.open(f"/signup?{urlencode({'next': '/' + payload})}"),
        anonymous.open(f"/verify?{urlencode({'ticket': payload})}"),
        admin.open(f"/admin?{urlencode({'find': payload})}"),
        admin.submit("/settings/keys/new", name=payload + "x" * 64, scopes=[payload], expiry=payload),
        admin.submit("/settings/profile/email", on="/settings/profile", email=payload, password=PASSWORD),
        admin.open(f"/settings/keys/{key.key.id}?{urlencode({'done': payload})}"),
    ]
    for page in pages:
        assert page.status in (200, 400, 401, 404, 410), page.target
        assert_harmless(page, payload)


def test_notice_is_a_known_one(latchkey: TestApp) -> None:
    """A link can't make a page show any text as its notice, because `done` can only select a known notice."""
    assert ConsoleClient(latchkey).open("/login?done=logged-out").notice == "You are logged out."
    assert ConsoleClient(latchkey).open("/login?done=Your+account+is+locked").notice == ""
