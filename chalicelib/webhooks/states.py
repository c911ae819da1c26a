"""States of endpoints and deliveries; imports nothing, so that it is cheap to load."""

ENABLED, DISABLED = "enabled", "disabled"
BY_ACCOUNT, GONE, FAILING = "account", "gone", "failing"
"""Reasons for a disabled endpoint: disabled by its account, a 410 response, or too many failures."""
PENDING, DELIVERED, FAILED = "pending", "delivered", "failed"
TEST = "webhook.test"
"""The type of a test message. No event is recorded for it."""
