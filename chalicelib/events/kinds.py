"""The event types of an account and of a user, with their labels and groups.

The events of a user belong to the user alone: no account sees them, and no webhook receives them.
"""

ACCOUNT_CREATED = "account.created"
ACCOUNT_RENAMED = "account.renamed"
STANDING_CHANGED = "account.standing_changed"
ACCOUNT_DELETED = "account.deleted"
MEMBER_JOINED = "member.joined"
MEMBER_ROLE_CHANGED = "member.role_changed"
MEMBER_REMOVED = "member.removed"
INVITATION_CREATED = "invitation.created"
INVITATION_WITHDRAWN = "invitation.withdrawn"
USER_CREATED = "user.created"
USER_RENAMED = "user.renamed"
USER_DELETED = "user.deleted"
ADMIN_CHANGED = "user.admin_changed"
PASSWORD_CHANGED = "user.password_changed"  # noqa: S105 - an event type, not a password
PASSWORD_LINK_MADE = "user.password_link_made"  # noqa: S105 - as above
EMAIL_CHANGED = "user.email_changed"
EMAIL_VERIFIED = "user.email_verified"
LOGGED_IN = "session.opened"
SESSION_ENDED = "session.ended"
SESSIONS_ENDED = "session.all_ended"
KEY_CREATED = "key.created"
KEY_RENAMED = "key.renamed"
KEY_NARROWED = "key.narrowed"
KEY_ROTATED = "key.rotated"
KEY_REVOKED = "key.revoked"
KEY_POLICY_CHANGED = "key.policy_changed"
KEY_LEAKED = "key.leaked"
APPLICATION_CREATED = "application.created"
APPLICATION_CHANGED = "application.changed"
APPLICATION_SECRET_ROTATED = "application.secret_rotated"  # noqa: S105 - as above
APPLICATION_DELETED = "application.deleted"
GRANT_CREATED = "grant.created"
GRANT_REVOKED = "grant.revoked"
REUSE_DETECTED = "grant.reuse_detected"
TOKEN_REVOKED = "token.revoked"  # noqa: S105 - as above
CONSENT_REMEMBERED = "consent.remembered"
CONSENT_WITHDRAWN = "consent.withdrawn"
WEBHOOK_CREATED = "webhook.created"
WEBHOOK_CHANGED = "webhook.changed"
WEBHOOK_SECRET_ROTATED = "webhook.secret_rotated"  # noqa: S105 - as above
WEBHOOK_DISABLED = "webhook.disabled"
WEBHOOK_ENABLED = "webhook.enabled"
WEBHOOK_DELETED = "webhook.deleted"
NEW_NETWORK = "anomaly.new_network"
UNUSUAL_TRAFFIC = "anomaly.unusual_traffic"
MANY_DENIALS = "anomaly.many_denials"
MANY_REFUSALS = "anomaly.many_refusals"
QUOTA_NEARLY_SPENT = "quota.nearly_spent"
QUOTA_SPENT = "quota.spent"

