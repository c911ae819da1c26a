"""PKCE (RFC 7636): proof that the client that redeems a code is the client that requested it.

Stricter than the RFC: only S256 is supported. With `plain` (§4.2) the challenge reveals the verifier.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode

from chalicelib.oauth.errors import invalid_grant, invalid_request
from chalicelib.oauth.parameters import Parameters
from chalicelib.oauth.tables import Client

# The code verifier (RFC 7636 §4.1).
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
# The code challenge: a SHA-256 in base64url without padding (RFC 7636 §4.2).
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


def requested_challenge(parameters: Parameters, client: Client) -> str | None:
    """Return the challenge of an authorization request (§4.3). Returns None if the request contains none and the client
    needn't use PKCE.

    Raises invalid_request. OpenID Connect's nonce can't replace PKCE here (OAuth 2.1 §7.5.1), because no ID token is
    issued that could contain it.
    """
    challenge, method = parameters.get("code_challenge"), parameters.get("code_challenge_method")
    if not challenge and not method:
        if client.must_use_pkce:
            raise invalid_request("code_challenge is missing. This client must use PKCE.")
        return None
    if method != "S256":
        raise invalid_request("code_challenge_method must be S256.")
    if not _CHALLENGE.fullmatch(challenge):
        raise invalid_request("code_challenge must be a SHA-256 digest in base64url without padding.")
    return challenge


def check_verifier(verifier: str, challenge: str | None, client: Client) -> None:
    """Check the verifier of a token request ("" if it is absent) against the challenge of the code (§4.6).

    Raises invalid_request when a required verifier is missing, when the verifier is malformed, and when the code has no
    challenge; invalid_grant when the verifier doesn't match the challenge.
    """
    if not verifier:
        if challenge is not None or client.is_public:
            raise invalid_request("Missing 'code_verifier'")
        return
    if challenge is None:
        # This may be a PKCE downgrade attack, which removes the challenge from the authorization request (RFC 9700
        # §4.8.2).
        raise invalid_request("The authorization request had no 'code_challenge', but a 'code_verifier' was provided.")
    if not _VERIFIER.fullmatch(verifier):
        raise invalid_request("Invalid 'code_verifier'")
    if not hmac.compare_digest(s256(verifier), challenge):
        raise invalid_grant("Code challenge failed.")


def s256(verifier: str) -> str:
    """Return the challenge of a verifier (§4.2)."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
