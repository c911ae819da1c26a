"""Random requests never get a 5xx, and every error has the documented format."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.limits import tiers
from infra.local_gateway.response import Response
from tests.api.routes import ROUTES
from tests.support import exhaustive
from tests.support.harness import TestApp

NOT_FLAKY = exhaustive.random_requests(60)
DOCUMENTED = {
    400: {"invalid_request"},
    401: {"missing_api_key", "invalid_api_key", "token_expired"},
    403: {"insufficient_scope"},
    404: {"not_found"},
    409: {"conflict"},
    415: {"unsupported_media_type"},
    429: {"rate_limit_exceeded"},
    431: {"invalid_request"},
}
GOOD_BODIES: dict[tuple[str, str], dict[str, object]] = {
    ("PATCH", "/v1/users/me"): {"name": "Ada"},
    ("POST", "/v1/accounts"): {"email": "bea@example.com", "name": "Bea", "tier": "pro"},
    ("PATCH", "/v1/accounts/{id}"): {"tier": "pro", "status": "active"},
    ("POST", "/v1/keys"): {"name": "CI", "scopes": ["read"], "expires_in_s": 3600},
    ("PATCH", "/v1/keys/{id}"): {"name": "CI", "scopes": ["read"]},
    ("POST", "/v1/keys/{id}/rotate"): {"grace_s": 0},
}

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=80)
ODD_TEXT = st.sampled_from(["", " ", "\x00", "\ud800", "🗝" * 70, "é" * 300, "a@b@c", "@", "a@xn--.com", "a@\ud800.com"])
GOOD = st.sampled_from(["read", "write", "keys", "admin", "free", "pro", "active", "suspended", "a@example.com", 60, 0])
NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([10**400, -1, 604_801, 1e308, 2**63]))
VALUES = st.one_of(st.none(), st.booleans(), NUMBERS, ANY_TEXT, ODD_TEXT, GOOD)
DEEP_VALUES = st.recursive(
    VALUES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(ANY_TEXT, inner, max_size=3)),
    max_leaves=5,
)
NO_OBJECTS = st.one_of(
    st.binary(max_size=80),
    DEEP_VALUES.map(json.dumps).map(str.encode),
    st.sampled_from(
        [b"", b"[" * 100_000, b'{"name":' * 50_000, b"9" * 5_000, b"NaN", b'{"name":Infinity}', b"\xff\xfe{}"]
    ),
)
PIECES = [
    "%00",
    "%ED%A0%80",
    "%FF",
    "%",
    "%2F",
    "..",
    ";",
    "é",
    "limit",
    "cursor",
    "=",
    "&",
    "1",
    "-1",
    "YWNj",
    "a2V5Xw",
]
IN_A_URL = st.one_of(
    st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=60),
    st.lists(st.sampled_from(PIECES)).map("".join),
)
NAMES = ["Accept", "Accept-Encoding", "Origin", "X-Forwarded-For", "Host", "Cookie", "Content-Encoding", "Content-Type"]


@dataclass
class Callers:
    """Keys with all, many and few scopes, and ids of existing objects."""

    everything: str
    others: Iterator[str]
    account_id: str
    key_id: str
    ids: Iterator[str]


@pytest.fixture
def callers(latchkey: TestApp) -> Callers:
    """An admin's key, other keys, and ids of existing accounts and keys."""
    admin, ordinary = latchkey.account(tiers.ENTERPRISE, admin=True), latchkey.account(tiers.ENTERPRISE)
    spare = latchkey.key(admin)
    everything = latchkey.key(admin, "read", "write", "keys", "admin").secret
    return Callers(
        everything=everything,
        others=cycle([latchkey.key(ordinary).secret, latchkey.key(ordinary, "read").secret, everything]),
        account_id=ordinary.id,
        key_id=spare.key.id,
        ids=cycle(
            [spare.key.id, ordinary.id, ordinary.user_id, "me", "acc_" + "0" * 20, "usr_~", "key_" + "z" * 20, "key_~"]
        ),
    )


def check(response: Response) -> None:
    """Assert that a response is documented and not a 5xx."""
    assert response.status < 500, response
    assert response.header("X-RateLimit-Limit") is not None
    if response.status >= 400:
        body = response.json()
        assert response.header("Content-Type") == "application/json"
        assert body.keys() == {"error", "message"}
        assert body["error"] in DOCUMENTED[response.status], body
        assert isinstance(body["message"], str)


@NOT_FLAKY
@given(route=st.sampled_from(list(GOOD_BODIES)), data=st.data())
def test_random_field_is_no_5xx(
    latchkey: TestApp, callers: Callers, route: tuple[str, str], data: st.DataObject
) -> None:
    """A random value in any field of a body never gets a 5xx."""
    method, path = route
    spoilt = data.draw(st.sampled_from(sorted(GOOD_BODIES[route])))
    value = data.draw(st.one_of(VALUES, st.lists(GOOD, max_size=3), DEEP_VALUES))
    fields = GOOD_BODIES[route] | {spoilt: value}
    latchkey.clock.forward(1)
    target = path.replace("{id}", callers.account_id if "accounts" in path else callers.key_id)
    check(latchkey.call(method, target, callers.everything, body=json.dumps(fields).encode()))


@NOT_FLAKY
@given(route=st.sampled_from(ROUTES), body=NO_OBJECTS)
def test_random_body_is_no_5xx(latchkey: TestApp, callers: Callers, route: tuple[str, str, str], body: bytes) -> None:
    """Random bytes and random JSON as a body never get a 5xx, from any caller."""
    latchkey.clock.forward(1)
    check(latchkey.call(route[0], route[1].replace("{id}", next(callers.ids)), next(callers.others), body=body))


@NOT_FLAKY
@given(route=st.sampled_from(ROUTES), thing=IN_A_URL, query=IN_A_URL)
def test_random_url_is_no_5xx(
    latchkey: TestApp, callers: Callers, route: tuple[str, str, str], thing: str, query: str
) -> None:
    """Random ids, cursors, limits and parameters never get a 5xx."""
    latchkey.clock.forward(1)
    target = route[1].replace("{id}", thing.replace("/", "").replace("?", "").replace("#", ""))
    for asked in (query, f"cursor={query}", f"limit={query}"):
        check(latchkey.call(route[0], f"{target}?{asked}", callers.everything))


@NOT_FLAKY
@given(route=st.sampled_from(ROUTES), headers=st.dictionaries(st.sampled_from(NAMES), ANY_TEXT, max_size=3))
def test_random_header_is_no_5xx(
    latchkey: TestApp, callers: Callers, route: tuple[str, str, str], headers: dict[str, str]
) -> None:
    """Random headers never get a 5xx."""
    latchkey.clock.forward(1)
    target = route[1].replace("{id}", next(callers.ids))
    check(latchkey.call(route[0], target, next(callers.others), body=b"{}", headers=headers))


@NOT_FLAKY
@given(authorization=st.one_of(ANY_TEXT, ANY_TEXT.map("Bearer ".__add__), ANY_TEXT.map("Bearer lk_test_".__add__)))
def test_random_authorization_header_is_a_401(latchkey: TestApp, authorization: str) -> None:
    """A random Authorization header gets a documented 401."""
    response = latchkey.call("GET", "/v1/users/me", headers={"Authorization": authorization})
    assert response.status == 401
    check(response)


@NOT_FLAKY
@given(target=IN_A_URL)
def test_random_path_is_no_5xx(latchkey: TestApp, target: str) -> None:
    """A random path never gets a 5xx."""
    latchkey.clock.forward(1)
    assert latchkey.call("GET", f"/{target}").status < 500
