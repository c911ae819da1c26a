"""The routes /v1/accounts, as documented for API consumers."""

import pytest

from chalicelib.accounts import create, find, invalidation, members
from chalicelib.accounts.tables import Account, EmailClaim, OneTimeToken, User
from chalicelib.core import secrets
from chalicelib.limits import tiers
from tests.support.console_client import log_in_as, new_account
from tests.support.harness import START_MS, AccountOfTest, TestApp, error_of


def admin_key(latchkey: TestApp, *scopes: str) -> str:
    """Return the secret of an admin's key."""
    return latchkey.key(latchkey.account(name="Root", admin=True), *(scopes or ("admin",))).secret


def test_admin_creates_an_account(latchkey: TestApp) -> None:
    """A new account has the free tier unless another is requested, and a normalized email."""
    response = latchkey.call(
        "POST", "/v1/accounts", admin_key(latchkey), json_body={"email": " Bea@Example.COM", "name": "Bea"}
    )
    made = response.json()
    owner = User.get(made["owner_id"])
    assert response.status == 201
    assert (made["name"], made["tier"], made["status"]) == ("Bea", "free", "active")
    assert response.header("Location") == f"https://api.example.com/v1/accounts/{made['id']}"
    assert response.header("Cache-Control") == "no-store"
    assert (owner.email, owner.admin, owner.account_ids) == ("bea@example.com", False, {made["id"]})
    assert EmailClaim.get("bea@example.com").user_id == owner.id
    assert members.find(owner, made["id"]).role == "owner"


def test_password_link_is_stored_by_digest_for_an_hour(latchkey: TestApp) -> None:
    """The table stores only the digest of the link to set a password, which expires in an hour."""
    made = latchkey.call(
        "POST", "/v1/accounts", admin_key(latchkey), json_body={"email": "b@example.com", "name": "B"}
    ).json()
    base, _, secret = made["set_password_url"].partition("?ticket=")
    ticket = OneTimeToken.get(secrets.digest(secret))
    assert base == "https://api.example.com/password"
    purpose, expires_at = "set_password", START_MS + 3_600_000
    assert (ticket.user_id, ticket.purpose, ticket.expires_at) == (made["owner_id"], purpose, expires_at)


@pytest.mark.parametrize("spelling", ["bea@example.com", "BEA@example.com", " bea@EXAMPLE.com ", "bea@ｅxample.com"])
def test_email_in_use_is_a_conflict(latchkey: TestApp, spelling: str) -> None:
    """An email of an existing user is a 409 in any spelling, and nothing is created."""
    secret = admin_key(latchkey)
    latchkey.account(email="bea@example.com")
    before = Account.count(), User.count()
    response = latchkey.call("POST", "/v1/accounts", secret, json_body={"email": spelling, "name": "Bea"})
    assert error_of(response) == (409, "conflict")
    assert (Account.count(), User.count()) == before


def test_caller_gets_its_own_account_only(latchkey: TestApp) -> None:
    """A caller gets its own account. Another account isn't found, not even by a user of both, nor by an admin's key
    without the scope `admin`.
    """
    ada, bea = latchkey.account(), latchkey.account(name="Bea")
    latchkey.clock.forward(1)
    both = latchkey.member(bea, "viewer")
    root = latchkey.account(name="Root", admin=True)
    own = latchkey.key(ada).secret
    assert latchkey.call("GET", f"/v1/accounts/{ada.id}", own).json() == {
        "id": ada.id,
        "name": "Ada",
        "created_at": "2021-12-20T10:00:00Z",
        "tier": "free",
        "status": "active",
    }
    (first,) = both.user.account_ids - {bea.id}
    elsewhere = latchkey.key(AccountOfTest(members.find(both.user, first))).secret
    for secret, account_id in ((own, bea.id), (elsewhere, bea.id), (latchkey.key(root, "read").secret, ada.id)):
        response = latchkey.call("GET", f"/v1/accounts/{account_id}", secret)
        assert error_of(response) == (404, "not_found")
        assert response.json()["message"] == "There is no such account."
    assert latchkey.call("GET", f"/v1/accounts/{bea.id}", latchkey.key(both, "read").secret).status == 200
    assert latchkey.call("GET", f"/v1/accounts/{ada.id}", latchkey.key(root, "read", "admin").secret).status == 200


@pytest.mark.parametrize("account_id", ["123", "usr_00000000000000000000", "acc_00000000000000000000", "%00", "me"])
def test_unknown_account_is_a_404(latchkey: TestApp, account_id: str) -> None:
    """An unknown id and a malformed id get the same 404, also for admins."""
    for secret in (latchkey.key(latchkey.account()).secret, admin_key(latchkey, "read", "admin")):
        response = latchkey.call("GET", f"/v1/accounts/{account_id}", secret)
        assert error_of(response) == (404, "not_found")
        assert response.json()["message"] == "There is no such account."


