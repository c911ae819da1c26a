"""Texts of the pages: labels of scopes, states and fields, the options of forms, and the notice after each action."""

from fnmatch import fnmatchcase

SCOPES = {
    "read": ("Read", "View users, your own details and your limits."),
    "write": ("Write", "Change your own name."),
    "keys": ("Manage keys", "Create, rename, rotate and revoke API keys, and remove their scopes."),
    "events": ("Activity", "View the events of your account and your keys."),
    "webhooks": ("Webhooks", "Add, change and delete webhooks, and view their deliveries."),
    "members": ("Members", "Invite people, change their roles and remove them."),
    "admin": ("Administer", "Create accounts, set their tiers, suspend and reinstate them."),
    "verify": ("Verify", "Let your own service verify the keys and tokens of its callers, and count their requests."),
}

CONSENTS = {
    "read": "View users, your own details and your limits",
    "write": "Change your own name",
}
"""Permissions of an OAuth client, as the consent page lists them."""

EXPIRIES = {"never": None, "7 days": 7, "30 days": 30, "90 days": 90, "1 year": 365}
"""Days until a new key expires."""

GRACES = {"immediately": 0, "in 1 hour": 3_600, "in 24 hours": 86_400, "in 7 days": 604_800}
"""Seconds until a rotated key stops working."""

POLICIES = {
    "tell": ("Notify me", "The key keeps working. The alert is shown here and in the list of keys for 7 days."),
    "narrow": ("Reduce it to Read", "The key keeps only the Read scope. A key without the Read scope is revoked."),
    "revoke": ("Revoke it", "The key stops working. This can't be undone."),
}
"""Responses to unusual activity of a key."""

ROLES = {
    "owner": ("Owner", "Everything, including the roles of owners and deleting the account."),
    "admin": ("Admin", "Managing members below owner, all keys, webhooks and applications."),
    "developer": ("Developer", "Managing their own API keys; seeing all keys, usage and activity."),
    "viewer": ("Viewer", "Seeing usage and activity."),
}
"""Label and description of each role in an account."""


def role_options(roles: list[str]) -> list[tuple[str, str]]:
    """Return options of a role as value and label."""
    return [(role, ROLES[role][0]) for role in roles]


STATES = {"live": "Active", "retiring": "Rotated", "expired": "Expired", "revoked": "Revoked"}

WEBHOOK_STATES = {"enabled": ("live", "Enabled"), "disabled": ("revoked", "Disabled")}
DELIVERY_STATES = {
    "pending": ("retiring", "Pending"),
    "delivered": ("live", "Delivered"),
    "failed": ("revoked", "Failed"),
}
"""CSS class and label of each state of a delivery."""

DISABLED_BECAUSE = {
    "account": "You disabled this webhook.",
    "gone": "This webhook was disabled because your server responded with 410 Gone.",
    "failing": "This webhook was disabled because every attempt failed for 24 hours.",
}

UPTIME = {
    "up": ("live", "Operational"),
    "degraded": ("retiring", "Degraded"),
    "down": ("revoked", "Down"),
    "unknown": ("expired", "Unknown"),
}
"""CSS class and label of each state of a component."""

OVERALL = {
    "up": "All systems operational.",
    "partly_checked": "All checked systems operational. Some systems aren't checked.",
    "incident": "All systems operational; ongoing incident below.",
    "degraded": "Some systems are degraded.",
    "down": "Some systems are down.",
    "unknown": "No recent checks.",
}

INCIDENTS = {
    "investigating": "Investigating",
    "identified": "Identified",
    "monitoring": "Monitoring",
    "resolved": "Resolved",
}

REGISTERED_BY = {
    "account": "By an account",
    "self": "Dynamic client registration",
    "document": "Client ID metadata document",
}
"""Ways in which an OAuth client can be registered."""

TIERS = {"free": "Free", "pro": "Pro", "enterprise": "Enterprise"}

FIELDS = {
    "email": "Email",
    "name": "Name",
    "password": "Password",
    "new_password": "New password",
    "url": "URL",
    "types": "Events",
    "redirect_uris": "Redirect URIs",
    "kind": "Type",
    "scopes": "Scopes",
    "expiry": "Expiry",
    "grace": "Grace period",
    "on_anomaly": "Response",
    "tier": "Tier",
    "role": "Role",
    "keys": "API keys",
    "open": "Account",
    "reason": "Reason",
    "user_code": "Code",
    "find": "Email or account ID",
    "client_id": "Client ID",
}
"""Labels of form fields, as error messages name them."""


