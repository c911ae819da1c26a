"""States of an account."""

ACTIVE, SUSPENDED, DELETED = "active", "suspended", "deleted"
