"""Where it stands what was done to an account: one item an event, in order, never changed."""

from pynamodb.attributes import MapAttribute, UnicodeAttribute

from chalicelib.core.dynamodb import models


class Event(models.Table):
    """Something that happened to an account."""

    class Meta(models.Meta):
        table = "events"

    account_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    type = UnicodeAttribute()
    at = models.Integer()
    actor = UnicodeAttribute()
    source_ip = UnicodeAttribute(null=True)
    reason = UnicodeAttribute(null=True)
    # Whom the account is shown instead of the actor, where that was somebody else. Absent: the actor.
    seen_as = UnicodeAttribute(null=True)
    changed: MapAttribute[str, str] = MapAttribute(default=dict)
    dies_at = models.DiesAt(null=True)
