"""The words of the status page: its components, how each and the whole can be, and how far an incident is."""

COMPONENTS = ("api", "oauth", "webhooks", "database")

UP, DEGRADED, DOWN, UNKNOWN = "up", "degraded", "down", "unknown"
OF_COMPONENTS = (UP, DEGRADED, DOWN, UNKNOWN)
PARTLY_CHECKED = "partly_checked"
"""Of the whole: what is checked is up, and some parts are not checked."""
OF_THE_WHOLE = (UP, PARTLY_CHECKED, DEGRADED, DOWN, UNKNOWN)

INVESTIGATING, IDENTIFIED, MONITORING, RESOLVED = "investigating", "identified", "monitoring", "resolved"
OF_INCIDENTS = (INVESTIGATING, IDENTIFIED, MONITORING, RESOLVED)
