"""Every route of the API that requires a credential: method, path with `{id}` for an id, and required scope."""

from chalicelib.api.routing import route_of
from infra.routes import of_latchkey

PUBLIC = ("POST", "/v1/leaks")
"""The only public route under /v1, whose requests are signed by the senders of leak reports."""

ROUTES = [
    ("GET", "/v1/users", "read"),
    ("GET", "/v1/users/me", "read"),
    ("PATCH", "/v1/users/me", "write"),
    ("GET", "/v1/users/{id}", "read"),
    ("POST", "/v1/accounts", "admin"),
    ("GET", "/v1/accounts/{id}", "read"),
    ("PATCH", "/v1/accounts/{id}", "admin"),
    ("GET", "/v1/members", "members"),
    ("GET", "/v1/members/{id}", "members"),
    ("PATCH", "/v1/members/{id}", "members"),
    ("DELETE", "/v1/members/{id}", "members"),
    ("GET", "/v1/invitations", "members"),
    ("POST", "/v1/invitations", "members"),
    ("GET", "/v1/invitations/{id}", "members"),
    ("DELETE", "/v1/invitations/{id}", "members"),
    ("GET", "/v1/keys", "keys"),
    ("POST", "/v1/keys", "keys"),
    ("GET", "/v1/keys/{id}", "keys"),
    ("PATCH", "/v1/keys/{id}", "keys"),
    ("DELETE", "/v1/keys/{id}", "keys"),
    ("POST", "/v1/keys/{id}/rotate", "keys"),
    ("GET", "/v1/limits", "read"),
    ("GET", "/v1/events", "events"),
    ("GET", "/v1/webhooks", "webhooks"),
    ("POST", "/v1/webhooks", "webhooks"),
    ("GET", "/v1/webhooks/{id}", "webhooks"),
    ("PATCH", "/v1/webhooks/{id}", "webhooks"),
    ("DELETE", "/v1/webhooks/{id}", "webhooks"),
    ("POST", "/v1/webhooks/{id}/rotate", "webhooks"),
    ("POST", "/v1/webhooks/{id}/test", "webhooks"),
    ("GET", "/v1/webhooks/{id}/deliveries", "webhooks"),
    ("GET", "/v1/webhooks/{id}/deliveries/{id}", "webhooks"),
    ("POST", "/v1/webhooks/{id}/deliveries/{id}/resend", "webhooks"),
    ("POST", "/v1/verify", "verify"),
]


def idempotent_routes() -> set[tuple[str, str]]:
    """Return the routes that support Idempotency-Key."""
    return {
        (method, path)
        for path, methods in of_latchkey().items()
        for method, entry in methods.items()
        if route_of(entry).idempotency
    }
