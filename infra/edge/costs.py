"""What CloudFront in front of a stage costs, beside what the stage does: by how far a request comes, and by the month.

At the prices a request. A flat monthly plan of CloudFront's is another contract, and isn't reckoned with.
"""

from dataclasses import dataclass

from infra.costs.prices import GB, MILLION, PRICES
from infra.costs.requests import BUSY

RENAMES_GB, RENAMES_S = 0.125, 0.002
"""Memory of the Lambda@Edge function, as its template has it, and an assumed duration."""
ADDED_BYTES = 230
"""What CloudFront adds to the headers of an answer: Via, X-Cache, X-Amz-Cf-Pop, X-Amz-Cf-Id, Alt-Svc."""
STATIC_BYTES = 6_100
"""The console's largest file, compressed, and 600 bytes of headers."""
WEB_ACLS, RULES = 2, 2
"""One before CloudFront and one before the API, with a rule each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How far a request comes, and what it costs on its way."""

    name: str
    inspected: int
    """By how many web ACLs."""
    is_served: bool = True
    """Whether CloudFront charges for it: for what its web ACL blocks it doesn't, since 2024-10-25."""
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
    """Return what a million requests cost, by service."""
    return {
        "CloudFront": PRICES["cloudfront_https_per_million"] * way.is_served,
        "its function": PRICES["cloudfront_function_per_million"] * way.reaches_api,
        "Lambda@Edge": way.reaches_api
        * (PRICES["lambda_edge_per_million"] + PRICES["lambda_edge_per_gb_second"] * RENAMES_GB * RENAMES_S * MILLION),
        "AWS WAF": PRICES["waf_per_million"] * way.inspected,
        "transfer": PRICES["cloudfront_transfer_out_per_gb"] * way.sent_bytes * MILLION / GB,
    }


def month() -> dict[str, float]:
    """Return what an edge costs in a month in which nobody calls."""
    return {
        f"{WEB_ACLS} web ACLs": PRICES["waf_web_acl_month"] * WEB_ACLS,
        "a rule in each": PRICES["waf_rule_month"] * RULES,
        "the distribution, its two functions, its certificate, the secret": 0,
    }
