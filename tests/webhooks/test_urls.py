"""Which URL a webhook may have, as far as that is seen before it is sent to."""

import pytest

from chalicelib.core import errors
from chalicelib.webhooks import endpoint_url
from tests.support.harness import TestApp

NOT_HTTPS = "url must be an https URL, like https://example.com/hooks."
NO_URL = "url must be a URL like https://example.com/hooks."
NAMES_SOMEBODY = "url must not contain a user name, a password or a fragment."
NOT_PLAIN = "url must be ASCII without spaces"
INSIDE = "url must point to a public address."


def refusal(url: str) -> str:
    """Return why a URL is refused, "" when it isn't."""
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
def test_url_that_can_be_sent_to_is_taken(latchkey: TestApp, url: str) -> None:
    """Where a name leads is found out when it is sent to."""
    assert refusal(url) == ""


@pytest.mark.parametrize(
    ("url", "why"),
    [
        *(("http://example.com/", NOT_HTTPS), ("https://", NOT_HTTPS), ("example.com", NOT_HTTPS), ("", NOT_HTTPS)),
        *(("https:///hooks", NOT_HTTPS), ("http://127.0.0.1:9000/", NOT_HTTPS), ("http://localhost/", NOT_HTTPS)),
        *(("https://example.com:99999/", NO_URL), ("https://[::1/", NO_URL), ("https://.example.com/", NO_URL)),
        *((f"https://{'a' * 64}.example/", NO_URL), (f"https://{'a.' * 126}bc/", NO_URL)),
        *(("https://ada@example.com/", NAMES_SOMEBODY), ("https://ada:x@example.com/", NAMES_SOMEBODY)),
        *(("https://example.com/#a", NAMES_SOMEBODY), ("https://example.com/\u00e9", NOT_PLAIN)),
        *(("https://example.com/a b", NOT_PLAIN), ("https://example.com/\x7f", NOT_PLAIN)),
        *(("https://127.0.0.1/", INSIDE), ("https://10.0.0.8/", INSIDE), ("https://[::1]/", INSIDE)),
        *(("https://[fd00::1]/", INSIDE), ("https://2130706433/", INSIDE), ("https://127.1/", INSIDE)),
    ],
)
def test_url_that_can_not_be_sent_to_is_refused_with_the_reason(latchkey: TestApp, url: str, why: str) -> None:
    """The reason names what to change."""
    assert refusal(url).startswith(f"url: {why}")


def test_local_run_sends_to_its_own_machine_too(local: TestApp) -> None:
    """By http, and by no other name than its own."""
    assert [refusal(url) for url in ("http://127.0.0.1:9000/", "http://localhost:9000/hooks")] == ["", ""]
    assert refusal("http://example.com/") == f"url: {NOT_HTTPS}"
    assert refusal("https://127.0.0.1/") == f"url: {INSIDE}"
