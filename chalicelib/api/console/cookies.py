"""Cookies of the console: their names and lifetimes, and the header that a browser sends."""

from chalicelib.api import client_address
from chalicelib.api.request_context import RequestContext
from chalicelib.core import http_syntax

SESSION, DEVICE, VISIT = "latchkey", "latchkey-device", "latchkey-visit"
EMAIL = "latchkey-email"
"""The address that the form to log in begins with, after a link that was for it: in no URL, and for minutes."""
SESSION_S, DEVICE_S = 14 * 86_400, 365 * 86_400


def of_request(exchange: RequestContext) -> dict[str, str]:
    """Return the cookies by name; of two with one name the first counts, which is the one a browser holds closer.

    By hand: the standard library stops at the first cookie it doesn't like, and others share our domain's jar. A name
    is a token (RFC 6265 §4.1.1): browsers give `__Host-` its meaning only where the name begins with it, so nothing but
    spaces and tabs may be taken off before it. A value that isn't ASCII is none of ours.
    """
    cookies: dict[str, str] = {}
    # Over HTTP/2 a client may send them in several fields (RFC 9113 §8.2.3).
    for pair in client_address.joined(exchange.request, "cookie", "; ").split(";"):
        name, equals, value = http_syntax.trimmed(pair).partition("=")
        if equals and http_syntax.is_token(name) and value.isascii():
            cookies.setdefault(name, value)
    return cookies
