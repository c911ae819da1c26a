"""The vocabulary of the status page: components, their states, the overall state and the states of incidents."""

COMPONENTS = ("api", "oauth", "webhooks", "database")

UP, DEGRADED, DOWN, UNKNOWN = "up", "degraded", "down", "unknown"
COMPONENT_STATES = (UP, DEGRADED, DOWN, UNKNOWN)
PARTLY_CHECKED = "partly_checked"
"""An overall state: all checked components are up, and other components are not checked."""
OVERALL_STATES = (UP, PARTLY_CHECKED, DEGRADED, DOWN, UNKNOWN)

INVESTIGATING, IDENTIFIED, MONITORING, RESOLVED = "investigating", "identified", "monitoring", "resolved"
INCIDENT_STATES = (INVESTIGATING, IDENTIFIED, MONITORING, RESOLVED)
