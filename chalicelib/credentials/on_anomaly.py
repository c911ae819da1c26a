"""A key's policy for anomalies and leaks: the action that is taken automatically."""

TELL, NARROW, REVOKE = "tell", "narrow", "revoke"

ALL = (TELL, NARROW, REVOKE)
"""All policies: only notify the account, remove all scopes except `read`, or revoke the key."""
