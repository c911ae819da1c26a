"""/v1/keys, as a consumer meets it."""

from typing import Any

import pytest

from chalicelib.credentials.key_limit import LIVE_MAX
from tests.support.harness import TestApp, refusal

NOBODYS = "key_00000000000000000000"


def show(latchkey: TestApp, secret: str, key_id: str) -> dict[str, Any]:
    """Return a key as the API shows it."""
    shown: dict[str, Any] = latchkey.call("GET", f"/v1/keys/{key_id}", secret).json()
    return shown


def test_made_key_is_shown_once_with_its_secret(latchkey: TestApp) -> None:
    """The 201 has the record and the secret, and no other answer ever has it again."""
    secret = latchkey.key(latchkey.account()).secret
    answer = latchkey.call("POST", "/v1/keys", secret, json_body={"name": " CI ", "scopes": ["write", "read"]})
    made = answer.json()
    assert answer.status == 201
    assert (made["name"], made["scopes"], made["state"], made["expires_at"]) == ("CI", ["read", "write"], "live", None)
    assert answer.header("Location") == f"https://api.example.com/v1/keys/{made['id']}"
    assert answer.header("Cache-Control") == "no-store"
    assert latchkey.call("GET", "/v1/users/me", made["secret"]).status == 200
    shown = show(latchkey, secret, made["id"])
    assert shown | {"secret": made["secret"]} == made | {"last_used_at": "2021-12-20T10:00:00Z"}
    assert "secret" not in shown
    assert made["secret"] not in latchkey.call("GET", "/v1/keys", secret).body.decode()


def test_made_key_is_no_more_than_its_maker(latchkey: TestApp) -> None:
    """A key that may manage keys can't make itself a better one."""
    secret = latchkey.key(latchkey.account(), "read", "keys").secret
    answer = latchkey.call("POST", "/v1/keys", secret, json_body={"name": "More", "scopes": ["read", "write"]})
    assert refusal(answer) == (400, "invalid_request")
    assert "it doesn't have write" in answer.json()["message"]


@pytest.mark.parametrize("scope", ["admin", "verify"])
def test_ordinary_account_makes_no_admin_key(latchkey: TestApp, scope: str) -> None:
    """`admin` is only on keys of admin accounts."""
    secret = latchkey.key(latchkey.account()).secret
    answer = latchkey.call("POST", "/v1/keys", secret, json_body={"name": "Root", "scopes": ["read", scope]})
    assert refusal(answer) == (400, "invalid_request")


def test_admin_account_makes_an_admin_key(latchkey: TestApp) -> None:
    """An admin's key passes `admin` on."""
    secret = latchkey.key(latchkey.account(admin=True), "keys", "admin").secret
    answer = latchkey.call("POST", "/v1/keys", secret, json_body={"name": "Root", "scopes": ["admin"]})
    assert (answer.status, answer.json()["scopes"]) == (201, ["admin"])


def test_made_key_ends_when_asked_to(latchkey: TestApp) -> None:
    """After `expires_in_s` the answer is `token_expired`."""
    secret = latchkey.key(latchkey.account()).secret
    body = {"name": "Brief", "scopes": ["read"], "expires_in_s": 60}
    made = latchkey.call("POST", "/v1/keys", secret, json_body=body).json()
    assert made["expires_at"] == "2021-12-20T10:01:00Z"
    assert latchkey.call("GET", "/v1/users/me", made["secret"]).status == 200
    latchkey.clock.forward(60)
    assert refusal(latchkey.call("GET", "/v1/users/me", made["secret"])) == (401, "token_expired")
    assert show(latchkey, secret, made["id"])["state"] == "expired"


def test_made_key_never_outlives_its_maker(latchkey: TestApp) -> None:
    """What an ending key makes ends with it."""
    secret = latchkey.key(latchkey.account(), expires_in_s=600).secret
    body = {"name": "Long", "scopes": ["read"], "expires_in_s": 601}
    assert refusal(latchkey.call("POST", "/v1/keys", secret, json_body=body)) == (400, "invalid_request")
    made = latchkey.call("POST", "/v1/keys", secret, json_body={"name": "Long", "scopes": ["read"]}).json()
    assert made["expires_at"] == "2021-12-20T10:10:00Z"


def test_twenty_first_key_is_a_conflict(latchkey: TestApp) -> None:
    """The message says what to do about it."""
    account = latchkey.account()
    keys = [latchkey.key(account) for _ in range(LIVE_MAX)]
    answer = latchkey.call("POST", "/v1/keys", keys[0].secret, json_body={"name": "More", "scopes": ["read"]})
    assert refusal(answer) == (409, "conflict")
    assert "at most 20 active keys" in answer.json()["message"]


def test_keys_are_listed_page_by_page(latchkey: TestApp) -> None:
    """Following the cursor shows every key of the account once, oldest first, and nobody else's."""
    account = latchkey.account()
    latchkey.key(latchkey.account(name="Bea"))
    made = []
    for _ in range(5):
        made.append(latchkey.key(account))
        latchkey.clock.forward(1)
    seen, target = [], "/v1/keys?limit=2"
    while target:
        answer = latchkey.call("GET", target, made[0].secret)
        page = answer.json()
        seen += [key["id"] for key in page["data"]]
        target = f"/v1/keys?limit=2&cursor={page['next_cursor']}" if page["next_cursor"] else ""
        assert answer.header("Link") == (f'<https://api.example.com{target}>; rel="next"' if target else None)
    assert seen == [issued.key.id for issued in made]


