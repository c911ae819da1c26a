"""Only administrators have access to the admin pages. Each change requires a reason, and is recorded in its
transaction.
"""

import pytest

from chalicelib.accounts import change, members
from chalicelib.accounts.tables import Account, User
from chalicelib.core import settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds, record
from chalicelib.events.tables import Event
from chalicelib.limits import tiers
from tests.api.console.places import FORMS, SHOWN, create_place
from tests.support.console_client import PASSWORD, ConsoleClient, Page, log_in_as, new_account
from tests.support.harness import TestApp, error_of

ADMIN = [route for route in (*SHOWN, *FORMS) if route.startswith("/admin")]


def rankings(page: Page) -> list[list[tuple[str, ...]]]:
    """Return the rows (name, tier, admitted, rejected) of each ranking on the page, from top to bottom."""
    tables: list[list[tuple[str, ...]]] = []
    for row in page.rows:
        if row == ["Account", "Tier", "Admitted", "Rejected"]:
            tables.append([])
        elif row[0] == "Account":
            tables.clear()
        elif not tables:
            continue
        else:
            tables[-1].append(tuple(row))
    return tables


def test_admin_pages_do_not_exist_for_others(latchkey: TestApp) -> None:
    """For other users every admin page and form is the same 404 as an unknown path, with any account id."""
    site = create_place(latchkey)
    console = log_in_as(latchkey, new_account(name="Eve"))
    tokens = console.token_fields()
    assert len(ADMIN) >= 5
    for route in ADMIN:
        path = site.path(route)
        page = (
            console.open(path) if route in SHOWN else console.send(path, {**tokens, "reason": "because", "tier": "pro"})
        )
        assert (page.status, page.heading) == (404, "Page not found"), route
        assert "/admin" not in page.urls
    assert list(Event.scan(Event.type == kinds.STANDING_CHANGED)) == []


def test_anonymous_user_is_redirected_to_log_in(latchkey: TestApp) -> None:
    """Anonymous users are redirected to log in, and can't tell which users are administrators."""
    page = ConsoleClient(latchkey).open("/admin")
    assert page.location == "/login?next=%2Fadmin"


def test_removed_admin_loses_access_immediately(latchkey: TestApp) -> None:
    """A former administrator loses access immediately, because each page reads the admin flag."""
    account = new_account(admin=True)
    console = log_in_as(latchkey, account)
    assert console.open("/admin").status == 200
    account.user.update(actions=[User.admin.set(False)])
    assert console.open("/admin").status == 404


@pytest.mark.parametrize("by", ["email", "spelled_email", "id"])
def test_account_is_found(latchkey: TestApp, by: str) -> None:
    """An account is found by the address of its only member in any spelling, or by its id."""
    account = new_account(email="ada@example.com")
    wanted = {"email": "ada@example.com", "spelled_email": "+ADA@Example.com+", "id": account.id}[by]
    console = log_in_as(latchkey, new_account(name="Root", admin=True))
    page = console.follow(console.open(f"/admin?find={wanted}"))
    assert (page.status, page.heading) == (200, "Ada")
    assert page.target == f"/admin/accounts/{account.id}"


@pytest.mark.parametrize("wanted", ["nobody@example.com", "acc_00000000000000000000", "nonsense", "<b>"])
def test_unknown_account_is_not_found(latchkey: TestApp, wanted: str) -> None:
    """A search without a result keeps the search text in its field."""
    page = log_in_as(latchkey, new_account(admin=True)).open(f"/admin?find={wanted}")
    assert (page.status, page.problem != "") == (404, True)
    assert page.value("/admin", "find") == wanted
    assert page.text.count("Names can") == 2


def test_account_is_shown_without_its_secrets(latchkey: TestApp) -> None:
    """The page of an account shows tier, state, key previews, usage and events, but no secret and no hash."""
    account = new_account(email="ada@example.com", tier=tiers.PRO)
    key = latchkey.key(account)
    latchkey.call("GET", "/v1/users/me", key.secret)
    page = log_in_as(latchkey, new_account(name="Root", admin=True)).open(f"/admin/accounts/{account.id}")
    for shown in (
        account.id,
        "Pro",
        "Active",
        "1 admitted, 0 rejected",
        f"lk_test_…{key.secret[-4:]}",
        "Account created",
    ):
        assert shown in page.text, shown
    assert page.secrets == []
    assert "argon2" not in page.html
    assert key.key.digest not in page.html


