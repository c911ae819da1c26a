"""Where credentials lie: under the digest of their secret, which the authorizer asks for with one GetItem."""

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
"""How long people are shown that something was noticed."""


class Credential(models.Table):
    """An API key or an access token. Times are epoch milliseconds, but for the TTL."""

    class Meta(models.Meta):
        table = "credentials"

    digest = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute()
    account_id = UnicodeAttribute()
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
    # An access token for another resource of the owner's only (RFC 8707) is no credential here.
    for_this_api = BooleanAttribute(null=True)

    # The neighbours in a key's lineage, so that one condition on one item decides whether it may be rotated.
    successor_id = UnicodeAttribute(null=True)
    successor_digest = UnicodeAttribute(null=True)
    successor_ends_at = models.Integer(null=True)
    predecessor_digest = UnicodeAttribute(null=True)
    predecessor_ends_at = models.Integer(null=True)
    # The id of the first key of it; absent on that one.
    lineage = UnicodeAttribute(null=True)

    # What its account wants done when it behaves strangely (see `credentials.on_anomaly`); absent: to be told.
    on_anomaly = UnicodeAttribute(null=True)
    # What was last noticed about it, and when: for the console, which shows it for some days.
    unusual = UnicodeAttribute(null=True)
    unusual_at = models.Integer(null=True)
    # Until when its person knows what it did: that is not held against it any more.
    usual_until = models.Integer(null=True)
    # When it was last reported as leaked, and what was done then: the same report again is not told again.
    leaked_at = models.Integer(null=True)
    leaked_done = UnicodeAttribute(null=True)

    dies_at = models.DiesAt(null=True)

    by_account = ByAccount()

    @property
    def ends_at(self) -> int | None:
        """Return when it stops working by itself (ms): at its expiry or, rotated out, when its grace is over."""
        return min((at for at in (self.expires_at, self.retires_at) if at is not None), default=None)

    @property
    def listed_end(self) -> int:
        """Return its end as the account's list of live keys has it: 0 stands for never."""
        return self.ends_at or 0

    @property
    def state(self) -> str:
        """Return how it stands: `live`, `retiring` (rotated, in its grace), `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        if not self.is_live():
            return "expired"
        return "live" if self.retires_at is None else "retiring"

    @property
    def unusual_of_late(self) -> str | None:
        """Return what was noticed about it within the last days."""
        shown = self.unusual_at is not None and clock.now_ms() - self.unusual_at < UNUSUAL_SHOWN_MS
        return self.unusual if shown else None

    def is_live(self) -> bool:
        """Tell whether it still works, as far as this copy of it knows."""
        return self.revoked_at is None and (self.ends_at is None or self.ends_at > clock.now_ms())
