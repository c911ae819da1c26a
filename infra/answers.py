"""What answers at an address, from where a command runs: what a configuration says of it, DNS may not have."""

import http.client
import json
import urllib.error
import urllib.request
from email.message import Message
from typing import NamedTuple

WITHIN_S = 10
BODY_BYTES = 100
"""The body of /health has fewer."""
CLOUDFRONTS, GATEWAYS = "X-Amz-Cf-Id", "x-amz-apigw-id"
"""A header that every response of CloudFront has, and one of API Gateway's."""


class Answer(NamedTuple):
    """What answered a request for /health, whatever it answered."""

    status: int
    headers: Message
    body: bytes = b""


def is_cloudfront(url: str) -> bool:
    """Return whether CloudFront answers at an address."""
    answer = _ask(url)
    return answer is not None and CLOUDFRONTS in answer.headers


def is_gateway(url: str) -> bool:
    """Return whether an API Gateway answers at an address."""
    answer = _ask(url)
    return answer is not None and GATEWAYS in answer.headers


def is_latchkey(url: str) -> bool:
    """Return whether a Latchkey answers at an address, and is well: which one it is, nothing of it says."""
    answer = _ask(url)
    if answer is None or answer.status != 200:
        return False
    try:
        return bool(json.loads(answer.body) == {"status": "ok"})
    except ValueError:
        return False


def _ask(url: str) -> Answer | None:
    """Ask how it is; None where nothing answers. The address is a domain, or a setting that is checked to be https."""
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=WITHIN_S) as response:  # noqa: S310 - as above
            return Answer(response.status, response.headers, response.read(BODY_BYTES))
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.headers)
    except (OSError, ValueError, http.client.HTTPException):
        return None
