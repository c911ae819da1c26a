"""Find a stage's distribution in CloudFront's region, which an organization's policy may deny to the credentials."""

from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.edge.stacks import EdgeStack
from infra.failed import DeployError

REFUSALS = ("AccessDenied", "AccessDeniedException", "InvalidClientTokenId", "OptInRequired")
"""AWS's error codes if a region is denied to the credentials, for example by an organization's policy."""
PARTITION = "aws"
"""The partition of CloudFront's region: credentials of GovCloud or China are not valid there."""


class NotSeen(DeployError):
    """AWS denies these credentials access to CloudFront."""


def look(distribution: EdgeStack, region: str) -> dict[str, Any] | None:
    """Return the stack of a region's distribution; None without one.

    Raises NotSeen if AWS denies access or can't be reached.
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
