"""The device flow (RFC 8628): the device polls, and the resource owner enters its code and decides once."""

import random
import re

import pytest

from chalicelib.api.console.consent import DEVICE_TRIES
from chalicelib.core import randomness, secrets
from chalicelib.oauth.tables import OneTimeToken
from tests.oauth.flow import CODE, DEVICE, ISSUER, App, User, error_of, is_accepted, new_user, register_client
from tests.support.harness import START_MS, TestApp

USED = (400, "invalid_grant")


def start_device(app: App, **parameters: str) -> tuple[str, str]:
    """Start a device authorization and return its device code and user code."""
    response = app.post("/oauth/device_authorization", **parameters)
    assert response.status == 200, response.body
    body = response.json()
    app.latchkey.secrets.append(body["device_code"])
    return body["device_code"], body["user_code"]


def decide(user: User, user_code: str, decision: str = "allow") -> int:
    """Enter a user code and submit a decision; return the status of the last page."""
    page = user.open(f"/device?user_code={user_code}")
    if page.status != 200:
        return page.status
    return user.send("/device", user.fill(page, "/device", {"decision": decision})).status


def test_device_authorization_response_is_complete(app: App) -> None:
    """RFC 8628 §3.2: the response contains all fields, with the polling interval and a lifetime of ten minutes."""
    response = app.post("/oauth/device_authorization", scope="read")
    body = response.json()
    assert response.status == 200
    assert response.header("Cache-Control") == "no-store"
    assert re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", body["user_code"])
    assert secrets.kind_of(body["device_code"]) == "dc"
    assert {name: body[name] for name in ("verification_uri", "expires_in", "interval")} == {
        "verification_uri": f"{ISSUER}/device",
        "expires_in": 600,
        "interval": 5,
    }
    assert body["verification_uri_complete"] == f"{ISSUER}/device?user_code={body['user_code']}"


@pytest.mark.parametrize("kind", ["app", "native"])
def test_device_gets_tokens_after_the_approval(
    latchkey: TestApp, ada: User, request: pytest.FixtureRequest, kind: str
) -> None:
    """A poll is pending until the approval; the tokens then act for the account that approved."""
    app: App = request.getfixturevalue(kind)
    device_code, user_code = start_device(app, scope="read write")
    assert error_of(app.ask(DEVICE, device_code=device_code)) == (400, "authorization_pending")
    assert decide(ada, user_code) == 200
    latchkey.clock.forward(5)
    body = app.ask(DEVICE, device_code=device_code).json()
    assert body["scope"] == "read write"
    assert latchkey.call("GET", "/v1/users/me", body["access_token"]).json()["id"] == ada.account.user_id
    assert app.refresh(body["refresh_token"]).status == 200


def test_device_polling_too_fast_must_slow_down(latchkey: TestApp, app: App) -> None:
    """A device that polls too fast gets slow_down, which increases the interval by 5 s each time (RFC 8628 §3.5)."""
    device_code, _ = start_device(app)
    errors = []
    for after_s in (0, 4.999, 9.999, 15, 14.999, 20):
        latchkey.clock.forward(after_s)
        errors.append(error_of(app.ask(DEVICE, device_code=device_code))[1])
    pending, slow = "authorization_pending", "slow_down"
    assert errors == [pending, slow, slow, pending, slow, pending]


def test_denied_device_gets_access_denied(ada: User, app: App) -> None:
    """Every poll after a denial gets access_denied, and the decision can't be changed."""
    device_code, user_code = start_device(app)
    assert decide(ada, user_code, "deny") == 200
    assert error_of(app.ask(DEVICE, device_code=device_code)) == (400, "access_denied")
    assert decide(ada, user_code) == 404
    assert error_of(app.ask(DEVICE, device_code=device_code)) == (400, "access_denied")


def test_device_code_expires_after_ten_minutes(latchkey: TestApp, ada: User, app: App) -> None:
    """After ten minutes a device code, approved or not, gets expired_token, and its user code can't be approved."""
    undecided, user_code = start_device(app)
    approved, its_code = start_device(app)
    assert decide(ada, its_code) == 200
    latchkey.clock.forward(599.999)
    assert error_of(app.ask(DEVICE, device_code=undecided)) == (400, "authorization_pending")
    latchkey.clock.forward(0.001)
    assert error_of(app.ask(DEVICE, device_code=undecided)) == (400, "expired_token")
    assert error_of(app.ask(DEVICE, device_code=approved)) == (400, "expired_token")
    assert decide(ada, user_code) == 404


@pytest.mark.parametrize("after_s", [0, 601])
def test_device_code_is_redeemed_once(latchkey: TestApp, ada: User, app: App, after_s: int) -> None:
    """A second use of a device code revokes its grant, as with any code, even after the code has expired."""
    device_code, user_code = start_device(app)
    decide(ada, user_code)
    token = app.ask(DEVICE, device_code=device_code).json()["access_token"]
    assert is_accepted(latchkey, token)
    latchkey.clock.forward(after_s)
    assert error_of(app.ask(DEVICE, device_code=device_code)) == USED
    assert not is_accepted(latchkey, token)


