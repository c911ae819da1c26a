"""Find a stage's distribution in CloudFront's region, to which an organization's policy may deny access."""

from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.edge.stacks import EdgeStack
from infra.failed import DeployError

REFUSALS = ("AccessDenied", "AccessDeniedException", "InvalidClientTokenId", "OptInRequired")
"""The error codes with which AWS denies access to a region, for example because of an organization's policy."""
PARTITION = "aws"
"""The AWS partition of CloudFront's region. Credentials for GovCloud or China are invalid in this partition."""


class NotSeen(DeployError):
    """AWS denies these credentials access to CloudFront."""


def look(distribution: EdgeStack, region: str) -> dict[str, Any] | None:
    """Return the description of the distribution's stack; None if it doesn't exist.

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
    """Return whether a region is in the same AWS partition as CloudFront, and not in `aws-us-gov` or `aws-cn`."""
    return str(boto3.session.Session().get_partition_for_region(region)) == PARTITION
