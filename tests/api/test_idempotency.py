"""Idempotency-Key on POST: a repeated request creates nothing again and gets the first response."""

import json
from dataclasses import replace

import pytest

from chalicelib.core import clock, secrets, settings, telemetry
from chalicelib.credentials import find
from chalicelib.idempotency import record
from chalicelib.idempotency.tables import IdempotencyRecord
from chalicelib.limits import tiers
from infra.local_gateway.response import Response
from tests.api.routes import idempotent_routes
from tests.support.harness import AccountOfTest, TestApp, error_of
from tests.support.webhook_receiver import Receiver

MAKING = {"name": "CI", "scopes": ["read"]}
KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"


def make(latchkey: TestApp, secret: str, key: str = KEY, body: object = MAKING) -> Response:
    """Create a key with an Idempotency-Key."""
    return latchkey.call("POST", "/v1/keys", secret, json_body=body, headers={"Idempotency-Key": key})


def assert_replayed(first: Response, second: Response) -> None:
    """Assert that the second response repeats the first and is marked as a replay."""
    assert (second.status, second.body) == (first.status, first.body)
    for name in ("Location", "Cache-Control", "Content-Type"):
        assert second.header(name) == first.header(name)
    assert (first.header("Idempotency-Replayed"), second.header("Idempotency-Replayed")) == (None, "true")


def records(account: AccountOfTest) -> list[IdempotencyRecord]:
    """Return the idempotency records of an account."""
    return [
        each for each in IdempotencyRecord.scan(IdempotencyRecord.kind == "repeat") if each.account_id == account.id
    ]


def test_repeated_request_is_replayed(latchkey: TestApp) -> None:
    """A repeated request gets the first response and creates nothing, with the header quoted or not."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    first = make(latchkey, secret)
    assert_replayed(first, make(latchkey, secret))
    assert_replayed(first, make(latchkey, secret, f'"{KEY}"'))
    assert len(list(find.keys_of(account.id))) == 2
    assert latchkey.call("GET", "/v1/users/me", first.json()["secret"]).status == 200


def test_every_creating_route_replays_its_response(local: TestApp, receiver: Receiver) -> None:
    """Every route that accepts Idempotency-Key replays its response and takes effect once."""
    root = local.account(admin=True)
    secret = local.key(root, "read", "keys", "webhooks", "members", "admin").secret
    rotated = local.key(root, "read").key.id
    hook = send_twice(local, secret, "/v1/webhooks", {"url": receiver.url, "name": "Ledger"})["id"]
    send_twice(local, secret, "/v1/keys", MAKING)
    send_twice(local, secret, f"/v1/keys/{rotated}/rotate", None)
    send_twice(local, secret, f"/v1/webhooks/{hook}/rotate", None)
    sent = send_twice(local, secret, f"/v1/webhooks/{hook}/test", None)["id"]
    assert len(receiver.received) == 1
    send_twice(local, secret, f"/v1/webhooks/{hook}/deliveries/{sent}/resend", None)
    assert len(receiver.received) == 2
    made = send_twice(local, secret, "/v1/accounts", {"email": "eve@example.com", "name": "Eve"})
    ticket = made["set_password_url"].partition("ticket=")[2]
    assert local.call("GET", f"/password?ticket={ticket}").status == 200
    send_twice(local, secret, "/v1/invitations", {"email": "bea@example.com", "role": "viewer"})
    assert len(idempotent_routes()) == 8


def send_twice(latchkey: TestApp, secret: str, path: str, body: object) -> dict[str, str]:
    """Send a request twice with one Idempotency-Key, and return the body of both responses."""
    headers = {"Idempotency-Key": f"once-{path}"}
    with telemetry.record_calls() as watched:
        first = latchkey.call("POST", path, secret, json_body=body, headers=headers)
    assert first.status in (200, 201), first.body
    claims = path.endswith(("/test", "/resend", "/invitations"))
    # With a claim, one PutItem is sent before the request is processed and one afterwards. Without a claim, the record
    # is part of the transaction.
    assert watched.made.count(("PutItem", "latchkey-test-tickets")) == (2 if claims else 0)
    assert_replayed(first, latchkey.call("POST", path, secret, json_body=body, headers=headers))
    made: dict[str, str] = first.json()
    return made


@pytest.mark.parametrize("body", [MAKING | {"name": "Other"}, MAKING | {"expires_in_s": 60}])
def test_another_body_under_the_same_key_is_a_422(latchkey: TestApp, body: object) -> None:
    """If an Idempotency-Key was used before with another body, the response is a 422."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    make(latchkey, secret)
    assert error_of(make(latchkey, secret, body=body)) == (422, "idempotency_key_reused")
    assert len(list(find.keys_of(account.id))) == 2