def test_device_code_of_another_client_is_invalid(ada: User, latchkey: TestApp, app: App) -> None:
    """Another client can't redeem a device code before or after its approval; it stays valid for its own client."""
    device_code, user_code = start_device(app)
    thief = register_client(latchkey)
    assert error_of(thief.ask(DEVICE, device_code=device_code)) == USED
    decide(ada, user_code)
    assert error_of(thief.ask(DEVICE, device_code=device_code)) == USED
    assert app.ask(DEVICE, device_code=device_code).status == 200


def test_unknown_device_code_is_invalid(ada: User, app: App) -> None:
    """An unknown or missing device code, another type of secret, and the user code are rejected."""
    _, user_code = start_device(app)
    for other in (secrets.mint("dc"), "x", user_code, user_code.replace("-", ""), ada.code(app)):
        assert error_of(app.ask(DEVICE, device_code=other)) == USED
    assert error_of(app.ask(DEVICE)) == (400, "invalid_request")


@pytest.mark.parametrize("typed", ["{0}-{1}", "{0}{1}", "{0} {1}", " {0}-{1} ", "{0}–{1}", "{0}.{1}"])
def test_user_code_is_accepted_in_any_format(ada: User, app: App, typed: str) -> None:
    """A user code may be entered in upper or lower case, with any separators (RFC 8628 §6.1)."""
    device_code, user_code = start_device(app)
    text = typed.format(*user_code.split("-"))
    assert ada.submit("/device", on=f"/device?user_code={text.lower()}", decision="allow").status == 200
    assert app.ask(DEVICE, device_code=device_code).status == 200


def test_unknown_user_code_is_not_found(ada: User, app: App) -> None:
    """If a code is wrong, malformed or already decided, the page asks for the code that the device shows now."""
    device_code, user_code = start_device(app)
    for wrong in ("BBBB-BBBB", "AEIO-UYAE", "%00", "x" * 500, device_code):
        page = ada.open(f"/device?user_code={wrong}")
        assert page.status == 404
        assert "Enter the code that your device shows now" in page.problem
    decide(ada, user_code)
    assert ada.open(f"/device?user_code={user_code}").status == 404


def test_user_codes_can_be_tried_30_times_an_hour(latchkey: TestApp, ada: User, app: App) -> None:
    """RFC 8628 §5.1: a user can try 30 user codes an hour, and another IP address doesn't allow more."""
    _, user_code = start_device(app)
    latchkey.set_counters(f"device-codes_{ada.account.user_id}", DEVICE_TRIES, used=28)
    for ip in ("192.0.2.1", "192.0.2.2"):
        ada.ip = ip
        assert ada.open("/device?user_code=BBBB-BBBB").status == 404
    page = ada.open(f"/device?user_code={user_code}")
    assert page.status == 429
    assert page.answer.header("Retry-After") == "3600"
    assert new_user(latchkey, "Bea").open(f"/device?user_code={user_code}").status == 200
    latchkey.clock.forward(3_600)
    assert ada.open("/device?user_code=BBBB-BBBB").status == 404


def test_decision_counts_as_a_try(latchkey: TestApp, ada: User, app: App) -> None:
    """A user code in a submitted form counts as a try, too, so that forms don't allow more guesses."""
    page = ada.open(f"/device?user_code={start_device(app)[1]}")
    fields = ada.fill(page, "/device", {"decision": "allow", "user_code": "BBBB-BBBB"})
    latchkey.set_counters(f"device-codes_{ada.account.user_id}", DEVICE_TRIES, used=29)
    assert [ada.send("/device", fields).status for _ in range(3)] == [404, 429, 429]


def test_device_page_requires_login(latchkey: TestApp, app: App) -> None:
    """An anonymous user who opens the device page is redirected to log-in, and from there back to the page with the
    user code.
    """
    _, user_code = start_device(app)
    anonymous = new_user(latchkey)
    anonymous.cookies.clear()
    page = anonymous.open(f"/device?user_code={user_code}")
    assert page.location == f"/login?next=%2Fdevice%3Fuser_code%3D{user_code}"


def test_cross_site_decision_is_rejected(latchkey: TestApp, ada: User, app: App) -> None:
    """A decision from another site, or without this browser's CSRF token, is rejected."""
    device_code, user_code = start_device(app)
    fields = ada.fill(ada.open(f"/device?user_code={user_code}"), "/device", {"decision": "allow"})
    assert ada.send("/device", fields, origin="https://evil.example").status == 403
    assert ada.send("/device", fields, origin=None).status == 403
    assert ada.send("/device", {**fields, "csrf": "0" * 32}).status == 403
    assert ada.send("/device", {**fields, "csrf": ""}).status == 403
    assert error_of(app.ask(DEVICE, device_code=device_code)) == (400, "authorization_pending")


