"""The events table: one immutable item for each event of an account, ordered by id."""

from pynamodb.attributes import MapAttribute, UnicodeAttribute

from chalicelib.core.dynamodb import models


class Event(models.Table):
    """An event of an account."""

    class Meta(models.Meta):
        table = "events"

    account_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    type = UnicodeAttribute()
    at = models.Integer()
    actor = UnicodeAttribute()
    source_ip = UnicodeAttribute(null=True)
    reason = UnicodeAttribute(null=True)
    # The role that the account sees instead of the actor. If it is absent, the account sees the actor itself.
    seen_as = UnicodeAttribute(null=True)
    changed: MapAttribute[str, str] = MapAttribute(default=dict)
    dies_at = models.DeleteAt(null=True)
