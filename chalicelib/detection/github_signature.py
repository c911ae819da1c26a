"""Is this report from GitHub? Its signature is ECDSA on P-256 with SHA-256, in DER and base64, over the raw body.

https://docs.github.com/en/code-security/secret-scanning/secret-scanning-partnership-program/secret-scanning-partner-program
GitHub's public keys are shipped in a file that `make github-keys` writes: asking for them at each report would let
whoever sends rubbish make us call GitHub, and a key that can't be fetched would lose a report.
"""

import base64
import binascii
import json
from functools import lru_cache
from pathlib import Path

from chalicelib.core.errors import InvalidRequest

KEYS_FILE = Path(__file__).with_name("github_keys.json")
IDENTIFIER, SIGNATURE = "Github-Public-Key-Identifier", "Github-Public-Key-Signature"


def check(raw: bytes, *, identifier: str, signature: str) -> None:
    """Return when the key of this `identifier` has signed `raw`; raise InvalidRequest when it has not."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    pem = _keys(KEYS_FILE).get(identifier)
    if pem is None:
        raise InvalidRequest(
            f"{IDENTIFIER} names a key that isn't known here. The owner of this API fetches GitHub's keys with"
            " `make github-keys` and deploys."
        )
    key = load_pem_public_key(pem.encode())
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise TypeError(f"{KEYS_FILE.name} holds a key that is not on P-256.")
    try:
        key.verify(base64.b64decode(signature, validate=True), raw, ECDSA(SHA256()))
    except (InvalidSignature, binascii.Error, ValueError):
        raise InvalidRequest(f"{SIGNATURE} is not GitHub's signature of this body.") from None


@lru_cache(maxsize=4)
def _keys(file: Path) -> dict[str, str]:
    return {each["key_identifier"]: each["key"] for each in json.loads(file.read_text())["public_keys"]}
