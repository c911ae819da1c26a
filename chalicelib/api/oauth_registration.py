"""Dynamic client registration (RFC 7591) and its management (RFC 7592)."""

from collections.abc import Callable

from chalice.app import Response

from chalicelib.api import client_address
from chalicelib.api import oauth_shapes as shapes
from chalicelib.api.oauth_responses import uncached
from chalicelib.api.request_context import RequestContext
from chalicelib.api.schema.body import Form
from chalicelib.api.schema.description import ResponseSpec, ViewT, described
from chalicelib.api.schema.fields import Id
from chalicelib.core import errors
from chalicelib.limits.tiers import REGISTRATIONS
from chalicelib.oauth import delete_client, registration

CLIENT_ID = {"client_id": Id("app", description="The client's id.")}
CLIENT = ResponseSpec(shapes.CLIENT, headers=("Cache-Control",))
CREATED = ResponseSpec(shapes.CLIENT_CREATED, headers=("Cache-Control",))
DELETED = ResponseSpec(description="The client is deleted.", headers=("Cache-Control",))


def _describe_management(status: int, response: ResponseSpec, body: Form | None = None) -> Callable[[ViewT], ViewT]:
    """Describe an operation that a client authorizes with its registration access token."""
    return described(
        {status: response},
        errors=[errors.Unauthorized],
        path=CLIENT_ID,
        body=body,
        security=("registration",),
        error_shape=shapes.OAUTH_ERROR,
    )


@described(
    {201: CREATED},
    errors=[errors.Unauthorized],
    body=shapes.CLIENT_REGISTRATION,
    security=("initial", ""),
    error_shape=shapes.OAUTH_ERROR,
)
def register(context: RequestContext) -> Response:
    """Register a client (RFC 7591)."""
    context.admit_anonymous()
    context.left = context.admit_networks(REGISTRATIONS)
    registration.check_may_register(_authorization(context))
    information = registration.register(context.request.raw_body, client_address.base_url(context.request))
    return uncached(information, status=201)


@_describe_management(200, CLIENT)
def show_registration(context: RequestContext, client_id: str) -> Response:
    """Return a client's metadata (RFC 7592 §2.1)."""
    context.admit_anonymous()
    client, token = registration.authenticate(client_id, _authorization(context))
    return uncached(registration.build_information(client, token, client_address.base_url(context.request)))


@_describe_management(200, CLIENT, shapes.CLIENT_REPLACEMENT)
def replace_registration(context: RequestContext, client_id: str) -> Response:
    """Replace a client's metadata (RFC 7592 §2.2)."""
    context.admit_anonymous()
    client, token = registration.authenticate(client_id, _authorization(context))
    base_url = client_address.base_url(context.request)
    return uncached(registration.replace(client, token, context.request.raw_body, base_url))


@_describe_management(204, DELETED)
def delete_registration(context: RequestContext, client_id: str) -> Response:
    """Delete a client (RFC 7592 §2.3)."""
    context.admit_anonymous()
    client, _ = registration.authenticate(client_id, _authorization(context))
    delete_client.delete(client)
    return Response("", status_code=204, headers={"Cache-Control": "no-store"})


def _authorization(context: RequestContext) -> str:
    return client_address.only(context.request, "authorization")
