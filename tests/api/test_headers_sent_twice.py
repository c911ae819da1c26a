"""Headers that come in several lines: a list is read whole, and of two that contradict each other none is heeded."""

import base64

import pytest

from chalicelib.core import telemetry
from infra.standin import Answer
from tests.house import House
from tests.oauth.flow import registered
from tests.visitor import FORM, ORIGIN, logged_in, person

Lines = list[tuple[str, str]]
JSON = ("Content-Type", "application/json")
KEY = b'{"name": "CI", "scopes": ["read"]}'


def ask(home: House, method: str, target: str, *lines: tuple[str, str], body: bytes = b"") -> tuple[Answer, str]:
    """Send header lines as they are; return the answer and its error."""
    answer = home.gateway.handle(method, target, lines, body, "203.0.113.7")
    is_json = (answer.header("Content-Type") or "").startswith("application/json") and answer.body
    return answer, answer.json().get("error", "") if is_json else ""


@pytest.mark.parametrize("names", [("Cookie", "Cookie"), ("cookie", "cookie"), ("Cookie", "cookie")])
@pytest.mark.parametrize("place", [0, 1])
def test_cookies_may_come_in_several_fields(home: House, names: tuple[str, str], place: int) -> None:
    """HTTP/2 clients may split them (RFC 9113 §8.2.3): the session is found in whichever."""
    visitor = logged_in(home, person())
    values = ["a=b; c=d", "e=f"]
    values[place] += f"; {visitor.cookie_name('latchkey')}={visitor.session}"
    answer, _ = ask(home, "GET", "/settings/account", *zip(names, values, strict=True))
    assert answer.status == 200


def test_two_credentials_are_refused(home: House) -> None:
    """One was verified by the authorizer, and the other could be taken for it (RFC 6750 §3.1: invalid_request)."""
    account = home.account()
    first, second = (f"Bearer {home.key(account).secret}" for _ in range(2))
    one, other = ("Authorization", first), ("authorization", second)
    for lines in ((one, other), (other, one), (one, ("Authorization", second))):
        answer, error = ask(home, "GET", "/v1/users/me", *lines)
        assert (answer.status, error) == (400, "invalid_request")
        assert "Send one Authorization header." in answer.json()["message"]
    assert ask(home, "GET", "/v1/users/me", one, one)[0].status == 200


def test_two_credentials_are_counted_where_they_come_from(home: House) -> None:
    """Neither account pays for what can't be told to be its own, and a flood of them is held down."""
    account = home.account()
    lines = [("Authorization", f"Bearer {home.key(account).secret}") for _ in range(2)]
    with telemetry.calls_watched() as calls:
        statuses = [ask(home, "GET", "/v1/users/me", *lines)[0].status for _ in range(60)]
    assert set(statuses) == {400, 429}
    assert home.counters(account.id) == {}
    assert {table for operation, table in calls.made if operation == "UpdateItem"} == {"latchkey-test-windows"}


def test_two_credentials_of_a_client_are_refused(home: House) -> None:
    """In the form of OAuth's own errors."""
    app = registered(home)
    right = base64.b64encode(f"{app.id}:{app.secret}".encode()).decode()
    lines: Lines = [("Content-Type", FORM), ("Authorization", f"Basic {right}")]
    body = b"grant_type=client_credentials"
    assert ask(home, "POST", "/oauth/token", *lines, body=body)[0].status == 200
    wrong = base64.b64encode(f"{app.id}:wrong".encode()).decode()
    answer, error = ask(home, "POST", "/oauth/token", *lines, ("Authorization", f"Basic {wrong}"), body=body)
    assert (answer.status, error) == (400, "invalid_request")


@pytest.mark.parametrize("kinds", [("application/json", "text/plain"), ("text/plain", "application/json")])
def test_two_media_types_are_refused_where_a_body_is_read(home: House, kinds: tuple[str, str]) -> None:
    """What isn't read isn't judged: a GET may have what it likes."""
    secret = ("Authorization", f"Bearer {home.key(home.account()).secret}")
    lines = [secret, *(("Content-Type", kind) for kind in kinds)]
    answer, error = ask(home, "POST", "/v1/keys", *lines, body=KEY)
    assert (answer.status, error) == (400, "invalid_request")
    assert answer.json()["message"] == "Send one Content-Type header."
    assert ask(home, "GET", "/v1/keys", *lines)[0].status == 200
    assert ask(home, "POST", "/v1/keys", secret, JSON, JSON, body=KEY)[0].status == 201


def test_two_idempotency_keys_are_refused(home: House) -> None:
    """The same one twice is one."""
    secret = ("Authorization", f"Bearer {home.key(home.account()).secret}")
    keys = [("Idempotency-Key", key) for key in "ab"]
    answer, error = ask(home, "POST", "/v1/keys", secret, JSON, *keys, body=KEY)
    assert (answer.status, error) == (400, "invalid_request")
    assert answer.json()["message"] == "Send one Idempotency-Key."
    assert ask(home, "POST", "/v1/keys", secret, JSON, keys[0], keys[0], body=KEY)[0].status == 201


def test_two_origins_send_no_form(home: House) -> None:
    """Whichever of them is ours."""
    visitor = logged_in(home, person())
    csrf = visitor.open("/settings/account").value("/settings/account/name", "csrf")
    cookie = ("Cookie", f"{visitor.cookie_name('latchkey')}={visitor.session}")
    body = f"csrf={csrf}&name=Eve".encode()
    for others in (["https://evil.example"], []):
        for origins in ([ORIGIN, *others], [*others, ORIGIN]):
            lines = [cookie, ("Content-Type", FORM), *(("Origin", origin) for origin in origins)]
            assert ask(home, "POST", "/settings/account/name", *lines, body=body)[0].status == (400 if others else 303)


def test_lists_are_read_whole(home: House) -> None:
    """Several tags, weak ones, and what a browser accepts in more than one line."""
    etag = home.call("GET", "/openapi.json").header("ETag") or ""
    for lines in ([f'"other", {etag}'], ["*"], [f"W/{etag}"], [etag, '"other"'], ['"other"', etag]):
        assert ask(home, "GET", "/openapi.json", *(("If-None-Match", each) for each in lines))[0].status == 304, lines
    answer, _ = ask(home, "GET", "/v1/nothing", ("Accept", "application/json"), ("Sec-Fetch-Dest", "document"))
    assert answer.header("Content-Type") == "text/html; charset=utf-8"
    for lines in (["text/html", "*/*;q=0.1"], ["*/*;q=0.1", "text/html"]):
        answer, _ = ask(home, "GET", "/settings/nothing/at/all", *(("Accept", each) for each in lines))
        assert answer.header("Content-Type") == "text/html; charset=utf-8"
