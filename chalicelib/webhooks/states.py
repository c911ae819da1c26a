"""States of endpoints and deliveries. This module imports nothing, so that it is cheap to load."""

ENABLED, DISABLED = "enabled", "disabled"
BY_ACCOUNT, GONE, FAILING = "account", "gone", "failing"
"""Reasons why an endpoint is disabled: its account disabled it, it sent a 410 response, or it failed too often."""
PENDING, DELIVERED, FAILED = "pending", "delivered", "failed"
TEST = "webhook.test"
"""The type of a test message. No event is recorded for it."""
