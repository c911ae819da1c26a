"""OAuth's refusals: `error` and `error_description` (RFC 6749 §5.2), with our messages for people."""

from chalicelib.core.errors import LatchkeyError


class OAuthError(LatchkeyError):
    """A refusal in OAuth's own words."""

    def __init__(
        self, error: str, description: str, *, status: int = 400, headers: dict[str, str] | None = None
    ) -> None:
        """Take the registered `error` code; the `description` is ASCII without quotes, as the RFC asks."""
        super().__init__(description.replace('"', "'").replace("\\", "/"), headers)
        self.error = error
        self.status = status


def invalid_request(description: str) -> OAuthError:
    """A parameter is missing, repeated, unknown or malformed."""
    return OAuthError("invalid_request", description)


def invalid_client(description: str = "The client is unknown, or its authentication failed.") -> OAuthError:
    """Client authentication failed; the header names the scheme (RFC 6749 §5.2)."""
    return OAuthError("invalid_client", description, status=401, headers={"WWW-Authenticate": 'Basic realm="latchkey"'})


def invalid_grant(description: str = "The code or token is invalid, expired, used or not yours.") -> OAuthError:
    """The code or refresh token can't be used; which of the reasons it is, a stranger must not learn."""
    return OAuthError("invalid_grant", description)


def access_denied() -> OAuthError:
    """Consent was asked for and not given (RFC 6749 §4.1.2.1, RFC 8628 §3.5)."""
    return OAuthError("access_denied", "The resource owner denied the request.")


def unauthorized_client(asked: str) -> OAuthError:
    """The client isn't registered for what it asks; `asked` is that as the request names it."""
    return OAuthError("unauthorized_client", f"The client is not authorized to use '{asked}'")


UNKNOWN_SCOPE = "The requested scope is invalid, unknown, or malformed."


def invalid_scope(description: str = "The scope is unknown, or more than this client may have.") -> OAuthError:
    """More was asked for than may be had."""
    return OAuthError("invalid_scope", description)


def invalid_target(description: str = "The resource is unknown here.") -> OAuthError:
    """A resource that isn't ours to give access to (RFC 8707 §2)."""
    return OAuthError("invalid_target", description)
