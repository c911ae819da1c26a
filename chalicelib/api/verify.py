"""/v1/verify: any service anywhere asks whether a secret is good, and lets a request through with it."""

from typing import Any

from chalice.app import Blueprint

from chalicelib.api.edge import Exchange, route
from chalicelib.api.fields import Text, read_body
from chalicelib.core import clock, errors
from chalicelib.credentials import scopes, standing
from chalicelib.limits.admission import Refused
from chalicelib.limits.allowance import Allowance

SECRET = Text(most=200)
RESOURCE = Text(most=2_000)

blueprint = Blueprint(__name__)


@route(blueprint, "/v1/verify", methods=["POST"], scopes=[scopes.VERIFY])
def verify(exchange: Exchange) -> dict[str, Any]:
    """Say whom a secret speaks for and what it may do, and count one request on that account.

    Always 200 when the question is right: `valid` says whether the secret is good, `admitted` whether the request may
    pass, and `error` and `message` are what the service should answer its caller if not.
    """
    body = read_body(exchange.request.raw_body, {"secret": SECRET}, {"resource": RESOURCE})
    try:
        verdict, left = standing.admit_presented(body["secret"], body["resource"] or "")
    except errors.Unauthorized as refusal:
        return {"valid": False, "admitted": False, "error": refusal.error, "message": refusal.message}
    except Refused as refusal:
        told = {"error": refusal.error, "message": refusal.message, "retry_after_s": refusal.retry_after_s}
        return {"valid": True, "admitted": False, **told, "limits": _limits(refusal.left)}
    return {
        "valid": True,
        "admitted": True,
        "account_id": verdict.account_id,
        "credential_id": verdict.credential_id,
        "kind": verdict.kind,
        "scopes": scopes.in_order(verdict.scopes),
        "tier": verdict.tier.name,
        "client_id": verdict.client_id or None,
        "expires_at": clock.iso(verdict.ends_at_ms) if verdict.ends_at_ms else None,
        "limits": _limits(left),
    }


def _limits(left: Allowance) -> dict[str, int]:
    return {"limit": left.limit, "remaining": left.remaining, "reset": left.reset_s}
