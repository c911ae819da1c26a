"""The counters' table, declared for those who create and check tables; counting itself goes straight to the wire."""

from pynamodb.attributes import UnicodeAttribute

from chalicelib.core import tables


class Windows(tables.Table):
    """The counters of one subject under one tier in one hour (see `windows`)."""

    class Meta(tables.Meta):
        table = "windows"

    subject = UnicodeAttribute(hash_key=True)
    hour = tables.Whole(range_key=True)
    dies_at = tables.DiesAt(null=True)
