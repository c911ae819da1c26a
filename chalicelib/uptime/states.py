"""The words of the status page: its components, how each can be, and how far an incident is."""

COMPONENTS = ("api", "oauth", "webhooks", "database")

UP, DEGRADED, DOWN, UNKNOWN = "up", "degraded", "down", "unknown"
OF_COMPONENTS = (UP, DEGRADED, DOWN, UNKNOWN)

INVESTIGATING, IDENTIFIED, MONITORING, RESOLVED = "investigating", "identified", "monitoring", "resolved"
OF_INCIDENTS = (INVESTIGATING, IDENTIFIED, MONITORING, RESOLVED)
