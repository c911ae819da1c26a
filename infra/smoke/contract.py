"""Send requests that need no account, and compare each response with the local gateway's response.

The responses come from API Gateway itself, from public pages, and from the authorizer, which denies requests.
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
"""Requests for which the limit headers are checked, one for each kind of response."""
HEALTHY = b'{"status":"ok"}'
ORIGIN = {"Origin": "https://app.example.com"}


@dataclass(frozen=True, slots=True)
class Request:
    """A request, and the name of the check that compares its response."""

    check: str
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def check(run: Run) -> None:
    """Compare every response that needs no account."""
    gateway = local_gateway()
    for request in (*_unauthorized(), *_unknown_paths(), *_preflights()):
        _compare(run, gateway, request)
    for request in _odd_methods(_well_formed()):
        response = _compare(run, gateway, request)
        if response is not None:
            record_error_type(run, request.check, response)
    run.judge("401 for a well-formed but unknown key", lambda: _compare_unknown_key(run, gateway))
    run.judge("limit headers on every response", lambda: _check_limit_headers(run))
    run.judge("200 for /health", lambda: compare.of_body(HEALTHY, run.call("GET", "/health")))
    for path in HEADS:
        run.judge(f"HEAD {path} like GET, without a body", partial(compare_head, run, path))


def _compare(run: Run, gateway: Gateway, request: Request) -> Response | None:
    """Send a request, compare its response with the expected one, and return it; None if there was no response."""
    with run.record_errors(request.check):
        response = run.call(request.method, request.path, "", request.headers, request.body)
        expected = gateway.handle(request.method, request.path, request.headers.items(), request.body)
        run.outcomes.judge(request.check, compare.differences(expected, response))
        return response
    return None


def record_error_type(run: Run, check: str, response: Response) -> None:
    """Record API Gateway's error type for a method that the path lacks. AWS documents these types only in part."""
    if run.target.is_deployed:
        kind = response.header("x-amzn-ErrorType")
        found = f"x-amzn-ErrorType {kind}" if kind else "no error type"
        run.outcomes.seen(check, f"status {response.status}, {found}")


def local_gateway() -> Gateway:
    """Return a local gateway, which computes the expected responses; these requests need no database."""
    from app import app

    return Gateway(app)


def compare_head(run: Run, path: str, key: str = "") -> list[str]:
    """Return how the response to HEAD differs from the response to GET, ignoring the values of limit headers."""
    got, head = run.call("GET", path, key), run.call("HEAD", path, key)
    expected = {name: compare.ANY if _is_counted(name) else value for name, value in got.headers}
    ours = {name: value for name, value in expected.items() if compare.is_ours(name) or name.lower() == "content-type"}
    found = compare.differences(Response(got.status, [], b""), Response(head.status, [], head.body))
    length = head.header("Content-Length")
    if length not in (None, str(len(got.body))):
        found.append(f"header Content-Length: expected {len(got.body)}, got {length}")
    return found + compare.of_headers(ours, head)


def _check_limit_headers(run: Run) -> list[str]:
    """Return the missing limit headers in one response of each kind: pages, files, documents, OAuth."""
    wanted = dict.fromkeys(limit_headers.NO_LIMITS, compare.NUMBER)
    found = []
    for method, path in ANSWERED:
        response = run.call(method, path)
        limits = [(name, value) for name, value in response.headers if name.lower().startswith("x-ratelimit-")]
        differences = compare.of_headers(wanted, Response(response.status, limits, b""))
        found += [f"{method} {path}: {each}" for each in differences]
    return found


def _unauthorized() -> Iterator[Request]:
    yield Request("401 without a credential", "GET", KNOWN, ORIGIN)
    yield Request("401 for another scheme", "GET", KNOWN, {"Authorization": "Basic c21va2U6c21va2U="})
    yield Request("401 for a scheme without a credential", "GET", KNOWN, {"Authorization": "Bearer"})
    yield Request("401 for a malformed key", "GET", KNOWN, {"Authorization": "Bearer YOUR_API_KEY"} | ORIGIN)
    yield Request("401 for a malformed key, POST", "POST", "/v1/keys", {"Authorization": "Bearer x"}, b"{}")


def _unknown_paths() -> Iterator[Request]:
    key = {"Authorization": f"Bearer {_well_formed()}"}
    yield Request("404 for an unknown path", "GET", UNKNOWN, ORIGIN)
    yield Request("404 for an unknown path with a Bearer header", "GET", UNKNOWN, key)
    yield Request("404 for an unknown path outside /v1, as a page", "GET", "/smoke-nothing", {"Accept": "text/html"})
    for kind in NOT_JSON:
        yield Request(f"404 for an unknown path with a body of {kind}", "POST", UNKNOWN, {"Content-Type": kind}, b"a,b")
    yield Request("404 for an unknown path with a body that isn't JSON", "POST", UNKNOWN, _JSON | key, b"{not json")


def _preflights() -> Iterator[Request]:
    for path, wanted in ((KNOWN, "PATCH"), ("/v1/keys", "POST"), ("/health", "GET"), ("/oauth/token", "POST")):
        headers = ORIGIN | {
            "Access-Control-Request-Method": wanted,
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        yield Request(f"CORS preflight for {path}", "OPTIONS", path, headers)
    headers = ORIGIN | {"Access-Control-Request-Method": "GET"}
    yield Request("CORS preflight for a page, which doesn't allow CORS", "OPTIONS", "/login", headers)


def _odd_methods(key: str) -> Iterator[Request]:
    for method, path in ODD:
        name = f"404 for {method} {path}, since the path has no {method}"
        yield Request(name, method, path, _JSON, b"{}")
        yield Request(f"{name}, with a Bearer header", method, path, _JSON | {"Authorization": f"Bearer {key}"}, b"{}")


def _compare_unknown_key(run: Run, gateway: Gateway) -> list[str]:
    """Return how the response to an unknown key differs from the response to a malformed key: they must be equal."""
    malformed = gateway.handle("GET", KNOWN, [("Authorization", "Bearer x")])
    return compare.differences(malformed, run.call("GET", KNOWN, _well_formed()))


def _well_formed() -> str:
    return secrets.mint(settings.current().key_kind)


def _is_counted(name: str) -> bool:
    return name.lower() in ("x-ratelimit-remaining", "x-ratelimit-reset", "ratelimit")


_JSON = {"Content-Type": "application/json"}
