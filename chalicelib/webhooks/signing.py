"""Sign messages as Standard Webhooks specifies: HMAC-SHA-256 over id, timestamp and body.

The secret of an endpoint is derived from the root key and never stored. For a day after a rotation, messages are signed
with both the old and the new secret, so that a receiver can switch without missing a message.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable

from chalicelib.core import clock
from chalicelib.core.root_key import derive_secret
from chalicelib.webhooks.tables import Endpoint

PREFIX = "whsec_"
OVERLAP_MS = clock.DAY_S * 1000


def secret_of(endpoint: Endpoint) -> str:
    """Return the secret with which the receiver verifies messages, `whsec_…`. It is shown to the account once."""
    return PREFIX + base64.b64encode(_key(endpoint, endpoint.version)).decode()


def keys_of(endpoint: Endpoint) -> list[bytes]:
    """Return the current signing keys, newest first."""
    keys = [_key(endpoint, endpoint.version)]
    if (endpoint.overlap_ends_at or 0) > clock.now_ms():
        keys.append(_key(endpoint, endpoint.version - 1))
    return keys


def headers(message_id: str, at_s: int, body: bytes, keys: Iterable[bytes]) -> dict[str, str]:
    """Return the headers that sign `body`. `webhook-signature` contains one signature for each key, separated by
    spaces.
    """
    signed = f"{message_id}.{at_s}.".encode() + body
    signatures = (base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def _key(endpoint: Endpoint, version: int) -> bytes:
    return derive_secret(f"webhook {endpoint.id} {version}")
