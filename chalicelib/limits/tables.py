"""The counters' table, declared for table creation and checks. Counting bypasses pynamodb (see `admission`)."""

from pynamodb.attributes import UnicodeAttribute

from chalicelib.core.dynamodb import models


class Windows(models.Table):
    """The counters of one subject in one tier and hour (see `counter_items`)."""

    class Meta(models.Meta):
        table = "windows"

    subject = UnicodeAttribute(hash_key=True)
    hour = models.Integer(range_key=True)
    dies_at = models.DeleteAt(null=True)
