"""Every route that takes a key: method, path with `{id}` for an id, and the scope it needs."""

ROUTES = [
    ("GET", "/v1/users", "read"),
    ("POST", "/v1/users", "admin"),
    ("GET", "/v1/users/me", "read"),
    ("PATCH", "/v1/users/me", "write"),
    ("GET", "/v1/users/{id}", "read"),
    ("PATCH", "/v1/users/{id}", "admin"),
    ("GET", "/v1/keys", "keys"),
    ("POST", "/v1/keys", "keys"),
    ("GET", "/v1/keys/{id}", "keys"),
    ("PATCH", "/v1/keys/{id}", "keys"),
    ("DELETE", "/v1/keys/{id}", "keys"),
    ("POST", "/v1/keys/{id}/rotate", "keys"),
    ("GET", "/v1/limits", "read"),
    ("GET", "/v1/events", "events"),
    ("POST", "/v1/verify", "verify"),
]
