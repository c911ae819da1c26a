"""The vocabulary of the status page: components, their states, the overall state and the states of incidents."""

COMPONENTS = ("api", "oauth", "webhooks", "database")

UP, DEGRADED, DOWN, UNKNOWN = "up", "degraded", "down", "unknown"
COMPONENT_STATES = (UP, DEGRADED, DOWN, UNKNOWN)
PARTLY_CHECKED = "partly_checked"
"""An overall state. Some components are not checked, and all others are up."""
OVERALL_STATES = (UP, PARTLY_CHECKED, DEGRADED, DOWN, UNKNOWN)

INVESTIGATING, IDENTIFIED, MONITORING, RESOLVED = "investigating", "identified", "monitoring", "resolved"
INCIDENT_STATES = (INVESTIGATING, IDENTIFIED, MONITORING, RESOLVED)
