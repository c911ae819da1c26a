"""Leak reports, signed with test keys as GitHub and as other senders sign reports."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chalicelib.core import clock
from chalicelib.detection import github_signature, hmac_signature
from infra.local_gateway.response import Response
from tests.support.harness import TestApp

PUBLIC_PLACE = "https://github.com/octocat/Hello-World/blob/main/settings.py"


@dataclass(frozen=True)
class Signer:
    """A key pair that signs leak reports as GitHub does."""

    identifier: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()), repr=False)

    @property
    def published(self) -> dict[str, object]:
        """Return the public key as GitHub publishes it."""
        pem = self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return {"key_identifier": self.identifier, "key": pem.decode(), "is_current": True}

    def headers(self, body: bytes) -> dict[str, str]:
        """Return GitHub's signature headers for a body."""
        signature = base64.b64encode(self.key.sign(body, ec.ECDSA(SHA256()))).decode()
        return {github_signature.IDENTIFIER: self.identifier, github_signature.SIGNATURE: signature}


@contextmanager
def trust_signers(folder: Path, *signers: Signer) -> Iterator[None]:
    """Replace the shipped public keys by those of `signers`, within the block."""
    file = folder / "github_keys.json"
    file.write_text(json.dumps({"public_keys": [signer.published for signer in signers]}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(github_signature, "KEYS_FILE", file)
        yield


def alert(token: str, **more: object) -> dict[str, object]:
    """Return a report of one secret in GitHub's format."""
    return {"token": token, "type": "latchkey_api_key", "url": PUBLIC_PLACE, "source": "commit"} | more


def sign_with_shared_secret(body: bytes, at_s: int | None = None) -> dict[str, str]:
    """Return the signature headers that a sender with the shared secret sends."""
    timestamp = str(clock.now_s() if at_s is None else at_s)
    return {
        hmac_signature.TIMESTAMP: timestamp,
        hmac_signature.SIGNATURE: hmac_signature.VERSION + hmac_signature.sign(body, timestamp),
    }


def report(latchkey: TestApp, *alerts: dict[str, object], signer: Signer | None = None) -> Response:
    """Send leak reports, signed by `signer`, or with the shared secret if it is None."""
    body = json.dumps(list(alerts)).encode()
    headers = sign_with_shared_secret(body) if signer is None else signer.headers(body)
    return latchkey.call("POST", "/v1/leaks", body=body, headers=headers)