def test_idempotency_key_is_scoped_to_credential_and_route(latchkey: TestApp) -> None:
    """The same Idempotency-Key with another account, credential or path belongs to another request."""
    account, other = latchkey.account(), latchkey.account()
    first, second = latchkey.key(account), latchkey.key(account)
    made = {make(latchkey, key.secret).json()["id"] for key in (first, second, latchkey.key(other))}
    assert len(made) == 3
    rotated = [
        latchkey.call("POST", f"/v1/keys/{key.key.id}/rotate", first.secret, headers={"Idempotency-Key": KEY})
        for key in (first, second)
    ]
    assert [response.status for response in rotated] == [201, 201]


def test_rotated_key_gets_a_conflict_without_the_secret(latchkey: TestApp) -> None:
    """If a rotated key's successor repeats the request, it gets a 409 without the created secret."""
    account = latchkey.account()
    old = latchkey.key(account)
    made = make(latchkey, old.secret)
    new = latchkey.call("POST", f"/v1/keys/{old.key.id}/rotate", old.secret).json()["secret"]
    response = make(latchkey, new)
    assert error_of(response) == (409, "conflict")
    assert made.json()["id"] in response.json()["message"]
    assert made.json()["secret"] not in response.body.decode()
    assert error_of(make(latchkey, new, body=MAKING | {"name": "x"})) == (422, "idempotency_key_reused")
    third = latchkey.call("POST", f"/v1/keys/{old.key.id}/rotate", old.secret)
    assert third.status == 409
    assert len(list(find.keys_of(account.id))) == 3


def test_revoked_credential_gets_no_replay(latchkey: TestApp) -> None:
    """A revoked credential is rejected before any replay."""
    account = latchkey.account()
    keeper, key = latchkey.key(account), latchkey.key(account)
    make(latchkey, key.secret)
    latchkey.call("DELETE", f"/v1/keys/{key.key.id}", keeper.secret)
    assert make(latchkey, key.secret).status == 401


@pytest.mark.parametrize(
    "wrong",
    ["", " ", '""', '"abc', 'abc"', '"a"b"', "a b", '"a b"', "é", "\x01", "x" * 256, f'"{"x" * 256}"', '"\\x"', "a\tb"],
)
def test_malformed_idempotency_key_is_a_400(latchkey: TestApp, wrong: str) -> None:
    """A malformed Idempotency-Key is a 400, and nothing is created."""
    account = latchkey.account()
    response = make(latchkey, latchkey.key(account).secret, wrong)
    assert error_of(response) == (400, "invalid_request")
    assert "Idempotency-Key" in response.json()["message"]
    assert len(list(find.keys_of(account.id))) == 1


@pytest.mark.parametrize("key", ["x", "x" * 255, "!#%&'*+-.^_`|~{}()/:;<=>?@[]\\", '"\\"\\\\"', "a=1;b", "'quoted'"])
def test_visible_characters_are_a_valid_idempotency_key(latchkey: TestApp, key: str) -> None:
    """An Idempotency-Key may have up to 255 visible ASCII characters."""
    secret = latchkey.key(latchkey.account()).secret
    assert_replayed(make(latchkey, secret, key), make(latchkey, secret, key))