def test_last_use_is_known_to_the_hour(latchkey: TestApp) -> None:
    """A key that was never used has none; one that was shows the hour."""
    account = latchkey.account()
    manager, used, unused = latchkey.key(account), latchkey.key(account), latchkey.key(account)
    latchkey.clock.forward(3_600 + 1_234)
    latchkey.call("GET", "/v1/users/me", used.secret)
    latchkey.clock.forward(7_200)
    listed = {key["id"]: key["last_used_at"] for key in latchkey.call("GET", "/v1/keys", manager.secret).json()["data"]}
    assert listed[used.key.id] == "2021-12-20T11:00:00Z"
    assert listed[unused.key.id] is None
    assert listed[manager.key.id] == "2021-12-20T13:00:00Z"


def test_rotation_gives_a_new_key_and_a_grace_to_the_old_one(latchkey: TestApp) -> None:
    """Both work for the default day; the old key says by what it is replaced."""
    account = latchkey.account()
    manager, old = latchkey.key(account), latchkey.key(account)
    made = latchkey.call("POST", f"/v1/keys/{old.key.id}/rotate", manager.secret).json()
    shown = show(latchkey, manager.secret, old.key.id)
    assert (shown["state"], shown["replaced_by"], shown["expires_at"]) == (
        "retiring",
        made["id"],
        "2021-12-21T10:00:00Z",
    )
    assert [latchkey.call("GET", "/v1/users/me", key).status for key in (old.secret, made["secret"])] == [200, 200]


@pytest.mark.parametrize(("grace_s", "expires_at"), [(1, "2021-12-20T10:00:01Z"), (604_800, "2021-12-27T10:00:00Z")])
def test_rotation_takes_a_grace_up_to_a_week(latchkey: TestApp, grace_s: int, expires_at: str) -> None:
    """The bounds are within."""
    account = latchkey.account()
    manager, old = latchkey.key(account), latchkey.key(account)
    answer = latchkey.call("POST", f"/v1/keys/{old.key.id}/rotate", manager.secret, json_body={"grace_s": grace_s})
    assert answer.status == 201
    assert show(latchkey, manager.secret, old.key.id)["expires_at"] == expires_at


def test_key_that_is_rotated_without_a_grace_stops_at_the_next_request(latchkey: TestApp) -> None:
    """Though the gateway has cached its yes, the old key is over and the new one works."""
    old = latchkey.key(latchkey.account())
    assert latchkey.call("GET", "/v1/users/me", old.secret).status == 200
    made = latchkey.call("POST", f"/v1/keys/{old.key.id}/rotate", old.secret, json_body={"grace_s": 0}).json()
    assert refusal(latchkey.call("GET", "/v1/users/me", old.secret)) == (401, "token_expired")
    assert latchkey.call("GET", "/v1/users/me", made["secret"]).status == 200


def test_key_stops_when_its_grace_is_over_though_the_gateway_remembers_it(latchkey: TestApp) -> None:
    """A grace shorter than the gateway's 300 s is kept to the second."""
    old = latchkey.key(latchkey.account())
    latchkey.call("POST", f"/v1/keys/{old.key.id}/rotate", old.secret, json_body={"grace_s": 30})
    latchkey.clock.forward(29)
    assert latchkey.call("GET", "/v1/users/me", old.secret).status == 200
    latchkey.clock.forward(1)
    assert refusal(latchkey.call("GET", "/v1/users/me", old.secret)) == (401, "token_expired")


@pytest.mark.parametrize("grace_s", [-1, 604_801, 1.5, "60", None, True, [], 10**400])
def test_grace_out_of_bounds_is_refused(latchkey: TestApp, grace_s: object) -> None:
    """The message says what grace_s takes, and nothing is rotated."""
    old = latchkey.key(latchkey.account())
    answer = latchkey.call("POST", f"/v1/keys/{old.key.id}/rotate", old.secret, json_body={"grace_s": grace_s})
    assert refusal(answer) == (400, "invalid_request")
    assert show(latchkey, old.secret, old.key.id)["state"] == "live"


def test_second_rotation_is_a_conflict(latchkey: TestApp) -> None:
    """Neither the old key nor its successor can be rotated while both live."""
    old = latchkey.key(latchkey.account())
    made = latchkey.call("POST", f"/v1/keys/{old.key.id}/rotate", old.secret).json()
    for key_id in (old.key.id, made["id"]):
        answer = latchkey.call("POST", f"/v1/keys/{key_id}/rotate", made["secret"])
        assert refusal(answer) == (409, "conflict")