def test_tier_is_set_with_a_reason(latchkey: TestApp) -> None:
    """A new tier applies from the next request, and its event contains the administrator and the reason."""
    account, admin = new_account(), new_account(name="Root", admin=True)
    key = latchkey.key(account)
    latchkey.call("GET", "/v1/limits", key.secret)
    console, path = log_in_as(latchkey, admin), f"/admin/accounts/{account.id}"
    page = console.submit(f"{path}/tier", on=path, tier="pro", reason=" Paid by invoice 7 ")
    assert page.location == f"{path}?done=standing"
    assert latchkey.call("GET", "/v1/limits", key.secret).json()["tier"] == "pro"
    (event,) = record.newest_first(account.id, 10, kind=kinds.STANDING_CHANGED)
    assert (event.type, event.actor, event.reason) == ("account.standing_changed", admin.user_id, "Paid by invoice 7")
    assert (event.changed.attribute_values, event.at) == ({"tier": "pro"}, latchkey.clock.now_ms)
    shown = console.follow(page)
    assert shown.notice == "Account changed. The change applies from its next request."
    by_type = {row[0]: row[1:] for row in shown.rows}
    moment = "2021-12-20 10:00 UTC"
    assert by_type["Tier or status changed"] == ["tier: Pro", moment, admin.user_id, console.ip, "Paid by invoice 7"]


def test_account_is_suspended_and_reinstated_with_a_reason(latchkey: TestApp) -> None:
    """A suspended account's keys are rejected, and work again after the reinstatement. Both changes are recorded."""
    account, admin = new_account(), new_account(name="Root", admin=True)
    key, inside = latchkey.key(account), log_in_as(latchkey, account)
    assert latchkey.call("GET", "/v1/users/me", key.secret).status == 200
    console, path = log_in_as(latchkey, admin), f"/admin/accounts/{account.id}"
    assert console.submit(f"{path}/suspend", on=path, reason="Abuse").status == 303
    assert error_of(latchkey.call("GET", "/v1/users/me", key.secret)) == (401, "invalid_api_key")
    assert (inside.open("/settings/keys").status, inside.open("/settings/profile").status) == (403, 200)
    assert console.submit(f"{path}/reinstate", on=path, reason="A mistake").status == 303
    assert latchkey.call("GET", "/v1/users/me", key.secret).status == 200
    assert inside.open("/settings/keys").status == 200
    events = record.newest_first(account.id, 10, kind=kinds.STANDING_CHANGED)
    assert sorted((event.changed.attribute_values["status"], event.reason) for event in events) == [
        ("active", "A mistake"),
        ("suspended", "Abuse"),
    ]


@pytest.mark.parametrize("action", ["tier", "suspend", "reinstate"])
@pytest.mark.parametrize("reason", ["", "  ", "ok", "x" * 201, "a\nb"])
def test_change_without_a_reason_is_rejected(latchkey: TestApp, action: str, reason: str) -> None:
    """Without a reason nothing is changed or recorded, and the page asks for a reason."""
    account = new_account()
    console, path = log_in_as(latchkey, new_account(name="Root", admin=True)), f"/admin/accounts/{account.id}"
    tokens = console.token_fields(path)
    page = console.send(f"{path}/{action}", {**tokens, "tier": "pro", "reason": reason})
    assert (page.status, page.problem) == (400, "Reason must be a text of 3 to 200 characters on one line.")
    after = Account.get(account.id)
    assert (after.tier, after.status) == ("free", "active")
    assert list(Event.scan(Event.type == kinds.STANDING_CHANGED)) == []


def test_unknown_tier_is_rejected(latchkey: TestApp) -> None:
    """A manipulated form with an unknown tier changes nothing."""
    account = new_account()
    console, path = log_in_as(latchkey, new_account(name="Root", admin=True)), f"/admin/accounts/{account.id}"
    page = console.submit(f"{path}/tier", on=path, tier="platinum", reason="Because")
    assert (page.status, page.problem) == (400, "Tier must be one of free, pro, enterprise.")


