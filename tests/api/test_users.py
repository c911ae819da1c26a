"""The routes /v1/users, as documented for API consumers."""

from typing import Any

import pytest

from chalicelib.accounts import members, roles, self_service
from chalicelib.accounts.tables import Account, User
from chalicelib.core import clock
from chalicelib.credentials.issue import new_key, store_key
from tests.api.routes import ROUTES
from tests.support.console_client import CALLER, PASSWORD, hash_of
from tests.support.harness import AccountOfTest, TestApp, error_of


def admin_key(latchkey: TestApp, *scopes: str) -> str:
    """Return the secret of an admin's key."""
    return latchkey.key(latchkey.account(name="Root", admin=True), *(scopes or ("admin",))).secret


def with_password(account: AccountOfTest) -> AccountOfTest:
    """Set the password of an account's user."""
    account.user.update(actions=[User.password_hash.set(hash_of(PASSWORD))])
    return account.reload()


def test_own_record_is_complete(latchkey: TestApp) -> None:
    """Callers get their own user with the email, and with their role in the credential's account."""
    bea = latchkey.account(name="Bea")
    ada = latchkey.member(bea, "developer", name="Ada")
    response = latchkey.call("GET", "/v1/users/me", latchkey.key(ada).secret)
    assert response.status == 200
    assert response.json() == {
        "id": ada.user_id,
        "name": "Ada",
        "created_at": "2021-12-20T10:00:00Z",
        "email": ada.email,
        "account": bea.id,
        "role": "developer",
        "tier": "free",
        "status": "active",
    }
    assert latchkey.call("GET", f"/v1/users/{ada.user_id}", latchkey.key(ada).secret).json() == response.json()


def test_service_user_has_the_name_of_its_account(latchkey: TestApp) -> None:
    """A credential that belongs to no member acts as the account's service user, which can't be renamed or found."""
    ada = latchkey.account()
    service_user = roles.service_user_of(ada.id)
    issued = new_key(ada.id, service_user, name="Service", wanted=["read", "write"], expires_at=None, made_by=None)
    store_key(issued)
    shown = latchkey.call("GET", "/v1/users/me", issued.secret).json()
    assert (shown["id"], shown["name"], shown["email"], shown["account"]) == (service_user, "Ada", None, ada.id)
    assert latchkey.call("GET", f"/v1/users/{service_user}", issued.secret).json() == shown
    assert error_of(latchkey.call("PATCH", "/v1/users/me", issued.secret, json_body={"name": "Eve"}))[0] == 409
    assert latchkey.call("GET", f"/v1/users/{service_user}", latchkey.key(ada).secret).status == 404
    assert [user["id"] for user in latchkey.call("GET", "/v1/users", issued.secret).json()["data"]] == [ada.user_id]


def test_record_of_another_member_is_a_public_profile(latchkey: TestApp) -> None:
    """Other members of the account get id, name and creation time of a user, but not the email or the role."""
    ada = latchkey.account()
    bea = latchkey.member(ada, "viewer", name="Bea")
    response = latchkey.call("GET", f"/v1/users/{bea.user_id}", latchkey.key(ada).secret)
    assert response.json() == {"id": bea.user_id, "name": "Bea", "created_at": "2021-12-20T10:00:00Z"}


def test_users_of_other_accounts_are_not_found(latchkey: TestApp) -> None:
    """A user of another account gets the same 404 as an unknown one, even if the caller's user is a member of both."""
    ada, bea = latchkey.account(), latchkey.account(name="Bea")
    both = latchkey.member(bea, "admin")
    for caller in (ada, AccountOfTest(members.all_of(both.user)[-1])):
        response = latchkey.call("GET", f"/v1/users/{bea.user_id}", latchkey.key(caller).secret)
        assert caller.id != bea.id
        assert error_of(response) == (404, "not_found")
        assert response.json()["message"] == "There is no such user."
    assert latchkey.call("GET", f"/v1/users/{bea.user_id}", latchkey.key(both).secret).status == 200


@pytest.mark.parametrize("scopes", [("read", "admin"), ("read",)])
def test_record_by_id_is_complete_with_the_scope_admin(latchkey: TestApp, scopes: tuple[str, ...]) -> None:
    """A key with the scope `admin` gets the complete record of any user; without it, the user isn't found."""
    other = latchkey.account(name="Bea", email="bea@example.com")
    shown = latchkey.call("GET", f"/v1/users/{other.user_id}", admin_key(latchkey, *scopes)).json()
    if "admin" in scopes:
        assert (shown["email"], shown["account"], shown["role"]) == ("bea@example.com", other.id, "owner")
    else:
        assert shown["error"] == "not_found"