LABELS = {
    ACCOUNT_CREATED: "Account created",
    ACCOUNT_RENAMED: "Name changed",
    STANDING_CHANGED: "Tier or status changed",
    ACCOUNT_DELETED: "Account deleted",
    MEMBER_JOINED: "Member joined",
    MEMBER_ROLE_CHANGED: "Member's role changed",
    MEMBER_REMOVED: "Member removed",
    INVITATION_CREATED: "Member invited",
    INVITATION_WITHDRAWN: "Invitation withdrawn",
    USER_CREATED: "User created",
    USER_RENAMED: "Your name changed",
    USER_DELETED: "User deleted",
    ADMIN_CHANGED: "Administrator rights changed",
    PASSWORD_CHANGED: "Password changed",
    PASSWORD_LINK_MADE: "Password link created",
    EMAIL_CHANGED: "Email address changed",
    EMAIL_VERIFIED: "Email address confirmed",
    LOGGED_IN: "Logged in",
    SESSION_ENDED: "Session ended",
    SESSIONS_ENDED: "Logged out everywhere",
    KEY_CREATED: "API key generated",
    KEY_RENAMED: "API key renamed",
    KEY_NARROWED: "API key's scopes reduced",
    KEY_ROTATED: "API key rotated",
    KEY_REVOKED: "API key revoked",
    KEY_POLICY_CHANGED: "API key's response to unusual activity changed",
    KEY_LEAKED: "API key or access token leaked",
    APPLICATION_CREATED: "Application registered",
    APPLICATION_CHANGED: "Application changed",
    APPLICATION_SECRET_ROTATED: "Application's secret rotated",
    APPLICATION_DELETED: "Application deleted",
    GRANT_CREATED: "Access granted",
    GRANT_REVOKED: "Access revoked",
    REUSE_DETECTED: "Access revoked: code or refresh token reused",
    TOKEN_REVOKED: "Access token revoked",
    CONSENT_REMEMBERED: "Consent remembered",
    CONSENT_WITHDRAWN: "Consent withdrawn",
    WEBHOOK_CREATED: "Webhook added",
    WEBHOOK_CHANGED: "Webhook changed",
    WEBHOOK_SECRET_ROTATED: "Webhook's secret rotated",
    WEBHOOK_DISABLED: "Webhook disabled",
    WEBHOOK_ENABLED: "Webhook enabled",
    WEBHOOK_DELETED: "Webhook deleted",
    NEW_NETWORK: "Unusual: requests from a new network",
    UNUSUAL_TRAFFIC: "Unusual: far more requests than before",
    MANY_DENIALS: "Unusual: many requests denied (401, 403)",
    MANY_REFUSALS: "Unusual: many requests beyond the limits (429)",
    QUOTA_NEARLY_SPENT: "80% of the hour's quota used",
    QUOTA_SPENT: "The hour's quota used up",
}
"""The label of each event type."""

SUBJECTS = {
    "API keys": ("key",),
    "Unusual activity": ("anomaly",),
    "Quota": ("quota",),
    "Apps with access to your account": ("grant", "token", "consent"),
    "Your applications": ("application",),
    "Webhooks": ("webhook",),
    "Members": ("member", "invitation"),
    "Account": ("account",),
}
"""Groups of an account's event types in the order in which they are displayed. The types of a group begin with one of
its prefixes.
"""
USER_PREFIXES = ("user", "session")


def is_of_user(kind: str) -> bool:
    """Return whether events of this type belong to a user, otherwise to an account."""
    return kind.partition(".")[0] in USER_PREFIXES


def check_subject(kind: str, subject_id: str) -> None:
    """Raise ValueError unless `subject_id` is the id of an account or a user that can have events of this type."""
    if kind not in LABELS or is_of_user(kind) != subject_id.startswith("usr_"):
        raise ValueError(f"{kind} is not an event type of {subject_id}.")


OF_ACCOUNT = {kind: label for kind, label in LABELS.items() if not is_of_user(kind)}
"""The labels of the event types of an account, which its API and its webhooks can select."""

NEVER_BY_ACCOUNT = frozenset({ACCOUNT_CREATED, STANDING_CHANGED, USER_CREATED, ADMIN_CHANGED})
"""Types of events that an account or user never causes itself: sign-up precedes the account, and only administrators
change tier, status or administrator rights.
"""
BY_CLIENT_DELETION = frozenset({GRANT_REVOKED, TOKEN_REVOKED, CONSENT_WITHDRAWN})
"""Types that are recorded for other accounts when a client that they had authorized is deleted."""

INVALIDATE_DECISIONS = frozenset(
    {
        STANDING_CHANGED,
        MEMBER_ROLE_CHANGED,
        MEMBER_REMOVED,
        USER_DELETED,
        ADMIN_CHANGED,
        PASSWORD_CHANGED,
        EMAIL_CHANGED,
        EMAIL_VERIFIED,
        ACCOUNT_DELETED,
        KEY_NARROWED,
        KEY_ROTATED,
        KEY_REVOKED,
        APPLICATION_DELETED,
        GRANT_REVOKED,
        REUSE_DETECTED,
        TOKEN_REVOKED,
    }
)
"""Types of changes after which cached authorizations are invalid. After each such change an invalidation mark is set
(`limits.stale_marks`).
"""


def by_subject() -> dict[str, dict[str, str]]:
    """Return the labels of an account's event types, by group."""
    return {
        subject: {kind: label for kind, label in LABELS.items() if kind.partition(".")[0] in prefixes}
        for subject, prefixes in SUBJECTS.items()
    }
