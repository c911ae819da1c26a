"""WWW-Authenticate of a 401 or 403: what was wrong, what is needed, where to get it (RFC 6750 §3, RFC 9728 §5.1).

Without a credential only the scheme and the metadata are named: RFC 6750 §3.1 wants no error code there.
"""

from collections.abc import Iterable

from chalicelib.core import errors

METADATA = "/.well-known/oauth-protected-resource"
INVALID_TOKEN = {
    "error": "invalid_token",
    "error_description": "The API key or access token is malformed, unknown, revoked or expired.",
}
"""The same for all of them, as the gateway can say one thing only; which it is stands in the body."""


def bearer(parameters: dict[str, str], base_url: str) -> str:
    """Return the challenge with these parameters and, where it is known where this API is reached, its metadata."""
    told = parameters | ({"resource_metadata": f"{base_url}{METADATA}"} if base_url else {})
    return " ".join(("Bearer", ", ".join(f'{name}="{value}"' for name, value in told.items()))).strip()


def of(error: errors.LatchkeyError, scopes: Iterable[str], base_url: str) -> str | None:
    """Return the challenge that goes with a refusal of a route that asks for `scopes`; None where none does."""
    if isinstance(error, errors.InsufficientScope):
        return bearer({"error": error.error, "error_description": error.message, "scope": error.scope}, base_url)
    if isinstance(error, errors.MissingApiKey):
        return bearer({}, base_url)
    if isinstance(error, errors.Unauthorized):
        needed = " ".join(scopes)
        return bearer(INVALID_TOKEN | ({"scope": needed} if needed else {}), base_url)
    return None
