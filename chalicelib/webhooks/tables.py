"""The tables of webhooks: the endpoints of accounts and the deliveries to each."""

from pynamodb.attributes import BooleanAttribute, ListAttribute, MapAttribute, UnicodeAttribute, UnicodeSetAttribute
from pynamodb.indexes import GlobalSecondaryIndex, IncludeProjection

from chalicelib.core.dynamodb import models
from chalicelib.webhooks.states import ENABLED, PENDING


class Endpoint(models.Table):
    """A URL that receives the events of an account. Times are epoch milliseconds."""

    class Meta(models.Meta):
        table = "endpoints"

    account_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    url = UnicodeAttribute()
    name = UnicodeAttribute()
    # The event types that the endpoint receives; if absent, all types.
    types = UnicodeSetAttribute(null=True)
    status = UnicodeAttribute(default=ENABLED)
    disabled_because = UnicodeAttribute(null=True)
    created_at = models.Integer()
    # The time from which the endpoint receives events.
    enabled_at = models.Integer()
    # The version of the signing secret. The previous version also signs until the overlap ends.
    version = models.Integer(default=1)
    overlap_ends_at = models.Integer(null=True)
    # The last change of `types`: missing deliveries are not created for older events.
    types_since = models.Integer(null=True)
    # The number of consecutive failed attempts, and the time when they began.
    failures = models.Integer(default=0)
    failing_since = models.Integer(null=True)
    # Whether the last response was so slow that other endpoints must not wait for the next.
    slow = BooleanAttribute(default=False)
    # The end of the back-off after the endpoint was unreachable.
    quiet_until = models.Integer(null=True)
    # The time when deliveries were first left to the sweep. Newer deliveries must not overtake them.
    behind_since = models.Integer(null=True)
    # The end of the lock, under which one function sends at a time, so that events arrive in order.
    busy_until = models.Integer(null=True)


class Attempt(MapAttribute[str, object]):
    """One attempt to deliver: the response, or the reason why there was none."""

    at = models.Integer()
    took_ms = models.Integer()
    status = models.Integer(null=True)
    answer = UnicodeAttribute(null=True)
    problem = UnicodeAttribute(null=True)


class ByDue(GlobalSecondaryIndex["Delivery"]):
    """Pending deliveries by due time. The index is sparse: delivered and failed ones are not in it."""

    class Meta:
        index_name = "by_due"
        projection = IncludeProjection(["account_id"])

    lane = UnicodeAttribute(hash_key=True)
    due_at = models.Integer(range_key=True)


class Delivery(models.Table):
    """One event for one endpoint. The event's id is the sort key, so there are no duplicates."""

    class Meta(models.Meta):
        table = "deliveries"

    endpoint_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    account_id = UnicodeAttribute()
    type = UnicodeAttribute()
    # The body of the message, identical at each attempt.
    body = UnicodeAttribute()
    state = UnicodeAttribute(default=PENDING)
    created_at = models.Integer()
    lane = UnicodeAttribute(null=True)
    due_at = models.Integer(null=True)
    # The time when the delivery was last resent manually.
    queued_at = models.Integer(null=True)
    # The end of the claim. If the function crashed, the delivery is due again then.
    claimed_until = models.Integer(null=True)
    # The number of attempts since the delivery was last queued; `attempts` also contains earlier ones.
    tries = models.Integer(default=0)
    attempts: ListAttribute[Attempt] = ListAttribute(of=Attempt, default=list)
    dies_at = models.DeleteAt()

    by_due = ByDue()
