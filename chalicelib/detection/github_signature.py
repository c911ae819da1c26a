"""Verify GitHub's signature of a secret scanning report.

It is an ECDSA signature of the body on P-256 with SHA-256, in DER and base64:
https://docs.github.com/en/code-security/secret-scanning/secret-scanning-partnership-program/secret-scanning-partner-program

`make github-keys` writes GitHub's public keys to a file. If the service fetched them for each report instead, any
sender could make it call GitHub, and a failed fetch would lose a report.
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
    """Raise InvalidRequest unless `signature` is a valid signature of `raw` by GitHub's key with this `identifier`."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    pem = _keys(KEYS_FILE).get(identifier)
    if pem is None:
        raise InvalidRequest(
            f"{IDENTIFIER} names an unknown key. The operator of this API must fetch GitHub's keys with"
            " `make github-keys` and deploy."
        )
    key = load_pem_public_key(pem.encode())
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise TypeError(f"{KEYS_FILE.name} contains a key that is not on P-256.")
    try:
        key.verify(base64.b64decode(signature, validate=True), raw, ECDSA(SHA256()))
    except (InvalidSignature, binascii.Error, ValueError):
        raise InvalidRequest(f"{SIGNATURE} is not a valid signature of this body.") from None


@lru_cache(maxsize=4)
def _keys(file: Path) -> dict[str, str]:
    return {each["key_identifier"]: each["key"] for each in json.loads(file.read_text())["public_keys"]}
