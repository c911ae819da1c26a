"""Find out which service responds at a URL: a domain's DNS may point elsewhere than the configuration says."""

import http.client
import json
import urllib.error
import urllib.request
from email.message import Message
from typing import NamedTuple

WITHIN_S = 10
BODY_BYTES = 100
"""The maximum number of bytes to read, which is more than the body of /health has."""
CLOUDFRONTS, GATEWAYS = "X-Amz-Cf-Id", "x-amz-apigw-id"
"""The headers that identify every response from CloudFront, and every response from API Gateway."""


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
    """Return whether a healthy Latchkey responds at a URL. The response doesn't tell which deployment it is."""
    response = _get_health(url)
    if response is None or response.status != 200:
        return False
    try:
        return bool(json.loads(response.body) == {"status": "ok"})
    except ValueError:
        return False


def _get_health(url: str) -> HealthResponse | None:
    """Return the response to GET /health, None if there is none. `url` is https, from a domain or a valid setting."""
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=WITHIN_S) as response:  # noqa: S310 - as above
            return HealthResponse(response.status, response.headers, response.read(BODY_BYTES))
    except urllib.error.HTTPError as error:
        return HealthResponse(error.code, error.headers)
    except (OSError, ValueError, http.client.HTTPException):
        return None
