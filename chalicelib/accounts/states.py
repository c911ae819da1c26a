"""States of an account, except deleted (see `self_service`)."""

ACTIVE, SUSPENDED = "active", "suspended"
