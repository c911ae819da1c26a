"""Where webhooks lie: an account's endpoints, and what is, was or will be delivered to each."""

from pynamodb.attributes import BooleanAttribute, ListAttribute, MapAttribute, UnicodeAttribute, UnicodeSetAttribute
from pynamodb.indexes import GlobalSecondaryIndex, IncludeProjection

from chalicelib.core.dynamodb import models
from chalicelib.webhooks.states import ENABLED, PENDING


class Endpoint(models.Table):
    """An address that is told what happens to an account. Times are epoch milliseconds."""

    class Meta(models.Meta):
        table = "endpoints"

    account_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    url = UnicodeAttribute()
    name = UnicodeAttribute()
    # The types of event that it is told of; absent: all.
    types = UnicodeSetAttribute(null=True)
    status = UnicodeAttribute(default=ENABLED)
    disabled_because = UnicodeAttribute(null=True)
    created_at = models.Integer()
    # It is told of nothing that happened before.
    enabled_at = models.Integer()
    # Which secret signs; the one before it signs beside it until its overlap ends.
    version = models.Integer(default=1)
    overlap_ends_at = models.Integer(null=True)
    # Since when it has had these types: nobody looks whether something older was lost.
    types_since = models.Integer(null=True)
    # How many attempts in a row failed, and since when.
    failures = models.Integer(default=0)
    failing_since = models.Integer(null=True)
    # Whether its last answer took so long that nobody should wait for the next.
    slow = BooleanAttribute(default=False)
    # Until when it is left alone, since nobody answered there.
    quiet_until = models.Integer(null=True)
    # Since when something that could have been sent waits: what comes after it mustn't overtake it.
    behind_since = models.Integer(null=True)
    # Until when some function sends to it: one at a time, so that events arrive in order.
    busy_until = models.Integer(null=True)


class Attempt(MapAttribute[str, object]):
    """One try to deliver: what was answered, or why nothing was."""

    at = models.Integer()
    took_ms = models.Integer()
    status = models.Integer(null=True)
    answer = UnicodeAttribute(null=True)
    problem = UnicodeAttribute(null=True)


class ByDue(GlobalSecondaryIndex["Delivery"]):
    """What waits to be sent, by when. Sparse: what is delivered, or given up, leaves it."""

    class Meta:
        index_name = "by_due"
        projection = IncludeProjection(["account_id"])

    lane = UnicodeAttribute(hash_key=True)
    due_at = models.Integer(range_key=True)


class Delivery(models.Table):
    """One event on its way to one endpoint, under the event's id: it can't be put there twice."""

    class Meta(models.Meta):
        table = "deliveries"

    endpoint_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    account_id = UnicodeAttribute()
    type = UnicodeAttribute()
    # Exactly what is sent, at each attempt the same.
    body = UnicodeAttribute()
    state = UnicodeAttribute(default=PENDING)
    created_at = models.Integer()
    lane = UnicodeAttribute(null=True)
    due_at = models.Integer(null=True)
    # When it was last asked for by hand.
    queued_at = models.Integer(null=True)
    # Until when some function is sending it; it is due again then, in case that function dies.
    claimed_until = models.Integer(null=True)
    # How many attempts since it was last put on its way; `attempts` holds those before, too.
    tries = models.Integer(default=0)
    attempts: ListAttribute[Attempt] = ListAttribute(of=Attempt, default=list)
    dies_at = models.DiesAt()

    by_due = ByDue()
