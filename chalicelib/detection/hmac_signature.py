"""Is this report from a sender that holds our secret? HMAC with SHA-256 over time and body, at most five minutes old.

The secret is derived from the stage's key, so it is stored nowhere; `make leak-secret` prints it for the operator.
"""

import hashlib
import hmac

from chalicelib.core import clock, http_syntax
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.root_key import stage_key

TIMESTAMP, SIGNATURE = "Latchkey-Timestamp", "Latchkey-Signature"
VERSION = "v1="
TOLERANCE_S = 300


def secret() -> str:
    """Return what senders sign with: a text of 64 hex digits, whose characters are the key of the HMAC."""
    return stage_key("leaks").hex()


def check(raw: bytes, *, timestamp: str, signature: str) -> None:
    """Return when a holder of the secret has signed `raw` just now; raise InvalidRequest when it has not."""
    at_s = http_syntax.whole(timestamp)
    if at_s is None or abs(clock.now_s() - at_s) > TOLERANCE_S:
        raise InvalidRequest(f"{TIMESTAMP} must be the epoch second of now, give or take {TOLERANCE_S} seconds.")
    expected = VERSION + sign(raw, timestamp)
    if not hmac.compare_digest(expected.encode(), signature.encode(errors="surrogatepass")):
        raise InvalidRequest(f"{SIGNATURE} is not the signature of this body at this time.")


def sign(raw: bytes, timestamp: str) -> str:
    """Return the signature of a body in hex, without its version."""
    return hmac.new(secret().encode(), f"{timestamp}.".encode() + raw, hashlib.sha256).hexdigest()
