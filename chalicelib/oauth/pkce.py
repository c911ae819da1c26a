"""PKCE: proof that whoever redeems a code is who asked for it (RFC 7636).

Stricter than the RFC: the method is S256. With `plain` (§4.2) the challenge is the verifier, for anyone to read.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode

from chalicelib.oauth.errors import invalid_grant, invalid_request
from chalicelib.oauth.parameters import Parameters
from chalicelib.oauth.tables import Client

# RFC 7636 §4.1.
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
# A SHA-256 in base64url without padding (RFC 7636 §4.2).
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


def requested_challenge(parameters: Parameters, client: Client) -> str | None:
    """Return the challenge of an authorization request, None when it has none and its client needs none (§4.3).

    Raises invalid_request. OpenID Connect's nonce is no substitute (OAuth 2.1 §7.5.1) while there is no ID token that
    could carry it.
    """
    challenge, method = parameters.get("code_challenge"), parameters.get("code_challenge_method")
    if not challenge and not method:
        if client.must_use_pkce:
            raise invalid_request("code_challenge is missing: this client must use PKCE.")
        return None
    if method != "S256":
        raise invalid_request("code_challenge_method must be S256.")
    if not _CHALLENGE.fullmatch(challenge):
        raise invalid_request("code_challenge must be a SHA-256 in base64url without padding.")
    return challenge


def check_verifier(verifier: str, challenge: str | None, client: Client) -> None:
    """Check the verifier of a token request, "" when it is absent, against the challenge of the code (§4.6).

    Raises invalid_request when there is none and must be, or one that none can be; invalid_grant when it is another's.
    """
    if not verifier:
        if challenge is not None or client.is_public:
            raise invalid_request("Missing 'code_verifier'")
        return
    if challenge is None:
        # Somebody removed the challenge from the authorization request: a downgrade (RFC 9700 §4.8.2).
        raise invalid_request("The authorization request had no 'code_challenge', but a 'code_verifier' was provided.")
    if not _VERIFIER.fullmatch(verifier):
        raise invalid_request("Invalid 'code_verifier'")
    if not hmac.compare_digest(s256(verifier), challenge):
        raise invalid_grant("Code challenge failed.")


def s256(verifier: str) -> str:
    """Return the challenge of a verifier (§4.2)."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
