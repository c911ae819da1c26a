"""The WWW-Authenticate header of a 401 or 403 response. It contains the error, the required scope and the URL of the
resource metadata (RFC 6750 §3, RFC 9728 §5.1).

For a request without a credential it contains only the scheme and that URL, because RFC 6750 §3.1 advises against an
error code.
"""

from collections.abc import Iterable

from chalicelib.core import errors

METADATA = "/.well-known/oauth-protected-resource"
INVALID_TOKEN = {
    "error": "invalid_token",
    "error_description": "The API key or access token is malformed, unknown, revoked or expired.",
}
"""One description for every kind of invalid token, because API Gateway's own responses are static. The body contains
the specific error.
"""


def bearer(parameters: dict[str, str], base_url: str) -> str:
    """Return a challenge with these parameters and, if the base URL is known, the URL of the resource metadata."""
    all_parameters = parameters | ({"resource_metadata": f"{base_url}{METADATA}"} if base_url else {})
    return " ".join(("Bearer", ", ".join(f'{name}="{value}"' for name, value in all_parameters.items()))).strip()


def of(error: errors.LatchkeyError, scopes: Iterable[str], base_url: str) -> str | None:
    """Return the challenge for an error of a route that requires `scopes`; None if the error has no challenge."""
    if isinstance(error, errors.InsufficientScope):
        return bearer({"error": error.error, "error_description": error.message, "scope": error.scope}, base_url)
    if isinstance(error, errors.MissingApiKey):
        return bearer({}, base_url)
    if isinstance(error, errors.Unauthorized):
        needed = " ".join(scopes)
        return bearer(INVALID_TOKEN | ({"scope": needed} if needed else {}), base_url)
    return None
