"""What an account wants done, without being asked, with a key that behaves strangely or was found lying about."""

TELL, NARROW, REVOKE = "tell", "narrow", "revoke"

ALL = (TELL, NARROW, REVOKE)
"""Tell the account and do nothing more; take from the key all but `read`; end the key."""
