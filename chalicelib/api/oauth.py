"""The authorization server's endpoints for clients: tokens, devices, revocation, introspection, registration.

Light until asked: what these need is imported by the first request that needs it.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from chalice.app import Blueprint, Response

from chalicelib.api import client_address
from chalicelib.api import oauth_shapes as shapes
from chalicelib.api.declared import Answer, Declared, Form
from chalicelib.api.fields import Id
from chalicelib.api.request_context import Exchange
from chalicelib.api.routing import Rules, View, route_with
from chalicelib.api.shapes import Shape
from chalicelib.core import errors
from chalicelib.events import actors
from chalicelib.limits.tiers import CLIENT, DEVICE_STARTS, REGISTRATIONS

if TYPE_CHECKING:
    from chalicelib.oauth.client_auth import Known
    from chalicelib.oauth.parameters import Parameters

FORM, JSON = "application/x-www-form-urlencoded", "application/json"

blueprint = Blueprint(__name__)


def refusal(error: errors.LatchkeyError, _exchange: Exchange) -> Response:
    """Return an error in OAuth's form (RFC 6749 §5.2); a limit keeps its own message beside it."""
    body = {"error": error.error, "error_description": error.message}
    if isinstance(error, errors.RateLimited):
        body["message"] = error.message
    return _json(body, status=error.status, headers=error.headers)


OPEN = Rules(refusal=refusal, counted=False, cross_origin=True)
"""Called by pages too, and counted by the view: by client once an owned one is known, by address before."""
CLOSED = Rules(refusal=refusal, counted=False)


def _endpoint(
    path: str, rules: Rules, body: Form, gives: dict[int, Shape], *, takes: tuple[str, ...] = (FORM, JSON)
) -> Callable[[View], View]:
    # A client may authenticate in the body, and a public one, or one that registers, can't at all.
    declared = _declared(body, gives, "client" if FORM in takes else "initial", "")
    return route_with(blueprint, path, methods=["POST"], rules=rules, takes=takes, declared=declared)


def _declared(body: Form | None, gives: dict[int, Shape], *proofs: str) -> Declared:
    answered = {status: Answer(shape, headers=("Cache-Control",)) for status, shape in gives.items()}
    refuses = (errors.Unauthorized,)
    return Declared(body, gives=answered, refuses=refuses, refusal=shapes.OAUTH_ERROR, proofs=proofs)


@_endpoint("/oauth/token", OPEN, shapes.TOKEN_ASKED, {200: shapes.TOKEN})
def token(exchange: Exchange) -> Response:
    """Exchange a code, a refresh token, a device code or the client's own credentials for an access token."""
    from chalicelib.oauth.parameters import OF_TOKEN_REQUEST

    parameters, known = _authenticated(exchange, OF_TOKEN_REQUEST)
    from chalicelib.oauth import token_endpoint
    from chalicelib.oauth.token_request import TokenRequest

    request = TokenRequest(parameters, known.client, known.ticket, client_address.base_url(exchange.request))
    return _json(token_endpoint.answer(request))


@_endpoint("/oauth/device_authorization", OPEN, shapes.DEVICE_ASKED, {200: shapes.DEVICE_OPENED})
def device_authorization(exchange: Exchange) -> Response:
    """Open a device authorization (RFC 8628)."""
    from chalicelib.oauth.parameters import OF_DEVICE_REQUEST, scope_of

    parameters, known = _authenticated(exchange, OF_DEVICE_REQUEST)
    from chalicelib.oauth import clients, device, resources
    from chalicelib.oauth.errors import OAuthError, invalid_scope

    if clients.DEVICE not in known.client.grant_types:
        raise OAuthError("unauthorized_client", "This client may not use the device flow.")
    base_url = client_address.base_url(exchange.request)
    asked = scope_of(parameters)
    if not asked <= clients.GRANTABLE:
        raise invalid_scope()
    scopes = (asked or {"read"}) & set(known.client.scopes)
    if not scopes:
        raise invalid_scope()
    wanted = resources.checked(parameters.every("resource"), base_url)
    if known.subject is None:
        exchange.admit_networks(DEVICE_STARTS)
    return _json(device.start(known.client, scopes=scopes, resources=wanted, base_url=base_url))


@_endpoint("/oauth/revoke", OPEN, shapes.TOKEN_TOLD, {200: shapes.REVOKED})
def revoke(exchange: Exchange) -> Response:
    """End one of the client's own tokens (RFC 7009)."""
    from chalicelib.oauth.parameters import ABOUT_A_TOKEN

    parameters, known = _authenticated(exchange, ABOUT_A_TOKEN)
    from chalicelib.oauth import revocation

    parameters.required("token")
    revocation.revoke(known.client, known.presented)
    return _json({})