def test_admin_gets_the_record_of_a_user_without_an_account(latchkey: TestApp) -> None:
    """For a user who belongs to no account, account, role, tier and status are null."""
    bea = latchkey.account(name="Bea", email="bea@example.com")
    self_service.delete_account(with_password(bea).membership, caller=CALLER, password=PASSWORD)
    response = latchkey.call("GET", f"/v1/users/{bea.user_id}", admin_key(latchkey, "read", "admin"))
    assert response.json() == {
        "id": bea.user_id,
        "name": "Bea",
        "created_at": "2021-12-20T10:00:00Z",
        "email": "bea@example.com",
        **dict.fromkeys(("account", "role", "tier", "status")),
    }


@pytest.mark.parametrize("user_id", ["123", "usr_00000000000000000000", "acc_00000000000000000000", "%00", "ME", "-"])
def test_unknown_user_is_a_404(latchkey: TestApp, user_id: str) -> None:
    """An unknown id and a malformed id get the same 404."""
    response = latchkey.call("GET", f"/v1/users/{user_id}", latchkey.key(latchkey.account()).secret)
    assert error_of(response) == (404, "not_found")
    assert response.json()["message"] == "There is no such user."


def test_users_are_listed_page_by_page(latchkey: TestApp) -> None:
    """Following the cursor returns every user of the account once, oldest first; the last page contains no cursor."""
    ada = latchkey.account()
    latchkey.account(name="Eve")
    made = [ada.user_id]
    for number in range(7):
        latchkey.clock.forward(1)
        made.append(latchkey.member(ada, "viewer", name=f"N{number}").user_id)
    secret = latchkey.key(ada).secret
    seen, target, pages = [], "/v1/users?limit=3", 0
    while target:
        response = latchkey.call("GET", target, secret)
        page: dict[str, Any] = response.json()
        seen += [user["id"] for user in page["data"]]
        pages += 1
        cursor, link = page["next_cursor"], response.header("Link")
        target = f"/v1/users?limit=3&cursor={cursor}" if cursor else ""
        assert link == (f'<https://api.example.com{target}>; rel="next"' if cursor else None)
    assert (seen, pages) == (made, 3)


def test_admins_list_the_users_of_all_accounts(latchkey: TestApp) -> None:
    """A key with the scope `admin` lists every user, and another key of an admin those of its account."""
    root, ada = latchkey.account(name="Root", admin=True), latchkey.account()
    latchkey.clock.forward(1)
    member = latchkey.member(root, "viewer")

    def listed(*scopes: str) -> list[str]:
        users = latchkey.call("GET", "/v1/users", latchkey.key(root, *scopes).secret).json()["data"]
        return [user["id"] for user in users]

    assert sorted(listed("read", "admin")) == sorted([root.user_id, ada.user_id, member.user_id])
    assert listed("read") == [root.user_id, member.user_id]


def test_exactly_full_last_page_has_no_cursor(latchkey: TestApp) -> None:
    """A last page that is exactly full contains no cursor."""
    ada = latchkey.account()
    secret = latchkey.key(ada).secret
    latchkey.member(ada, "viewer")
    assert latchkey.call("GET", "/v1/users?limit=2", secret).json()["next_cursor"] is None


def test_page_has_fifty_items_by_default(latchkey: TestApp) -> None:
    """A page has 50 items by default and 100 at most."""
    ada = latchkey.account()
    secret = latchkey.key(ada).secret
    for number in range(55):
        latchkey.member(ada, "viewer", name=f"N{number}")
    assert len(latchkey.call("GET", "/v1/users", secret).json()["data"]) == 50
    assert len(latchkey.call("GET", "/v1/users?limit=100", secret).json()["data"]) == 56


def test_listed_profiles_are_public(latchkey: TestApp) -> None:
    """The list of users contains no email, not even the caller's own."""
    listed = latchkey.call("GET", "/v1/users", latchkey.key(latchkey.account()).secret).json()["data"]
    assert [user.keys() for user in listed] == [{"id", "name", "created_at"}]


def test_caller_renames_its_user(latchkey: TestApp) -> None:
    """A new name is stored and returned without surrounding spaces."""
    secret = latchkey.key(latchkey.account()).secret
    assert latchkey.call("PATCH", "/v1/users/me", secret, json_body={"name": "  Ada Lovelace "}).json()["name"] == (
        "Ada Lovelace"
    )
    assert latchkey.call("GET", "/v1/users/me", secret).json()["name"] == "Ada Lovelace"
    assert [each.name for each in Account.scan()] == ["Ada"]


@pytest.mark.parametrize("field", ["email", "tier", "status", "admin", "id", "account", "role"])
def test_caller_can_change_only_its_name(latchkey: TestApp, field: str) -> None:
    """Callers can't change their email, id or admin flag, nor the tier or status of their account."""
    secret = latchkey.key(latchkey.account()).secret
    response = latchkey.call("PATCH", "/v1/users/me", secret, json_body={"name": "Ada", field: "pro"})
    assert error_of(response) == (400, "invalid_request")
    assert field in response.json()["message"]


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
    assert shown == "2021-12-20T11:01:01Z" == clock.iso(account.user.created_at)
