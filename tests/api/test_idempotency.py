"""Idempotency-Key on every POST that makes something: made once, answered the same, however often it is sent."""

import json
from dataclasses import replace

import pytest

from chalicelib.accounts.tables import Account
from chalicelib.api.routing import route_of
from chalicelib.core import clock, secrets, settings, telemetry
from chalicelib.credentials import find
from chalicelib.idempotency import record
from chalicelib.idempotency.tables import IdempotencyRecord
from chalicelib.limits import tiers
from infra.local_gateway.response import Response
from infra.routes import of_latchkey
from tests.support.harness import TestApp, error_of
from tests.support.webhook_receiver import Receiver

MAKING = {"name": "CI", "scopes": ["read"]}
KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"


def make(latchkey: TestApp, secret: str, key: str = KEY, body: object = MAKING) -> Response:
    """Ask for a key under an Idempotency-Key."""
    return latchkey.call("POST", "/v1/keys", secret, json_body=body, headers={"Idempotency-Key": key})


def same(first: Response, second: Response) -> None:
    """Insist that the second answer is the first one, to the byte, and says that it is a replay."""
    assert (second.status, second.body) == (first.status, first.body)
    for name in ("Location", "Cache-Control", "Content-Type"):
        assert second.header(name) == first.header(name)
    assert (first.header("Idempotency-Replayed"), second.header("Idempotency-Replayed")) == (None, "true")


def records(account: Account) -> list[IdempotencyRecord]:
    """Return what is recorded for an account."""
    return [
        each for each in IdempotencyRecord.scan(IdempotencyRecord.kind == "repeat") if each.account_id == account.id
    ]


def creating() -> set[tuple[str, str]]:
    """Return the routes that heed the header."""
    return {
        (method, path)
        for path, methods in of_latchkey().items()
        for method, entry in methods.items()
        if route_of(entry).idempotency
    }


def test_same_request_again_is_answered_the_same_and_makes_nothing(latchkey: TestApp) -> None:
    """One key, one secret, whether the header is quoted or not."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    first = make(latchkey, secret)
    same(first, make(latchkey, secret))
    same(first, make(latchkey, secret, f'"{KEY}"'))
    assert len(list(find.keys_of(account.id))) == 2
    assert latchkey.call("GET", "/v1/users/me", first.json()["secret"]).status == 200


def test_every_creating_route_repeats_its_answer(local: TestApp, receiver: Receiver) -> None:
    """Keys, their rotation, webhooks, their secrets, tests and resends, users: each happens once."""
    root = local.account(admin=True)
    secret = local.key(root, "read", "keys", "webhooks", "admin").secret
    rotated = local.key(root, "read").key.id
    hook = twice(local, secret, "/v1/webhooks", {"url": receiver.url, "name": "Ledger"})["id"]
    twice(local, secret, "/v1/keys", MAKING)
    twice(local, secret, f"/v1/keys/{rotated}/rotate", None)
    twice(local, secret, f"/v1/webhooks/{hook}/rotate", None)
    sent = twice(local, secret, f"/v1/webhooks/{hook}/test", None)["id"]
    assert len(receiver.received) == 1
    twice(local, secret, f"/v1/webhooks/{hook}/deliveries/{sent}/resend", None)
    assert len(receiver.received) == 2
    made = twice(local, secret, "/v1/users", {"email": "eve@example.com", "name": "Eve"})
    ticket = made["set_password_url"].partition("ticket=")[2]
    assert local.call("GET", f"/password?ticket={ticket}").status == 200
    assert len(creating()) == 7


def twice(latchkey: TestApp, secret: str, path: str, body: object) -> dict[str, str]:
    """Send a request twice under one key, and return what both were answered."""
    headers = {"Idempotency-Key": f"once-{path}"}
    with telemetry.record_calls() as watched:
        first = latchkey.call("POST", path, secret, json_body=body, headers=headers)
    assert first.status in (200, 201), first.body
    claims = path.endswith(("/test", "/resend"))
    # One write more of the transaction, no call; a claim is one write before and one after.
    assert watched.made.count(("PutItem", "latchkey-test-tickets")) == (2 if claims else 0)
    same(first, latchkey.call("POST", path, secret, json_body=body, headers=headers))
    made: dict[str, str] = first.json()
    return made


@pytest.mark.parametrize("body", [MAKING | {"name": "Other"}, MAKING | {"expires_in_s": 60}])
def test_another_body_under_the_same_key_is_a_422(latchkey: TestApp, body: object) -> None:
    """A key belongs to one request."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    make(latchkey, secret)
    assert error_of(make(latchkey, secret, body=body)) == (422, "idempotency_key_reused")
    assert len(list(find.keys_of(account.id))) == 2


def test_another_path_method_account_or_key_of_the_account_is_another_request(latchkey: TestApp) -> None:
    """What two callers choose can't collide: the scope is the lineage of the credential and the route."""
    account, other = latchkey.account(), latchkey.account()
    first, second = latchkey.key(account), latchkey.key(account)
    made = {make(latchkey, key.secret).json()["id"] for key in (first, second, latchkey.key(other))}
    assert len(made) == 3
    rotated = [
        latchkey.call("POST", f"/v1/keys/{key.key.id}/rotate", first.secret, headers={"Idempotency-Key": KEY})
        for key in (first, second)
    ]
    assert [answer.status for answer in rotated] == [201, 201]


