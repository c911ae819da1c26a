"""The table of credentials.

Its key is the digest of the secret, so that the authorizer reads a credential with one GetItem.
"""

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute, UnicodeSetAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

from chalicelib.core import clock
from chalicelib.core.dynamodb import models


class ByAccount(GlobalSecondaryIndex["Credential"]):
    """An account's credentials, oldest first."""

    class Meta:
        index_name = "by_account"
        projection = AllProjection()

    account_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


UNUSUAL_SHOWN_MS = 7 * clock.DAY_S * 1000
"""How long the console shows an anomaly with its key."""


class Credential(models.Table):
    """An API key or an access token. Times are epoch milliseconds, except `dies_at` in epoch seconds."""

    class Meta(models.Meta):
        table = "credentials"

    digest = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute()
    account_id = UnicodeAttribute()
    # The user who created the key or approved the grant, or the account's service user.
    user_id = UnicodeAttribute()
    # The role of a departed user, on a key that was moved to the service user: its rights stay as they were.
    role = UnicodeAttribute(null=True)
    kind = UnicodeAttribute()
    name = UnicodeAttribute()
    hint = UnicodeAttribute()
    scopes = UnicodeSetAttribute()
    created_at = models.Integer()
    made_by = UnicodeAttribute(null=True)
    expires_at = models.Integer(null=True)
    retires_at = models.Integer(null=True)
    revoked_at = models.Integer(null=True)
    client_id = UnicodeAttribute(null=True)
    grant_id = UnicodeAttribute(null=True)
    resources = UnicodeSetAttribute(null=True)
    # False if an access token is valid only for other services (RFC 8707). This API then rejects the token.
    for_this_api = BooleanAttribute(null=True)

    # The predecessor and successor of a key are stored with the key, so that one condition decides whether it may be
    # rotated.
    successor_id = UnicodeAttribute(null=True)
    successor_digest = UnicodeAttribute(null=True)
    successor_ends_at = models.Integer(null=True)
    predecessor_digest = UnicodeAttribute(null=True)
    predecessor_ends_at = models.Integer(null=True)
    # The id of the first key of a chain of rotations; absent on the first key itself.
    lineage = UnicodeAttribute(null=True)

    # The account's policy for anomalies (see `credentials.on_anomaly`); if absent, the account is only notified.
    on_anomaly = UnicodeAttribute(null=True)
    # The latest anomaly and its time. The console shows them with the key.
    unusual = UnicodeAttribute(null=True)
    unusual_at = models.Integer(null=True)
    # The user has dismissed all anomalies up to this time, so detection doesn't report new ones from earlier usage.
    usual_until = models.Integer(null=True)
    # The time of the latest leak report and the action taken, so that a repeated report sends no second email.
    leaked_at = models.Integer(null=True)
    leaked_done = UnicodeAttribute(null=True)

    dies_at = models.DeleteAt(null=True)

    by_account = ByAccount()

    @property
    def ends_at(self) -> int | None:
        """Return when the credential expires (ms), or None.

        If it was rotated, it expires at the latest when its grace period ends.
        """
        return min((at for at in (self.expires_at, self.retires_at) if at is not None), default=None)

    @property
    def listed_end(self) -> int:
        """Return the expiry in the form in which the account's map of active keys contains it: 0 means never."""
        return self.ends_at or 0

    @property
    def state(self) -> str:
        """Return `live`, `retiring` (rotated, but still in the grace period), `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        if not self.is_live():
            return "expired"
        return "live" if self.retires_at is None else "retiring"

    @property
    def recent_anomaly(self) -> str | None:
        """Return the latest anomaly if the console still shows it."""
        is_recent = self.unusual_at is not None and clock.now_ms() - self.unusual_at < UNUSUAL_SHOWN_MS
        return self.unusual if is_recent else None

    def is_live(self) -> bool:
        """Return whether the credential hasn't expired, and wasn't revoked when it was read."""
        return self.revoked_at is None and (self.ends_at is None or self.ends_at > clock.now_ms())
