"""States of an account and of a user."""

ACTIVE, SUSPENDED, DELETED = "active", "suspended", "deleted"
