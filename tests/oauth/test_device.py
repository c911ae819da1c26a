"""The device flow (RFC 8628): the device waits and polls, a person types its code and decides, once."""

import random
import re

import pytest

from chalicelib.api.console.consent import DEVICE_TRIES
from chalicelib.core import randomness, secrets
from chalicelib.oauth.tables import OneTimeToken
from tests.oauth.flow import CODE, DEVICE, ISSUER, App, Person, refusal, registered, someone, works
from tests.support.harness import NOON_MS, TestApp

USED = (400, "invalid_grant")


def started(app: App, **asked: str) -> tuple[str, str]:
    """Return the device code and the user code of a new request."""
    answer = app.post("/oauth/device_authorization", **asked)
    assert answer.status == 200, answer.body
    body = answer.json()
    app.latchkey.secrets.append(body["device_code"])
    return body["device_code"], body["user_code"]


def decide(person: Person, user_code: str, decision: str = "allow") -> int:
    """Type a code and press a button; return the status of the last page."""
    page = person.open(f"/device?user_code={user_code}")
    if page.status != 200:
        return page.status
    return person.send("/device", person.filled(page, "/device", {"decision": decision})).status


def test_device_is_told_what_to_show(app: App) -> None:
    """RFC 8628 §3.2, with an interval and ten minutes."""
    answer = app.post("/oauth/device_authorization", scope="read")
    body = answer.json()
    assert answer.status == 200
    assert answer.header("Cache-Control") == "no-store"
    assert re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", body["user_code"])
    assert secrets.kind_of(body["device_code"]) == "dc"
    assert {name: body[name] for name in ("verification_uri", "expires_in", "interval")} == {
        "verification_uri": f"{ISSUER}/device",
        "expires_in": 600,
        "interval": 5,
    }
    assert body["verification_uri_complete"] == f"{ISSUER}/device?user_code={body['user_code']}"


@pytest.mark.parametrize("kind", ["app", "native"])
def test_device_gets_tokens_once_the_person_said_yes(
    latchkey: TestApp, ada: Person, request: pytest.FixtureRequest, kind: str
) -> None:
    """Pending until then; the tokens speak for whoever typed the code."""
    app: App = request.getfixturevalue(kind)
    device_code, user_code = started(app, scope="read write")
    assert refusal(app.ask(DEVICE, device_code=device_code)) == (400, "authorization_pending")
    assert decide(ada, user_code) == 200
    latchkey.clock.forward(5)
    body = app.ask(DEVICE, device_code=device_code).json()
    assert body["scope"] == "read write"
    assert latchkey.call("GET", "/v1/users/me", body["access_token"]).json()["id"] == ada.account.id
    assert app.refresh(body["refresh_token"]).status == 200


def test_device_that_polls_too_fast_must_slow_down(latchkey: TestApp, app: App) -> None:
    """Each slow_down makes the interval 5 s longer (RFC 8628 §3.5)."""
    device_code, _ = started(app)
    said = []
    for after_s in (0, 4.999, 9.999, 15, 14.999, 20):
        latchkey.clock.forward(after_s)
        said.append(refusal(app.ask(DEVICE, device_code=device_code))[1])
    pending, slow = "authorization_pending", "slow_down"
    assert said == [pending, slow, slow, pending, slow, pending]


def test_device_that_was_refused_hears_so(ada: Person, app: App) -> None:
    """A no is access_denied, at every poll, and there is no second decision."""
    device_code, user_code = started(app)
    assert decide(ada, user_code, "deny") == 200
    assert refusal(app.ask(DEVICE, device_code=device_code)) == (400, "access_denied")
    assert decide(ada, user_code) == 404
    assert refusal(app.ask(DEVICE, device_code=device_code)) == (400, "access_denied")


def test_device_code_expires_after_ten_minutes(latchkey: TestApp, ada: Person, app: App) -> None:
    """Undecided or approved: after that it is expired_token, and nobody can decide any more."""
    undecided, user_code = started(app)
    approved, its_code = started(app)
    assert decide(ada, its_code) == 200
    latchkey.clock.forward(599.999)
    assert refusal(app.ask(DEVICE, device_code=undecided)) == (400, "authorization_pending")
    latchkey.clock.forward(0.001)
    assert refusal(app.ask(DEVICE, device_code=undecided)) == (400, "expired_token")
    assert refusal(app.ask(DEVICE, device_code=approved)) == (400, "expired_token")
    assert decide(ada, user_code) == 404