def choices(described: dict[str, tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Return options as value, title and description."""
    return [(name, title, about) for name, (title, about) in described.items()]


def with_singular(message: str) -> str:
    """Return a message of the API as a page shows it. The API's published sentence says "1 seconds"; the page says "1
    second".
    """
    return message.replace(" in 1 seconds.", " in 1 second.")


NOTICES = {
    "logged-out": "You are logged out.",
    "logged-out-everywhere": "You are logged out everywhere.",
    "session-ended": "Session ended.",
    "key-revoked": "Key revoked. It stops working from the next request.",
    "password-set": "Password set. Log in with your new password.",
    "password-set-not-all-ended": "Password set, and you are logged out everywhere. Some of the selected items couldn't"
    " be removed yet; we try again every minute. Log in, and check in Settings that they are gone.",
    "password-changed": "Password changed. All other sessions have ended.",
    "verified": "Email address confirmed. Log in to continue.",
    "verified-with-password": "Email address confirmed. Log in with your new password.",
    "confirmed": "Email address confirmed.",
    "email-changed": "Email address changed.",
    "email-sent": "If no other user has the new address, we have sent a link to it. It expires in 1 hour.",
    "verification-sent": "We have sent you a new link. It expires in 1 hour.",
    "renamed": "Name changed.",
    "narrowed": "Scopes removed. The change applies from the next request.",
    "taken-for-usual": "Dismissed. We'll alert you again if it recurs.",
    "policy-chosen": "Saved.",
    "revoked": "Key revoked. It stops working from the next request.",
    "application-changed": "Application saved.",
    "application-deleted": "Application deleted. Its tokens stop working within 10 seconds.",
    "application-ended": "Application deleted. Its tokens stop working within 10 seconds.",
    "disconnected": "App disconnected. Its tokens stop working from the next request.",
    "webhook-changed": "Webhook saved.",
    "webhook-enabled": "Webhook enabled. It receives events from now on.",
    "webhook-disabled": "Webhook disabled. It receives no more events.",
    "webhook-deleted": "Webhook deleted.",
    "webhook-resent": "Message sent again.",
    "deleted": "The account is deleted.",
    "invited": "Invitation sent. Its link expires in 7 days.",
    "invitation-withdrawn": "Invitation withdrawn.",
    "role-changed": "Role changed. It applies from the next request.",
    "transferred": "Account transferred. You are now an admin of it.",
    "member-removed": "Member removed.",
    "left": "You have left the account.",
    "joined": "You have joined the account.",
    "joined-as-new-user": "You have joined the account. Log in with your new password.",
    "user-deleted": "Your user is deleted.",
    "account-created": "Account created. You are its owner.",
    "standing": "Account changed. The change applies from its next request.",
}
"""Notices after an action, by the parameter `done` in the page's URL."""
NOTICE_PAGES = {
    "logged-out": "/login",
    "logged-out-everywhere": "/login",
    "session-ended": "/settings/profile/sessions",
    "key-revoked": "/admin/accounts/*",
    "password-set": "/login",
    "password-set-not-all-ended": "/login",
    "password-changed": "/settings/profile",
    "verified": "/login",
    "verified-with-password": "/login",
    "confirmed": "/settings/*",
    "email-changed": "/settings/profile",
    "email-sent": "/settings/profile",
    "verification-sent": "/settings/profile",
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
    "deleted": "/settings/accounts",
    "invited": "/settings/members",
    "invitation-withdrawn": "/settings/members",
    "role-changed": "/settings/members",
    "transferred": "/settings/members",
    "member-removed": "/settings/members",
    "left": "/settings/accounts",
    "joined": "/settings/accounts",
    "joined-as-new-user": "/login",
    "user-deleted": "/login",
    "account-created": "/settings/account",
    "standing": "/admin/accounts/*",
}
"""The only page that shows each notice, so that a link from an attacker can't show it on any other page."""


def notice(name: str, path: str) -> str | None:
    """Return the text of a notice; None unless the page at `path` may show it."""
    return NOTICES[name] if name in NOTICES and fnmatchcase(path, NOTICE_PAGES[name]) else None
