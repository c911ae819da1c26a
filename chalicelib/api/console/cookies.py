"""Names and lifetimes of the console's cookies, and the parser of the Cookie header."""

from chalicelib.api import client_address
from chalicelib.api.request_context import RequestContext
from chalicelib.core import http_syntax

SESSION, DEVICE, BROWSER = "latchkey", "latchkey-device", "latchkey-visit"
EMAIL = "latchkey-email"
"""A cookie that contains the email address for the log-in form after a one-time link was used. The address must not be
in a URL.
"""
ACCOUNT = "latchkey-account"
"""A cookie that contains the id of the account whose pages this browser opens. Forms name their account themselves."""
SESSION_S, DEVICE_S = 14 * 86_400, 365 * 86_400


def of_request(exchange: RequestContext) -> dict[str, str]:
    """Return the cookies of a request by name. If a name is repeated, its first cookie is used, which has the most
    specific path.

    This function doesn't use `http.cookies`, which stops at the first malformed cookie: other sites of the domain can
    set such cookies. Cookies are ignored if their name isn't a token (RFC 6265 §4.1.1) or their value isn't ASCII. Only
    spaces and tabs are stripped before a name, because browsers enforce the rules of `__Host-` only for names that
    start with exactly this prefix.
    """
    cookies: dict[str, str] = {}
    # HTTP/2 clients may split the header into several fields (RFC 9113 §8.2.3).
    for pair in client_address.joined(exchange.request, "cookie", "; ").split(";"):
        name, equals, value = http_syntax.trim(pair).partition("=")
        if equals and http_syntax.is_token(name) and value.isascii():
            cookies.setdefault(name, value)
    return cookies
