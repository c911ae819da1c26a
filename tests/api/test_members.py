"""/v1/members, /v1/invitations and /v1/accounts."""

import pytest

from chalicelib.accounts import roles
from chalicelib.accounts.tables import User
from chalicelib.core import settings
from chalicelib.credentials.find import owned_key
from tests.support.console_client import ConsoleClient
from tests.support.harness import AccountOfTest, TestApp, error_of

SCOPES = ("read", "members")


def member_id(account: AccountOfTest) -> str:
    return account.membership.id


def test_members_are_listed_in_pages(latchkey: TestApp) -> None:
    owner = latchkey.account()
    others = [latchkey.member(owner, roles.VIEWER, name=f"Member{number}") for number in range(4)]
    secret = latchkey.key(owner, *SCOPES).secret
    seen: list[str] = []
    target = "/v1/members?limit=2"
    while target:
        page = latchkey.call("GET", target, secret).json()
        seen += [row["user_id"] for row in page["data"]]
        target = f"/v1/members?limit=2&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    assert seen == sorted(each.user_id for each in (owner, *others))


def test_invitations_are_not_members_and_members_no_invitations(latchkey: TestApp) -> None:
    owner = latchkey.account()
    secret = latchkey.key(owner, *SCOPES).secret
    made = latchkey.call("POST", "/v1/invitations", secret, json_body={"email": "new@example.com", "role": "viewer"})
    assert made.status == 201
    invited = made.json()
    assert [row["user_id"] for row in latchkey.call("GET", "/v1/members", secret).json()["data"]] == [owner.user_id]
    (listed,) = latchkey.call("GET", "/v1/invitations", secret).json()["data"]
    assert listed == {name: value for name, value in invited.items() if name != "accept_url"}
    assert invited["invited_by"] == owner.user_id
    assert latchkey.call("GET", f"/v1/invitations/{invited['id']}", secret).json() == listed
    assert latchkey.call("DELETE", f"/v1/invitations/{invited['id']}", secret).status == 204
    assert latchkey.call("GET", "/v1/invitations", secret).json()["data"] == []
    assert error_of(latchkey.call("DELETE", f"/v1/invitations/{invited['id']}", secret)) == (404, "not_found")


def test_without_email_the_link_is_in_the_response(latchkey: TestApp) -> None:
    owner, grace = latchkey.account(), latchkey.account(email="grace@example.com")
    secret = latchkey.key(owner, *SCOPES).secret
    body = {"email": "grace@example.com", "role": "developer"}
    url = latchkey.call("POST", "/v1/invitations", secret, json_body=body).json()["accept_url"]
    assert settings.current().mail_from == ""
    page = ConsoleClient(latchkey).open(url.partition("example.com")[2])
    assert (page.status, "Join “Ada”" in page.text) == (200, True)
    assert owner.id not in User.get(grace.user_id).account_ids


def test_a_repeated_request_sends_no_second_invitation(latchkey: TestApp) -> None:
    secret = latchkey.key(latchkey.account(), *SCOPES).secret
    body = {"email": "new@example.com", "role": "viewer"}
    headers = {"Idempotency-Key": "one"}
    first, second = (
        latchkey.call("POST", "/v1/invitations", secret, json_body=body, headers=headers) for _ in range(2)
    )
    assert second.json() == first.json()


def test_a_role_is_changed_and_a_member_removed(latchkey: TestApp) -> None:
    owner = latchkey.account()
    member = latchkey.member(owner, roles.VIEWER)
    secret = latchkey.key(owner, *SCOPES).secret
    path = f"/v1/members/{member_id(member)}"
    assert latchkey.call("GET", path, secret).json()["role"] == "viewer"
    assert latchkey.call("PATCH", path, secret, json_body={"role": "developer"}).json()["role"] == "developer"
    assert latchkey.call("DELETE", path, secret).status == 204
    assert error_of(latchkey.call("GET", path, secret)) == (404, "not_found")


@pytest.mark.parametrize(("query", "state"), [("", "revoked"), ("?keys=move", "live")])
def test_the_request_that_removes_a_member_ends_their_keys(latchkey: TestApp, query: str, state: str) -> None:
    """The keys are revoked or moved in the request, as in the console, and not a minute later."""
    owner = latchkey.account()
    member = latchkey.member(owner, roles.DEVELOPER)
    secret, issued = latchkey.key(owner, *SCOPES).secret, latchkey.key(member)
    assert latchkey.call("DELETE", f"/v1/members/{member_id(member)}{query}", secret).status == 204
    assert owned_key(owner.id, issued.key.id).state == state


