"""The routes /v1/users, as documented for API consumers."""

from typing import Any

import pytest

from chalicelib.accounts import find
from chalicelib.accounts.tables import Account, EmailClaim, OneTimeToken
from chalicelib.core import clock, secrets
from chalicelib.limits import stale_marks, tiers
from tests.api.routes import ROUTES
from tests.support.console_client import log_in_as, new_account
from tests.support.harness import START_MS, TestApp, error_of


def admin_key(latchkey: TestApp, *scopes: str) -> str:
    """Return the secret of an admin's key."""
    return latchkey.key(latchkey.account(name="Root", admin=True), *(scopes or ("admin",))).secret


def test_own_record_is_complete(latchkey: TestApp) -> None:
    """Callers get email, tier and status of their own account."""
    account = latchkey.account(email="ada@example.com")
    response = latchkey.call("GET", "/v1/users/me", latchkey.key(account).secret)
    assert response.status == 200
    assert response.json() == {
        "id": account.id,
        "name": "Ada",
        "created_at": "2021-12-20T10:00:00Z",
        "email": "ada@example.com",
        "tier": "free",
        "status": "active",
    }


def test_record_of_another_account_is_a_public_profile(latchkey: TestApp) -> None:
    """Id, name and creation time of another account are public; email, tier and status aren't."""
    other = latchkey.account(name="Bea")
    response = latchkey.call("GET", f"/v1/users/{other.id}", latchkey.key(latchkey.account()).secret)
    assert response.json() == {"id": other.id, "name": "Bea", "created_at": "2021-12-20T10:00:00Z"}


@pytest.mark.parametrize("scopes", [("read", "admin"), ("read",)])
def test_record_by_id_is_complete_with_the_scope_admin(latchkey: TestApp, scopes: tuple[str, ...]) -> None:
    """A key with the scope `admin` gets the complete record, and any other key the public profile."""
    other = latchkey.account(name="Bea", email="bea@example.com")
    response = latchkey.call("GET", f"/v1/users/{other.id}", admin_key(latchkey, *scopes))
    assert response.json().get("email") == ("bea@example.com" if "admin" in scopes else None)


@pytest.mark.parametrize("user_id", ["123", "acc_00000000000000000000", "key_00000000000000000000", "%00", "ME", "-"])
def test_unknown_user_is_a_404(latchkey: TestApp, user_id: str) -> None:
    """An unknown id and a malformed id get the same 404."""
    response = latchkey.call("GET", f"/v1/users/{user_id}", latchkey.key(latchkey.account()).secret)
    assert error_of(response) == (404, "not_found")
    assert response.json()["message"] == "There is no such user."


def test_users_are_listed_page_by_page(latchkey: TestApp) -> None:
    """Following the cursor returns every account once, oldest first, and the last page contains no cursor."""
    made = []
    for number in range(7):
        made.append(latchkey.account(name=f"N{number}").id)
        latchkey.clock.forward(1)
    secret = latchkey.key(latchkey.account(name="Last")).secret
    seen, target, pages = [], "/v1/users?limit=3", 0
    while target:
        response = latchkey.call("GET", target, secret)
        page: dict[str, Any] = response.json()
        seen += [user["id"] for user in page["data"]]
        pages += 1
        cursor, link = page["next_cursor"], response.header("Link")
        target = f"/v1/users?limit=3&cursor={cursor}" if cursor else ""
        assert link == (f'<https://api.example.com{target}>; rel="next"' if cursor else None)
    assert seen[:7] == made
    assert (len(seen), pages) == (8, 3)


def test_exactly_full_last_page_has_no_cursor(latchkey: TestApp) -> None:
    """A last page that is exactly full contains no cursor."""
    secret = latchkey.key(latchkey.account()).secret
    latchkey.account(name="Bea")
    assert latchkey.call("GET", "/v1/users?limit=2", secret).json()["next_cursor"] is None


def test_page_has_fifty_items_by_default(latchkey: TestApp) -> None:
    """A page has 50 items by default and 100 at most."""
    secret = latchkey.key(latchkey.account()).secret
    for number in range(55):
        latchkey.account(name=f"N{number}")
    assert len(latchkey.call("GET", "/v1/users", secret).json()["data"]) == 50
    assert len(latchkey.call("GET", "/v1/users?limit=100", secret).json()["data"]) == 56


