"""The routes /v1/keys, as documented for API consumers."""

from typing import Any

import pytest

from chalicelib.credentials.key_limit import LIVE_MAX
from tests.support.harness import TestApp, error_of

NOBODYS = "key_00000000000000000000"


def get_key(latchkey: TestApp, secret: str, key_id: str) -> dict[str, Any]:
    """Return a key as the API shows it."""
    shown: dict[str, Any] = latchkey.call("GET", f"/v1/keys/{key_id}", secret).json()
    return shown


def test_created_key_shows_its_secret_once(latchkey: TestApp) -> None:
    """The response that creates a key contains the key's secret, and no later response does."""
    secret = latchkey.key(latchkey.account()).secret
    response = latchkey.call("POST", "/v1/keys", secret, json_body={"name": " CI ", "scopes": ["write", "read"]})
    made = response.json()
    assert response.status == 201
    assert (made["name"], made["scopes"], made["state"], made["expires_at"]) == ("CI", ["read", "write"], "live", None)
    assert response.header("Location") == f"https://api.example.com/v1/keys/{made['id']}"
    assert response.header("Cache-Control") == "no-store"
    assert latchkey.call("GET", "/v1/users/me", made["secret"]).status == 200
    shown = get_key(latchkey, secret, made["id"])
    assert shown | {"secret": made["secret"]} == made | {"last_used_at": "2021-12-20T10:00:00Z"}
    assert "secret" not in shown
    assert made["secret"] not in latchkey.call("GET", "/v1/keys", secret).body.decode()


def test_created_key_has_no_more_scopes_than_its_creator(latchkey: TestApp) -> None:
    """A key can't create another key with a scope that the creating key lacks."""
    secret = latchkey.key(latchkey.account(), "read", "keys").secret
    response = latchkey.call("POST", "/v1/keys", secret, json_body={"name": "More", "scopes": ["read", "write"]})
    assert error_of(response) == (400, "invalid_request")
    assert "it doesn't have write" in response.json()["message"]


@pytest.mark.parametrize("scope", ["admin", "verify"])
def test_ordinary_account_cannot_create_an_admin_key(latchkey: TestApp, scope: str) -> None:
    """Only keys of admin accounts can have the scopes `admin` and `verify`."""
    secret = latchkey.key(latchkey.account()).secret
    response = latchkey.call("POST", "/v1/keys", secret, json_body={"name": "Root", "scopes": ["read", scope]})
    assert error_of(response) == (400, "invalid_request")


def test_admin_account_creates_an_admin_key(latchkey: TestApp) -> None:
    """A key with the scope `admin` can create another key with that scope."""
    secret = latchkey.key(latchkey.account(admin=True), "keys", "admin").secret
    response = latchkey.call("POST", "/v1/keys", secret, json_body={"name": "Root", "scopes": ["admin"]})
    assert (response.status, response.json()["scopes"]) == (201, ["admin"])


def test_created_key_expires_as_requested(latchkey: TestApp) -> None:
    """A created key expires `expires_in_s` seconds later, and is then rejected as `token_expired`."""
    secret = latchkey.key(latchkey.account()).secret
    body = {"name": "Brief", "scopes": ["read"], "expires_in_s": 60}
    made = latchkey.call("POST", "/v1/keys", secret, json_body=body).json()
    assert made["expires_at"] == "2021-12-20T10:01:00Z"
    assert latchkey.call("GET", "/v1/users/me", made["secret"]).status == 200
    latchkey.clock.forward(60)
    assert error_of(latchkey.call("GET", "/v1/users/me", made["secret"])) == (401, "token_expired")
    assert get_key(latchkey, secret, made["id"])["state"] == "expired"


def test_created_key_expires_no_later_than_its_creator(latchkey: TestApp) -> None:
    """A key can't create another key that expires later than itself."""
    secret = latchkey.key(latchkey.account(), expires_in_s=600).secret
    body = {"name": "Long", "scopes": ["read"], "expires_in_s": 601}
    assert error_of(latchkey.call("POST", "/v1/keys", secret, json_body=body)) == (400, "invalid_request")
    made = latchkey.call("POST", "/v1/keys", secret, json_body={"name": "Long", "scopes": ["read"]}).json()
    assert made["expires_at"] == "2021-12-20T10:10:00Z"


