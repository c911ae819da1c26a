"""What the status page remembers: one item a day of checks, and one an incident."""

from pynamodb.attributes import ListAttribute, MapAttribute, UnicodeAttribute, UnicodeSetAttribute

from chalicelib.core.dynamodb import models


class Update(MapAttribute[str, object]):
    """What an operator said of an incident, and when."""

    at = models.Integer()
    state = UnicodeAttribute()
    text = UnicodeAttribute()


class Status(models.Table):
    """`what` is `day` or `incident`, `at` the day (2026-01-31) or the incident's id. A day's counters are in the file
    that counts them (see `days`). Times are epoch milliseconds.
    """

    class Meta(models.Meta):
        table = "status"

    what = UnicodeAttribute(hash_key=True)
    at = UnicodeAttribute(range_key=True)
    title = UnicodeAttribute(null=True)
    components = UnicodeSetAttribute(null=True)
    opened_at = models.Integer(null=True)
    closed_at = models.Integer(null=True)
    updates: ListAttribute[Update] = ListAttribute(of=Update, default=list)
    dies_at = models.DiesAt(null=True)
