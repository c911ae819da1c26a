"""The jobs table: one item for each job that is not finished. Its stream invokes the function `job`."""

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute, UnicodeSetAttribute
from pynamodb.indexes import GlobalSecondaryIndex, IncludeProjection

from chalicelib.core.dynamodb import models

QUEUE = "jobs"


class ByDue(GlobalSecondaryIndex["Job"]):
    """All jobs by the time at which the function `minute` restarts them, in one partition."""

    class Meta:
        index_name = "by_due"
        projection = IncludeProjection(["began_at", "version"])

    queue = UnicodeAttribute(hash_key=True, default=QUEUE)
    due_at = models.Integer(range_key=True)


class Job(models.Table):
    """A job: work that remains after a request has made a change.

    Its id consists of its kind and the id of its subject, such as an account. Storing it again restarts it.
    """

    class Meta(models.Meta):
        table = "jobs"

    id = UnicodeAttribute(hash_key=True)
    queue = UnicodeAttribute(default=QUEUE)
    due_at = models.Integer()
    kind = UnicodeAttribute()
    subject = UnicodeAttribute()
    began_at = models.Integer()
    # The number of times that the item was written since the start. Each write is conditional on it.
    version = models.Integer()
    # True while no function must work on the job before `due_at`.
    waits = BooleanAttribute(null=True)
    # The progress. The meaning of the values depends on the kind; at the start they are absent.
    step = UnicodeAttribute(null=True)
    after = UnicodeAttribute(null=True)
    # The start of the current pass (see `progress.begin_pass`).
    pass_began_at = models.Integer(null=True)
    # The ids of the items that the user selected; used only by kinds of job for which users can select items.
    chosen = UnicodeSetAttribute(null=True)

    by_due = ByDue()
