"""PKCE: which verifiers match a challenge, and which challenges are valid."""

import hmac
from unittest.mock import patch

import pytest

from chalicelib.oauth import parameters, pkce
from chalicelib.oauth.errors import OAuthError
from chalicelib.oauth.tables import Client
from tests.oauth.flow import CHALLENGE, VERIFIER

PUBLIC = Client("app_1", auth_method="none", registered_by="account")
CONFIDENTIAL = Client("app_2", auth_method="client_secret_basic", registered_by="account")
OTHER = "a" * 43


def test_verifier_of_the_rfc_has_its_challenge() -> None:
    """RFC 7636 appendix B: the example's verifier has the example's challenge."""
    assert pkce.s256(VERIFIER) == CHALLENGE


@pytest.mark.parametrize(
    ("verifier", "challenge", "client", "error"),
    [
        (VERIFIER, CHALLENGE, PUBLIC, None),
        (VERIFIER, CHALLENGE, CONFIDENTIAL, None),
        ("", None, CONFIDENTIAL, None),
        ("", None, PUBLIC, "invalid_request"),
        ("", CHALLENGE, PUBLIC, "invalid_request"),
        ("", CHALLENGE, CONFIDENTIAL, "invalid_request"),
        (VERIFIER, None, PUBLIC, "invalid_request"),
        (VERIFIER, None, CONFIDENTIAL, "invalid_request"),
        (VERIFIER[:42], CHALLENGE, PUBLIC, "invalid_request"),
        ("a" * 129, CHALLENGE, PUBLIC, "invalid_request"),
        (f"{VERIFIER}\n", CHALLENGE, PUBLIC, "invalid_request"),
        (f"{OTHER[:42]}+", CHALLENGE, PUBLIC, "invalid_request"),
        (OTHER, CHALLENGE, PUBLIC, "invalid_grant"),
        (CHALLENGE, CHALLENGE, PUBLIC, "invalid_grant"),
        ("-._~" * 32, pkce.s256("-._~" * 32), PUBLIC, None),
    ],
)
def test_verifier_must_match_the_challenge(
    verifier: str, challenge: str | None, client: Client, error: str | None
) -> None:
    """RFC 7636 §4.6: the verifier must match the challenge; a confidential client may omit both (RFC 9700 §2.1.1)."""
    if error is None:
        pkce.check_verifier(verifier, challenge, client)
    else:
        with pytest.raises(OAuthError) as raised:
            pkce.check_verifier(verifier, challenge, client)
        assert (raised.value.error, raised.value.status) == (error, 400)


def test_challenge_is_compared_in_constant_time() -> None:
    """Challenges are compared with `hmac.compare_digest`, so timing reveals nothing about them."""
    with patch.object(hmac, "compare_digest", wraps=hmac.compare_digest) as compared:
        pkce.check_verifier(VERIFIER, CHALLENGE, PUBLIC)
    compared.assert_called_once_with(CHALLENGE, CHALLENGE)


@pytest.mark.parametrize(("client", "needed"), [(PUBLIC, True), (CONFIDENTIAL, False)])
def test_challenge_may_be_omitted_unless_the_client_needs_pkce(client: Client, needed: bool) -> None:
    """More lenient than OAuth 2.1: a confidential client may omit the challenge unless it must use PKCE."""
    if needed:
        with pytest.raises(OAuthError, match="This client must use PKCE"):
            pkce.requested_challenge(parameters.parse_query({}), client)
    else:
        assert pkce.requested_challenge(parameters.parse_query({}), client) is None
    sent = {"code_challenge": [CHALLENGE], "code_challenge_method": ["S256"]}
    assert pkce.requested_challenge(parameters.parse_query(sent), client) == CHALLENGE
