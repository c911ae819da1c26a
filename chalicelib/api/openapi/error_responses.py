"""The errors of the API in the OpenAPI document, each with its status, code and message."""

from typing import Any

from chalicelib.api import responses
from chalicelib.api.openapi.routes import DocumentedRoute
from chalicelib.api.schema.shapes import ERROR
from chalicelib.core import errors
from chalicelib.limits import headers as limit_headers

Schema = dict[str, Any]

STATUSES = {
    400: "A field, a parameter or the body is wrong; the message names it.",
    401: "No valid credential was sent.",
    403: "The credential lacks the required scope, or the role of its user doesn't allow the change.",
    404: "It doesn't exist, or belongs to another account.",
    409: "It already exists, is no longer active or was changed concurrently, or a limit on their number is reached.",
    415: "The body has an unsupported media type.",
    422: "The Idempotency-Key was used for another request.",
    429: "The quota or the burst limit is exhausted.",
    500: "An internal error; quote the request id.",
    503: "The database is unavailable, or a change could not be completed; retrying is safe.",
}
EXAMPLES: dict[int, tuple[errors.LatchkeyError, ...]] = {
    400: (errors.InvalidRequest("name is missing."),),
    401: (errors.MissingApiKey(), errors.InvalidApiKey(), errors.TokenExpired()),
    403: (errors.InsufficientScope("keys"), errors.InsufficientRole("admin")),
    404: (errors.NotFound("There is no such key."),),
    409: (errors.Conflict("This key is revoked and can't be changed."), errors.RequestInProgress()),
    415: (errors.UnsupportedMediaType("Send the body as JSON, with Content-Type: application/json."),),
    422: (errors.IdempotencyKeyReused(),),
    429: (errors.RateLimited(1),),
    500: (errors.InternalError("6f7c3c6e-6f0f-4c9a-9c55-0c1f1d2f6a3b"),),
    503: (errors.Unavailable(),),
}
"""Example errors for each status."""
OF_OAUTH = {
    400: ("invalid_grant", "The code or token is invalid, expired, already used or issued to another client."),
    401: ("invalid_client", "The client is unknown, or its authentication failed."),
}

LIMITS = tuple(name for name in limit_headers.NAMES if name != "Retry-After")


def statuses_of(documented: DocumentedRoute) -> list[int]:
    """Return the error statuses that a route can respond with. The route's description names some of them. The others
    follow from the route's scopes, body, query, path parameters and idempotency.
    """
    description, may = documented.description, {429, 500, 503}
    if documented.route.scopes:
        may |= {401, 403}
    if documented.body is not None or documented.query is not None:
        may.add(400)
    if documented.route.reads_body:
        may.add(415)
    if documented.route.idempotency:
        may |= {400, 409, 422}
    if description.path and description.error_shape is ERROR:
        may.add(404)
    return sorted(may | {kind.status for kind in description.errors})


def name_of(documented: DocumentedRoute, status: int) -> str:
    """Return the name of the response component for an error status of a route."""
    return f"{documented.description.error_shape.name}{status}"


def component(documented: DocumentedRoute, status: int) -> Schema:
    """Return the response component for an error status of a route."""
    headers = [*LIMITS]
    if status in (401, 403):
        headers.append("WWW-Authenticate")
    if status in (409, 429, 503):
        headers.append("Retry-After")
    examples = _examples(status) if documented.description.error_shape is ERROR else _oauth_examples(status)
    return {
        "description": STATUSES[status],
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
        "content": {"application/json": {"schema": documented.description.error_shape.schema(), "examples": examples}},
    }


def table() -> list[Schema]:
    """Return every error code with its status and meaning."""
    kinds = {
        kind.error: kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.LatchkeyError) and _has_a_code(kind)
    }
    return [
        {"error": kind.error, "status": kind.status, "about": " ".join((kind.__doc__ or "").split())}
        for kind in sorted(kinds.values(), key=lambda kind: kind.status)
    ]


def _has_a_code(kind: type[errors.LatchkeyError]) -> bool:
    return kind not in (errors.LatchkeyError, errors.Unauthorized)


def _examples(status: int) -> Schema:
    return {refusal.error: {"value": responses.error_response(refusal).body} for refusal in EXAMPLES[status]}


def _oauth_examples(status: int) -> Schema:
    first = EXAMPLES[status][0]
    code, message = OF_OAUTH.get(status, (first.error, first.message))
    return {code: {"value": {"error": code, "error_description": message}}}
