"""A table of every route of the API, with its scopes and rate limit.

A view's module is imported by the first request for it, so importing this module is fast.
"""

from functools import partial

from chalice.app import Blueprint

from chalicelib.api.oauth_responses import error_response as oauth_error
from chalicelib.api.routing import CLAIMED, FORM, JSON, RECORDED, Route, register
from chalicelib.credentials.scopes import ADMIN, EVENTS, KEYS, MEMBERS, READ, VERIFY, WEBHOOKS, WRITE

_Uncounted = partial(Route, rate_limited=False)
"""Public routes that must work while the database is down. Their requests aren't counted, because counting writes to
the database.
"""
_Fixed = partial(Route, rate_limited=False, cross_origin=False, is_documented=False)
"""Routes at paths that other specifications define, such as robots.txt."""
_OAuth = partial(Route, rate_limited=False, consumes=(FORM, JSON), error_response=oauth_error)
"""OAuth endpoints. The views count the requests themselves: on a client that has an account and authenticates with a
secret, otherwise on the caller's network.
"""
_WEBHOOK = "/v1/webhooks/{webhook_id}"
_DELIVERY = f"{_WEBHOOK}/deliveries/{{message_id}}"

ROUTES = (
    Route("GET", "/v1/users", "users.list_users", (READ,)),
    Route("GET", "/v1/users/me", "users.show_me", (READ,)),
    Route("PATCH", "/v1/users/me", "users.rename_me", (WRITE,)),
    Route("GET", "/v1/users/{user_id}", "users.show_user", (READ,)),
    Route("POST", "/v1/accounts", "accounts.create_account", (ADMIN,), idempotency=RECORDED),
    Route("GET", "/v1/accounts/{account_id}", "accounts.show_account", (READ,)),
    Route("PATCH", "/v1/accounts/{account_id}", "accounts.change_account", (ADMIN,)),
    Route("GET", "/v1/members", "members.list_members", (MEMBERS,)),
    Route("GET", "/v1/members/{member_id}", "members.show_member", (MEMBERS,)),
    Route("PATCH", "/v1/members/{member_id}", "members.change_member", (MEMBERS,)),
    Route("DELETE", "/v1/members/{member_id}", "members.remove_member", (MEMBERS,)),
    Route("GET", "/v1/invitations", "invitations.list_invitations", (MEMBERS,)),
    Route("POST", "/v1/invitations", "invitations.create_invitation", (MEMBERS,), idempotency=CLAIMED),
    Route("GET", "/v1/invitations/{invitation_id}", "invitations.show_invitation", (MEMBERS,)),
    Route("DELETE", "/v1/invitations/{invitation_id}", "invitations.withdraw_invitation", (MEMBERS,)),
    Route("GET", "/v1/keys", "keys.list_keys", (KEYS,)),
    Route("GET", "/v1/keys/{key_id}", "keys.show_key", (KEYS,)),
    Route("POST", "/v1/keys", "keys.create_key", (KEYS,), idempotency=RECORDED),
    Route("POST", "/v1/keys/{key_id}/rotate", "keys.rotate_key", (KEYS,), idempotency=RECORDED),
    Route("PATCH", "/v1/keys/{key_id}", "keys.change_key", (KEYS,)),
    Route("DELETE", "/v1/keys/{key_id}", "keys.revoke_key", (KEYS,)),
    Route("GET", "/v1/limits", "limits.show_limits", (READ,)),
    Route("GET", "/v1/events", "events.list_events", (EVENTS,)),
    Route("GET", "/v1/webhooks", "webhooks.list_webhooks", (WEBHOOKS,)),
    Route("POST", "/v1/webhooks", "webhooks.create_webhook", (WEBHOOKS,), idempotency=RECORDED),
    Route("GET", _WEBHOOK, "webhooks.show_webhook", (WEBHOOKS,)),
    Route("PATCH", _WEBHOOK, "webhooks.change_webhook", (WEBHOOKS,)),
    Route("DELETE", _WEBHOOK, "webhooks.delete_webhook", (WEBHOOKS,)),
    Route("POST", f"{_WEBHOOK}/rotate", "webhooks.rotate_webhook", (WEBHOOKS,), idempotency=RECORDED),
    Route("POST", f"{_WEBHOOK}/test", "webhook_deliveries.test_webhook", (WEBHOOKS,), idempotency=CLAIMED),
    Route("GET", f"{_WEBHOOK}/deliveries", "webhook_deliveries.list_deliveries", (WEBHOOKS,)),
    Route("GET", _DELIVERY, "webhook_deliveries.show_delivery", (WEBHOOKS,)),
    Route("POST", f"{_DELIVERY}/resend", "webhook_deliveries.resend_delivery", (WEBHOOKS,), idempotency=CLAIMED),
    Route("POST", "/v1/verify", "verify.verify", (VERIFY,)),
    Route("POST", "/v1/leaks", "leaks.report_leaks"),
    Route("GET", "/health", "health.health"),
    _Uncounted("GET", "/status.json", "status.show_status"),
    _Uncounted("GET", "/status.rss", "status.feed_status"),
    _OAuth("POST", "/oauth/token", "oauth.token"),
    _OAuth("POST", "/oauth/device_authorization", "oauth.device_authorization"),
    _OAuth("POST", "/oauth/revoke", "oauth.revoke"),
    _OAuth("POST", "/oauth/introspect", "oauth.introspect", cross_origin=False),
    _OAuth("POST", "/oauth/register", "oauth_registration.register", consumes=(JSON,)),
    _OAuth("GET", "/oauth/register/{client_id}", "oauth_registration.show_registration"),
    _OAuth("PUT", "/oauth/register/{client_id}", "oauth_registration.replace_registration", consumes=(JSON,)),
    _OAuth("DELETE", "/oauth/register/{client_id}", "oauth_registration.delete_registration"),
    Route("GET", "/.well-known/oauth-authorization-server", "discovery.authorization_server"),
    Route("GET", "/.well-known/oauth-authorization-server/{path}", "discovery.authorization_server_of_path"),
    Route("GET", "/.well-known/oauth-protected-resource", "discovery.protected_resource"),
    Route("GET", "/.well-known/oauth-protected-resource/{path}", "discovery.protected_resource_of_path"),
    Route("GET", "/openapi.json", "openapi_document.show_openapi"),
    _Fixed("GET", "/favicon.ico", "well_known.favicon"),
    _Fixed("GET", "/robots.txt", "well_known.robots"),
    _Fixed("GET", "/.well-known/security.txt", "well_known.security"),
    _Fixed("GET", "/.well-known/change-password", "well_known.change_password"),
)

blueprint = Blueprint(__name__)
register(blueprint, ROUTES, "chalicelib.api")