def test_two_different_idempotency_keys_are_a_400(latchkey: TestApp) -> None:
    """A request with two different Idempotency-Keys is a 400."""
    secret = latchkey.key(latchkey.account()).secret
    headers = [("Authorization", f"Bearer {secret}"), ("Content-Type", "application/json")]
    body = json.dumps(MAKING).encode()
    both = [*headers, ("Idempotency-Key", "a"), ("idempotency-key", "b")]
    assert error_of(latchkey.gateway.handle("POST", "/v1/keys", both, body)) == (400, "invalid_request")


def test_idempotency_key_is_ignored_on_other_routes(latchkey: TestApp) -> None:
    """Routes without idempotency ignore the header Idempotency-Key, even a malformed one."""
    admin = latchkey.account(admin=True)
    issued = latchkey.key(admin, "read", "write", "keys", "verify")
    headers = {"Idempotency-Key": '"'}
    path = f"/v1/keys/{issued.key.id}"
    assert latchkey.call("GET", path, issued.secret, headers=headers).status == 200
    assert latchkey.call("PATCH", path, issued.secret, json_body={"name": "x"}, headers=headers).status == 200
    asked = {"secret": issued.secret}
    assert latchkey.call("POST", "/v1/verify", issued.secret, json_body=asked, headers=headers).status == 200
    assert latchkey.call("DELETE", path, issued.secret, headers=headers).status == 204


def test_error_is_not_recorded(latchkey: TestApp) -> None:
    """A failed request may be retried with the same Idempotency-Key."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    others = [latchkey.key(account) for _ in range(19)]
    assert make(latchkey, secret).status == 409
    latchkey.call("DELETE", f"/v1/keys/{others[0].key.id}", secret)
    assert make(latchkey, secret).status == 201


def test_response_is_replayed_after_the_limit_is_reached(latchkey: TestApp) -> None:
    """A response is replayed even if the request would now exceed the key limit."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    for _ in range(18):
        latchkey.key(account)
    assert_replayed(make(latchkey, secret), make(latchkey, secret))


def test_rotation_is_replayed_after_its_key_was_revoked(latchkey: TestApp) -> None:
    """A rotation is replayed after the rotated key was revoked."""
    account = latchkey.account()
    keeper, key = latchkey.key(account), latchkey.key(account)
    path, headers = f"/v1/keys/{key.key.id}", {"Idempotency-Key": KEY}
    first = latchkey.call("POST", f"{path}/rotate", keeper.secret, headers=headers)
    latchkey.call("DELETE", path, keeper.secret)
    assert_replayed(first, latchkey.call("POST", f"{path}/rotate", keeper.secret, headers=headers))


def test_record_expires_after_a_day(latchkey: TestApp) -> None:
    """An idempotency record expires after a day, even if DynamoDB hasn't deleted it."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    first = make(latchkey, secret).json()
    latchkey.clock.forward(86_399)
    assert make(latchkey, secret).json() == first
    latchkey.clock.forward(1)
    assert make(latchkey, secret).json()["id"] != first["id"]
    assert {each.dies_at // 1000 for each in records(account)} == {(clock.now_s() + 90_000) // 1000}


def test_record_contains_neither_secret_nor_body(latchkey: TestApp) -> None:
    """An idempotency record contains the encrypted response, and only keyed hashes of Idempotency-Key and body."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    made = make(latchkey, secret).json()
    (stored,) = records(account)
    shown = repr(stored.serialize())
    # With quotes, because two letters occur in random bytes by chance.
    for hidden in (made["secret"], secret, KEY, '"CI"', "'CI'"):
        assert hidden not in shown
        assert hidden.encode() not in stored.sealed
    body = json.dumps(MAKING).encode()
    assert stored.fingerprint not in (secrets.digest(body.decode()), secrets.digest(f"[]\n{body.decode()}"))


