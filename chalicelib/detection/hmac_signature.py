"""Verify the signature of a leak report: an HMAC with SHA-256 over timestamp and body, at most five minutes old.

The secret is derived from the root key and never stored. `make leak-secret` prints it for the operator.
"""

import hashlib
import hmac

from chalicelib.core import clock, http_syntax
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.root_key import derive_secret

TIMESTAMP, SIGNATURE = "Latchkey-Timestamp", "Latchkey-Signature"
VERSION = "v1="
TOLERANCE_S = 300


def secret() -> str:
    """Return the secret that the senders of leak reports use: 64 hex digits.

    Their ASCII characters are the HMAC key.
    """
    return derive_secret("leaks").hex()


def check(raw: bytes, *, timestamp: str, signature: str) -> None:
    """Raise InvalidRequest unless `signature` is valid for `raw` and `timestamp`, and not older than five minutes."""
    at_s = http_syntax.parse_integer(timestamp)
    if at_s is None or abs(clock.now_s() - at_s) > TOLERANCE_S:
        raise InvalidRequest(f"{TIMESTAMP} must be the current time in epoch seconds, within {TOLERANCE_S} seconds.")
    expected = VERSION + sign(raw, timestamp)
    if not hmac.compare_digest(expected.encode(), signature.encode(errors="surrogatepass")):
        raise InvalidRequest(f"{SIGNATURE} is not a valid signature of this timestamp and body.")


def sign(raw: bytes, timestamp: str) -> str:
    """Return the signature of a timestamp and a body in hex, without the version prefix."""
    return hmac.new(secret().encode(), f"{timestamp}.".encode() + raw, hashlib.sha256).hexdigest()