def test_admin_changes_tier_and_status(latchkey: TestApp) -> None:
    """An admin can change tier, status or both; a field that is absent stays unchanged."""
    secret, other = admin_key(latchkey), latchkey.account(name="Bea")

    def change(**fields: str) -> tuple[str, str]:
        changed = latchkey.call("PATCH", f"/v1/accounts/{other.id}", secret, json_body=fields).json()
        return changed["tier"], changed["status"]

    assert change(tier="pro") == ("pro", "active")
    assert change(status="suspended") == ("pro", "suspended")
    assert change(tier="enterprise", status="active") == ("enterprise", "active")


def test_admin_cannot_suspend_its_own_account(latchkey: TestApp) -> None:
    """Suspending any of one's own accounts is a 409 in the API and in the console, and changes nothing."""
    admin = new_account(admin=True)
    second = create.create_further_account(admin.user, name="Second", tier=tiers.FREE).account
    secret, console = latchkey.key(admin, "admin").secret, log_in_as(latchkey, admin)
    for account_id in (admin.id, second.id):
        response = latchkey.call("PATCH", f"/v1/accounts/{account_id}", secret, json_body={"status": "suspended"})
        assert error_of(response) == (409, "conflict")
        path = f"/admin/accounts/{account_id}"
        assert f"{path}/suspend" not in console.open(path).urls
        assert console.open(f"{path}/suspend").status == 409
        page = console.send(f"{path}/suspend", {**console.token_fields(), "reason": "Oops"})
        assert (page.status, "your own account" in page.text) == (409, True)
        assert find.account_by_id(account_id).status == "active"


def test_suspended_account_is_rejected_at_the_next_request(latchkey: TestApp) -> None:
    """A suspended account's key is rejected at the next request, despite the cached policy."""
    secret, other = admin_key(latchkey), latchkey.account(name="Bea")
    theirs = latchkey.key(other).secret
    assert latchkey.call("GET", "/v1/users/me", theirs).status == 200
    latchkey.call("PATCH", f"/v1/accounts/{other.id}", secret, json_body={"status": "suspended"})
    assert error_of(latchkey.call("GET", "/v1/users/me", theirs)) == (401, "invalid_api_key")


def test_reinstated_account_works_at_the_next_request(latchkey: TestApp) -> None:
    """A reinstated account's key works at the next request if API Gateway still caches its Allow policy."""
    secret, other = admin_key(latchkey), latchkey.account(name="Bea")
    theirs = latchkey.key(other).secret
    latchkey.call("GET", "/v1/users/me", theirs)
    for status in ("suspended", "active"):
        latchkey.call("PATCH", f"/v1/accounts/{other.id}", secret, json_body={"status": status})
    assert latchkey.call("GET", "/v1/users/me", theirs).status == 200


def test_cached_deny_lasts_five_minutes(latchkey: TestApp) -> None:
    """A Deny policy that API Gateway caches lasts 300 s, even after a reinstatement."""
    secret, other = admin_key(latchkey), latchkey.account(name="Bea")
    theirs = latchkey.key(other).secret
    latchkey.call("PATCH", f"/v1/accounts/{other.id}", secret, json_body={"status": "suspended"})
    assert latchkey.call("GET", "/v1/users/me", theirs).status == 401
    latchkey.call("PATCH", f"/v1/accounts/{other.id}", secret, json_body={"status": "active"})
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
    latchkey.call("PATCH", f"/v1/accounts/{other.id}", secret, json_body={"tier": "pro"})
    response = latchkey.call("GET", "/v1/users/me", theirs)
    assert (response.status, response.header("X-RateLimit-Limit"), response.header("X-RateLimit-Remaining")) == (
        200,
        "10000",
        "9999",
    )


def test_former_admin_loses_the_scope_at_the_next_request(latchkey: TestApp) -> None:
    """A key loses the scope `admin` at the next request after its user loses the admin flag."""
    root = latchkey.account(name="Root", admin=True)
    secret = latchkey.key(root, "read", "admin").secret
    other = latchkey.account(name="Bea")
    assert latchkey.call("PATCH", f"/v1/accounts/{other.id}", secret, json_body={"tier": "pro"}).status == 200
    root.user.update(actions=[User.admin.set(False)])
    invalidation.mark_user(root.user_id)
    response = latchkey.call("PATCH", f"/v1/accounts/{other.id}", secret, json_body={"tier": "free"})
    assert error_of(response) == (403, "insufficient_scope")


@pytest.mark.parametrize("account_id", ["acc_00000000000000000000", "usr_00000000000000000000", "nobody"])
def test_change_of_an_unknown_account_creates_nothing(latchkey: TestApp, account_id: str) -> None:
    """Changing an unknown account is a 404 and creates nothing."""
    response = latchkey.call("PATCH", f"/v1/accounts/{account_id}", admin_key(latchkey), json_body={"tier": "pro"})
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
    response = latchkey.call("POST", "/v1/accounts", admin_key(latchkey), json_body=body)
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
    response = latchkey.call("PATCH", f"/v1/accounts/{other.id}", admin_key(latchkey), json_body=body)
    assert error_of(response) == (400, "invalid_request")
    assert named in response.json()["message"]
