"""The records of requests with an Idempotency-Key. They are in the same table as one-time tokens."""

from pynamodb.attributes import BinaryAttribute, UnicodeAttribute

from chalicelib.core.dynamodb import models


class IdempotencyRecord(models.Table):
    """The outcome of a request, stored under a digest of account, lineage, route and key."""

    class Meta(models.Meta):
        table = "tickets"

    digest = UnicodeAttribute(hash_key=True)
    kind = UnicodeAttribute(default="repeat")
    account_id = UnicodeAttribute()
    # An HMAC of the query and the body. A request with the same key but another HMAC is rejected.
    fingerprint = UnicodeAttribute()
    # The id of the created resource. Another credential of the lineage can't decrypt the response, but gets this id.
    made = UnicodeAttribute(null=True)
    # A random text that identifies the attempt that is processing the request; absent once the request has succeeded.
    claim = UnicodeAttribute(null=True)
    # The whole response, encrypted because it may contain a secret; absent if the response is too long to be stored.
    sealed = BinaryAttribute(null=True, legacy_encoding=False)
    expires_at = models.Integer()
    dies_at = models.DeleteAt(null=True)
