"""Compare the responses to requests without an account with those of the local gateway, for the same requests.

They come from API Gateway itself, from public pages, and from denials of the authorizer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from chalicelib.core import secrets, settings
from chalicelib.limits import headers as limit_headers
from infra.local_gateway.gateway import Gateway
from infra.local_gateway.response import Response
from infra.smoke import compare
from infra.smoke.run import Run

KNOWN, UNKNOWN = "/v1/users/me", "/v1/smoke-nothing-here"
NOT_JSON = ("text/csv", "application/xml", "application/octet-stream", "image/png", "application/x-www-form-urlencoded")
ODD = (("DELETE", "/v1/users"), ("PUT", KNOWN), ("POST", "/v1/limits"), ("PATCH", "/health"))
HEADS = ("/health", "/openapi.json", "/.well-known/oauth-protected-resource")
ANSWERED = (
    *(("GET", path) for path in ("/", "/login", "/docs", "/health", "/status.json", "/openapi.json", UNKNOWN)),
    *(("GET", path) for path in ("/.well-known/oauth-authorization-server", "/oauth/authorize", KNOWN)),
    *(("POST", path) for path in ("/oauth/token", "/oauth/register", "/login", "/v1/leaks")),
)
"""One request for each kind of response, rejections included."""
HEALTHY = b'{"status":"ok"}'
ORIGIN = {"Origin": "https://app.example.com"}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, and the name of its check."""

    check: str
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def check(run: Run) -> None:
    """Compare every response that needs no account."""
    gateway = local_gateway()
    for asked in (*_refusals(), *_unknown_paths(), *_preflights()):
        _compare(run, gateway, asked)
    for asked in _odd_methods(_well_formed()):
        came = _compare(run, gateway, asked)
        if came is not None:
            say_kind(run, asked.check, came)
    run.judge("401 of a well-formed key that nobody has", lambda: _of_unknown_key(run, gateway))
    run.judge("limit headers on every answer", lambda: _without_limits(run))
    run.judge("200 of /health", lambda: compare.of_body(HEALTHY, run.call("GET", "/health")))
    for path in HEADS:
        run.judge(f"HEAD {path} as GET, without a body", partial(of_head, run, path))


def _compare(run: Run, gateway: Gateway, asked: Asked) -> Response | None:
    """Compare one response and return it, None without one."""
    with run.noted(asked.check):
        came = run.call(asked.method, asked.path, "", asked.headers, asked.body)
        expected = gateway.handle(asked.method, asked.path, asked.headers.items(), asked.body)
        run.outcomes.judge(asked.check, compare.differences(expected, came))
        return came
    return None


def say_kind(run: Run, check: str, came: Response) -> None:
    """Record API Gateway's response to a method that a path doesn't have; AWS documents it only in part."""
    if run.target.is_deployed:
        kind = came.header("x-amzn-ErrorType")
        run.outcomes.seen(check, f"answered {came.status}, {f'x-amzn-ErrorType {kind}' if kind else 'no error type'}")


def local_gateway() -> Gateway:
    """Return the local gateway, whose responses without a database are the expected ones."""
    from app import app

    return Gateway(app)


def of_head(run: Run, path: str, key: str = "") -> list[str]:
    """Return how the response to HEAD differs from that to GET, apart from the counted limits."""
    got, head = run.call("GET", path, key), run.call("HEAD", path, key)
    expected = {name: compare.ANY if _is_counted(name) else value for name, value in got.headers}
    ours = {name: value for name, value in expected.items() if compare.is_ours(name) or name.lower() == "content-type"}
    found = compare.differences(Response(got.status, [], b""), Response(head.status, [], head.body))
    length = head.header("Content-Length")
    if length not in (None, str(len(got.body))):
        found.append(f"header Content-Length: expected {len(got.body)}, got {length}")
    return found + compare.of_headers(ours, head)


def _without_limits(run: Run) -> list[str]:
    """Return the limit headers missing from responses of every kind: pages, files, documents, OAuth."""
    wanted = dict.fromkeys(limit_headers.NO_LIMITS, compare.NUMBER)
    found = []
    for method, path in ANSWERED:
        came = run.call(method, path)
        there = [(name, value) for name, value in came.headers if name.lower().startswith("x-ratelimit-")]
        found += [f"{method} {path}: {each}" for each in compare.of_headers(wanted, Response(came.status, there, b""))]
    return found


def _refusals() -> Iterator[Asked]:
    yield Asked("401 without a credential", "GET", KNOWN, ORIGIN)
    yield Asked("401 of another scheme", "GET", KNOWN, {"Authorization": "Basic c21va2U6c21va2U="})
    yield Asked("401 of a scheme without a credential", "GET", KNOWN, {"Authorization": "Bearer"})
    yield Asked("401 of a malformed key", "GET", KNOWN, {"Authorization": "Bearer YOUR_API_KEY"} | ORIGIN)
    yield Asked("401 of a malformed key, POST", "POST", "/v1/keys", {"Authorization": "Bearer x"}, b"{}")


def _unknown_paths() -> Iterator[Asked]:
    key = {"Authorization": f"Bearer {_well_formed()}"}
    yield Asked("404 of an unknown path", "GET", UNKNOWN, ORIGIN)
    yield Asked("404 of an unknown path with a Bearer header", "GET", UNKNOWN, key)
    yield Asked("404 of an unknown path outside /v1, as a page", "GET", "/smoke-nothing", {"Accept": "text/html"})
    for kind in NOT_JSON:
        yield Asked(f"404 of an unknown path with a body of {kind}", "POST", UNKNOWN, {"Content-Type": kind}, b"a,b")
    yield Asked("404 of an unknown path with a body that isn't JSON", "POST", UNKNOWN, _JSON | key, b"{not json")


def _preflights() -> Iterator[Asked]:
    for path, wanted in ((KNOWN, "PATCH"), ("/v1/keys", "POST"), ("/health", "GET"), ("/oauth/token", "POST")):
        asks = ORIGIN | {
            "Access-Control-Request-Method": wanted,
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        yield Asked(f"CORS preflight of {path}", "OPTIONS", path, asks)
    asks = ORIGIN | {"Access-Control-Request-Method": "GET"}
    yield Asked("CORS preflight of a page, which takes none", "OPTIONS", "/login", asks)


def _odd_methods(key: str) -> Iterator[Asked]:
    for method, path in ODD:
        name = f"404 of {method} {path}, which takes no {method}"
        yield Asked(name, method, path, _JSON, b"{}")
        yield Asked(f"{name}, with a Bearer header", method, path, _JSON | {"Authorization": f"Bearer {key}"}, b"{}")


def _of_unknown_key(run: Run, gateway: Gateway) -> list[str]:
    """Compare with the response to a malformed key: the two must be indistinguishable."""
    malformed = gateway.handle("GET", KNOWN, [("Authorization", "Bearer x")])
    return compare.differences(malformed, run.call("GET", KNOWN, _well_formed()))


def _well_formed() -> str:
    return secrets.mint(settings.current().key_kind)


def _is_counted(name: str) -> bool:
    return name.lower() in ("x-ratelimit-remaining", "x-ratelimit-reset", "ratelimit")


_JSON = {"Content-Type": "application/json"}
