"""Compare a response with the local gateway's: the status, the exact body, and the headers that we set."""

from collections.abc import Iterable, Mapping

from infra.local_gateway.response import Response

ANY = "any value"
"""The expected value of a header that must be present."""
NUMBER = "a whole number"
_VARY = frozenset({"x-amzn-requestid", "content-length", "date", "server", "connection"})
"""Headers that aren't compared, because they differ between any two responses or are added by intermediaries."""
_OURS = ("access-control-", "x-ratelimit-", "ratelimit", "retry-after", "www-authenticate", "x-amzn-remapped-", "allow")
_RENAMED, _CLOUDFRONTS = "x-amzn-remapped-", "x-amz-cf-id"
_SHOWN_MAX = 300


def differences(expected: Response, came: Response) -> list[str]:
    """Return all differences of a response from the expected response, as sentences."""
    found = []
    if came.status != expected.status:
        found.append(f"expected status {expected.status}, got {came.status}")
    return found + of_body(expected.body, came) + of_headers(dict(expected.headers), came)


def of_body(expected: bytes, came: Response) -> list[str]:
    """Return the difference of a response's body from the expected one; empty if they are equal."""
    return [] if came.body == expected else [f"expected body {_shorten(expected)}, got {_shorten(came.body)}"]


def of_headers(expected: Mapping[str, str], came: Response) -> list[str]:
    """Return the differences of a response's headers; ANY matches any value, NUMBER any whole number."""
    got = _join(came.headers)
    wanted = {_own_name(name, got): (name, value) for name, value in expected.items() if name.lower() not in _VARY}
    found = []
    for lower, (name, value) in wanted.items():
        if lower not in got:
            found.append(f"header {name}: expected {value}, got none")
        elif not _fits(value, got[lower]):
            found.append(f"header {name}: expected {value}, got {got[lower]}")
    more = [name for name in sorted(got.keys() - wanted.keys()) if is_ours(name)]
    return found + [f"header {name}: expected none, got {got[name]}" for name in more]


def is_ours(name: str) -> bool:
    """Return whether Latchkey sets a header, rather than an intermediary."""
    return name.lower().startswith(_OURS)


def _own_name(name: str, got: Mapping[str, str]) -> str:
    """Return a header's lower-case name in the response. Behind CloudFront, the name lacks API Gateway's prefix."""
    lower = name.lower()
    own = lower.removeprefix(_RENAMED)
    return own if own in got and _CLOUDFRONTS in got else lower


def _fits(expected: str, got: str) -> bool:
    if expected == NUMBER:
        return got.isascii() and got.isdigit()
    return expected in (ANY, got)


def _join(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in headers:
        lower = name.lower()
        joined[lower] = f"{joined[lower]}, {value}" if lower in joined else value
    return joined


def _shorten(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    return (text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}… ({len(body)} bytes)") or "an empty body"
