"""OAuth errors: `error` and `error_description` (RFC 6749 §5.2)."""

from chalicelib.core.errors import LatchkeyError


class OAuthError(LatchkeyError):
    """An error with an OAuth error code."""

    def __init__(
        self, error: str, description: str, *, status: int = 400, headers: dict[str, str] | None = None
    ) -> None:
        """Set the registered `error` code, and the `description` in ASCII without quotes, as the RFC requires."""
        super().__init__(description.replace('"', "'").replace("\\", "/"), headers)
        self.error = error
        self.status = status


def invalid_request(description: str) -> OAuthError:
    """A parameter is missing, repeated, unknown or malformed."""
    return OAuthError("invalid_request", description)


def invalid_client(description: str = "The client is unknown, or its authentication failed.") -> OAuthError:
    """Client authentication failed. The response's WWW-Authenticate header names the scheme (RFC 6749 §5.2)."""
    return OAuthError("invalid_client", description, status=401, headers={"WWW-Authenticate": 'Basic realm="latchkey"'})


def invalid_grant(
    description: str = "The code or token is invalid, expired, already used or issued to another client.",
) -> OAuthError:
    """The code or refresh token can't be used; the default message doesn't reveal the reason."""
    return OAuthError("invalid_grant", description)


def access_denied() -> OAuthError:
    """The resource owner denied the request (RFC 6749 §4.1.2.1, RFC 8628 §3.5)."""
    return OAuthError("access_denied", "The resource owner denied the request.")


def unauthorized_client(parameter: str) -> OAuthError:
    """The client isn't registered for a grant type, which `parameter` names."""
    return OAuthError("unauthorized_client", f"The client is not authorized to use '{parameter}'")


UNKNOWN_SCOPE = "The requested scope is invalid, unknown, or malformed."


def invalid_scope(description: str = "The scope is unknown or exceeds what this client may request.") -> OAuthError:
    """The requested scope is unknown or exceeds what may be granted (RFC 6749 §5.2)."""
    return OAuthError("invalid_scope", description)


def invalid_target(description: str = "The resource is unknown.") -> OAuthError:
    """The requested resource is unknown or was not granted (RFC 8707 §2)."""
    return OAuthError("invalid_target", description)
