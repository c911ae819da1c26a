"""Which service responds at a URL, as seen from this machine: DNS may differ from the configuration."""

import http.client
import json
import urllib.error
import urllib.request
from email.message import Message
from typing import NamedTuple

WITHIN_S = 10
BODY_BYTES = 100
"""More than the body of /health has."""
CLOUDFRONTS, GATEWAYS = "X-Amz-Cf-Id", "x-amz-apigw-id"
"""Headers of every response of CloudFront, and of API Gateway."""


class Answer(NamedTuple):
    """The response to GET /health, whatever its status."""

    status: int
    headers: Message
    body: bytes = b""


def is_cloudfront(url: str) -> bool:
    """Return whether CloudFront responds at a URL."""
    answer = _ask(url)
    return answer is not None and CLOUDFRONTS in answer.headers


def is_gateway(url: str) -> bool:
    """Return whether API Gateway responds at a URL."""
    answer = _ask(url)
    return answer is not None and GATEWAYS in answer.headers


def is_latchkey(url: str) -> bool:
    """Return whether a healthy Latchkey responds at a URL; the response doesn't identify which one."""
    answer = _ask(url)
    if answer is None or answer.status != 200:
        return False
    try:
        return bool(json.loads(answer.body) == {"status": "ok"})
    except ValueError:
        return False


def _ask(url: str) -> Answer | None:
    """Return the response of /health, None without one. The URL is https: from a domain, or a validated setting."""
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=WITHIN_S) as response:  # noqa: S310 - as above
            return Answer(response.status, response.headers, response.read(BODY_BYTES))
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.headers)
    except (OSError, ValueError, http.client.HTTPException):
        return None
