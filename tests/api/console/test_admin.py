"""Administration: for admins only, each change for a reason, and recorded with the change or not at all."""

import pytest

from chalicelib.accounts import change
from chalicelib.accounts.tables import Account
from chalicelib.core import settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.events import kinds, record
from chalicelib.events.tables import Event
from chalicelib.limits import tiers
from tests.api.console.places import FORMS, SHOWN, place
from tests.house import House, refusal
from tests.visitor import PASSWORD, Page, Visitor, logged_in, person

ADMIN = [route for route in (*SHOWN, *FORMS) if route.startswith("/admin")]


def rankings(page: Page) -> list[list[tuple[str, ...]]]:
    """Return the rows (address, tier, admitted, refused) of each ranking on the page, from top to bottom."""
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


def test_pages_of_admins_are_not_there_for_others(home: House) -> None:
    """Every page and form of them is the same 404 that a wrong address is, whoever's account it names."""
    somewhere = place(home)
    visitor = logged_in(home, person(name="Eve"))
    csrf = visitor.open("/settings/account").value("/settings/account/name", "csrf")
    assert len(ADMIN) >= 5
    for route in ADMIN:
        path = somewhere.path(route)
        page = (
            visitor.open(path)
            if route in SHOWN
            else visitor.send(path, {"csrf": csrf, "reason": "because", "tier": "pro"})
        )
        assert (page.status, page.heading) == (404, "Page not found"), route
        assert "/admin" not in page.urls
    assert list(Event.scan(Event.type == kinds.STANDING_CHANGED)) == []


def test_stranger_is_led_to_log_in(home: House) -> None:
    """Who isn't logged in learns nothing about who may what."""
    page = Visitor(home).open("/admin")
    assert page.location == "/login?next=%2Fadmin"


def test_admin_who_is_none_any_more_is_out_at_once(home: House) -> None:
    """The flag is read with every page."""
    account = person(admin=True)
    visitor = logged_in(home, account)
    assert visitor.open("/admin").status == 200
    account.update(actions=[Account.admin.set(False)])
    assert visitor.open("/admin").status == 404


@pytest.mark.parametrize("by", ["email", "spelled_email", "id"])
def test_account_is_found(home: House, by: str) -> None:
    """By its address in any spelling, or by its id."""
    account = person(email="ada@example.com")
    wanted = {"email": "ada@example.com", "spelled_email": "+ADA@Example.com+", "id": account.id}[by]
    visitor = logged_in(home, person(name="Root", admin=True))
    page = visitor.follow(visitor.open(f"/admin?find={wanted}"))
    assert (page.status, page.heading) == (200, "ada@example.com")


@pytest.mark.parametrize("wanted", ["nobody@example.com", "acc_00000000000000000000", "nonsense", "<b>"])
def test_account_that_is_not_found_is_said_to_be_none(home: House, wanted: str) -> None:
    """The field keeps what was typed."""
    page = logged_in(home, person(admin=True)).open(f"/admin?find={wanted}")
    assert (page.status, page.problem != "") == (404, True)
    assert page.value("/admin", "find") == wanted
    assert page.text.count("Names can") == 2


def test_account_is_shown_without_its_secrets(home: House) -> None:
    """Tier, state, keys by their hints, use, and what was done; neither a secret nor a hash stands in the page."""
    account = person(email="ada@example.com", tier=tiers.PRO)
    key = home.key(account)
    home.call("GET", "/v1/users/me", key.secret)
    page = logged_in(home, person(name="Root", admin=True)).open(f"/admin/accounts/{account.id}")
    for shown in (
        account.id,
        "Pro",
        "Active",
        "1 admitted, 0 refused",
        f"lk_test_…{key.secret[-4:]}",
        "Account created",
    ):
        assert shown in page.text, shown
    assert page.secrets == []
    assert "argon2" not in page.html
    assert key.key.digest not in page.html


def test_tier_is_set_for_a_reason(home: House) -> None:
    """From the next request on, and recorded with who did it and why."""
    account, admin = person(), person(name="Root", admin=True)
    key = home.key(account)
    home.call("GET", "/v1/limits", key.secret)
    visitor, path = logged_in(home, admin), f"/admin/accounts/{account.id}"
    page = visitor.submit(f"{path}/tier", on=path, tier="pro", reason=" Paid by invoice 7 ")
    assert page.location == f"{path}?done=standing"
    assert home.call("GET", "/v1/limits", key.secret).json()["tier"] == "pro"
    (event,) = record.newest_first(account.id, 10, kind=kinds.STANDING_CHANGED)
    assert (event.type, event.actor, event.reason) == ("account.standing_changed", admin.id, "Paid by invoice 7")
    assert (event.changed.attribute_values, event.at) == ({"tier": "pro"}, home.clock.now_ms)
    shown = visitor.follow(page)
    assert shown.notice == "The account is changed, from its next request on."
    by_type = {row[0]: row[1:] for row in shown.rows}
    moment = "2021-12-20 10:00 UTC"
    assert by_type["Tier or status changed"] == ["tier: Pro", moment, admin.id, visitor.ip, "Paid by invoice 7"]


