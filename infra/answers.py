"""Find out which service responds at a URL, since a domain's DNS may not point at the configured service."""

import http.client
import json
import urllib.error
import urllib.request
from email.message import Message
from typing import NamedTuple

WITHIN_S = 10
BODY_BYTES = 100
"""The maximum number of bytes to read, which is more than the body of /health contains."""
CLOUDFRONTS, GATEWAYS = "X-Amz-Cf-Id", "x-amz-apigw-id"
"""The response header that CloudFront adds to every response, and the one that API Gateway adds."""


class HealthResponse(NamedTuple):
    """The response to GET /health, with any status."""

    status: int
    headers: Message
    body: bytes = b""


def is_cloudfront(url: str) -> bool:
    """Return whether CloudFront responds at a URL."""
    response = _get_health(url)
    return response is not None and CLOUDFRONTS in response.headers


def is_gateway(url: str) -> bool:
    """Return whether API Gateway responds at a URL."""
    response = _get_health(url)
    return response is not None and GATEWAYS in response.headers


def is_latchkey(url: str) -> bool:
    """Return whether a healthy Latchkey responds at a URL. It can belong to any stage, since all respond alike."""
    response = _get_health(url)
    if response is None or response.status != 200:
        return False
    try:
        return bool(json.loads(response.body) == {"status": "ok"})
    except ValueError:
        return False


def _get_health(url: str) -> HealthResponse | None:
    """Return the response to GET /health, None if there is no response. The scheme of `url` must be https."""
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=WITHIN_S) as response:  # noqa: S310 - as above
            return HealthResponse(response.status, response.headers, response.read(BODY_BYTES))
    except urllib.error.HTTPError as error:
        return HealthResponse(error.code, error.headers)
    except (OSError, ValueError, http.client.HTTPException):
        return None
