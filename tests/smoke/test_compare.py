"""Comparison of a response with the expected one."""

import pytest

from infra.local_gateway.response import Response
from infra.smoke import compare
from infra.smoke.latency import by_percentile

EXPECTED = Response(404, [("Content-Type", "application/json"), ("X-RateLimit-Limit", "0")], b'{"error":"not_found"}')


@pytest.mark.parametrize(
    ("status", "headers", "body", "differences"),
    [
        (404, {"content-type": "application/json", "x-ratelimit-limit": "0", "Via": "1.1 x"}, EXPECTED.body, []),
        (403, dict(EXPECTED.headers), EXPECTED.body, ["expected status 404, got 403"]),
        (404, dict(EXPECTED.headers), b"", ['expected body {"error":"not_found"}, got an empty body']),
        (404, {"Content-Type": "text/html", "X-RateLimit-Limit": "0"}, EXPECTED.body, ["header Content-Type: "]),
        (404, {"Content-Type": "application/json"}, EXPECTED.body, ["header X-RateLimit-Limit: expected 0, got none"]),
        (404, {**dict(EXPECTED.headers), "WWW-Authenticate": "Bearer"}, EXPECTED.body, ["header www-authenticate: "]),
        (404, {**dict(EXPECTED.headers), "Retry-After": "1"}, EXPECTED.body, ["header retry-after: expected none"]),
    ],
)
def test_each_difference_is_reported(status: int, headers: dict[str, str], body: bytes, differences: list[str]) -> None:
    """Differences of status, body and our headers are reported; headers that proxies add are ignored."""
    found = compare.differences(EXPECTED, Response(status, list(headers.items()), body))
    assert len(found) == len(differences)
    assert all(each.startswith(start) for each, start in zip(found, differences, strict=True))


def test_counted_number_may_have_any_value() -> None:
    """A counted number may have any value but must be a number; other variable headers must only be present."""
    wanted = {"X-RateLimit-Remaining": compare.NUMBER, "RateLimit": compare.ANY}
    sent = [("X-RateLimit-Remaining", "998"), ("RateLimit", '"burst";r=1;t=1')]
    assert compare.of_headers(wanted, Response(200, list(sent), b"")) == []
    assert len(compare.of_headers(wanted, Response(200, [("X-RateLimit-Remaining", "many")], b""))) == 2


@pytest.mark.parametrize(("added", "differences"), [([("X-Amz-Cf-Id", "1")], 0), ([], 2)])
def test_challenge_is_renamed_except_behind_cloudfront(added: list[tuple[str, str]], differences: int) -> None:
    """Behind CloudFront, a function restores the name of the challenge header, which API Gateway changes. Without
    CloudFront the header stays renamed.
    """
    wanted = {"x-amzn-Remapped-WWW-Authenticate": "Bearer"}
    came = Response(403, [("WWW-Authenticate", "Bearer"), *added], b"")
    assert len(compare.of_headers(wanted, came)) == differences
    assert compare.of_headers(wanted, Response(403, [*wanted.items(), *added], b"")) == []


def test_latency_percentiles_use_nearest_rank() -> None:
    """Percentiles are computed by nearest rank: the 99th of a hundred durations is the second longest."""
    assert by_percentile([float(each) for each in range(100, 0, -1)]) == "p50 50 ms, p90 90 ms, p99 99 ms (n = 100)"
    assert by_percentile([7.0]) == "p50 7 ms, p90 7 ms, p99 7 ms (n = 1)"