def test_listed_profiles_are_public(latchkey: TestApp) -> None:
    """The list of users contains no email, not even the caller's own."""
    listed = latchkey.call("GET", "/v1/users", latchkey.key(latchkey.account()).secret).json()["data"]
    assert [user.keys() for user in listed] == [{"id", "name", "created_at"}]


def test_caller_renames_its_account(latchkey: TestApp) -> None:
    """A new name is stored and returned without surrounding spaces."""
    secret = latchkey.key(latchkey.account()).secret
    assert latchkey.call("PATCH", "/v1/users/me", secret, json_body={"name": "  Ada Lovelace "}).json()["name"] == (
        "Ada Lovelace"
    )
    assert latchkey.call("GET", "/v1/users/me", secret).json()["name"] == "Ada Lovelace"


@pytest.mark.parametrize("field", ["email", "tier", "status", "admin", "id"])
def test_caller_can_change_only_its_name(latchkey: TestApp, field: str) -> None:
    """Callers can't change the email, tier, status, id or admin flag of their account."""
    secret = latchkey.key(latchkey.account()).secret
    response = latchkey.call("PATCH", "/v1/users/me", secret, json_body={"name": "Ada", field: "pro"})
    assert error_of(response) == (400, "invalid_request")
    assert field in response.json()["message"]


def test_admin_creates_an_account(latchkey: TestApp) -> None:
    """A new account has the free tier unless another is requested, and a normalized email."""
    response = latchkey.call(
        "POST", "/v1/users", admin_key(latchkey), json_body={"email": " Bea@Example.COM", "name": "Bea"}
    )
    made = response.json()
    assert response.status == 201
    assert (made["email"], made["tier"], made["status"]) == ("bea@example.com", "free", "active")
    assert response.header("Location") == f"https://api.example.com/v1/users/{made['id']}"
    assert response.header("Cache-Control") == "no-store"
    assert Account.get(made["id"]).admin is False
    assert EmailClaim.get("bea@example.com").account_id == made["id"]


def test_password_link_is_stored_by_digest_for_an_hour(latchkey: TestApp) -> None:
    """The table stores only the digest of the link to set a password, which expires in an hour."""
    made = latchkey.call(
        "POST", "/v1/users", admin_key(latchkey), json_body={"email": "b@example.com", "name": "B"}
    ).json()
    base, _, secret = made["set_password_url"].partition("?ticket=")
    ticket = OneTimeToken.get(secrets.digest(secret))
    assert base == "https://api.example.com/password"
    assert (ticket.account_id, ticket.purpose, ticket.expires_at) == (made["id"], "set_password", START_MS + 3_600_000)


@pytest.mark.parametrize("spelling", ["bea@example.com", "BEA@example.com", " bea@EXAMPLE.com ", "bea@ｅxample.com"])
def test_email_in_use_is_a_conflict(latchkey: TestApp, spelling: str) -> None:
    """An email of an existing account is a 409 in any spelling, and nothing is created."""
    secret = admin_key(latchkey)
    latchkey.account(email="bea@example.com")
    before = Account.count()
    response = latchkey.call("POST", "/v1/users", secret, json_body={"email": spelling, "name": "Bea"})
    assert error_of(response) == (409, "conflict")
    assert Account.count() == before


def test_admin_changes_tier_and_status(latchkey: TestApp) -> None:
    """An admin can change tier, status or both; a field that is absent stays unchanged."""
    secret, other = admin_key(latchkey), latchkey.account(name="Bea")

    def change(**fields: str) -> tuple[str, str]:
        changed = latchkey.call("PATCH", f"/v1/users/{other.id}", secret, json_body=fields).json()
        return changed["tier"], changed["status"]

    assert change(tier="pro") == ("pro", "active")
    assert change(status="suspended") == ("pro", "suspended")
    assert change(tier="enterprise", status="active") == ("enterprise", "active")


def test_admin_cannot_suspend_its_own_account(latchkey: TestApp) -> None:
    """Suspending one's own account is a 409 in the API and in the console, and changes nothing."""
    admin = new_account(admin=True)
    secret = latchkey.key(admin, "admin").secret
    response = latchkey.call("PATCH", f"/v1/users/{admin.id}", secret, json_body={"status": "suspended"})
    assert error_of(response) == (409, "conflict")
    path = f"/admin/accounts/{admin.id}"
    console = log_in_as(latchkey, admin)
    assert f"{path}/suspend" not in console.open(path).urls
    assert console.open(f"{path}/suspend").status == 409
    csrf = console.open("/settings/account").value("/settings/account/name", "csrf")
    page = console.send(f"{path}/suspend", {"csrf": csrf, "reason": "Oops"})
    assert (page.status, "your own account" in page.text) == (409, True)
    assert find.account_by_id(admin.id).status == "active"


