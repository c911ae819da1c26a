"""Looks for CloudFront, which is in a region of its own: an organization may have closed that to the credentials."""

from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.edge.stacks import EdgeStack
from infra.failed import DeployError

REFUSALS = ("AccessDenied", "AccessDeniedException", "InvalidClientTokenId", "OptInRequired")
"""What AWS says where a region is closed to the credentials, as by an organization's policy."""
PARTITION = "aws"
"""Credentials of another one, GovCloud's or China's, are unknown in the region of CloudFront."""


class NotSeen(DeployError):
    """AWS doesn't let these credentials look for CloudFront."""


def look(distribution: EdgeStack, region: str) -> dict[str, Any] | None:
    """Return the stack of a distribution before an API in a region; None where there is none.

    Raises NotSeen where AWS refuses to say.
    """
    if not has_cloudfront(region):
        return None
    try:
        return distribution.described()
    except (BotoCoreError, ClientError) as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] not in REFUSALS:
            raise
        raise NotSeen(f"Could not look for CloudFront in {distribution.region}: {str(error).rstrip('.')}.") from error


def has_cloudfront(region: str) -> bool:
    """Return whether a region is in the partition of CloudFront: not in `aws-us-gov`, not in `aws-cn`."""
    return str(boto3.session.Session().get_partition_for_region(region)) == PARTITION
