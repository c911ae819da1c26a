"""What pages call things: scopes and states in words, what to choose from, and what is said after each action."""

SCOPES = {
    "read": ("Read", "See users, your own record and your limits."),
    "write": ("Write", "Change your own name."),
    "keys": ("Manage keys", "Make, rename, narrow, rotate and revoke API keys."),
    "events": ("Activity", "See what happened to your account and your keys."),
    "admin": ("Administer", "Create accounts, set tiers, suspend and reinstate anyone."),
}

CONSENTS = {
    "read": "See users, your own record and your limits",
    "write": "Change your own name",
}
"""What a client may do, said to the person who decides."""

EXPIRIES = {"never": None, "7 days": 7, "30 days": 30, "90 days": 90, "1 year": 365}
"""In days."""

GRACES = {"at once": 0, "in 1 hour": 3_600, "in 24 hours": 86_400, "in 7 days": 604_800}
"""In seconds: when a rotated key stops."""

STATES = {"live": "Live", "retiring": "Rotated out", "expired": "Expired", "revoked": "Revoked"}

TIERS = {"free": "Free", "pro": "Pro", "enterprise": "Enterprise"}

NOTICES = {
    "logged-out": "You are logged out.",
    "password-set": "Your password is set. Log in with it.",
    "password-changed": "Your password is changed. Every other session was ended.",
    "verified": "Your email address is confirmed. Log in to go on.",
    "email-changed": "Your email address is changed.",
    "email-sent": "We have sent a link to the new address. It works for one hour.",
    "verification-sent": "We have sent you another link. It works for one hour.",
    "renamed": "The name is changed.",
    "narrowed": "The scopes are narrowed, from the next request on.",
    "revoked": "The key is revoked. It stops working with the next request.",
    "application-changed": "The application is changed.",
    "application-deleted": "The application is deleted. Its tokens stop working with the next request.",
    "disconnected": "The application is disconnected. Its tokens stop working with the next request.",
    "deleted": "Your account is deleted.",
    "standing": "The account is changed, from its next request on.",
}
