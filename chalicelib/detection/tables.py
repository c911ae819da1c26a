"""The profiles' table, declared for those who create and check tables; reading and writing go straight to the wire."""

from pynamodb.attributes import UnicodeAttribute

from chalicelib.core.dynamodb import models


class Profiles(models.Table):
    """What is remembered of one account between two looks (see `profiles`)."""

    class Meta(models.Meta):
        table = "profiles"

    account_id = UnicodeAttribute(hash_key=True)
    dies_at = models.DiesAt(null=True)