def test_change_and_its_event_are_one_transaction(latchkey: TestApp) -> None:
    """If the event can't be written, the change isn't made either."""
    account = new_account()
    with telemetry.record_calls() as calls:
        change.set_tier_and_status(account.id, tier=tiers.PRO, status=None, actor="operator", reason="Paid")
    # The invalidation mark needs a GetItem and an UpdateItem.
    writes = [operation for operation, _ in calls.made if operation not in ("GetItem", "UpdateItem")]
    assert writes == ["TransactWriteItems"]
    console, path = log_in_as(latchkey, new_account(name="Root", admin=True)), f"/admin/accounts/{account.id}"
    dynamodb.call("DeleteTable", {"TableName": settings.current().table("events")})
    tokens = console.token_fields()
    assert console.send(f"{path}/tier", {**tokens, "tier": "enterprise", "reason": "Paid"}).status == 500
    assert Account.get(account.id).tier == "pro"


def test_change_of_an_unknown_account_is_a_404_without_an_event(latchkey: TestApp) -> None:
    """A change of an unknown account is a 404 and records no event."""
    console = log_in_as(latchkey, new_account(name="Root", admin=True))
    tokens = console.token_fields()
    for account_id in ("acc_00000000000000000000", "nonsense"):
        page = console.send(f"/admin/accounts/{account_id}/suspend", {**tokens, "reason": "Because"})
        assert page.status == 404
    assert list(Event.scan(Event.type == kinds.STANDING_CHANGED)) == []


def test_accounts_are_ranked_by_rejected_and_by_admitted_requests(latchkey: TestApp) -> None:
    """One ranking counts the admitted requests of the last 24 hours, the other the rejected requests. Each shows the
    ten accounts with the most requests, and omits accounts without any.
    """
    latchkey.set_counters(new_account(name="Old").id, tiers.FREE, used=9_000, refused=9_000)
    latchkey.clock.forward(25 * 3_600)
    for number in range(12):
        account = new_account(name=f"N{number:02}", tier=tiers.PRO)
        latchkey.set_counters(account.id, tiers.PRO, used=1_000 + number)
        if number < 3:
            latchkey.set_counters(account.id, tiers.PRO, refused=9 - number)
    latchkey.clock.forward(3_600)
    page = log_in_as(latchkey, new_account(name="Root", admin=True)).open("/admin")
    rejected, busiest = rankings(page)
    assert rejected == [
        ("N00", "Pro", "1,000", "9"),
        ("N01", "Pro", "1,001", "8"),
        ("N02", "Pro", "1,002", "7"),
    ]
    assert [row[0] for row in busiest] == [f"N{number:02}" for number in range(11, 1, -1)]


def test_empty_rankings_say_so(latchkey: TestApp) -> None:
    """If there are no requests to rank, the page shows a sentence instead of a table."""
    page = log_in_as(latchkey, new_account(admin=True)).open("/admin")
    assert rankings(page) == []
    assert "No rejected requests." in page.text
    assert "No requests." in page.text


def test_accounts_are_listed_newest_first_in_pages(latchkey: TestApp) -> None:
    """The list shows 25 accounts a page, newest first, and contains each account once."""
    created = [new_account(name=f"N{number:02}") for number in range(60)]
    console = log_in_as(latchkey, new_account(name="Root", admin=True))
    seen: list[str] = []
    target = "/admin"
    while target:
        latchkey.clock.forward(1)
        page = console.open(target)
        seen += [row[0] for row in page.rows if row[1:] == ["Free", "2021-12-20", "Active"]]
        target = next((url for url in page.urls if "after=" in url), "")
    assert seen == ["Root", *(account.name for account in reversed(created))]


@pytest.mark.parametrize("typed", ["ada", "ADA", " ada.l"])
def test_accounts_are_found_by_the_beginning_of_an_email(latchkey: TestApp, typed: str) -> None:
    """The search by the beginning of an address uses an index, and returns the accounts of matching users only."""
    for email in ("ada.lovelace@example.com", "ada.lamarr@example.com", "grace@example.com", "ad@example.com"):
        new_account(email=email)
    console = log_in_as(latchkey, new_account(name="Root", email="root@example.com", admin=True))
    with telemetry.record_calls() as calls:
        page = console.open(f"/admin?find={typed.replace(' ', '+')}")
    assert page.status == 200
    assert [row[1] for row in page.rows[1:]] == ["ada.lamarr@example.com", "ada.lovelace@example.com"]
    assert not [call for call in calls.made if call[0] == "Scan"]
    assert page.value("/admin", "find") == typed.strip()


