"""The counters' table, declared for those who create and check tables; counting itself goes straight to the wire."""

from pynamodb.attributes import UnicodeAttribute

from chalicelib.core.dynamodb import models


class Windows(models.Table):
    """The counters of one subject under one tier in one hour (see `windows`)."""

    class Meta(models.Meta):
        table = "windows"

    subject = UnicodeAttribute(hash_key=True)
    hour = models.Integer(range_key=True)
    dies_at = models.DiesAt(null=True)
