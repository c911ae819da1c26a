"""The record of a request with an Idempotency-Key, in the same table as one-time tokens."""

from pynamodb.attributes import BinaryAttribute, UnicodeAttribute

from chalicelib.core.dynamodb import models


class IdempotencyRecord(models.Table):
    """The outcome of a request, by a digest of account, lineage, route and key."""

    class Meta(models.Meta):
        table = "tickets"

    digest = UnicodeAttribute(hash_key=True)
    kind = UnicodeAttribute(default="repeat")
    account_id = UnicodeAttribute()
    # A keyed hash of query and body, by which a different request with the same key is recognised and rejected.
    fingerprint = UnicodeAttribute()
    # The id of the created resource, for another credential of the lineage, which can't decrypt the response.
    made = UnicodeAttribute(null=True)
    # The process that currently runs the request; absent once it has succeeded.
    claim = UnicodeAttribute(null=True)
    # The whole response, which may contain a secret; absent if it is too long to be stored.
    sealed = BinaryAttribute(null=True, legacy_encoding=False)
    expires_at = models.Integer()
    dies_at = models.DeleteAt(null=True)
