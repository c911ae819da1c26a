"""Pending terminations: clean-up that takes longer than the request that starts it. Each is stored as one item.

The item is stored in the transaction that invalidates the terminated resources, so only deleting data and marking
accounts as stale remains. The request does one slice of it; a function that runs once a minute does the rest (see
`termination`). All steps are idempotent, so a function that is killed loses nothing. The items are a partition of the
table `status`.
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
"""How long a termination is repeated although nothing seems to remain: an index may lag behind."""
SLICE = 50
"""Number of items that one slice revokes, deletes or marks; it takes about a second."""


class PendingTermination(models.Table):
    """A pending termination, whose key is its kind and the id of its subject. Storing it again restarts it."""

    class Meta(models.Meta):
        table = "status"

    what = UnicodeAttribute(hash_key=True)
    at = UnicodeAttribute(range_key=True)
    kind = UnicodeAttribute()
    subject = UnicodeAttribute()
    began_at = models.Integer()
    # Progress, in values that depend on the kind; absent at the start.
    step = UnicodeAttribute(null=True)
    after = UnicodeAttribute(null=True)
    # Ids of the items that the user selected, for kinds of termination with a selection.
    chosen = UnicodeSetAttribute(null=True)


def new(kind: str, subject: str) -> PendingTermination:
    """Return a pending termination that is not stored yet; store it in the transaction that starts it."""
    return PendingTermination(PARTITION, f"{kind}#{subject}", kind=kind, subject=subject, began_at=clock.now_ms())


def new_choice(kind: str, subject: str, chosen: set[str], *, by: str) -> PendingTermination:
    """Return a pending termination of the `chosen` ids, not stored yet.

    `by` is part of its key, so that two terminations for the same subject don't replace each other.
    """
    at = f"{kind}#{subject}#{by}"
    return PendingTermination(PARTITION, at, kind=kind, subject=subject, began_at=clock.now_ms(), chosen=chosen)


def all_pending() -> Iterator[PendingTermination]:
    """Return all pending terminations."""
    yield from PendingTermination.query(PARTITION, consistent_read=True)


def is_first_run(pending: PendingTermination) -> bool:
    """Record that a termination has run; return whether this is the first run, immediately after its start.

    Only the first run may terminate items with a later timestamp, because they are from a function with a fast clock.
    """
    is_first = pending.step is None and clock.now_ms() - pending.began_at < stale_marks.CLOCK_SKEW_S * 1000
    pending.step = "looked"
    return is_first


def save_progress(pending: PendingTermination, *, is_finished: bool) -> None:
    """Save the progress after a slice, or delete the termination when nothing can remain."""
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