def test_suspended_account_is_rejected_at_the_next_request(latchkey: TestApp) -> None:
    """A suspended account's key is rejected at the next request, despite the cached policy."""
    secret, other = admin_key(latchkey), latchkey.account(name="Bea")
    theirs = latchkey.key(other).secret
    assert latchkey.call("GET", "/v1/users/me", theirs).status == 200
    latchkey.call("PATCH", f"/v1/users/{other.id}", secret, json_body={"status": "suspended"})
    assert error_of(latchkey.call("GET", "/v1/users/me", theirs)) == (401, "invalid_api_key")


def test_reinstated_account_works_at_the_next_request(latchkey: TestApp) -> None:
    """A reinstated account's key works at the next request if API Gateway still caches its Allow policy."""
    secret, other = admin_key(latchkey), latchkey.account(name="Bea")
    theirs = latchkey.key(other).secret
    latchkey.call("GET", "/v1/users/me", theirs)
    for status in ("suspended", "active"):
        latchkey.call("PATCH", f"/v1/users/{other.id}", secret, json_body={"status": status})
    assert latchkey.call("GET", "/v1/users/me", theirs).status == 200


def test_cached_deny_lasts_five_minutes(latchkey: TestApp) -> None:
    """A Deny policy that API Gateway caches lasts 300 s, even after a reinstatement."""
    secret, other = admin_key(latchkey), latchkey.account(name="Bea")
    theirs = latchkey.key(other).secret
    latchkey.call("PATCH", f"/v1/users/{other.id}", secret, json_body={"status": "suspended"})
    assert latchkey.call("GET", "/v1/users/me", theirs).status == 401
    latchkey.call("PATCH", f"/v1/users/{other.id}", secret, json_body={"status": "active"})
    latchkey.clock.forward(299)
    assert latchkey.call("GET", "/v1/users/me", theirs).status == 401
    latchkey.clock.forward(1)
    assert latchkey.call("GET", "/v1/users/me", theirs).status == 200


def test_new_tier_applies_at_the_next_request(latchkey: TestApp) -> None:
    """An upgraded account has its new quota at the next request."""
    secret, other = admin_key(latchkey), latchkey.account(name="Bea")
    theirs = latchkey.key(other).secret
    latchkey.call("GET", "/v1/users/me", theirs)
    latchkey.set_counters(other.id, tiers.FREE, used=1000)
    latchkey.call("PATCH", f"/v1/users/{other.id}", secret, json_body={"tier": "pro"})
    response = latchkey.call("GET", "/v1/users/me", theirs)
    assert (response.status, response.header("X-RateLimit-Limit"), response.header("X-RateLimit-Remaining")) == (
        200,
        "10000",
        "9999",
    )


def test_former_admin_loses_the_scope_at_the_next_request(latchkey: TestApp) -> None:
    """A key loses the scope `admin` at the next request after its account loses the admin flag."""
    root = latchkey.account(name="Root", admin=True)
    secret = latchkey.key(root, "read", "admin").secret
    other = latchkey.account(name="Bea")
    assert latchkey.call("PATCH", f"/v1/users/{other.id}", secret, json_body={"tier": "pro"}).status == 200
    root.update(actions=[Account.admin.set(False)])
    stale_marks.mark(root.id)
    response = latchkey.call("PATCH", f"/v1/users/{other.id}", secret, json_body={"tier": "free"})
    assert error_of(response) == (403, "insufficient_scope")


