"""Find DynamoDB's endpoint and region and the AWS credentials, in environment variables or else with botocore.

In Lambda the environment variables are sufficient, so botocore, which takes 100 ms to load, isn't imported. On other
machines botocore resolves and refreshes profiles, single sign-on and container roles.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from chalicelib.core import settings
from chalicelib.core.dynamodb.sigv4 import Credentials

_BOTOCORE_VARIABLES = (
    "AWS_PROFILE",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
)
"""Environment variables that only botocore interprets."""
_PUBLIC_REGION = re.compile(r"(?:us-gov|[a-z]{2})-[a-z]+-\d+")
"""Regions whose domain can be derived from their name. Isolated and sovereign regions have other domains."""


class NotConfigured(Exception):
    """Neither the environment nor botocore provides an endpoint or credentials. The message says what to set."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A DynamoDB endpoint, its region, and a function that returns current credentials."""

    url: str
    host: str
    """The value of the Host header. It includes the port if `url` does."""
    region: str
    credentials: Callable[[], Credentials]


def find_endpoint() -> Endpoint:
    """Return the endpoint to call. Raises NotConfigured when there is none."""
    return from_environment(settings.environment()) or _from_botocore()


def from_environment(environment: Mapping[str, str]) -> Endpoint | None:
    """Return the endpoint that the variables in `environment` specify, as they do in Lambda.

    None means that botocore is needed.
    """
    region = environment.get("AWS_DEFAULT_REGION") or environment.get("AWS_REGION")
    key_id, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if not region or not key_id or not secret or any(environment.get(name) for name in _BOTOCORE_VARIABLES):
        return None
    url = environment.get("AWS_ENDPOINT_URL_DYNAMODB") or environment.get("AWS_ENDPOINT_URL") or _public_url(region)
    if url is None:
        return None
    credentials = Credentials(key_id, secret, environment.get("AWS_SESSION_TOKEN", ""))
    return _create(url, region, lambda: credentials)


def _public_url(region: str) -> str | None:
    if not _PUBLIC_REGION.fullmatch(region):
        return None
    return f"https://dynamodb.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"


def _create(url: str, region: str, credentials: Callable[[], Credentials]) -> Endpoint:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise NotConfigured(
            f"The endpoint {url!r} is not a URL. Set AWS_ENDPOINT_URL to one like http://127.0.0.1:8001."
        )
    return Endpoint(url, parts.netloc, region, credentials)


def _from_botocore() -> Endpoint:
    import botocore.session
    from botocore.exceptions import BotoCoreError, NoCredentialsError

    session = botocore.session.get_session()
    try:
        client = session.create_client("dynamodb")
        provider = session.get_credentials()
    except BotoCoreError as error:
        reason = str(error).rstrip(".")
        raise NotConfigured(f"{reason}. Set AWS_DEFAULT_REGION, or a profile that has a region.") from error
    if provider is None:
        missing = "No AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        raise NotConfigured(missing) from NoCredentialsError()

    def credentials() -> Credentials:
        # This call refreshes credentials that are about to expire.
        now = provider.get_frozen_credentials()
        return Credentials(now.access_key, now.secret_key, now.token or "")

    return _create(client.meta.endpoint_url, client.meta.region_name, credentials)