def test_account_is_suspended_and_reinstated_for_a_reason(home: House) -> None:
    """Its keys and sessions stop and, when it is reinstated, the keys work again; both stand in the record."""
    account, admin = person(), person(name="Root", admin=True)
    key, inside = home.key(account), logged_in(home, account)
    assert home.call("GET", "/v1/users/me", key.secret).status == 200
    visitor, path = logged_in(home, admin), f"/admin/accounts/{account.id}"
    assert visitor.submit(f"{path}/suspend", on=path, reason="Abuse").status == 303
    assert refusal(home.call("GET", "/v1/users/me", key.secret)) == (401, "invalid_api_key")
    assert inside.open("/settings/keys").status == 303
    assert visitor.submit(f"{path}/reinstate", on=path, reason="A mistake").status == 303
    assert home.call("GET", "/v1/users/me", key.secret).status == 200
    events = record.newest_first(account.id, 10, kind=kinds.STANDING_CHANGED)
    assert sorted((event.changed.attribute_values["status"], event.reason) for event in events) == [
        ("active", "A mistake"),
        ("suspended", "Abuse"),
    ]


@pytest.mark.parametrize("deed", ["tier", "suspend", "reinstate"])
@pytest.mark.parametrize("reason", ["", "  ", "ok", "x" * 201, "a\nb"])
def test_change_without_a_reason_is_not_made(home: House, deed: str, reason: str) -> None:
    """The page asks for one; nothing has changed and nothing is recorded."""
    account = person()
    visitor, path = logged_in(home, person(name="Root", admin=True)), f"/admin/accounts/{account.id}"
    csrf = visitor.open(path).value(f"{path}/tier", "csrf")
    page = visitor.send(f"{path}/{deed}", {"csrf": csrf, "tier": "pro", "reason": reason})
    assert (page.status, page.problem) == (400, "Reason must be a text of 3 to 200 characters on one line.")
    after = Account.get(account.id)
    assert (after.tier, after.status) == ("free", "active")
    assert list(Event.scan(Event.type == kinds.STANDING_CHANGED)) == []


def test_unknown_tier_is_refused_in_words(home: House) -> None:
    """A form that was tampered with sets nothing."""
    account = person()
    visitor, path = logged_in(home, person(name="Root", admin=True)), f"/admin/accounts/{account.id}"
    page = visitor.submit(f"{path}/tier", on=path, tier="platinum", reason="Because")
    assert (page.status, page.problem) == (400, "Tier must be one of free, pro, enterprise.")


def test_change_and_its_record_are_one_transaction(home: House) -> None:
    """Neither can stand without the other: where the record can't be written, nothing changes."""
    account = person()
    with telemetry.calls_watched() as calls:
        change.set_standing(account.id, tier=tiers.PRO, status=None, actor="operator", reason="Paid")
    assert [operation for operation, _ in calls.made if operation != "UpdateItem"] == ["TransactWriteItems"]
    visitor, path = logged_in(home, person(name="Root", admin=True)), f"/admin/accounts/{account.id}"
    dynamodb.call("DeleteTable", {"TableName": settings.current().table("events")})
    csrf = visitor.open("/settings/account").value("/settings/account/name", "csrf")
    assert visitor.send(f"{path}/tier", {"csrf": csrf, "tier": "enterprise", "reason": "Paid"}).status == 500
    assert Account.get(account.id).tier == "pro"


def test_change_of_an_unknown_account_is_a_404_and_leaves_no_record(home: House) -> None:
    """An event is of an account that there is."""
    visitor = logged_in(home, person(name="Root", admin=True))
    csrf = visitor.open("/settings/account").value("/settings/account/name", "csrf")
    for account_id in ("acc_00000000000000000000", "nonsense"):
        page = visitor.send(f"/admin/accounts/{account_id}/suspend", {"csrf": csrf, "reason": "Because"})
        assert page.status == 404
    assert list(Event.scan(Event.type == kinds.STANDING_CHANGED)) == []


def test_accounts_are_ranked_by_refusals_and_by_use(home: House) -> None:
    """The last 24 hours, most first, ten of each; who did nothing, or did it earlier, is in neither."""
    home.counted(person(email="old@example.com").id, tiers.FREE, used=9_000, refused=9_000)
    home.clock.forward(25 * 3_600)
    for number in range(12):
        account = person(email=f"n{number:02}@example.com", tier=tiers.PRO)
        home.counted(account.id, tiers.PRO, used=1_000 + number)
        if number < 3:
            home.counted(account.id, tiers.PRO, refused=9 - number)
    home.clock.forward(3_600)
    page = logged_in(home, person(name="Root", admin=True)).open("/admin")
    refused, busiest = rankings(page)
    assert refused == [
        ("n00@example.com", "Pro", "1,000", "9"),
        ("n01@example.com", "Pro", "1,001", "8"),
        ("n02@example.com", "Pro", "1,002", "7"),
    ]
    assert [row[0] for row in busiest] == [f"n{number:02}@example.com" for number in range(11, 1, -1)]


