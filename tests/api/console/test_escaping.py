"""What people type is shown as they typed it, and never read as HTML or as a template."""

import re
from collections import Counter
from urllib.parse import urlencode

import pytest

from chalicelib.accounts import change
from chalicelib.credentials import find
from chalicelib.limits import tiers
from tests.api.console.places import SHOWN, told_to_nobody
from tests.house import House
from tests.letterbox import Letterbox
from tests.visitor import PASSWORD, Page, Visitor, logged_in, person

PAYLOADS = (
    "\"'><img src=x onerror=alert(1)></title>{{7*191}}&lt;b&gt;",
    "</textarea><svg/onload=alert(1)>{% raw %}${7*191}<!--",
    '\' autofocus onfocus=alert(1) x=" onload="alert(1)',
)


def tags(page: Page) -> Counter[str]:
    """Count the elements of a page."""
    return Counter(page.read.tags)


def assert_harmless(page: Page, payload: str) -> None:
    """Check that nothing of a payload became a part of the page."""
    assert payload not in page.html or not re.search(r"[<>\"'&]", payload)
    assert "img" not in page.read.tags
    assert [name for name in page.read.attributes if name.startswith("on")] == []
    assert "1337" not in page.html


def pages_of(home: House, name: str) -> list[Page]:
    """Return every page of an admin, and of theirs about someone, where all that can be named is called `name`."""
    account = person(name=name, email="ada@example.com", admin=True)
    visitor = logged_in(home, account)
    visitor.submit("/settings/keys/new", name=name)
    (key,) = find.keys_of(account.id)
    sent = told_to_nobody(account, name)
    made = {
        "key_id": key.id,
        "account_id": account.id,
        "client_id": "app_00000000000000000000",
        "webhook_id": sent.endpoint_id,
        "message_id": sent.id,
        "session_id": "ses_00000000000000000000",
    }
    change.set_standing(account.id, tier=tiers.PRO, status=None, actor=account.id, reason=name)
    home.counted(account.id, tiers.PRO, used=10, refused=1)
    shown = []
    for route in SHOWN:
        home.clock.forward(1)
        shown.append(visitor.open(route.format(**made)))
    return shown


@pytest.mark.parametrize("payload", PAYLOADS)
def test_stored_text_is_shown_as_it_was_typed(home: House, payload: str) -> None:
    """Names of people and keys, reasons: wherever one is shown it is text."""
    pages = pages_of(home, payload)
    for page in pages:
        assert page.status < 500
        assert_harmless(page, payload)
    assert sum(payload in page.text for page in pages) >= 3


def test_text_changes_no_element_of_a_page(home: House) -> None:
    """A page with a payload in it has the elements of the same page with a plain name, one for one."""
    seen = []
    for number, name in enumerate(("Plain", *PAYLOADS)):
        account = person(name=name, email=f"n{number}@example.com")
        visitor = logged_in(home, account)
        visitor.submit("/settings/keys/new", name=name)
        (key,) = find.keys_of(account.id)
        targets = ("/settings/account", "/settings/keys", f"/settings/keys/{key.id}", f"/settings/keys/{key.id}/revoke")
        seen.append([tags(visitor.open(target)) for target in targets])
    assert seen == [seen[0]] * len(seen)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_typed_text_comes_back_as_text(home: House, box: Letterbox, payload: str) -> None:
    """Forms that are shown again, and queries, repeat what was typed without becoming it."""
    stranger, admin = Visitor(home), logged_in(home, person(admin=True))
    key = home.key(person())
    pages = [
        stranger.submit("/signup", email=payload, name=payload, password="short"),
        stranger.submit("/forgot", email=payload),
        stranger.log_in(payload, "wrong"),
        stranger.open(f"/login?{urlencode({'next': payload, 'done': payload})}"),
        stranger.open(f"/signup?{urlencode({'next': '/' + payload})}"),
        stranger.open(f"/verify?{urlencode({'ticket': payload})}"),
        admin.open(f"/admin?{urlencode({'find': payload})}"),
        admin.submit("/settings/keys/new", name=payload + "x" * 64, scopes=[payload], expiry=payload),
        admin.submit("/settings/account/email", on="/settings/account", email=payload, password=PASSWORD),
        admin.open(f"/settings/keys/{key.key.id}?{urlencode({'done': payload})}"),
    ]
    for page in pages:
        assert page.status in (200, 400, 401, 404, 410), page.target
        assert_harmless(page, payload)


def test_notice_is_one_of_ours(home: House) -> None:
    """A link can't make the console say something: `done` names one of its own sentences or none."""
    assert Visitor(home).open("/login?done=logged-out").notice == "You are logged out."
    assert Visitor(home).open("/login?done=Your+account+is+locked").notice == ""