def test_response_of_another_record_does_not_decrypt(latchkey: TestApp) -> None:
    """An encrypted response that is moved to another record isn't replayed."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    make(latchkey, secret, "first")
    make(latchkey, secret, "second")
    one, other = records(account)
    other.update(actions=[IdempotencyRecord.sealed.set(one.sealed)])
    responses = [make(latchkey, secret, key) for key in ("first", "second")]
    assert sorted(response.status for response in responses) == [201, 409]


def test_idempotency_adds_no_database_call(latchkey: TestApp) -> None:
    """Neither a first request nor a replay makes an additional database call."""
    secret = latchkey.key(latchkey.account()).secret
    latchkey.call("GET", "/v1/limits", secret)
    plain = calls(latchkey, secret, {})
    assert calls(latchkey, secret, {"Idempotency-Key": KEY}) == plain
    assert calls(latchkey, secret, {"Idempotency-Key": KEY}) == plain


def calls(latchkey: TestApp, secret: str, headers: dict[str, str]) -> list[str]:
    """Return the database calls of creating a key."""
    with telemetry.record_calls() as watched:
        assert latchkey.call("POST", "/v1/keys", secret, json_body=MAKING, headers=headers).status == 201
    return [operation for operation, _ in watched.made]


def test_replay_is_counted(latchkey: TestApp) -> None:
    """A replay counts against the quota, and its limit headers are current."""
    account = latchkey.account(tiers.FREE)
    secret = latchkey.key(account).secret
    left = [make(latchkey, secret).header("X-RateLimit-Remaining") for _ in range(3)]
    assert left == ["999", "998", "997"]


def test_overlong_response_is_replayed_as_a_conflict(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A response that is too long to store is replayed as a 409 with the id of the created object."""
    monkeypatch.setattr(record, "ANSWER_BYTES_MAX", 10)
    account = latchkey.account()
    secret = latchkey.key(account).secret
    made = make(latchkey, secret).json()["id"]
    response = make(latchkey, secret)
    assert error_of(response) == (409, "conflict")
    assert made in response.json()["message"]
    assert len(list(find.keys_of(account.id))) == 2


def test_missing_root_key_creates_nothing(latchkey: TestApp) -> None:
    """If the root key isn't available, a request with an Idempotency-Key is a 503 and creates nothing."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    with settings.override(replace(settings.current(), stage_key_file="/nowhere")):
        assert make(latchkey, secret).status == 503
    assert len(list(find.keys_of(account.id))) == 1


def test_claim_of_a_killed_process_expires_after_a_minute(local: TestApp, receiver: Receiver) -> None:
    """The claim of a killed process causes a 409 with Retry-After for a minute; then the request is processed."""
    account = local.account()
    secret = local.key(account, "webhooks").secret
    hook = local.call("POST", "/v1/webhooks", secret, json_body={"url": receiver.url, "name": "x"}).json()["id"]
    sent = {"Idempotency-Key": KEY}
    local.call("POST", f"/v1/webhooks/{hook}/test", secret, headers=sent)
    (stored,) = records(account)
    stored.update(
        actions=[
            IdempotencyRecord.claim.set("killed"),
            IdempotencyRecord.sealed.remove(),
            IdempotencyRecord.expires_at.set(clock.now_ms() + 60_000),
        ]
    )
    response = local.call("POST", f"/v1/webhooks/{hook}/test", secret, headers=sent)
    assert error_of(response) == (409, "request_in_progress")
    assert response.header("Retry-After") == "1"
    assert len(receiver.received) == 1
    local.clock.forward(60)
    assert local.call("POST", f"/v1/webhooks/{hook}/test", secret, headers=sent).status == 200
    assert len(receiver.received) == 2


def test_failed_request_releases_its_claim(local: TestApp, receiver: Receiver) -> None:
    """A failed request with a claim can be retried with the same Idempotency-Key."""
    secret = local.key(local.account(), "webhooks").secret
    hook = local.call("POST", "/v1/webhooks", secret, json_body={"url": receiver.url, "name": "x"}).json()["id"]
    path, sent = f"/v1/webhooks/{hook}", {"Idempotency-Key": KEY}
    local.call("PATCH", path, secret, json_body={"status": "disabled"})
    assert error_of(local.call("POST", f"{path}/test", secret, headers=sent)) == (409, "conflict")
    local.call("PATCH", path, secret, json_body={"status": "enabled"})
    assert local.call("POST", f"{path}/test", secret, headers=sent).status == 200