def test_successor_of_the_key_hears_what_was_made_and_not_its_secret(latchkey: TestApp) -> None:
    """A rotation in between must not make a second key, nor show the first one's secret to another credential."""
    account = latchkey.account()
    old = latchkey.key(account)
    made = make(latchkey, old.secret)
    new = latchkey.call("POST", f"/v1/keys/{old.key.id}/rotate", old.secret).json()["secret"]
    answer = make(latchkey, new)
    assert error_of(answer) == (409, "conflict")
    assert made.json()["id"] in answer.json()["message"]
    assert made.json()["secret"] not in answer.body.decode()
    assert error_of(make(latchkey, new, body=MAKING | {"name": "x"})) == (422, "idempotency_key_reused")
    third = latchkey.call("POST", f"/v1/keys/{old.key.id}/rotate", old.secret)
    assert third.status == 409
    assert len(list(find.keys_of(account.id))) == 3


def test_credential_that_has_ended_replays_nothing(latchkey: TestApp) -> None:
    """The door stands before the record."""
    account = latchkey.account()
    keeper, key = latchkey.key(account), latchkey.key(account)
    make(latchkey, key.secret)
    latchkey.call("DELETE", f"/v1/keys/{key.key.id}", keeper.secret)
    assert make(latchkey, key.secret).status == 401


@pytest.mark.parametrize(
    "wrong",
    ["", " ", '""', '"abc', 'abc"', '"a"b"', "a b", '"a b"', "é", "\x01", "x" * 256, f'"{"x" * 256}"', '"\\x"', "a\tb"],
)
def test_malformed_key_is_a_400(latchkey: TestApp, wrong: str) -> None:
    """And nothing is made."""
    account = latchkey.account()
    answer = make(latchkey, latchkey.key(account).secret, wrong)
    assert error_of(answer) == (400, "invalid_request")
    assert "Idempotency-Key" in answer.json()["message"]
    assert len(list(find.keys_of(account.id))) == 1


@pytest.mark.parametrize("key", ["x", "x" * 255, "!#%&'*+-.^_`|~{}()/:;<=>?@[]\\", '"\\"\\\\"', "a=1;b", "'quoted'"])
def test_any_visible_characters_are_a_key(latchkey: TestApp, key: str) -> None:
    """Up to 255 of them."""
    secret = latchkey.key(latchkey.account()).secret
    same(make(latchkey, secret, key), make(latchkey, secret, key))


def test_two_different_keys_in_one_request_are_a_400(latchkey: TestApp) -> None:
    """Nobody could say which counts."""
    secret = latchkey.key(latchkey.account()).secret
    headers = [("Authorization", f"Bearer {secret}"), ("Content-Type", "application/json")]
    body = json.dumps(MAKING).encode()
    both = [*headers, ("Idempotency-Key", "a"), ("idempotency-key", "b")]
    assert error_of(latchkey.gateway.handle("POST", "/v1/keys", both, body)) == (400, "invalid_request")


def test_key_is_ignored_where_nothing_is_made(latchkey: TestApp) -> None:
    """On a GET, a PATCH, a DELETE, and the question about a secret: even a malformed one."""
    admin = latchkey.account(admin=True)
    issued = latchkey.key(admin, "read", "write", "keys", "verify")
    headers = {"Idempotency-Key": '"'}
    path = f"/v1/keys/{issued.key.id}"
    assert latchkey.call("GET", path, issued.secret, headers=headers).status == 200
    assert latchkey.call("PATCH", path, issued.secret, json_body={"name": "x"}, headers=headers).status == 200
    asked = {"secret": issued.secret}
    assert latchkey.call("POST", "/v1/verify", issued.secret, json_body=asked, headers=headers).status == 200
    assert latchkey.call("DELETE", path, issued.secret, headers=headers).status == 204


def test_refusal_is_not_kept(latchkey: TestApp) -> None:
    """What failed may be tried again under the same key, once it can succeed."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    others = [latchkey.key(account) for _ in range(19)]
    assert make(latchkey, secret).status == 409
    latchkey.call("DELETE", f"/v1/keys/{others[0].key.id}", secret)
    assert make(latchkey, secret).status == 201


def test_answer_is_replayed_where_the_request_could_not_succeed_any_more(latchkey: TestApp) -> None:
    """Twenty keys, the last of which it made: the answer is what it was."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    for _ in range(18):
        latchkey.key(account)
    same(make(latchkey, secret), make(latchkey, secret))


def test_rotation_is_replayed_after_its_key_has_ended(latchkey: TestApp) -> None:
    """Its first answer says what became of it."""
    account = latchkey.account()
    keeper, key = latchkey.key(account), latchkey.key(account)
    path, headers = f"/v1/keys/{key.key.id}", {"Idempotency-Key": KEY}
    first = latchkey.call("POST", f"{path}/rotate", keeper.secret, headers=headers)
    latchkey.call("DELETE", path, keeper.secret)
    same(first, latchkey.call("POST", f"{path}/rotate", keeper.secret, headers=headers))


