"""/v1/verify: a service verifies a secret that it received, and counts one request on the secret's account."""

from typing import Any

from chalicelib.api.request_context import RequestContext
from chalicelib.api.schema.body import Body, optional, required
from chalicelib.api.schema.description import ResponseSpec, described
from chalicelib.api.schema.fields import Enum, Line, Text
from chalicelib.api.schema.shapes import AnyOf, Boolean, DateTime, Nullable, Number, Shape, String, StringList
from chalicelib.core import clock, errors
from chalicelib.credentials import revocation_check, scopes
from chalicelib.credentials.verify import parse_secret
from chalicelib.limits import tiers
from chalicelib.limits.admission import Rejected
from chalicelib.limits.headers import Allowance

SECRET = Line(
    max_length=1_000,
    description="The secret that your caller sent, or the whole value of its `Authorization` header.",
)
RESOURCE = Text(
    max_length=2_000,
    description="The resource that an access token must be issued for (RFC 8707); by default this API.",
    example="https://orders.example.com",
)

ALLOWANCE = Shape(
    "Allowance",
    "The limits of the secret's account.",
    {
        "limit": Number("The quota, or the burst limit if there is no quota.", 1_000),
        "remaining": Number("Remaining requests.", 998),
        "reset": Number("The epoch second at which it resets.", 1_640_000_000),
    },
)
_REFUSAL = {
    "error": String("The error code for your caller.", "rate_limit_exceeded"),
    "message": String("The error message for your caller."),
}
VERDICT = AnyOf(
    (
        Shape(
            "VerdictAdmitted",
            "The secret is valid and the request admitted; it is counted.",
            {
                "valid": Boolean("The secret is valid.", fixed=True),
                "admitted": Boolean("The request is admitted.", fixed=True),
                "account_id": String("The account of the secret.", "acc_0V5kqWn4Zr8TfYb2LcXd"),
                "user_id": String("The user of the secret, or the account's service user.", "usr_0V5kqWn4Zr8TfYb2LcXd"),
                "credential_id": String("The credential's id.", "key_0V5kqWn4Zr8TfYb2LcXd"),
                "kind": Enum(("key", "token"), description="An API key or an access token."),
                "scopes": StringList("Its scopes.", scopes.ALL, ("read",)),
                "tier": Enum(tuple(tier.name for tier in tiers.OF_ACCOUNTS), description="The account's tier."),
                "client_id": Nullable(String(), "The client that the token was issued to; null for a key."),
                "expires_at": Nullable(DateTime(), "When it expires; null: never."),
                "limits": ALLOWANCE,
            },
        ),
        Shape(
            "VerdictHeldBack",
            "The secret is valid, but a limit of its account is exhausted.",
            {
                "valid": Boolean("The secret is valid.", fixed=True),
                "admitted": Boolean("The request is not admitted.", fixed=False),
                **_REFUSAL,
                "retry_after_s": Number("Seconds to wait before retrying.", 1),
                "limits": ALLOWANCE,
            },
        ),
        Shape(
            "VerdictRefused",
            "The secret is malformed, unknown, revoked, expired or not for this resource.",
            {
                "valid": Boolean("The secret is not valid.", fixed=False),
                "admitted": Boolean("The request is not admitted.", fixed=False),
                **_REFUSAL,
            },
        ),
    )
)


class Question(Body):
    """A secret to verify."""

    secret: str = required(SECRET)
    resource: str | None = optional(RESOURCE)


@described({200: ResponseSpec(VERDICT, "The result of the verification.")})
def verify(context: RequestContext, body: Question) -> dict[str, Any]:
    """Verify a secret, return its account and scopes, and count one request on that account.

    The status is 200 even if the secret is invalid: `valid` says whether the secret is valid, `admitted` whether the
    request is within the limits. If it isn't admitted, pass `error` and `message` on to the caller of your service.
    """
    try:
        principal, left = revocation_check.admit_presented(parse_secret(body.secret), body.resource or "")
    except errors.Unauthorized as refusal:
        return {"valid": False, "admitted": False, "error": refusal.error, "message": refusal.message}
    except Rejected as refusal:
        error_fields = {"error": refusal.error, "message": refusal.message, "retry_after_s": refusal.retry_after_s}
        return {"valid": True, "admitted": False, **error_fields, "limits": _limits(refusal.left)}
    return {
        "valid": True,
        "admitted": True,
        "account_id": principal.account_id,
        "user_id": principal.user_id,
        "credential_id": principal.credential_id,
        "kind": principal.kind,
        "scopes": scopes.in_order(principal.scopes),
        "tier": principal.tier.name,
        "client_id": principal.client_id or None,
        "expires_at": clock.iso(principal.ends_at_ms) if principal.ends_at_ms else None,
        "limits": _limits(left),
    }


def _limits(left: Allowance) -> dict[str, int]:
    return {"limit": left.limit, "remaining": left.remaining, "reset": left.reset_s}