@pytest.mark.parametrize("after_s", [0, 601])
def test_device_code_is_redeemed_once(latchkey: TestApp, ada: Person, app: App, after_s: int) -> None:
    """A second use ends what the first got, as with any code, also when the code is past its time."""
    device_code, user_code = started(app)
    decide(ada, user_code)
    token = app.ask(DEVICE, device_code=device_code).json()["access_token"]
    assert works(latchkey, token)
    latchkey.clock.forward(after_s)
    assert refusal(app.ask(DEVICE, device_code=device_code)) == USED
    assert not works(latchkey, token)


def test_device_code_of_another_client_is_refused(ada: Person, latchkey: TestApp, app: App) -> None:
    """It is worth nothing elsewhere, decided or not, and still its own's."""
    device_code, user_code = started(app)
    thief = registered(latchkey)
    assert refusal(thief.ask(DEVICE, device_code=device_code)) == USED
    decide(ada, user_code)
    assert refusal(thief.ask(DEVICE, device_code=device_code)) == USED
    assert app.ask(DEVICE, device_code=device_code).status == 200


def test_what_is_no_device_code_is_refused(ada: Person, app: App) -> None:
    """Unknown, missing, another kind of secret, or the code that people type."""
    _, user_code = started(app)
    for other in (secrets.mint("dc"), "x", user_code, user_code.replace("-", ""), ada.code(app)):
        assert refusal(app.ask(DEVICE, device_code=other)) == USED
    assert refusal(app.ask(DEVICE)) == (400, "invalid_request")


@pytest.mark.parametrize("typed", ["{0}-{1}", "{0}{1}", "{0} {1}", " {0}-{1} ", "{0}–{1}", "{0}.{1}"])
def test_user_code_may_be_typed_in_any_way(ada: Person, app: App, typed: str) -> None:
    """Upper or lower case, with or without what stands between: RFC 8628 §6.1."""
    device_code, user_code = started(app)
    text = typed.format(*user_code.split("-"))
    assert ada.submit("/device", on=f"/device?user_code={text.lower()}", decision="allow").status == 200
    assert app.ask(DEVICE, device_code=device_code).status == 200


def test_user_code_that_nobody_shows_is_not_found(ada: Person, app: App) -> None:
    """A wrong, an empty-looking or a decided code: the page says what to do."""
    device_code, user_code = started(app)
    for wrong in ("BBBB-BBBB", "AEIO-UYAE", "%00", "x" * 500, device_code):
        page = ada.open(f"/device?user_code={wrong}")
        assert page.status == 404
        assert "Enter the code that your device shows now" in page.problem
    decide(ada, user_code)
    assert ada.open(f"/device?user_code={user_code}").status == 404


def test_user_codes_can_be_tried_30_times_an_hour(latchkey: TestApp, ada: Person, app: App) -> None:
    """Guessing another's code doesn't pay (RFC 8628 §5.1); the count is the account's, whatever its address."""
    _, user_code = started(app)
    latchkey.counted(f"device-codes_{ada.account.id}", DEVICE_TRIES, used=28)
    for ip in ("192.0.2.1", "192.0.2.2"):
        ada.ip = ip
        assert ada.open("/device?user_code=BBBB-BBBB").status == 404
    page = ada.open(f"/device?user_code={user_code}")
    assert page.status == 429
    assert page.answer.header("Retry-After") == "3600"
    assert someone(latchkey, "Bea").open(f"/device?user_code={user_code}").status == 200
    latchkey.clock.forward(3_600)
    assert ada.open("/device?user_code=BBBB-BBBB").status == 404


def test_decision_counts_as_a_try(latchkey: TestApp, ada: Person, app: App) -> None:
    """Posting guesses is no way around the limit."""
    page = ada.open(f"/device?user_code={started(app)[1]}")
    fields = ada.filled(page, "/device", {"decision": "allow", "user_code": "BBBB-BBBB"})
    latchkey.counted(f"device-codes_{ada.account.id}", DEVICE_TRIES, used=29)
    assert [ada.send("/device", fields).status for _ in range(3)] == [404, 429, 429]


def test_device_page_asks_who_looks(latchkey: TestApp, app: App) -> None:
    """Nobody is logged in: the code waits until somebody is."""
    _, user_code = started(app)
    stranger = someone(latchkey)
    stranger.cookies.clear()
    page = stranger.open(f"/device?user_code={user_code}")
    assert page.location == f"/login?next=%2Fdevice%3Fuser_code%3D{user_code}"


def test_decision_from_elsewhere_is_forged(latchkey: TestApp, ada: Person, app: App) -> None:
    """Another site's form, and one without this browser's token, decide nothing."""
    device_code, user_code = started(app)
    fields = ada.filled(ada.open(f"/device?user_code={user_code}"), "/device", {"decision": "allow"})
    assert ada.send("/device", fields, origin="https://evil.example").status == 403
    assert ada.send("/device", fields, origin=None).status == 403
    assert ada.send("/device", {**fields, "csrf": "0" * 32}).status == 403
    assert ada.send("/device", {**fields, "csrf": ""}).status == 403
    assert refusal(app.ask(DEVICE, device_code=device_code)) == (400, "authorization_pending")