def test_device_page_shows_client_code_and_scopes(latchkey: TestApp, ada: User, app: App) -> None:
    """The page shows the client's name, the requested permissions, and the user code to compare with the device."""
    _, user_code = start_device(app, scope="read write")
    text = ada.open(f"/device?user_code={user_code}").text
    assert "Connect “Photos”?" in text
    assert user_code in text
    assert ada.account.email in text


def test_device_scope_is_limited_to_the_client(latchkey: TestApp) -> None:
    """The scope is `read` by default, and is limited to scopes that the client may have and OAuth can grant."""
    reader, writer = register_client(latchkey, scopes=["read"]), register_client(latchkey, scopes=["write"])
    assert error_of(reader.post("/oauth/device_authorization", scope="write")) == (400, "invalid_scope")
    assert error_of(writer.post("/oauth/device_authorization")) == (400, "invalid_scope")
    for scope in ("keys", "read admin", "nonsense", 'read"', "\\"):
        assert error_of(reader.post("/oauth/device_authorization", scope=scope)) == (400, "invalid_scope"), scope
    device_code, user_code = start_device(reader, scope="read write")
    decide(new_user(latchkey), user_code)
    assert reader.ask(DEVICE, device_code=device_code).json()["scope"] == "read"


def test_openid_connect_scopes_are_ignored_in_device_requests(latchkey: TestApp, ada: User, app: App) -> None:
    """OpenID Connect scopes are dropped, and a request with no other scope gets `read`."""
    for scope, expected in (("openid profile offline_access email", "read"), ("openid write", "write")):
        device_code, user_code = start_device(app, scope=scope)
        decide(ada, user_code)
        assert app.ask(DEVICE, device_code=device_code).json()["scope"] == expected


def test_client_without_the_device_grant_is_unauthorized(latchkey: TestApp) -> None:
    """A client may use only the grant types that it was registered for."""
    app = register_client(latchkey, grant_types=[CODE])
    assert error_of(app.post("/oauth/device_authorization")) == (400, "unauthorized_client")


def test_resource_of_a_device_is_kept(latchkey: TestApp, ada: User, app: App) -> None:
    """RFC 8707 §2: a resource that is requested at the start is in the tokens. An unknown resource is an error."""
    assert error_of(app.post("/oauth/device_authorization", resource="https://evil.example")) == (400, "invalid_target")
    device_code, user_code = start_device(app, resource=f"{ISSUER}/v1")
    decide(ada, user_code)
    token = app.ask(DEVICE, device_code=device_code).json()["access_token"]
    assert app.post("/oauth/introspect", token=token).json()["aud"] == [f"{ISSUER}/v1"]


def test_approval_of_an_inactive_account_gives_no_tokens(latchkey: TestApp, ada: User, app: App) -> None:
    """If the account is suspended between approval and poll, the device gets no tokens."""
    device_code, user_code = start_device(app)
    decide(ada, user_code)
    ada.suspend()
    assert error_of(app.ask(DEVICE, device_code=device_code)) == USED


def test_user_code_in_use_is_drawn_again(latchkey: TestApp, ada: User, app: App) -> None:
    """If a random user code is already in use, a new one is generated, so that nobody approves another user's
    device.
    """
    letters = iter([0] * 8 + [0] * 8 + [1] * 8 + [0] * 8)
    dice = random.Random(7)  # noqa: S311 - fixed on purpose
    with randomness.use_generator(lambda bound: next(letters) if bound == 20 else dice.randrange(bound)):
        (first, its_code), (second, _) = start_device(app), start_device(app)
        assert its_code == "BBBB-BBBB"
        decide(ada, its_code)
        assert app.ask(DEVICE, device_code=first).status == 200
        assert error_of(app.ask(DEVICE, device_code=second)) == (400, "authorization_pending")
        latchkey.clock.forward(600)
        assert start_device(app)[1] == its_code


@pytest.mark.parametrize("decision", [None, "allow", "deny"])
def test_device_code_is_kept_until_expiry_or_as_long_as_its_grant(
    latchkey: TestApp, ada: User, app: App, decision: str | None
) -> None:
    """An approved device code is kept as long as its grant, to detect reuse. Any other device code is kept for ten
    minutes.
    """
    device_code, user_code = start_device(app)
    if decision is not None:
        decide(ada, user_code, decision)
    device_code_item = OneTimeToken.found(secrets.digest(device_code))
    assert device_code_item is not None
    if decision == "allow":
        assert device_code_item.dies_at > START_MS // 1000 + 90 * 86_400
    else:
        assert device_code_item.dies_at == START_MS // 1000 + 600
    assert min(each.dies_at for each in OneTimeToken.scan() if each.kind in ("dc", "uc")) == START_MS // 1000 + 600