def test_the_last_owner_is_a_conflict(latchkey: TestApp) -> None:
    owner = latchkey.account()
    secret = latchkey.key(owner, *SCOPES).secret
    path = f"/v1/members/{member_id(owner)}"
    assert error_of(latchkey.call("PATCH", path, secret, json_body={"role": "admin"})) == (409, "conflict")
    assert error_of(latchkey.call("DELETE", path, secret)) == (409, "conflict")


def test_a_role_above_ones_own_is_refused(latchkey: TestApp) -> None:
    owner = latchkey.account()
    admin = latchkey.member(owner, roles.ADMIN)
    secret = latchkey.key(admin, *SCOPES).secret
    refused = (403, "insufficient_role")
    body = {"email": "new@example.com", "role": "owner"}
    assert error_of(latchkey.call("POST", "/v1/invitations", secret, json_body=body)) == refused
    own, above = f"/v1/members/{member_id(admin)}", f"/v1/members/{member_id(owner)}"
    assert error_of(latchkey.call("PATCH", own, secret, json_body={"role": "owner"})) == refused
    assert error_of(latchkey.call("PATCH", above, secret, json_body={"role": "viewer"})) == refused
    assert error_of(latchkey.call("DELETE", above, secret)) == refused


@pytest.mark.parametrize(("choice", "status"), [("revoke", 401), ("move", 200)])
def test_the_caller_chooses_what_happens_to_the_keys(latchkey: TestApp, choice: str, status: int) -> None:
    owner = latchkey.account()
    member = latchkey.member(owner, roles.DEVELOPER)
    key, secret = latchkey.key(member, "read").secret, latchkey.key(owner, *SCOPES).secret
    assert latchkey.call("DELETE", f"/v1/members/{member_id(member)}?keys={choice}", secret).status == 204
    assert latchkey.call("GET", "/v1/users/me", key).status == status


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("POST", "/v1/invitations", {"email": "rubbish", "role": "viewer"}),
        ("POST", "/v1/invitations", {"email": "a@example.com", "role": "king"}),
        ("POST", "/v1/invitations", {"email": "a@example.com"}),
        ("PATCH", "/v1/members/{id}", {"role": "king"}),
        ("DELETE", "/v1/members/{id}?keys=keep", None),
        ("GET", "/v1/members?limit=0", None),
        ("GET", "/v1/members?cursor=rubbish", None),
    ],
)
def test_bad_input_is_named(latchkey: TestApp, method: str, target: str, body: dict[str, str] | None) -> None:
    owner = latchkey.account()
    secret = latchkey.key(owner, *SCOPES).secret
    response = latchkey.call(method, target.format(id=member_id(owner)), secret, json_body=body)
    assert error_of(response) == (400, "invalid_request")


def test_an_account_sees_itself_and_an_admin_all(latchkey: TestApp) -> None:
    own, other, root = latchkey.account(), latchkey.account(name="Eve"), latchkey.account(name="Root", admin=True)
    secret, admin = latchkey.key(own, "read").secret, latchkey.key(root, "read", "admin").secret
    assert latchkey.call("GET", f"/v1/accounts/{own.id}", secret).json()["name"] == "Ada"
    assert error_of(latchkey.call("GET", f"/v1/accounts/{other.id}", secret)) == (404, "not_found")
    assert latchkey.call("GET", f"/v1/accounts/{other.id}", admin).json()["id"] == other.id


def test_a_token_in_a_client_s_own_name_acts_as_the_service_user(latchkey: TestApp) -> None:
    account = latchkey.account()
    service = latchkey.service(account)
    secret = latchkey.key(service, "read", "write").secret
    me = latchkey.call("GET", "/v1/users/me", secret).json()
    assert (me["id"], me["email"], me["account"], me["role"]) == (service.user_id, None, account.id, roles.ADMIN)
    assert latchkey.call("GET", f"/v1/users/{service.user_id}", secret).json() == me
    assert error_of(latchkey.call("PATCH", "/v1/users/me", secret, json_body={"name": "Bot"})) == (409, "conflict")


def test_the_error_says_when_the_role_and_not_the_key_lacks_the_scope(latchkey: TestApp) -> None:
    owner = latchkey.account()
    viewer, lacking = latchkey.member(owner, roles.VIEWER), latchkey.key(owner, "read").secret
    secret = latchkey.key(viewer, "read", "keys").secret
    message = "This request needs a credential with the scope keys."
    assert latchkey.call("GET", "/v1/keys", lacking).json()["message"] == message
    assert latchkey.call("GET", "/v1/keys", secret).json()["message"] == f"{message} The role viewer doesn't allow it."