def test_device_page_says_who_asks_for_what(latchkey: TestApp, ada: Person, app: App) -> None:
    """The client's name, the code to compare, and what it may do."""
    _, user_code = started(app, scope="read write")
    text = ada.open(f"/device?user_code={user_code}").text
    assert "Connect “Photos”?" in text
    assert user_code in text
    assert ada.account.email in text


def test_scope_of_a_device_is_narrowed_to_its_clients(latchkey: TestApp) -> None:
    """As everywhere: `read` when it asks for nothing, what the client may have, and what OAuth grants."""
    reader, writer = registered(latchkey, scopes=["read"]), registered(latchkey, scopes=["write"])
    assert refusal(reader.post("/oauth/device_authorization", scope="write")) == (400, "invalid_scope")
    assert refusal(writer.post("/oauth/device_authorization")) == (400, "invalid_scope")
    for scope in ("keys", "read admin", "nonsense", 'read"', "\\"):
        assert refusal(reader.post("/oauth/device_authorization", scope=scope)) == (400, "invalid_scope"), scope
    device_code, user_code = started(reader, scope="read write")
    decide(someone(latchkey), user_code)
    assert reader.ask(DEVICE, device_code=device_code).json()["scope"] == "read"


def test_openid_connects_scopes_are_dropped_from_a_device_request(latchkey: TestApp, ada: Person, app: App) -> None:
    """As if they weren't there: alone they are `read`, as without a scope."""
    for scope, expected in (("openid profile offline_access email", "read"), ("openid write", "write")):
        device_code, user_code = started(app, scope=scope)
        decide(ada, user_code)
        assert app.ask(DEVICE, device_code=device_code).json()["scope"] == expected


def test_client_without_the_device_flow_is_refused(latchkey: TestApp) -> None:
    """It may use what it was registered for."""
    app = registered(latchkey, grant_types=[CODE])
    assert refusal(app.post("/oauth/device_authorization")) == (400, "unauthorized_client")


def test_resource_of_a_device_is_kept(latchkey: TestApp, ada: Person, app: App) -> None:
    """RFC 8707 §2: named when the flow begins, an unknown one refused."""
    assert refusal(app.post("/oauth/device_authorization", resource="https://evil.example")) == (400, "invalid_target")
    device_code, user_code = started(app, resource=f"{ISSUER}/v1")
    decide(ada, user_code)
    token = app.ask(DEVICE, device_code=device_code).json()["access_token"]
    assert app.post("/oauth/introspect", token=token).json()["aud"] == [f"{ISSUER}/v1"]


def test_approval_for_an_account_that_is_over_brings_nothing(latchkey: TestApp, ada: Person, app: App) -> None:
    """Suspended between its yes and the poll: no tokens."""
    device_code, user_code = started(app)
    decide(ada, user_code)
    ada.suspended()
    assert refusal(app.ask(DEVICE, device_code=device_code)) == USED


def test_device_never_gets_a_code_that_another_shows(latchkey: TestApp, ada: Person, app: App) -> None:
    """Chance may draw the same letters twice: a person who types them must not decide for somebody else's device."""
    letters = iter([0] * 8 + [0] * 8 + [1] * 8 + [0] * 8)
    dice = random.Random(7)  # noqa: S311 - fixed on purpose
    with randomness.drawn_from(lambda bound: next(letters) if bound == 20 else dice.randrange(bound)):
        (first, its_code), (second, _) = started(app), started(app)
        assert its_code == "BBBB-BBBB"
        decide(ada, its_code)
        assert app.ask(DEVICE, device_code=first).status == 200
        assert refusal(app.ask(DEVICE, device_code=second)) == (400, "authorization_pending")
        latchkey.clock.forward(600)
        assert started(app)[1] == its_code


@pytest.mark.parametrize("decision", [None, "allow", "deny"])
def test_device_code_is_kept_to_its_end_and_with_its_grant(
    latchkey: TestApp, ada: Person, app: App, decision: str | None
) -> None:
    """An approved one as long as its grant, so that a second use is still known as one; any other for ten minutes."""
    device_code, user_code = started(app)
    if decision is not None:
        decide(ada, user_code, decision)
    ticket = OneTimeToken.found(secrets.digest(device_code))
    assert ticket is not None
    if decision == "allow":
        assert ticket.dies_at > NOON_MS // 1000 + 90 * 86_400
    else:
        assert ticket.dies_at == NOON_MS // 1000 + 600
    assert min(each.dies_at for each in OneTimeToken.scan() if each.kind in ("dc", "uc")) == NOON_MS // 1000 + 600