def test_record_ends_after_a_day(latchkey: TestApp) -> None:
    """By the clock, not when DynamoDB finds the time to delete it."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    first = make(latchkey, secret).json()
    latchkey.clock.forward(86_399)
    assert make(latchkey, secret).json() == first
    latchkey.clock.forward(1)
    assert make(latchkey, secret).json()["id"] != first["id"]
    assert {each.dies_at // 1000 for each in records(account)} == {(clock.now_s() + 90_000) // 1000}


def test_table_holds_neither_the_secret_nor_what_was_sent(latchkey: TestApp) -> None:
    """The answer is closed under the credential; key and body are stored as keyed hashes."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    made = make(latchkey, secret).json()
    (stored,) = records(account)
    shown = repr(stored.serialize())
    for hidden in (made["secret"], secret, KEY, "CI"):
        assert hidden not in shown
        assert hidden.encode() not in stored.sealed
    body = json.dumps(MAKING).encode()
    assert stored.fingerprint not in (secrets.digest(body.decode()), secrets.digest(f"[]\n{body.decode()}"))


def test_box_of_one_record_doesnt_open_beside_another(latchkey: TestApp) -> None:
    """Who can write the table can't make one request answer for another."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    make(latchkey, secret, "first")
    make(latchkey, secret, "second")
    one, other = records(account)
    other.update(actions=[IdempotencyRecord.sealed.set(one.sealed)])
    answers = [make(latchkey, secret, key) for key in ("first", "second")]
    assert sorted(answer.status for answer in answers) == [201, 409]


def test_in_the_good_case_no_call_is_added(latchkey: TestApp) -> None:
    """The record is part of the transaction; a replay is that transaction, refused."""
    secret = latchkey.key(latchkey.account()).secret
    latchkey.call("GET", "/v1/limits", secret)
    plain = calls(latchkey, secret, {})
    assert calls(latchkey, secret, {"Idempotency-Key": KEY}) == plain
    assert calls(latchkey, secret, {"Idempotency-Key": KEY}) == plain


def calls(latchkey: TestApp, secret: str, headers: dict[str, str]) -> list[str]:
    """Return the calls that making a key costs."""
    with telemetry.record_calls() as watched:
        assert latchkey.call("POST", "/v1/keys", secret, json_body=MAKING, headers=headers).status == 201
    return [operation for operation, _ in watched.made]


def test_replay_is_counted(latchkey: TestApp) -> None:
    """It is a request like any other, and says what is left now."""
    account = latchkey.account(tiers.FREE)
    secret = latchkey.key(account).secret
    left = [make(latchkey, secret).header("X-RateLimit-Remaining") for _ in range(3)]
    assert left == ["999", "998", "997"]


def test_long_answer_is_not_kept_but_what_it_made_is(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """An item stays within its bounds whatever a route answers."""
    monkeypatch.setattr(record, "ANSWER_BYTES_MAX", 10)
    account = latchkey.account()
    secret = latchkey.key(account).secret
    made = make(latchkey, secret).json()["id"]
    answer = make(latchkey, secret)
    assert error_of(answer) == (409, "conflict")
    assert made in answer.json()["message"]
    assert len(list(find.keys_of(account.id))) == 2


def test_without_a_stage_key_nothing_is_made_twice(latchkey: TestApp) -> None:
    """Where the fingerprint can't be keyed the request is refused rather than made without a record."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    with settings.override(replace(settings.current(), stage_key_file="/nowhere")):
        assert make(latchkey, secret).status == 503
    assert len(list(find.keys_of(account.id))) == 1


def test_a_claim_that_its_process_never_gave_up_ends_after_a_minute(local: TestApp, receiver: Receiver) -> None:
    """Until then it is a 409 that says when to ask again; then the message is sent."""
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
    answer = local.call("POST", f"/v1/webhooks/{hook}/test", secret, headers=sent)
    assert error_of(answer) == (409, "request_in_progress")
    assert answer.header("Retry-After") == "1"
    assert len(receiver.received) == 1
    local.clock.forward(60)
    assert local.call("POST", f"/v1/webhooks/{hook}/test", secret, headers=sent).status == 200
    assert len(receiver.received) == 2


def test_what_was_claimed_and_refused_may_be_tried_again(local: TestApp, receiver: Receiver) -> None:
    """A test of a disabled webhook is a 409 that is not kept."""
    secret = local.key(local.account(), "webhooks").secret
    hook = local.call("POST", "/v1/webhooks", secret, json_body={"url": receiver.url, "name": "x"}).json()["id"]
    path, sent = f"/v1/webhooks/{hook}", {"Idempotency-Key": KEY}
    local.call("PATCH", path, secret, json_body={"status": "disabled"})
    assert error_of(local.call("POST", f"{path}/test", secret, headers=sent)) == (409, "conflict")
    local.call("PATCH", path, secret, json_body={"status": "enabled"})
    assert local.call("POST", f"{path}/test", secret, headers=sent).status == 200
