"""The events table: one immutable item for each event of an account or a user, ordered by id."""

from pynamodb.attributes import BooleanAttribute, MapAttribute, UnicodeAttribute

from chalicelib.core.dynamodb import models


class Event(models.Table):
    """An event of an account or of a user."""

    class Meta(models.Meta):
        table = "events"

    # The id of the account or of the user to whom the event belongs.
    account_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    type = UnicodeAttribute()
    at = models.Integer()
    actor = UnicodeAttribute()
    # The user of the acting credential or session.
    user_id = UnicodeAttribute(null=True)
    source_ip = UnicodeAttribute(null=True)
    reason = UnicodeAttribute(null=True)
    # The role that the account sees instead of the actor. If it is absent, the account sees the actor itself.
    seen_as = UnicodeAttribute(null=True)
    changed: MapAttribute[str, str] = MapAttribute(default=dict)
    # True for a change that the stream consumer needn't mark, because verification reads more than the account's items.
    needs_no_mark = BooleanAttribute(null=True)
    dies_at = models.DeleteAt(null=True)
