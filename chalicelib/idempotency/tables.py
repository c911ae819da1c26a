"""The record of a request under an Idempotency-Key, beside the other things that may happen once."""

from pynamodb.attributes import BinaryAttribute, UnicodeAttribute

from chalicelib.core.dynamodb import models


class Repeat(models.Table):
    """What came of a request: under a digest of who asks, for what, and the key that it named."""

    class Meta(models.Meta):
        table = "tickets"

    digest = UnicodeAttribute(hash_key=True)
    kind = UnicodeAttribute(default="repeat")
    account_id = UnicodeAttribute()
    # A keyed hash of query and body: another one under the same key is refused.
    fingerprint = UnicodeAttribute()
    # The id of what was made: for another credential of the lineage, which can't open the answer.
    made = UnicodeAttribute(null=True)
    # Who runs it at this moment; absent once it has succeeded.
    claim = UnicodeAttribute(null=True)
    # The whole answer, which may hold a secret; absent where it is too long to be kept.
    sealed = BinaryAttribute(null=True, legacy_encoding=False)
    expires_at = models.Integer()
    dies_at = models.DiesAt(null=True)
