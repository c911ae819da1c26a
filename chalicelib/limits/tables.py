"""The table of counter items. It is declared for the commands that create and check tables.

Counting doesn't use pynamodb (see `admission`).
"""

from pynamodb.attributes import UnicodeAttribute

from chalicelib.core.dynamodb import models


class Windows(models.Table):
    """The counters of one subject in one tier and hour (see `counter_items`)."""

    class Meta(models.Meta):
        table = "windows"

    subject = UnicodeAttribute(hash_key=True)
    hour = models.Integer(range_key=True)
    dies_at = models.DeleteAt(null=True)
