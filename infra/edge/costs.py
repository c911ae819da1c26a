"""Calculate the additional costs of CloudFront in front of a stage, per request and per month.

The prices are the pay-as-you-go prices, not those of CloudFront's flat-rate plans.
"""

from dataclasses import dataclass

from infra.costs.prices import GB, MILLION, PRICES
from infra.costs.requests import BUSY

RENAMES_GB, RENAMES_S = 0.125, 0.002
"""The memory (GB) of the Lambda@Edge function, as in its template, and the assumed duration (s) of a call."""
ADDED_BYTES = 230
"""The size of the headers that CloudFront adds to a response: Via, X-Cache, X-Amz-Cf-Pop, X-Amz-Cf-Id, Alt-Svc."""
STATIC_BYTES = 6_100
"""The response size of the console's largest static file: its compressed size plus 600 bytes of headers."""
WEB_ACLS, RULES = 2, 2
"""The number of web ACLs (one for CloudFront, one for the API), and of their rules (one each)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A kind of request, with the components that handle it and the size of its response."""

    name: str
    inspected: int
    """The number of web ACLs that inspect the request."""
    is_served: bool = True
    """Whether CloudFront charges for the request. Since 2024-10-25, requests that its web ACL blocks are free."""
    reaches_api: bool = False
    sent_bytes: float = 0


WAYS = (
    Way(
        name="answered by the API: one key, busy",
        inspected=2,
        reaches_api=True,
        sent_bytes=BUSY.sent_bytes + ADDED_BYTES,
    ),
    Way(name="a file of the console, from the cache", inspected=1, sent_bytes=STATIC_BYTES),
    Way(name="blocked by the rate rule", inspected=1, is_served=False),
)


def per_million(way: Way) -> dict[str, float]:
    """Return the costs of a million requests, by AWS service."""
    return {
        "CloudFront": PRICES["cloudfront_https_per_million"] * way.is_served,
        "its function": PRICES["cloudfront_function_per_million"] * way.reaches_api,
        "Lambda@Edge": way.reaches_api
        * (PRICES["lambda_edge_per_million"] + PRICES["lambda_edge_per_gb_second"] * RENAMES_GB * RENAMES_S * MILLION),
        "AWS WAF": PRICES["waf_per_million"] * way.inspected,
        "transfer": PRICES["cloudfront_transfer_out_per_gb"] * way.sent_bytes * MILLION / GB,
    }


def month() -> dict[str, float]:
    """Return the monthly costs without requests."""
    return {
        f"{WEB_ACLS} web ACLs": PRICES["waf_web_acl_month"] * WEB_ACLS,
        "a rule in each": PRICES["waf_rule_month"] * RULES,
        "the distribution, its two functions, its certificate, the secret": 0,
    }