@_endpoint("/oauth/introspect", CLOSED, shapes.TOKEN_TOLD, {200: shapes.INTROSPECTED})
def introspect(exchange: Exchange) -> Response:
    """Say what one of the client's own tokens is good for (RFC 7662)."""
    from chalicelib.oauth.parameters import ABOUT_A_TOKEN

    parameters, known = _authenticated(exchange, ABOUT_A_TOKEN)
    from chalicelib.oauth import revocation
    from chalicelib.oauth.errors import invalid_client

    if known.client.is_public:
        raise invalid_client("Only a client with a secret may introspect.")
    parameters.required("token")
    return _json(revocation.introspect(known.client, known.presented, client_address.base_url(exchange.request)))


@_endpoint("/oauth/register", OPEN, shapes.CLIENT_DESCRIBED, {201: shapes.CLIENT_MADE}, takes=(JSON,))
def register(exchange: Exchange) -> Response:
    """Register a client (RFC 7591)."""
    exchange.admit_stranger()
    exchange.left = exchange.admit_networks(REGISTRATIONS)
    from chalicelib.oauth import registration

    registration.may_register(_authorization(exchange))
    made = registration.register(exchange.request.raw_body, client_address.base_url(exchange.request))
    return _json(made, status=201)


def show_registration(exchange: Exchange, client_id: str) -> Response:
    """Show a client to the holder of its registration token (RFC 7592 §2.1)."""
    exchange.admit_stranger()
    from chalicelib.oauth import registration

    client, token = registration.authenticated(client_id, _authorization(exchange))
    return _json(registration.information(client, token, client_address.base_url(exchange.request)))


def replace_registration(exchange: Exchange, client_id: str) -> Response:
    """Put another description in place of a client's (RFC 7592 §2.2)."""
    exchange.admit_stranger()
    from chalicelib.oauth import registration

    client, token = registration.authenticated(client_id, _authorization(exchange))
    base_url = client_address.base_url(exchange.request)
    return _json(registration.replace(client, token, exchange.request.raw_body, base_url))


def delete_registration(exchange: Exchange, client_id: str) -> Response:
    """Delete a client (RFC 7592 §2.3)."""
    exchange.admit_stranger()
    from chalicelib.oauth import delete_client, registration

    client, _ = registration.authenticated(client_id, _authorization(exchange))
    delete_client.delete(client)
    return Response("", status_code=204, headers={"Cache-Control": "no-store"})


CLIENT_ID = {"client_id": Id("app", about="The client's id.")}
GONE = Answer(about="The client is deleted.", headers=("Cache-Control",))

for method, view, declared in (
    ("GET", show_registration, _declared(None, {200: shapes.CLIENT}, "registration")),
    ("PUT", replace_registration, _declared(shapes.CLIENT_REPLACED, {200: shapes.CLIENT}, "registration")),
    ("DELETE", delete_registration, replace(_declared(None, {}, "registration"), gives={204: GONE})),
):
    own = replace(declared, path=CLIENT_ID)
    route_with(blueprint, "/oauth/register/{client_id}", methods=[method], rules=OPEN, declared=own)(view)


def _authenticated(exchange: Exchange, names: tuple[str, ...]) -> "tuple[Parameters, Known]":
    """Return the request's parameters and the client that authenticates with them; count the request on either.

    Only the parameters `names` are checked: the endpoint reads no other.

    A request that fails to authenticate is counted by address, and so is one of a public client, as which anyone can
    pose, or of a client without an owner, of which anyone can register more.
    """
    try:
        parameters, known = _read(exchange, names)
    except errors.RateLimited:
        raise
    except Exception:
        # A fault of ours, too: whatever makes one on purpose would otherwise be asked without end.
        exchange.admit_stranger()
        raise
    actors.is_known_as(known.client.client_id)
    if known.subject is None:
        exchange.admit_stranger()
    else:
        exchange.admit_as(known.subject, CLIENT)
    return parameters, known


def _read(exchange: Exchange, names: tuple[str, ...]) -> "tuple[Parameters, Known]":
    from chalicelib.oauth import client_auth, parameters

    request = exchange.request
    given = parameters.of_body(request.raw_body, client_address.only(request, "content-type") or JSON)
    if "grant_type" in names:
        given = given.of_its_grant()
    given.check(names)
    credentials = parameters.client_credentials(given, _authorization(exchange))
    if credentials.secret is None:
        # Counted by address in any case: a flood of these is refused before anything is read. Whoever shows a secret
        # must not pay for what else comes from its network.
        exchange.recall_stranger()
    presented = given.get("token") if "token" in names else client_auth.presented(given)
    return given, client_auth.authenticate(credentials, presented)


def _authorization(exchange: Exchange) -> str:
    return client_address.only(exchange.request, "authorization")


def _json(body: dict[str, Any], *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    fixed = {"Content-Type": "application/json", "Cache-Control": "no-store", "Pragma": "no-cache"}
    return Response(body, status_code=status, headers={**fixed, **(headers or {})})