@pytest.mark.parametrize("user_id", ["acc_00000000000000000000", "nobody"])
def test_change_of_an_unknown_user_creates_nothing(latchkey: TestApp, user_id: str) -> None:
    """Changing an unknown user is a 404 and creates nothing."""
    response = latchkey.call("PATCH", f"/v1/users/{user_id}", admin_key(latchkey), json_body={"tier": "pro"})
    assert error_of(response) == (404, "not_found")
    assert Account.count() == 1


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "email is missing"),
        ({"email": "b@example.com"}, "name is missing"),
        ({"email": "b", "name": "B"}, "email must"),
        ({"email": "b@example.com", "name": ""}, "name must"),
        ({"email": "b@example.com", "name": "B" * 101}, "name must"),
        ({"email": "b@example.com", "name": "B\x00"}, "name must"),
        ({"email": "b@example.com", "name": ["B"]}, "name must"),
        ({"email": 7, "name": "B"}, "email must"),
        ({"email": "b@example.com", "name": "B", "tier": "anonymous"}, "tier must be one of free, pro, enterprise"),
        ({"email": "b@example.com", "name": "B", "tier": None}, "tier must"),
        ({"email": "b@example.com", "name": "B", "admin": True}, "'admin'"),
    ],
)
def test_invalid_new_account_is_rejected_by_field(latchkey: TestApp, body: object, named: str) -> None:
    """The message for an invalid new account names the field and its allowed values, and nothing is created."""
    response = latchkey.call("POST", "/v1/users", admin_key(latchkey), json_body=body)
    assert error_of(response) == (400, "invalid_request")
    assert named in response.json()["message"]
    assert Account.count() == 1


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "Give tier, status or both."),
        ({"tier": "gold"}, "tier must"),
        ({"status": "deleted"}, "status must"),
        ({"tier": None}, "tier must"),
        ({"admin": True}, "'admin'"),
    ],
)
def test_invalid_tier_or_status_is_rejected_by_field(latchkey: TestApp, body: object, named: str) -> None:
    """An unknown tier or status is a 400, and the API can't make an account an admin."""
    other = latchkey.account(name="Bea")
    response = latchkey.call("PATCH", f"/v1/users/{other.id}", admin_key(latchkey), json_body=body)
    assert error_of(response) == (400, "invalid_request")
    assert named in response.json()["message"]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=ten", "limit=", "limit=1.5", "limit=٣", "limit=-1"])
def test_limit_out_of_bounds_is_rejected(latchkey: TestApp, query: str) -> None:
    """The message for an invalid `limit` states the bounds."""
    response = latchkey.call("GET", f"/v1/users?{query}", latchkey.key(latchkey.account()).secret)
    assert error_of(response) == (400, "invalid_request")
    assert response.json()["message"] == "limit must be a whole number from 1 to 100."


@pytest.mark.parametrize("cursor", ["", "x", "YWNj", "a2V5XzAwMDAwMDAwMDAwMDAwMDAwMDAw", "%FF", "é", "=" * 50])
def test_foreign_cursor_is_rejected(latchkey: TestApp, cursor: str) -> None:
    """A cursor that this list didn't return is a 400."""
    response = latchkey.call("GET", f"/v1/users?cursor={cursor}", latchkey.key(latchkey.account()).secret)
    assert error_of(response) == (400, "invalid_request")
    assert "cursor must" in response.json()["message"]


def test_misspelt_parameter_is_rejected_by_name(latchkey: TestApp) -> None:
    """A misspelt parameter is a 400 that names it."""
    response = latchkey.call("GET", "/v1/users?limt=5", latchkey.key(latchkey.account()).secret)
    assert error_of(response) == (400, "invalid_request")
    assert response.json()["message"] == "Unknown parameter 'limt'; this request takes limit, cursor."


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
def test_unknown_parameter_is_rejected_by_every_route(latchkey: TestApp, method: str, path: str, scope: str) -> None:
    """Every route with a credential rejects an unknown parameter by name, even if it has no parameters."""
    secret = latchkey.key(latchkey.account(admin=True), scope).secret
    body: dict[str, str] | None = {} if method in ("POST", "PATCH") else None
    response = latchkey.call(method, f"{path.format(id='x')}?limt=5", secret, json_body=body)
    assert error_of(response) == (400, "invalid_request")
    assert "Unknown parameter 'limt'; this request takes" in response.json()["message"]


def test_creation_time_is_iso_8601_in_utc(latchkey: TestApp) -> None:
    """Creation times are ISO 8601 in UTC."""
    latchkey.clock.forward(3_661)
    account = latchkey.account()
    shown = latchkey.call("GET", "/v1/users/me", latchkey.key(account).secret).json()["created_at"]
    assert shown == "2021-12-20T11:01:01Z" == clock.iso(account.created_at)
