"""Headers that come in several lines: a list is read whole, and of two that contradict each other none is heeded."""

import base64

import pytest

from chalicelib.core import telemetry
from infra.local_gateway.response import Response
from tests.oauth.flow import register_client
from tests.support.console_client import FORM, ORIGIN, log_in_as, new_account
from tests.support.harness import TestApp

Lines = list[tuple[str, str]]
JSON = ("Content-Type", "application/json")
KEY = b'{"name": "CI", "scopes": ["read"]}'


def ask(
    latchkey: TestApp, method: str, target: str, *lines: tuple[str, str], body: bytes = b""
) -> tuple[Response, str]:
    """Send header lines as they are; return the answer and its error."""
    answer = latchkey.gateway.handle(method, target, lines, body, "203.0.113.7")
    is_json = (answer.header("Content-Type") or "").startswith("application/json") and answer.body
    return answer, answer.json().get("error", "") if is_json else ""


@pytest.mark.parametrize("names", [("Cookie", "Cookie"), ("cookie", "cookie"), ("Cookie", "cookie")])
@pytest.mark.parametrize("place", [0, 1])
def test_cookies_may_come_in_several_fields(latchkey: TestApp, names: tuple[str, str], place: int) -> None:
    """HTTP/2 clients may split them (RFC 9113 §8.2.3): the session is found in whichever."""
    console = log_in_as(latchkey, new_account())
    values = ["a=b; c=d", "e=f"]
    values[place] += f"; {console.cookie_name('latchkey')}={console.session}"
    answer, _ = ask(latchkey, "GET", "/settings/account", *zip(names, values, strict=True))
    assert answer.status == 200


def test_two_credentials_are_refused(latchkey: TestApp) -> None:
    """One was verified by the authorizer, and the other could be taken for it (RFC 6750 §3.1: invalid_request)."""
    account = latchkey.account()
    first, second = (f"Bearer {latchkey.key(account).secret}" for _ in range(2))
    one, other = ("Authorization", first), ("authorization", second)
    for lines in ((one, other), (other, one), (one, ("Authorization", second))):
        answer, error = ask(latchkey, "GET", "/v1/users/me", *lines)
        assert (answer.status, error) == (400, "invalid_request")
        assert "Send one Authorization header." in answer.json()["message"]
    assert ask(latchkey, "GET", "/v1/users/me", one, one)[0].status == 200


def test_two_credentials_are_counted_where_they_come_from(latchkey: TestApp) -> None:
    """Neither account pays for what can't be told to be its own, and a flood of them is held down."""
    account = latchkey.account()
    lines = [("Authorization", f"Bearer {latchkey.key(account).secret}") for _ in range(2)]
    with telemetry.record_calls() as calls:
        statuses = [ask(latchkey, "GET", "/v1/users/me", *lines)[0].status for _ in range(60)]
    assert set(statuses) == {400, 429}
    assert latchkey.counters(account.id) == {}
    assert {table for operation, table in calls.made if operation == "UpdateItem"} == {"latchkey-test-windows"}


def test_two_credentials_of_a_client_are_refused(latchkey: TestApp) -> None:
    """In the form of OAuth's own errors."""
    app = register_client(latchkey)
    right = base64.b64encode(f"{app.id}:{app.secret}".encode()).decode()
    lines: Lines = [("Content-Type", FORM), ("Authorization", f"Basic {right}")]
    body = b"grant_type=client_credentials"
    assert ask(latchkey, "POST", "/oauth/token", *lines, body=body)[0].status == 200
    wrong = base64.b64encode(f"{app.id}:wrong".encode()).decode()
    answer, error = ask(latchkey, "POST", "/oauth/token", *lines, ("Authorization", f"Basic {wrong}"), body=body)
    assert (answer.status, error) == (400, "invalid_request")


@pytest.mark.parametrize("kinds", [("application/json", "text/plain"), ("text/plain", "application/json")])
def test_two_media_types_are_refused_where_a_body_is_read(latchkey: TestApp, kinds: tuple[str, str]) -> None:
    """What isn't read isn't judged: a GET may have what it likes."""
    secret = ("Authorization", f"Bearer {latchkey.key(latchkey.account()).secret}")
    lines = [secret, *(("Content-Type", kind) for kind in kinds)]
    answer, error = ask(latchkey, "POST", "/v1/keys", *lines, body=KEY)
    assert (answer.status, error) == (400, "invalid_request")
    assert answer.json()["message"] == "Send one Content-Type header."
    assert ask(latchkey, "GET", "/v1/keys", *lines)[0].status == 200
    assert ask(latchkey, "POST", "/v1/keys", secret, JSON, JSON, body=KEY)[0].status == 201


def test_two_idempotency_keys_are_refused(latchkey: TestApp) -> None:
    """The same one twice is one."""
    secret = ("Authorization", f"Bearer {latchkey.key(latchkey.account()).secret}")
    keys = [("Idempotency-Key", key) for key in "ab"]
    answer, error = ask(latchkey, "POST", "/v1/keys", secret, JSON, *keys, body=KEY)
    assert (answer.status, error) == (400, "invalid_request")
    assert answer.json()["message"] == "Send one Idempotency-Key."
    assert ask(latchkey, "POST", "/v1/keys", secret, JSON, keys[0], keys[0], body=KEY)[0].status == 201


def test_two_origins_send_no_form(latchkey: TestApp) -> None:
    """Whichever of them is ours."""
    console = log_in_as(latchkey, new_account())
    csrf = console.open("/settings/account").value("/settings/account/name", "csrf")
    cookie = ("Cookie", f"{console.cookie_name('latchkey')}={console.session}")
    body = f"csrf={csrf}&name=Eve".encode()
    for others in (["https://evil.example"], []):
        for origins in ([ORIGIN, *others], [*others, ORIGIN]):
            lines = [cookie, ("Content-Type", FORM), *(("Origin", origin) for origin in origins)]
            assert ask(latchkey, "POST", "/settings/account/name", *lines, body=body)[0].status == (
                400 if others else 303
            )


def test_lists_are_read_whole(latchkey: TestApp) -> None:
    """Several tags, weak ones, and what a browser accepts in more than one line."""
    etag = latchkey.call("GET", "/openapi.json").header("ETag") or ""
    for lines in ([f'"other", {etag}'], ["*"], [f"W/{etag}"], [etag, '"other"'], ['"other"', etag]):
        assert ask(latchkey, "GET", "/openapi.json", *(("If-None-Match", each) for each in lines))[0].status == 304, (
            lines
        )
    answer, _ = ask(latchkey, "GET", "/v1/nothing", ("Accept", "application/json"), ("Sec-Fetch-Dest", "document"))
    assert answer.header("Content-Type") == "text/html; charset=utf-8"
    for lines in (["text/html", "*/*;q=0.1"], ["*/*;q=0.1", "text/html"]):
        answer, _ = ask(latchkey, "GET", "/settings/nothing/at/all", *(("Accept", each) for each in lines))
        assert answer.header("Content-Type") == "text/html; charset=utf-8"
