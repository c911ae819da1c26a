"""URLs of endpoints: the checks made before any attempt."""

import pytest

from chalicelib.core import errors
from chalicelib.webhooks import endpoint_url
from tests.support.harness import TestApp

NOT_HTTPS = "url must be an https URL, like https://example.com/hooks."
NOT_A_URL = "url must be a URL like https://example.com/hooks."
HAS_USER_OR_FRAGMENT = "url must not contain a user name, a password or a fragment."
NOT_ASCII = "url must be ASCII without spaces"
NOT_PUBLIC = "url must point to a public address."


def rejection(url: str) -> str:
    """Return the error message for a URL, or "" if the URL is acceptable."""
    try:
        endpoint_url.check(url)
    except errors.InvalidRequest as refused:
        return f"{refused.field}: {refused.message}"
    return ""


@pytest.mark.parametrize(
    "url",
    [
        *("https://example.com", "https://example.com/hooks?a=b", "https://example.com:8443/", "HTTPS://EXAMPLE.COM/"),
        *("https://93.184.215.14/", "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/", "https://1.example/"),
        *("https://xn--mnchen-3ya.de/", "https://example.com/a%20b", f"https://{'a.' * 126}b/", "https://localhost/"),
    ],
)
def test_acceptable_url_is_accepted(latchkey: TestApp, url: str) -> None:
    """A URL is accepted without resolving its host name, whose addresses are checked at each attempt."""
    assert rejection(url) == ""


@pytest.mark.parametrize(
    ("url", "why"),
    [
        *(("http://example.com/", NOT_HTTPS), ("https://", NOT_HTTPS), ("example.com", NOT_HTTPS), ("", NOT_HTTPS)),
        *(("https:///hooks", NOT_HTTPS), ("http://127.0.0.1:9000/", NOT_HTTPS), ("http://localhost/", NOT_HTTPS)),
        *(
            ("https://example.com:99999/", NOT_A_URL),
            ("https://[::1/", NOT_A_URL),
            ("https://.example.com/", NOT_A_URL),
        ),
        *((f"https://{'a' * 64}.example/", NOT_A_URL), (f"https://{'a.' * 126}bc/", NOT_A_URL)),
        *(("https://ada@example.com/", HAS_USER_OR_FRAGMENT), ("https://ada:x@example.com/", HAS_USER_OR_FRAGMENT)),
        *(("https://example.com/#a", HAS_USER_OR_FRAGMENT), ("https://example.com/\u00e9", NOT_ASCII)),
        *(("https://example.com/a b", NOT_ASCII), ("https://example.com/\x7f", NOT_ASCII)),
        *(("https://127.0.0.1/", NOT_PUBLIC), ("https://10.0.0.8/", NOT_PUBLIC), ("https://[::1]/", NOT_PUBLIC)),
        *(("https://[fd00::1]/", NOT_PUBLIC), ("https://2130706433/", NOT_PUBLIC), ("https://127.1/", NOT_PUBLIC)),
    ],
)
def test_unacceptable_url_is_rejected_with_reason(latchkey: TestApp, url: str, why: str) -> None:
    """The message for an unacceptable URL says what to change."""
    assert rejection(url).startswith(f"url: {why}")


def test_local_run_accepts_loopback_url(local: TestApp) -> None:
    """A local run accepts http URLs on loopback, but only with the host name of its own URL."""
    assert [rejection(url) for url in ("http://127.0.0.1:9000/", "http://localhost:9000/hooks")] == ["", ""]
    assert rejection("http://example.com/") == f"url: {NOT_HTTPS}"
    assert rejection("https://127.0.0.1/") == f"url: {NOT_PUBLIC}"