def test_rotation_of_a_better_key_is_refused(latchkey: TestApp) -> None:
    """A key that may only manage keys doesn't get a writing one by rotating it."""
    account = latchkey.account()
    big, small = latchkey.key(account), latchkey.key(account, "read", "keys")
    answer = latchkey.call("POST", f"/v1/keys/{big.key.id}/rotate", small.secret)
    assert refusal(answer) == (403, "insufficient_scope")
    assert "scope write" in answer.json()["message"]


def test_narrowed_key_may_less_at_the_next_request(latchkey: TestApp) -> None:
    """Though the gateway has cached its scopes, what was taken away is refused at once."""
    account = latchkey.account()
    manager, key = latchkey.key(account), latchkey.key(account)
    rename = {"name": "Ada B"}
    assert latchkey.call("PATCH", "/v1/users/me", key.secret, json_body=rename).status == 200
    answer = latchkey.call("PATCH", f"/v1/keys/{key.key.id}", manager.secret, json_body={"scopes": ["read"]})
    assert (answer.status, answer.json()["scopes"]) == (200, ["read"])
    assert refusal(latchkey.call("PATCH", "/v1/users/me", key.secret, json_body=rename)) == (403, "insufficient_scope")
    assert latchkey.call("GET", "/v1/users/me", key.secret).status == 200


def test_key_is_never_widened(latchkey: TestApp) -> None:
    """Not even back to what it was."""
    account = latchkey.account()
    manager, key = latchkey.key(account), latchkey.key(account)
    latchkey.call("PATCH", f"/v1/keys/{key.key.id}", manager.secret, json_body={"scopes": ["read"]})
    answer = latchkey.call("PATCH", f"/v1/keys/{key.key.id}", manager.secret, json_body={"scopes": ["read", "write"]})
    assert refusal(answer) == (400, "invalid_request")
    assert "doesn't have write" in answer.json()["message"]


def test_key_is_renamed(latchkey: TestApp) -> None:
    """A new name and nothing else."""
    key = latchkey.key(latchkey.account())
    shown = latchkey.call("PATCH", f"/v1/keys/{key.key.id}", key.secret, json_body={"name": "Laptop"}).json()
    assert (shown["name"], shown["scopes"]) == ("Laptop", ["read", "write", "keys"])


def test_revoked_key_is_refused_at_the_next_request(latchkey: TestApp) -> None:
    """Though the gateway has cached its yes, it is over; and it stays in the list."""
    account = latchkey.account()
    manager, key = latchkey.key(account), latchkey.key(account)
    assert latchkey.call("GET", "/v1/users/me", key.secret).status == 200
    answer = latchkey.call("DELETE", f"/v1/keys/{key.key.id}", manager.secret)
    assert (answer.status, answer.body) == (204, b"")
    assert refusal(latchkey.call("GET", "/v1/users/me", key.secret)) == (401, "invalid_api_key")
    assert show(latchkey, manager.secret, key.key.id)["state"] == "revoked"


def test_revocation_may_be_repeated(latchkey: TestApp) -> None:
    """The second time is as good as the first."""
    account = latchkey.account()
    manager, key = latchkey.key(account), latchkey.key(account)
    assert [latchkey.call("DELETE", f"/v1/keys/{key.key.id}", manager.secret).status for _ in range(2)] == [204, 204]


def test_key_that_revokes_itself_is_over(latchkey: TestApp) -> None:
    """The last thing it does."""
    key = latchkey.key(latchkey.account())
    assert latchkey.call("DELETE", f"/v1/keys/{key.key.id}", key.secret).status == 204
    assert refusal(latchkey.call("GET", "/v1/keys", key.secret)) == (401, "invalid_api_key")


@pytest.mark.parametrize(
    ("method", "tail", "body"),
    [("GET", "", None), ("PATCH", "", {"name": "Mine"}), ("DELETE", "", None), ("POST", "/rotate", {"grace_s": 0})],
)
def test_someone_elses_key_looks_like_none(latchkey: TestApp, method: str, tail: str, body: object) -> None:
    """The answer to another account's key is that to an id nobody has, to the byte, and the key works on."""
    theirs, mine = latchkey.key(latchkey.account(name="Bea")), latchkey.key(latchkey.account())
    answers = [
        latchkey.call(method, f"/v1/keys/{key_id}{tail}", mine.secret, json_body=body)
        for key_id in (theirs.key.id, NOBODYS, "nonsense", "%2e%2e")
    ]
    assert {(answer.status, answer.body) for answer in answers} == {
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
def test_key_that_cannot_be_is_refused_by_field(latchkey: TestApp, body: object, named: str) -> None:
    """The message names the field and says what it takes; nothing is made."""
    secret = latchkey.key(latchkey.account()).secret
    answer = latchkey.call("POST", "/v1/keys", secret, json_body=body)
    assert refusal(answer) == (400, "invalid_request")
    assert named in answer.json()["message"]
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
def test_change_that_cannot_be_is_refused_by_field(latchkey: TestApp, body: object, named: str) -> None:
    """The message names the field and says what it takes."""
    key = latchkey.key(latchkey.account())
    answer = latchkey.call("PATCH", f"/v1/keys/{key.key.id}", key.secret, json_body=body)
    assert refusal(answer) == (400, "invalid_request")
    assert named in answer.json()["message"]
