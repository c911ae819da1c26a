"""Names and lifetimes of the console's cookies, and the parser of the Cookie header."""

from chalicelib.api import client_address
from chalicelib.api.request_context import RequestContext
from chalicelib.core import http_syntax

SESSION, DEVICE, BROWSER = "latchkey", "latchkey-device", "latchkey-visit"
EMAIL = "latchkey-email"
"""A cookie with the email for the log-in form after a one-time link, so that the email doesn't appear in a URL."""
SESSION_S, DEVICE_S = 14 * 86_400, 365 * 86_400


def of_request(exchange: RequestContext) -> dict[str, str]:
    """Return the cookies by name. The first of a repeated name counts, because it has the most specific path.

    `http.cookies` stops at the first malformed cookie, and other sites of the domain can set such cookies. A name is a
    token (RFC 6265 §4.1.1). Browsers enforce `__Host-` only at the start of the name, so nothing but spaces and tabs
    may be stripped before it. Values that aren't ASCII are ignored.
    """
    cookies: dict[str, str] = {}
    # HTTP/2 clients may split the header into several fields (RFC 9113 §8.2.3).
    for pair in client_address.joined(exchange.request, "cookie", "; ").split(";"):
        name, equals, value = http_syntax.trim(pair).partition("=")
        if equals and http_syntax.is_token(name) and value.isascii():
            cookies.setdefault(name, value)
    return cookies
