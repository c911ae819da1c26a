"""What pages call things: scopes and states in words, what to choose from, and what is said after each action."""

from fnmatch import fnmatchcase

SCOPES = {
    "read": ("Read", "See users, your own record and your limits."),
    "write": ("Write", "Change your own name."),
    "keys": ("Manage keys", "Make, rename, narrow, rotate and revoke API keys."),
    "events": ("Activity", "See what happened to your account and your keys."),
    "webhooks": ("Webhooks", "Add, change and delete webhooks, and see what was sent."),
    "admin": ("Administer", "Create accounts, set tiers, suspend and reinstate anyone."),
    "verify": ("Verify", "Ask, as a service of yours, whether somebody's secret is good, and count a request on them."),
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

POLICIES = {
    "tell": ("Tell me", "It works on. What was noticed stands here and in the list of your keys for seven days."),
    "narrow": ("Narrow it to Read", "It can still read. If it may not read, it is revoked."),
    "revoke": ("Revoke it", "It stops working, for good."),
}
"""What can be done with a key by itself when something is unusual."""

STATES = {"live": "Live", "retiring": "Rotated out", "expired": "Expired", "revoked": "Revoked"}

WEBHOOK_STATES = {"enabled": ("live", "Enabled"), "disabled": ("revoked", "Disabled")}
DELIVERY_STATES = {
    "pending": ("retiring", "Waiting"),
    "delivered": ("live", "Delivered"),
    "failed": ("revoked", "Given up"),
}
"""What it looks like, and what it is called."""

DISABLED_BECAUSE = {
    "account": "You disabled this webhook.",
    "gone": "It answered 410, which says that it wants no more, and was disabled.",
    "failing": "Every attempt failed for a day, and it was disabled.",
}

UPTIME = {
    "up": ("live", "Up"),
    "degraded": ("retiring", "Degraded"),
    "down": ("revoked", "Down"),
    "unknown": ("expired", "Not known"),
}
"""How a component is: what it looks like, and what it is called."""

OVERALL = {
    "up": "Everything is up.",
    "partly_checked": "What is checked is up; some parts are not checked.",
    "incident": "The checks find nothing wrong; read below what they don't see.",
    "degraded": "Something is slower, or later, than it should be.",
    "down": "Something is down.",
    "unknown": "Nobody has checked for some minutes.",
}

INCIDENTS = {
    "investigating": "Investigating",
    "identified": "Identified",
    "monitoring": "Monitoring",
    "resolved": "Resolved",
}

REGISTERED_BY = {
    "account": "By an account",
    "self": "By itself (dynamic client registration)",
    "document": "By a client ID metadata document",
}
"""How an OAuth client was registered."""

TIERS = {"free": "Free", "pro": "Pro", "enterprise": "Enterprise"}

FIELDS = {
    "email": "Email",
    "name": "Name",
    "password": "Password",
    "new_password": "New password",
    "url": "URL",
    "types": "Events",
    "redirect_uris": "Redirect URIs",
    "kind": "Kind",
    "scopes": "Scopes",
    "expiry": "Expiry",
    "grace": "Grace period",
    "on_anomaly": "Reaction",
    "tier": "Tier",
    "reason": "Reason",
    "user_code": "Code",
    "find": "Email or account id",
    "client_id": "Client id",
}
"""What the fields of forms are called, where an error is about one."""


def choices(described: dict[str, tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Return what to choose from as value, title and explanation."""
    return [(name, title, about) for name, (title, about) in described.items()]


def in_one_second(message: str) -> str:
    """Return a message for people; programs are sent the published sentence, which knows no singular."""
    return message.replace(" in 1 seconds.", " in 1 second.")


NOTICES = {
    "logged-out": "You are logged out.",
    "logged-out-everywhere": "You are logged out everywhere.",
    "session-ended": "The session has ended.",
    "key-revoked": "The key is revoked. It stops working with the next request.",
    "password-set": "Your password is set. Log in with it.",
    "password-set-not-all-ended": "Your password is set, and you are logged out everywhere. Not all that you selected"
    " could be ended yet; we try again every minute. Log in, and check in Settings that nothing is left.",
    "password-changed": "Your password is changed. Every other session was ended.",
    "verified": "Your email address is confirmed. Log in to go on.",
    "verified-with-password": "Your email address is confirmed. Log in with your new password.",
    "confirmed": "Your email address is confirmed.",
    "email-changed": "Your email address is changed.",
    "email-sent": "If no other account has the new address, we have sent a link there. It works for one hour.",
    "verification-sent": "We have sent you another link. It works for one hour.",
    "renamed": "The name is changed.",
    "narrowed": "The scopes are narrowed, from the next request on.",
    "taken-for-usual": "Dismissed. We'll alert you again if it recurs.",
    "policy-chosen": "Saved.",
    "revoked": "The key is revoked. It stops working with the next request.",
    "application-changed": "The application is changed.",
    "application-deleted": "The application is deleted. Its tokens stop working with the next request.",
    "application-ended": "The application is ended. Its tokens stop working with the next request.",
    "disconnected": "The application is disconnected. Its tokens stop working with the next request.",
    "webhook-changed": "The webhook is changed.",
    "webhook-enabled": "The webhook is enabled. It is sent what happens from now on.",
    "webhook-disabled": "The webhook is disabled. What happens from now on isn't sent to it.",
    "webhook-deleted": "The webhook is deleted.",
    "webhook-resent": "It was sent again.",
    "deleted": "Your account is deleted.",
    "standing": "The account is changed, from its next request on.",
}
"""What a page says has been done."""
NOTICE_PAGES = {
    "logged-out": "/login",
    "logged-out-everywhere": "/login",
    "session-ended": "/settings/account/sessions",
    "key-revoked": "/admin/accounts/*",
    "password-set": "/login",
    "password-set-not-all-ended": "/login",
    "password-changed": "/settings/account",
    "verified": "/login",
    "verified-with-password": "/login",
    "confirmed": "/settings/*",
    "email-changed": "/settings/account",
    "email-sent": "/settings/account",
    "verification-sent": "/settings/account",
    "renamed": "/settings/*",
    "narrowed": "/settings/keys/*",
    "taken-for-usual": "/settings/keys/*",
    "policy-chosen": "/settings/keys/*",
    "revoked": "/settings/keys",
    "application-changed": "/settings/applications/*",
    "application-deleted": "/settings/applications",
    "application-ended": "/admin/applications",
    "disconnected": "/settings/connected",
    "webhook-changed": "/settings/webhooks/*",
    "webhook-enabled": "/settings/webhooks/*",
    "webhook-disabled": "/settings/webhooks/*",
    "webhook-deleted": "/settings/webhooks",
    "webhook-resent": "/settings/webhooks/*",
    "deleted": "/login",
    "standing": "/admin/accounts/*",
}
"""The pages that each is made for: whoever sends a link mustn't choose what another page says."""


def notice(name: str, path: str) -> str | None:
    """Return what the page at `path` says was done; None where that is no notice of this page."""
    return NOTICES[name] if name in NOTICES and fnmatchcase(path, NOTICE_PAGES[name]) else None