def test_twenty_first_key_is_a_conflict(latchkey: TestApp) -> None:
    """Creating a 21st active key is a 409 whose message states the limit."""
    account = latchkey.account()
    keys = [latchkey.key(account) for _ in range(LIVE_MAX)]
    response = latchkey.call("POST", "/v1/keys", keys[0].secret, json_body={"name": "More", "scopes": ["read"]})
    assert error_of(response) == (409, "conflict")
    assert "at most 20 active keys" in response.json()["message"]


def test_keys_are_listed_page_by_page(latchkey: TestApp) -> None:
    """Following the cursor lists every key of the account once, oldest first, and no other account's."""
    account = latchkey.account()
    latchkey.key(latchkey.account(name="Bea"))
    made = []
    for _ in range(5):
        made.append(latchkey.key(account))
        latchkey.clock.forward(1)
    seen, target = [], "/v1/keys?limit=2"
    while target:
        response = latchkey.call("GET", target, made[0].secret)
        page = response.json()
        seen += [key["id"] for key in page["data"]]
        target = f"/v1/keys?limit=2&cursor={page['next_cursor']}" if page["next_cursor"] else ""
        assert response.header("Link") == (f'<https://api.example.com{target}>; rel="next"' if target else None)
    assert seen == [issued.key.id for issued in made]


def test_last_use_is_shown_to_the_hour(latchkey: TestApp) -> None:
    """A key shows the hour of its last use, or null if it was never used."""
    account = latchkey.account()
    manager, used, unused = latchkey.key(account), latchkey.key(account), latchkey.key(account)
    latchkey.clock.forward(3_600 + 1_234)
    latchkey.call("GET", "/v1/users/me", used.secret)
    latchkey.clock.forward(7_200)
    listed = {key["id"]: key["last_used_at"] for key in latchkey.call("GET", "/v1/keys", manager.secret).json()["data"]}
    assert listed[used.key.id] == "2021-12-20T11:00:00Z"
    assert listed[unused.key.id] is None
    assert listed[manager.key.id] == "2021-12-20T13:00:00Z"


def test_rotated_key_works_during_its_grace(latchkey: TestApp) -> None:
    """After a rotation both keys work for a day by default, and the old key names its successor."""
    account = latchkey.account()
    manager, old = latchkey.key(account), latchkey.key(account)
    made = latchkey.call("POST", f"/v1/keys/{old.key.id}/rotate", manager.secret).json()
    shown = get_key(latchkey, manager.secret, old.key.id)
    assert (shown["state"], shown["replaced_by"], shown["expires_at"]) == (
        "retiring",
        made["id"],
        "2021-12-21T10:00:00Z",
    )
    assert [latchkey.call("GET", "/v1/users/me", key).status for key in (old.secret, made["secret"])] == [200, 200]


@pytest.mark.parametrize(("grace_s", "expires_at"), [(1, "2021-12-20T10:00:01Z"), (604_800, "2021-12-27T10:00:00Z")])
def test_grace_may_be_up_to_a_week(latchkey: TestApp, grace_s: int, expires_at: str) -> None:
    """A grace period of 1 second and one of 7 days are accepted."""
    account = latchkey.account()
    manager, old = latchkey.key(account), latchkey.key(account)
    response = latchkey.call("POST", f"/v1/keys/{old.key.id}/rotate", manager.secret, json_body={"grace_s": grace_s})
    assert response.status == 201
    assert get_key(latchkey, manager.secret, old.key.id)["expires_at"] == expires_at


def test_key_rotated_without_grace_stops_at_the_next_request(latchkey: TestApp) -> None:
    """A key rotated without a grace period is rejected at the next request, despite the cached policy."""
    old = latchkey.key(latchkey.account())
    assert latchkey.call("GET", "/v1/users/me", old.secret).status == 200
    made = latchkey.call("POST", f"/v1/keys/{old.key.id}/rotate", old.secret, json_body={"grace_s": 0}).json()
    assert error_of(latchkey.call("GET", "/v1/users/me", old.secret)) == (401, "token_expired")
    assert latchkey.call("GET", "/v1/users/me", made["secret"]).status == 200


