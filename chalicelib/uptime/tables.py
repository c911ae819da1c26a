"""The table of the status page. It contains one item for each day of checks and one for each incident."""

from pynamodb.attributes import ListAttribute, MapAttribute, UnicodeAttribute, UnicodeSetAttribute

from chalicelib.core.dynamodb import models


class Update(MapAttribute[str, object]):
    """A message from the operator about an incident, with its time."""

    at = models.Integer()
    state = UnicodeAttribute()
    text = UnicodeAttribute()


class Status(models.Table):
    """A day or an incident. `what` is `day` or `incident`; `at` is the day (2026-01-31) or the incident's id.

    Times are epoch milliseconds. The counters of a day are not declared here (see `days`).
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
    dies_at = models.DeleteAt(null=True)
