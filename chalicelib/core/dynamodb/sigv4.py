"""Sign a DynamoDB call with AWS Signature Version 4. The call is a POST to `/`, and every header is signed.

The signing key is derived once per day and secret. Each call then needs only two hashes and one HMAC.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "dynamodb"


@dataclass(frozen=True, slots=True)
class Credentials:
    """AWS credentials. `token` is empty for long-term credentials."""

    key_id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


def signed(
    headers: Mapping[str, str], body: bytes, *, credentials: Credentials, region: str, at_ms: int
) -> dict[str, str]:
    """Sign `headers` and `body`; return the headers together with those of the signature.

    `headers` must include `host`. Their names must be in lower case, and their values must be trimmed. `at_ms` is the
    current time: AWS rejects a signature that is several minutes old.
    """
    moment = _moment(at_ms // 1000)
    signing = {**headers, "x-amz-date": moment}
    if credentials.token:
        signing["x-amz-security-token"] = credentials.token
    names = sorted(signing)
    listed = ";".join(names)
    lines = "".join(f"{name}:{signing[name]}\n" for name in names)
    request = f"POST\n/\n\n{lines}\n{listed}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{moment[:8]}/{region}/{SERVICE}/aws4_request"
    to_sign = f"{ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.digest(_key(credentials.secret, moment[:8], region), to_sign.encode(), "sha256").hex()
    signing["authorization"] = (
        f"{ALGORITHM} Credential={credentials.key_id}/{scope}, SignedHeaders={listed}, Signature={signature}"
    )
    return signing


@lru_cache(maxsize=1)
def _moment(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y%m%dT%H%M%SZ")


@lru_cache(maxsize=4)
def _key(secret: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, SERVICE, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
