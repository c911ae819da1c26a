"""/v1/verify: any service anywhere asks whether a secret is good, and lets a request through with it."""

from typing import Any

from chalicelib.api.request_context import RequestContext
from chalicelib.api.schema.body import Body, optional, required
from chalicelib.api.schema.description import ResponseSpec, described
from chalicelib.api.schema.fields import Enum, Line, Text
from chalicelib.api.schema.shapes import AnyOf, Boolean, DateTime, Nullable, Number, Shape, String, StringList
from chalicelib.core import clock, errors
from chalicelib.credentials import reverify, scopes
from chalicelib.credentials.verify import presented
from chalicelib.limits import tiers
from chalicelib.limits.admission import Refused
from chalicelib.limits.headers import Allowance

SECRET = Line(
    max_length=1_000,
    description="What your caller sent: the secret, or the whole value of `Authorization: Bearer …`, spaces included.",
)
RESOURCE = Text(
    max_length=2_000,
    description="For which resource an access token must be (RFC 8707); without it, this API.",
    example="https://orders.example.com",
)

ALLOWANCE = Shape(
    "Allowance",
    "What is left to the account whose secret it is.",
    {
        "limit": Number("The quota, or the burst limit where there is no quota.", 1_000),
        "remaining": Number("What is left of it.", 998),
        "reset": Number("The epoch second in which it is full again.", 1_640_000_000),
    },
)
_REFUSAL = {
    "error": String("What to answer your caller: the code.", "rate_limit_exceeded"),
    "message": String("What to answer your caller: the words."),
}
VERDICT = AnyOf(
    (
        Shape(
            "VerdictAdmitted",
            "The secret is good and the request may pass; it is counted.",
            {
                "valid": Boolean("The secret is good.", fixed=True),
                "admitted": Boolean("The request may pass.", fixed=True),
                "account_id": String("For whom the secret speaks.", "acc_0V5kqWn4Zr8TfYb2LcXd"),
                "credential_id": String("Which credential it is.", "key_0V5kqWn4Zr8TfYb2LcXd"),
                "kind": Enum(("key", "token"), description="An API key or an access token."),
                "scopes": StringList("What it may do.", scopes.ALL, ("read",)),
                "tier": Enum(tuple(tier.name for tier in tiers.OF_ACCOUNTS), description="The account's tier."),
                "client_id": Nullable(String(), "The application that holds the token; null for a key."),
                "expires_at": Nullable(DateTime(), "When it ends by itself; null: never."),
                "limits": ALLOWANCE,
            },
        ),
        Shape(
            "VerdictHeldBack",
            "The secret is good, but a limit of its account is spent.",
            {
                "valid": Boolean("The secret is good.", fixed=True),
                "admitted": Boolean("The request may not pass.", fixed=False),
                **_REFUSAL,
                "retry_after_s": Number("In how many seconds it may.", 1),
                "limits": ALLOWANCE,
            },
        ),
        Shape(
            "VerdictRefused",
            "The secret is malformed, unknown, revoked, expired or not for this resource.",
            {
                "valid": Boolean("The secret is not good.", fixed=False),
                "admitted": Boolean("The request may not pass.", fixed=False),
                **_REFUSAL,
            },
        ),
    )
)


class Question(Body):
    """A secret to verify."""

    secret: str = required(SECRET)
    resource: str | None = optional(RESOURCE)


@described({200: ResponseSpec(VERDICT, "What the secret is good for.")})
def verify(context: RequestContext, body: Question) -> dict[str, Any]:
    """Say whom a secret speaks for and what it may do, and count one request on that account.

    Always 200 when the question is right: `valid` says whether the secret is good, `admitted` whether the request may
    pass, and `error` and `message` are what the service should answer its caller if not.
    """
    try:
        principal, left = reverify.admit_presented(presented(body.secret), body.resource or "")
    except errors.Unauthorized as refusal:
        return {"valid": False, "admitted": False, "error": refusal.error, "message": refusal.message}
    except Refused as refusal:
        told = {"error": refusal.error, "message": refusal.message, "retry_after_s": refusal.retry_after_s}
        return {"valid": True, "admitted": False, **told, "limits": _limits(refusal.left)}
    return {
        "valid": True,
        "admitted": True,
        "account_id": principal.account_id,
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