def test_empty_rankings_say_so(home: House) -> None:
    """Nobody called, nobody was refused."""
    page = logged_in(home, person(admin=True)).open("/admin")
    assert rankings(page) == []
    assert "No request was rejected." in page.text
    assert "Nobody has called the API." in page.text


def test_accounts_are_listed_newest_first_in_pages(home: House) -> None:
    """Twenty-five on a page, each account once."""
    made = [person(email=f"n{number:02}@example.com") for number in range(60)]
    visitor = logged_in(home, person(name="Root", email="root@example.com", admin=True))
    seen: list[str] = []
    target = "/admin"
    while target:
        home.clock.forward(1)
        page = visitor.open(target)
        seen += [row[0] for row in page.rows if row[0].endswith("@example.com") and len(row) == 5]
        target = next((url for url in page.urls if "after=" in url), "")
    assert seen == ["root@example.com", *(account.email for account in reversed(made))]


@pytest.mark.parametrize("typed", ["ada", "ADA", " ada.l"])
def test_accounts_are_found_by_the_beginning_of_their_email(home: House, typed: str) -> None:
    """By an index, in pages, and those of others aren't among them."""
    for email in ("ada.lovelace@example.com", "ada.lamarr@example.com", "grace@example.com", "ad@example.com"):
        person(email=email)
    visitor = logged_in(home, person(name="Root", email="root@example.com", admin=True))
    with telemetry.calls_watched() as calls:
        page = visitor.open(f"/admin?find={typed.replace(' ', '+')}")
    assert page.status == 200
    assert [row[0] for row in page.rows[1:]] == ["ada.lamarr@example.com", "ada.lovelace@example.com"]
    assert ("Scan", "latchkey-test-accounts") not in calls.made
    assert page.value("/admin", "find") == typed.strip()


def test_found_accounts_have_pages(home: House) -> None:
    """The next page goes on with what was looked for."""
    for number in range(30):
        person(email=f"ada{number:02}@example.com")
    visitor = logged_in(home, person(name="Root", email="root@example.com", admin=True))
    page = visitor.open("/admin?find=ada")
    following = visitor.open(next(url for url in page.urls if "after=" in url).replace("&amp;", "&"))
    assert [row[0] for row in following.rows[1:]] == [f"ada{number:02}@example.com" for number in range(25, 30)]


def test_deleted_account_is_found_no_more(home: House) -> None:
    """Neither in the list nor by what its email began with."""
    account = person(email="ada.gone@example.com")
    logged_in(home, account).submit("/settings/account/delete", on="/settings/account", password=PASSWORD)
    visitor = logged_in(home, person(name="Root", admin=True))
    assert visitor.open("/admin?find=ada.gone").status == 404
    assert "ada.gone" not in visitor.open("/admin").text


def test_one_key_of_an_account_is_revoked_for_a_reason(home: House) -> None:
    """It stops at the next request; the event says who and why to administrators only."""
    account, admin = person(), person(name="Root", admin=True)
    key, other = home.key(account), home.key(account)
    visitor, path = logged_in(home, admin), f"/admin/accounts/{account.id}"
    assert visitor.submit(f"{path}/keys/{key.key.id}/revoke", reason="x").status == 400
    page = visitor.submit(f"{path}/keys/{key.key.id}/revoke", reason="Found on a forum")
    assert visitor.follow(page).notice == "The key is revoked. It stops working with the next request."
    assert refusal(home.call("GET", "/v1/users/me", key.secret)) == (401, "invalid_api_key")
    assert home.call("GET", "/v1/users/me", other.secret).status == 200
    (event,) = record.newest_first(account.id, 10, kind=kinds.KEY_REVOKED)
    assert (event.actor, event.reason, event.source_ip) == (admin.id, "Found on a forum", visitor.ip)
    shown = record.shown(event)
    assert (shown["actor"], shown["reason"], shown["source_ip"]) == ("admin", None, None)


def test_events_of_an_account_are_shown_with_reasons_in_pages(home: House) -> None:
    """All of them, not only changes of tier and status."""
    account, admin = person(), person(name="Root", admin=True)
    change.set_standing(account.id, tier=tiers.PRO, status=None, actor=admin.id, reason="Paid by invoice 7")
    for number in range(30):
        home.clock.forward(1)
        change.rename(account.id, f"Ada {number}")
    visitor = logged_in(home, admin)
    page = visitor.open(f"/admin/accounts/{account.id}/events")
    assert len(page.rows) == 1 + 25
    older = visitor.open(next(url for url in page.urls if "before=" in url))
    assert "Paid by invoice 7" in older.text
