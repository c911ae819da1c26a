"""What an endpoint and a delivery can be, and why: light, for whoever only names them."""

ENABLED, DISABLED = "enabled", "disabled"
BY_ACCOUNT, GONE, FAILING = "account", "gone", "failing"
"""Why an endpoint is disabled: its account chose so, it answered 410, or it failed for too long."""
PENDING, DELIVERED, FAILED = "pending", "delivered", "failed"
TEST = "webhook.test"
"""The type of the message that an account sends itself to try its endpoint. Nothing happened: it is no event."""
