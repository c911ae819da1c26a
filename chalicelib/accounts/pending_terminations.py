"""Pending terminations: the work that remains after a request has invalidated resources.

Each termination is stored as one item, in the transaction that invalidates the resources. The remaining work is to
delete data and to invalidate cached authorizations. The request processes the first batch; a function that runs every
minute does the rest (see `termination`). All steps are idempotent, so if a function is killed, a later run repeats
them. The items are in one partition of the table `status`.
"""

from collections.abc import Iterator

from pynamodb.attributes import UnicodeAttribute, UnicodeSetAttribute

from chalicelib.core import clock
from chalicelib.core.dynamodb import models
from chalicelib.limits import stale_marks

PARTITION = "unfinished"
OF_ACCOUNT, OF_CLIENT, OF_CONSENT, OF_OWNER, OF_PROOF, OF_RESET = (
    *("account", "client", "consent", "owner", "proof", "reset"),
)
SETTLED_MS = 60_000
"""A termination is repeated for this long even if it finds nothing more to do, because an index may not show every item
yet.
"""
SLICE = 50
"""Number of items that one batch revokes, deletes or invalidates. A batch takes about a second."""


class PendingTermination(models.Table):
    """A pending termination.

    Its key consists of its kind and the id of the terminated subject, such as an account. Storing it again restarts it.
    """

    class Meta(models.Meta):
        table = "status"

    what = UnicodeAttribute(hash_key=True)
    at = UnicodeAttribute(range_key=True)
    kind = UnicodeAttribute()
    subject = UnicodeAttribute()
    began_at = models.Integer()
    # The progress. The meaning of the values depends on the kind; at the start they are absent.
    step = UnicodeAttribute(null=True)
    after = UnicodeAttribute(null=True)
    # The ids of the items that the user selected; used only by kinds of termination for which users can select items.
    chosen = UnicodeSetAttribute(null=True)


def new(kind: str, subject: str) -> PendingTermination:
    """Return a new pending termination. The caller must store it in the transaction that invalidates the resources."""
    return PendingTermination(PARTITION, f"{kind}#{subject}", kind=kind, subject=subject, began_at=clock.now_ms())


def new_choice(kind: str, subject: str, chosen: set[str], *, by: str) -> PendingTermination:
    """Return a new pending termination of the `chosen` ids, which the caller must store.

    `by` is part of its key, so that two terminations for the same subject don't replace each other.
    """
    at = f"{kind}#{subject}#{by}"
    return PendingTermination(PARTITION, at, kind=kind, subject=subject, began_at=clock.now_ms(), chosen=chosen)


def all_pending() -> Iterator[PendingTermination]:
    """Return all pending terminations."""
    yield from PendingTermination.query(PARTITION, consistent_read=True)


def is_first_run(pending: PendingTermination) -> bool:
    """Record that a termination has run; return whether this is its first run, within seconds of its start.

    Only the first run may also terminate items whose creation time is after the start. These items were created
    earlier, but by a function whose clock is fast.
    """
    is_first = pending.step is None and clock.now_ms() - pending.began_at < stale_marks.CLOCK_SKEW_S * 1000
    pending.step = "looked"
    return is_first


def save_progress(pending: PendingTermination, *, is_finished: bool) -> None:
    """Save the progress after a batch. Delete the termination if it is finished and `SETTLED_MS` have passed."""
    if not is_finished or clock.now_ms() - pending.began_at < SETTLED_MS:
        _save(pending)
        return
    with models.ignore_condition_failure():
        PendingTermination(pending.what, pending.at).delete(condition=PendingTermination.began_at == pending.began_at)


def _save(pending: PendingTermination) -> None:
    # The condition fails if the termination was restarted or finished concurrently.
    unchanged = PendingTermination.began_at == pending.began_at
    with models.ignore_condition_failure():
        PendingTermination(pending.what, pending.at).update(
            actions=[
                PendingTermination.step.set(pending.step) if pending.step else PendingTermination.step.remove(),
                PendingTermination.after.set(pending.after) if pending.after else PendingTermination.after.remove(),
            ],
            condition=unchanged,
        )
