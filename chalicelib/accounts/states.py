"""What an account can be."""

ACTIVE, SUSPENDED = "active", "suspended"
