"""OAuth errors: registered codes, and the status and header of each."""

import pytest

from chalicelib.oauth import errors
from chalicelib.oauth.errors import OAuthError


@pytest.mark.parametrize(
    ("oauth_error", "error", "status"),
    [
        (errors.invalid_request("scope is missing."), "invalid_request", 400),
        (errors.invalid_client(), "invalid_client", 401),
        (errors.invalid_grant(), "invalid_grant", 400),
        (errors.invalid_scope(), "invalid_scope", 400),
        (errors.invalid_target(), "invalid_target", 400),
        (errors.access_denied(), "access_denied", 400),
        (errors.unauthorized_client("grant_type=x"), "unauthorized_client", 400),
        (OAuthError("temporarily_unavailable", "Later.", status=503), "temporarily_unavailable", 503),
    ],
)
def test_error_has_its_code_and_status(oauth_error: OAuthError, error: str, status: int) -> None:
    """RFC 6749 §5.2: the status is 400, or 401 with a challenge for a failed client; each code has a description."""
    assert (oauth_error.error, oauth_error.status) == (error, status)
    assert oauth_error.headers == ({"WWW-Authenticate": 'Basic realm="latchkey"'} if status == 401 else {})
    assert oauth_error.message
    assert str(oauth_error) == oauth_error.message


def test_error_has_a_custom_or_a_default_description() -> None:
    """An error without a custom description has the default description of its code."""
    assert errors.invalid_client("No secret.").message == errors.invalid_grant("No secret.").message == "No secret."
    assert errors.invalid_request("x").message == "x"


def test_description_has_no_forbidden_characters() -> None:
    """RFC 6749 §5.2: no description contains a quotation mark or a backslash."""
    assert OAuthError("invalid_request", 'a "b" \\ c').message == "a 'b' / c"