def test_search_results_have_pages(latchkey: TestApp) -> None:
    """The next page of search results continues the same search."""
    for number in range(30):
        new_account(email=f"ada{number:02}@example.com")
    console = log_in_as(latchkey, new_account(name="Root", email="root@example.com", admin=True))
    page = console.open("/admin?find=ada")
    following = console.open(next(url for url in page.urls if "after=" in url).replace("&amp;", "&"))
    assert [row[1] for row in following.rows[1:]] == [f"ada{number:02}@example.com" for number in range(25, 30)]


def test_search_lists_every_account_of_a_user(latchkey: TestApp) -> None:
    """An address with several accounts lists them all. A user without an account is listed, too, and suspended accounts
    are marked.
    """
    ada, grace = new_account(email="ada@example.com"), new_account(email="ada.gone@example.com")
    other = new_account(name="Bea")
    with models.transaction() as write:
        members.add_to(write, members.new(other.id, ada.user_id, "viewer"), ada.user)
    change.set_tier_and_status(other.id, tier=tiers.PRO, status="suspended", actor="operator")
    log_in_as(latchkey, grace).submit("/settings/account/delete", on="/settings/account", password=PASSWORD)
    console = log_in_as(latchkey, new_account(name="Root", admin=True))
    page = console.open("/admin?find=ada@example.com")
    assert sorted(row[:2] + row[-1:] for row in page.rows[1:]) == [
        ["Ada", "ada@example.com", "Active"],
        ["Bea", "ada@example.com", "Suspended"],
    ]
    assert sorted(row[:3] + row[-1:] for row in console.open("/admin?find=ada").rows[1:]) == [
        ["Ada", "ada@example.com", "Free", "Active"],
        ["Bea", "ada@example.com", "Pro", "Suspended"],
        ["No account", "ada.gone@example.com", "", ""],
    ]


def test_deleted_account_and_user_are_not_found(latchkey: TestApp) -> None:
    """A deleted account is neither in the list nor found by its id, and a deleted user isn't found by the address."""
    account = new_account(email="ada.gone@example.com", name="Gone")
    inside = log_in_as(latchkey, account)
    inside.submit("/settings/account/delete", on="/settings/account", password=PASSWORD)
    inside.submit("/settings/profile/delete", on="/settings/profile", password=PASSWORD)
    console = log_in_as(latchkey, new_account(name="Root", admin=True))
    assert [console.open(f"/admin?find={wanted}").status for wanted in ("ada.gone", account.id)] == [404, 404]
    assert console.open(f"/admin/accounts/{account.id}").status == 404
    assert "Gone" not in console.open("/admin").text


def test_admin_revokes_a_key_with_a_reason(latchkey: TestApp) -> None:
    """A key that an administrator revokes is rejected at the next request. Only administrators see who revoked it and
    why.
    """
    account, admin = new_account(), new_account(name="Root", admin=True)
    key, other = latchkey.key(account), latchkey.key(account)
    console, path = log_in_as(latchkey, admin), f"/admin/accounts/{account.id}"
    assert console.submit(f"{path}/keys/{key.key.id}/revoke", reason="x").status == 400
    page = console.submit(f"{path}/keys/{key.key.id}/revoke", reason="Found on a forum")
    assert console.follow(page).notice == "Key revoked. It stops working from the next request."
    assert error_of(latchkey.call("GET", "/v1/users/me", key.secret)) == (401, "invalid_api_key")
    assert latchkey.call("GET", "/v1/users/me", other.secret).status == 200
    (event,) = record.newest_first(account.id, 10, kind=kinds.KEY_REVOKED)
    assert (event.actor, event.reason, event.source_ip) == (admin.user_id, "Found on a forum", console.ip)
    shown = record.render(event)
    assert (shown["actor"], shown["reason"], shown["source_ip"]) == ("admin", None, None)


def test_events_of_an_account_are_shown_with_reasons_in_pages(latchkey: TestApp) -> None:
    """The page of an account lists all of its events with their reasons, not only changes of tier and status."""
    account, admin = new_account(), new_account(name="Root", admin=True)
    change.set_tier_and_status(account.id, tier=tiers.PRO, status=None, actor=admin.user_id, reason="Paid by invoice 7")
    for number in range(30):
        latchkey.clock.forward(1)
        change.rename(account.id, f"Ada {number}")
    console = log_in_as(latchkey, admin)
    page = console.open(f"/admin/accounts/{account.id}/events")
    assert len(page.rows) == 1 + 25
    older = console.open(next(url for url in page.urls if "before=" in url))
    assert "Paid by invoice 7" in older.text
