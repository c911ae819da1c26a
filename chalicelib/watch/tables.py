"""The profiles' table, declared for those who create and check tables; reading and writing go straight to the wire."""

from pynamodb.attributes import UnicodeAttribute

from chalicelib.core import tables


class Profiles(tables.Table):
    """What is remembered of one account between two looks (see `profiles`)."""

    class Meta(tables.Meta):
        table = "profiles"

    account_id = UnicodeAttribute(hash_key=True)
    dies_at = tables.DiesAt(null=True)
