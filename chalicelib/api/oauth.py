"""The authorization server's endpoints for clients: tokens, devices, revocation and introspection."""

from collections.abc import Callable

from chalice.app import Response

from chalicelib.api import client_address
from chalicelib.api import oauth_shapes as shapes
from chalicelib.api.oauth_responses import uncached
from chalicelib.api.request_context import RequestContext
from chalicelib.api.routing import JSON
from chalicelib.api.schema.body import Form
from chalicelib.api.schema.description import ResponseSpec, ViewT, described
from chalicelib.api.schema.shapes import Shape
from chalicelib.core import errors
from chalicelib.events import actors
from chalicelib.limits.tiers import CLIENT, DEVICE_STARTS
from chalicelib.oauth import client_auth, clients, device, parameters, resources, revocation, token_endpoint
from chalicelib.oauth.client_auth import AuthenticatedClient
from chalicelib.oauth.errors import OAuthError, invalid_client, invalid_scope
from chalicelib.oauth.parameters import (
    DEVICE_PARAMETERS,
    TOKEN_PARAMETERS,
    TOKEN_QUERY_PARAMETERS,
    Parameters,
    parse_scope,
)
from chalicelib.oauth.token_request import TokenRequest


def _describe(response: Shape, body: Form) -> Callable[[ViewT], ViewT]:
    """Return the decorator that describes an endpoint at which clients authenticate, by HTTP Basic or in the body.
    Public clients send only their id.
    """
    return described(
        {200: ResponseSpec(response, headers=("Cache-Control",))},
        errors=[errors.Unauthorized],
        body=body,
        security=("client", ""),
        error_shape=shapes.OAUTH_ERROR,
    )


@_describe(shapes.TOKEN, shapes.TOKEN_REQUEST)
def token(context: RequestContext) -> Response:
    """Exchange a code, a refresh token, a device code or the client's own credentials for an access token."""
    sent, caller = _authenticate(context, TOKEN_PARAMETERS)
    request = TokenRequest(sent, caller.client, caller.one_time_token, client_address.base_url(context.request))
    return uncached(token_endpoint.respond(request))


@_describe(shapes.DEVICE_AUTHORIZATION, shapes.DEVICE_REQUEST)
def device_authorization(context: RequestContext) -> Response:
    """Start a device authorization (RFC 8628)."""
    sent, caller = _authenticate(context, DEVICE_PARAMETERS)
    if clients.DEVICE not in caller.client.grant_types:
        raise OAuthError("unauthorized_client", "This client may not use the device flow.")
    base_url = client_address.base_url(context.request)
    requested = parse_scope(sent)
    if not requested <= clients.GRANTABLE:
        raise invalid_scope()
    scopes = (requested or {"read"}) & set(caller.client.scopes)
    if not scopes:
        raise invalid_scope()
    requested_resources = resources.validate(sent.get_all("resource"), base_url)
    if caller.subject is None:
        context.admit_networks(DEVICE_STARTS)
    return uncached(device.start(caller.client, scopes=scopes, resources=requested_resources, base_url=base_url))


@_describe(shapes.REVOKED, shapes.TOKEN_LOOKUP)
def revoke(context: RequestContext) -> Response:
    """Revoke one of the client's own tokens (RFC 7009)."""
    sent, caller = _authenticate(context, TOKEN_QUERY_PARAMETERS)
    sent.require("token")
    revocation.revoke(caller.client, caller.presented)
    return uncached({})


@_describe(shapes.INTROSPECTED, shapes.TOKEN_LOOKUP)
def introspect(context: RequestContext) -> Response:
    """Introspect one of the client's own tokens (RFC 7662)."""
    sent, caller = _authenticate(context, TOKEN_QUERY_PARAMETERS)
    if caller.client.is_public:
        raise invalid_client("Only a client with a secret may introspect.")
    sent.require("token")
    return uncached(revocation.introspect(caller.client, caller.presented, client_address.base_url(context.request)))


def _authenticate(context: RequestContext, names: tuple[str, ...]) -> tuple[Parameters, AuthenticatedClient]:
    """Return the request's parameters and the authenticated client, and count the request.

    Only the parameters in `names` are checked, because the endpoint ignores all others.

    The request is counted on the client if the client has an account and authenticates with a secret, otherwise on the
    network of the caller: anyone can send a public client's id, register more clients without an account, or fail to
    authenticate.
    """
    try:
        sent, caller = _read(context, names)
    except errors.RateLimited:
        raise
    except Exception:
        # Count failed requests, too: otherwise the number of requests that cause an internal error would be
        # unlimited.
        context.admit_anonymous()
        raise
    actors.identify_actor(caller.client.client_id)
    if caller.subject is None:
        context.admit_anonymous()
    else:
        context.admit_as(caller.subject, CLIENT)
    return sent, caller


def _read(context: RequestContext, names: tuple[str, ...]) -> tuple[Parameters, AuthenticatedClient]:
    request = context.request
    sent = parameters.parse_body(request.raw_body, client_address.only(request, "content-type") or JSON)
    if "grant_type" in names:
        sent = sent.select_for_grant_type()
    sent.check(names)
    credentials = parameters.parse_client_credentials(sent, client_address.only(context.request, "authorization"))
    if credentials.secret is None:
        # Without a secret, the request is counted on the caller's network even if it fails. If that network has
        # already exceeded its limit, reject the request before anything is read. A client with a secret isn't limited
        # by network.
        context.recall_anonymous()
    presented = sent.get("token") if "token" in names else client_auth.read_presented_secret(sent)
    return sent, client_auth.authenticate(credentials, presented)