def test_key_stops_when_its_grace_expires(latchkey: TestApp) -> None:
    """A rotated key is rejected when its grace period ends, despite the cached policy."""
    old = latchkey.key(latchkey.account())
    latchkey.call("POST", f"/v1/keys/{old.key.id}/rotate", old.secret, json_body={"grace_s": 30})
    latchkey.clock.forward(29)
    assert latchkey.call("GET", "/v1/users/me", old.secret).status == 200
    latchkey.clock.forward(1)
    assert error_of(latchkey.call("GET", "/v1/users/me", old.secret)) == (401, "token_expired")


@pytest.mark.parametrize("grace_s", [-1, 604_801, 1.5, "60", None, True, [], 10**400])
def test_grace_out_of_bounds_is_rejected(latchkey: TestApp, grace_s: object) -> None:
    """An invalid `grace_s` is a 400, and nothing is rotated."""
    old = latchkey.key(latchkey.account())
    response = latchkey.call("POST", f"/v1/keys/{old.key.id}/rotate", old.secret, json_body={"grace_s": grace_s})
    assert error_of(response) == (400, "invalid_request")
    assert get_key(latchkey, old.secret, old.key.id)["state"] == "live"


def test_second_rotation_is_a_conflict(latchkey: TestApp) -> None:
    """Neither a key in its grace period nor its successor can be rotated."""
    old = latchkey.key(latchkey.account())
    made = latchkey.call("POST", f"/v1/keys/{old.key.id}/rotate", old.secret).json()
    for key_id in (old.key.id, made["id"]):
        response = latchkey.call("POST", f"/v1/keys/{key_id}/rotate", made["secret"])
        assert error_of(response) == (409, "conflict")


def test_rotation_of_a_key_with_more_scopes_is_rejected(latchkey: TestApp) -> None:
    """A key can't rotate another key with a scope that the rotating key lacks."""
    account = latchkey.account()
    big, small = latchkey.key(account), latchkey.key(account, "read", "keys")
    response = latchkey.call("POST", f"/v1/keys/{big.key.id}/rotate", small.secret)
    assert error_of(response) == (403, "insufficient_scope")
    assert "scope write" in response.json()["message"]


def test_removed_scope_is_rejected_at_the_next_request(latchkey: TestApp) -> None:
    """A removed scope is rejected at the next request, despite the cached policy."""
    account = latchkey.account()
    manager, key = latchkey.key(account), latchkey.key(account)
    rename = {"name": "Ada B"}
    assert latchkey.call("PATCH", "/v1/users/me", key.secret, json_body=rename).status == 200
    response = latchkey.call("PATCH", f"/v1/keys/{key.key.id}", manager.secret, json_body={"scopes": ["read"]})
    assert (response.status, response.json()["scopes"]) == (200, ["read"])
    assert error_of(latchkey.call("PATCH", "/v1/users/me", key.secret, json_body=rename)) == (403, "insufficient_scope")
    assert latchkey.call("GET", "/v1/users/me", key.secret).status == 200


def test_removed_scope_cannot_be_added_again(latchkey: TestApp) -> None:
    """Scopes can't be added to a key, even if it had them before."""
    account = latchkey.account()
    manager, key = latchkey.key(account), latchkey.key(account)
    latchkey.call("PATCH", f"/v1/keys/{key.key.id}", manager.secret, json_body={"scopes": ["read"]})
    response = latchkey.call("PATCH", f"/v1/keys/{key.key.id}", manager.secret, json_body={"scopes": ["read", "write"]})
    assert error_of(response) == (400, "invalid_request")
    assert "doesn't have write" in response.json()["message"]


def test_key_is_renamed(latchkey: TestApp) -> None:
    """Renaming a key changes its name and nothing else."""
    key = latchkey.key(latchkey.account())
    shown = latchkey.call("PATCH", f"/v1/keys/{key.key.id}", key.secret, json_body={"name": "Laptop"}).json()
    assert (shown["name"], shown["scopes"]) == ("Laptop", ["read", "write", "keys"])


def test_revoked_key_is_rejected_at_the_next_request(latchkey: TestApp) -> None:
    """A revoked key is rejected at the next request, despite the cached policy, and stays in the list."""
    account = latchkey.account()
    manager, key = latchkey.key(account), latchkey.key(account)
    assert latchkey.call("GET", "/v1/users/me", key.secret).status == 200
    response = latchkey.call("DELETE", f"/v1/keys/{key.key.id}", manager.secret)
    assert (response.status, response.body) == (204, b"")
    assert error_of(latchkey.call("GET", "/v1/users/me", key.secret)) == (401, "invalid_api_key")
    assert get_key(latchkey, manager.secret, key.key.id)["state"] == "revoked"


