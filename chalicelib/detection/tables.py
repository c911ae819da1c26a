"""The table of profiles.

It is declared for the commands that create and check tables; `baselines` reads and writes the items.
"""

from pynamodb.attributes import UnicodeAttribute

from chalicelib.core.dynamodb import models


class Profiles(models.Table):
    """The profile of an account, stored between two hourly runs."""

    class Meta(models.Meta):
        table = "profiles"

    account_id = UnicodeAttribute(hash_key=True)
    dies_at = models.DeleteAt(null=True)
