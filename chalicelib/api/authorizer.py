"""The custom authorizer of API Gateway, a Lambda function of its own. API Gateway caches the policy per token for 300
s.

The function is deployed as `chalicelib.api.authorizer.authorizer` and imports only the modules that verification needs.
"""

from typing import Any

from chalice.app import AuthRequest, Blueprint

from chalicelib.core import errors, telemetry
from chalicelib.credentials.principal import to_context
from chalicelib.credentials.verify import bearer, verify

CACHED_S = 300
IDENTITY = r"^\s*[Bb][Ee][Aa][Rr][Ee][Rr]\s+\S.*$"
"""The validation pattern of API Gateway for the Authorization header. If a request's header doesn't match it, API
Gateway returns the error `missing_api_key` and doesn't call the function.
"""
REFUSAL, EXPLANATION = "refusal", "explanation"
"""The names of the error code and of its message in the context of a Deny policy. The name `error` can't be used,
because API Gateway sets `$context.authorizer.error` itself.
"""

blueprint = Blueprint(__name__)


@blueprint.authorizer(ttl_seconds=CACHED_S, name="authorizer")
def authorizer(request: AuthRequest) -> dict[str, Any]:
    """Return an Allow policy with the principal in its context, or a Deny policy with the error and message of the
    response.
    """
    try:
        principal = verify(bearer(request.token))
    except errors.Unauthorized as refusal:
        telemetry.log_metrics("denied", {"Unauthorized": 1, **_cold_start()}, error=refusal.error)
        return _policy("Deny", "nobody", {REFUSAL: refusal.error, EXPLANATION: refusal.message})
    who = {"account_id": principal.account_id, "credential_id": principal.credential_id}
    telemetry.log_metrics("verified", {"Verified": 1, **_cold_start()}, **who)
    return _policy("Allow", principal.account_id, to_context(principal))


_started: list[str] = []
"""Contains an item once this process has handled a request. If it is empty, the current request is a cold start."""


def _cold_start() -> dict[str, int]:
    if _started:
        return {}
    _started.append("warm")
    return {"AuthorizerColdStarts": 1}


def _policy(effect: str, principal: str, context: dict[str, str]) -> dict[str, Any]:
    """Return a policy that covers every route, because API Gateway caches one policy per token and applies it to all
    routes. The middleware checks the scopes that the requested route requires.
    """
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": "*"}
    return {
        "principalId": principal,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": context,
    }
