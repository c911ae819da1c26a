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
    # The user who created the endpoint. Endpoints that the operator created have none.
    user_id = UnicodeAttribute(null=True)
    # The event types that the endpoint receives. If the attribute is absent, it receives all types.
    types = UnicodeSetAttribute(null=True)
    status = UnicodeAttribute(default=ENABLED)
    disabled_because = UnicodeAttribute(null=True)
    created_at = models.Integer()
    # The time from which the endpoint receives events.
    enabled_at = models.Integer()
    # The version of the signing secret. Until `overlap_ends_at`, messages are also signed with the previous version.
    version = models.Integer(default=1)
    overlap_ends_at = models.Integer(null=True)
    # When `types` was last changed. No missing deliveries are created for events before that time.
    types_since = models.Integer(null=True)
    # The number of consecutive failed attempts, and the time of the first of them.
    failures = models.Integer(default=0)
    failing_since = models.Integer(null=True)
    # Whether the last response was slow. If so, other endpoints must not wait while a delivery is sent to this one.
    slow = BooleanAttribute(default=False)
    # When the back-off ends. It begins when the endpoint is unreachable.
    quiet_until = models.Integer(null=True)
    # When a delivery was last left to the sweep. If it is set, newer deliveries must not be sent immediately.
    behind_since = models.Integer(null=True)
    # When the lock expires. Only the function that holds it may send, so that events arrive in order.
    busy_until = models.Integer(null=True)


class Attempt(MapAttribute[str, object]):
    """One attempt of a delivery, with the response or the reason why no response was received."""

    at = models.Integer()
    took_ms = models.Integer()
    status = models.Integer(null=True)
    answer = UnicodeAttribute(null=True)
    problem = UnicodeAttribute(null=True)


class ByDue(GlobalSecondaryIndex["Delivery"]):
    """Pending deliveries by due time. The index is sparse: it contains neither delivered nor failed deliveries."""

    class Meta:
        index_name = "by_due"
        projection = IncludeProjection(["account_id"])

    lane = UnicodeAttribute(hash_key=True)
    due_at = models.Integer(range_key=True)


class Delivery(models.Table):
    """The delivery of one event to one endpoint. The sort key is the event's id, so there are no duplicates."""

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
    # When the delivery was last resent manually.
    queued_at = models.Integer(null=True)
    # When the claim ends. If the function that claimed the delivery has crashed, the delivery is due again then.
    claimed_until = models.Integer(null=True)
    # The number of attempts since the last manual resend or else the creation. `attempts` also contains earlier
    # attempts.
    tries = models.Integer(default=0)
    attempts: ListAttribute[Attempt] = ListAttribute(of=Attempt, default=list)
    dies_at = models.DeleteAt()

    by_due = ByDue()
