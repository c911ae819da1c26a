"""The custom authorizer, a Lambda function of its own. API Gateway caches the policy per token for 300 s.

It deploys as `chalicelib.api.authorizer.authorizer` and imports only what verifying needs.
"""

from typing import Any

from chalice.app import AuthRequest, Blueprint

from chalicelib.core import errors, telemetry
from chalicelib.credentials.principal import to_context
from chalicelib.credentials.verify import bearer, verify

CACHED_S = 300
IDENTITY = r"^\s*[Bb][Ee][Aa][Rr][Ee][Rr]\s+\S.*$"
"""The form that API Gateway requires of the header; anything else is `missing_api_key` and invokes no function."""
REFUSAL, EXPLANATION = "refusal", "explanation"
"""Names in the context of a Deny. `error` would be API Gateway's own: it sets `$context.authorizer.error` itself."""

blueprint = Blueprint(__name__)


@blueprint.authorizer(ttl_seconds=CACHED_S, name="authorizer")
def authorizer(request: AuthRequest) -> dict[str, Any]:
    """Answer with a policy: Allow with who calls in its context, or Deny with the error and message to show."""
    try:
        principal = verify(bearer(request.token))
    except errors.Unauthorized as refusal:
        telemetry.log_metrics("denied", {"Unauthorized": 1, **_cold_start()}, error=refusal.error)
        return _policy("Deny", "nobody", {REFUSAL: refusal.error, EXPLANATION: refusal.message})
    who = {"account_id": principal.account_id, "credential_id": principal.credential_id}
    telemetry.log_metrics("verified", {"Verified": 1, **_cold_start()}, **who)
    return _policy("Allow", principal.account_id, to_context(principal))


_started: list[str] = []
"""Holds a word once this process has answered."""


def _cold_start() -> dict[str, int]:
    if _started:
        return {}
    _started.append("warm")
    return {"AuthorizerColdStarts": 1}


def _policy(effect: str, principal: str, context: dict[str, str]) -> dict[str, Any]:
    """A policy for every route: the gateway caches it for all of them, and scopes are the middleware's to check."""
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": "*"}
    return {
        "principalId": principal,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": context,
    }
