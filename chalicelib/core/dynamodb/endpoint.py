"""Where DynamoDB is and who calls it: by Lambda's environment, otherwise by all that botocore knows of this machine.

In Lambda the environment says everything, and botocore, which takes 100 ms to load, stays out. On an owner's machine
profiles, single sign-on, container roles and their like are botocore's to resolve and to refresh.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from chalicelib.core import settings
from chalicelib.core.dynamodb.sigv4 import Credentials

_BOTOCORES = (
    "AWS_PROFILE",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
)
"""What these mean takes more than the environment to say."""
_PUBLIC_REGION = re.compile(r"(?:us-gov|[a-z]{2})-[a-z]+-\d+")
"""Regions whose names tell their domain; those of secret clouds and the European sovereign one don't."""


class NotConfigured(Exception):
    """Neither the environment nor botocore's chain says where DynamoDB is or who asks; the message says what to set."""


@dataclass(frozen=True, slots=True)
class Place:
    """An endpoint of DynamoDB, its region, and what returns the credentials that are good now."""

    url: str
    host: str
    """What the Host header says: with the port, where that isn't the scheme's own."""
    region: str
    credentials: Callable[[], Credentials]


def place() -> Place:
    """Return where to call and as whom. Raises NotConfigured when nothing says."""
    return of_environment(settings.environment()) or _by_botocore()


def of_environment(environment: Mapping[str, str]) -> Place | None:
    """Return what `environment` says by itself, as Lambda's does; None when more must be asked."""
    region = environment.get("AWS_DEFAULT_REGION") or environment.get("AWS_REGION")
    key_id, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if not region or not key_id or not secret or any(environment.get(name) for name in _BOTOCORES):
        return None
    url = environment.get("AWS_ENDPOINT_URL_DYNAMODB") or environment.get("AWS_ENDPOINT_URL") or _public_url(region)
    if url is None:
        return None
    credentials = Credentials(key_id, secret, environment.get("AWS_SESSION_TOKEN", ""))
    return _at(url, region, lambda: credentials)


def _public_url(region: str) -> str | None:
    if not _PUBLIC_REGION.fullmatch(region):
        return None
    return f"https://dynamodb.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"


def _at(url: str, region: str, credentials: Callable[[], Credentials]) -> Place:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise NotConfigured(f"The endpoint {url!r} is no URL. AWS_ENDPOINT_URL takes one like http://127.0.0.1:8001.")
    return Place(url, parts.netloc, region, credentials)


def _by_botocore() -> Place:
    import botocore.session
    from botocore.exceptions import BotoCoreError, NoCredentialsError

    session = botocore.session.get_session()
    try:
        client = session.create_client("dynamodb")
        chain = session.get_credentials()
    except BotoCoreError as error:
        what = str(error).rstrip(".")
        raise NotConfigured(f"{what}. Set AWS_DEFAULT_REGION, or a profile that has a region.") from error
    if chain is None:
        missing = "No AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        raise NotConfigured(missing) from NoCredentialsError()

    def credentials() -> Credentials:
        # Those that end soon are refreshed by this very call.
        now = chain.get_frozen_credentials()
        return Credentials(now.access_key, now.secret_key, now.token or "")

    return _at(client.meta.endpoint_url, client.meta.region_name, credentials)