def test_revocation_may_be_repeated(latchkey: TestApp) -> None:
    """Revoking a key a second time is a 204, too."""
    account = latchkey.account()
    manager, key = latchkey.key(account), latchkey.key(account)
    assert [latchkey.call("DELETE", f"/v1/keys/{key.key.id}", manager.secret).status for _ in range(2)] == [204, 204]


def test_key_can_revoke_itself(latchkey: TestApp) -> None:
    """A key can revoke itself, and is rejected from then on."""
    key = latchkey.key(latchkey.account())
    assert latchkey.call("DELETE", f"/v1/keys/{key.key.id}", key.secret).status == 204
    assert error_of(latchkey.call("GET", "/v1/keys", key.secret)) == (401, "invalid_api_key")


@pytest.mark.parametrize(
    ("method", "tail", "body"),
    [("GET", "", None), ("PATCH", "", {"name": "Mine"}), ("DELETE", "", None), ("POST", "/rotate", {"grace_s": 0})],
)
def test_key_of_another_account_is_not_found(latchkey: TestApp, method: str, tail: str, body: object) -> None:
    """Another account's key gets the same response as an unknown id, byte for byte, and isn't changed."""
    theirs, mine = latchkey.key(latchkey.account(name="Bea")), latchkey.key(latchkey.account())
    responses = [
        latchkey.call(method, f"/v1/keys/{key_id}{tail}", mine.secret, json_body=body)
        for key_id in (theirs.key.id, NOBODYS, "nonsense", "%2e%2e")
    ]
    assert {(response.status, response.body) for response in responses} == {
        (404, b'{"error":"not_found","message":"There is no such key."}')
    }
    assert latchkey.call("GET", "/v1/users/me", theirs.secret).status == 200


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "name is missing"),
        ({"name": "CI"}, "scopes is missing"),
        ({"name": "", "scopes": ["read"]}, "name must"),
        ({"name": "x" * 65, "scopes": ["read"]}, "name must"),
        ({"name": "a\nb", "scopes": ["read"]}, "name must"),
        ({"name": 7, "scopes": ["read"]}, "name must"),
        ({"name": "CI", "scopes": []}, "scopes must"),
        ({"name": "CI", "scopes": "read"}, "scopes must"),
        ({"name": "CI", "scopes": ["root"]}, "scopes must"),
        ({"name": "CI", "scopes": ["read", "read"]}, "scopes must"),
        ({"name": "CI", "scopes": [["read"]]}, "scopes must"),
        ({"name": "CI", "scopes": {"read": True}}, "scopes must"),
        ({"name": "CI", "scopes": ["read"], "expires_in_s": 59}, "expires_in_s must"),
        ({"name": "CI", "scopes": ["read"], "expires_in_s": 315_360_001}, "expires_in_s must"),
        ({"name": "CI", "scopes": ["read"], "expires_in_s": None}, "expires_in_s must"),
        ({"name": "CI", "scopes": ["read"], "secret": "x"}, "'secret'"),
    ],
)
def test_invalid_new_key_is_rejected_by_field(latchkey: TestApp, body: object, named: str) -> None:
    """The message for an invalid new key names the field and its allowed values, and nothing is created."""
    secret = latchkey.key(latchkey.account()).secret
    response = latchkey.call("POST", "/v1/keys", secret, json_body=body)
    assert error_of(response) == (400, "invalid_request")
    assert named in response.json()["message"]
    assert len(latchkey.call("GET", "/v1/keys", secret).json()["data"]) == 1


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "Give one or more of name, scopes, on_anomaly."),
        ({"name": None}, "name must"),
        ({"scopes": []}, "scopes must"),
        ({"id": 1}, "'id'"),
    ],
)
def test_invalid_change_of_a_key_is_rejected_by_field(latchkey: TestApp, body: object, named: str) -> None:
    """The message for an invalid change names the field and its allowed values."""
    key = latchkey.key(latchkey.account())
    response = latchkey.call("PATCH", f"/v1/keys/{key.key.id}", key.secret, json_body=body)
    assert error_of(response) == (400, "invalid_request")
    assert named in response.json()["message"]
