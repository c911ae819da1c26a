"""Endings that weren't finished in the request that began them: one item each, put in the transaction that decides.

From that transaction on nothing that ends is good for anything; what is left is to clean up and to mark. The request
does one slice of it, and the minute's function the others (see `termination`). Each step may be repeated, so a function
that is killed anywhere leaves work to be done, never half a decision. The items stand in a partition of the table
`status`.
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
"""So long an ending is kept though nothing is left of it: what an index didn't show yet is found by another look."""
SLICE = 50
"""So many things one slice ends, deletes or marks: in the request that began it, about a second's work."""


class Unfinished(models.Table):
    """An ending, under its kind and the id of what ends: begun anew, it begins from the start."""

    class Meta(models.Meta):
        table = "status"

    what = UnicodeAttribute(hash_key=True)
    at = UnicodeAttribute(range_key=True)
    kind = UnicodeAttribute()
    subject = UnicodeAttribute()
    began_at = models.Integer()
    # How far it has come, in words of its own; absent: at its beginning.
    step = UnicodeAttribute(null=True)
    after = UnicodeAttribute(null=True)
    # What was chosen to end, by id, where that is for the person to choose.
    chosen = UnicodeSetAttribute(null=True)


def new(kind: str, subject: str) -> Unfinished:
    """Return an ending that is not stored yet; whoever decides it stores it in the same transaction."""
    return Unfinished(PARTITION, f"{kind}#{subject}", kind=kind, subject=subject, began_at=clock.now_ms())


def new_choice(kind: str, subject: str, chosen: set[str], *, by: str) -> Unfinished:
    """Return an ending of what was chosen, not stored yet. Another choice, with another `by`, stands beside it."""
    at = f"{kind}#{subject}#{by}"
    return Unfinished(PARTITION, at, kind=kind, subject=subject, began_at=clock.now_ms(), chosen=chosen)


def all_there_are() -> Iterator[Unfinished]:
    """Return what is left to be finished."""
    yield from Unfinished.query(PARTITION, consistent_read=True)


def is_first_look(ending: Unfinished) -> bool:
    """Note that an ending is looked at; return whether for the first time, at the moment that it began.

    Only then may what is dated after it be ended, too: a function with a fast clock made it just before.
    """
    is_first = ending.step is None and clock.now_ms() - ending.began_at < stale_marks.CLOCK_SKEW_S * 1000
    ending.step = "looked"
    return is_first


def settle(ending: Unfinished, *, is_finished: bool) -> None:
    """Write down what came of a slice: how far it has come or, when nothing can be left, that it is over."""
    if not is_finished or clock.now_ms() - ending.began_at < SETTLED_MS:
        _keep(ending)
        return
    with models.may_be_refused():
        Unfinished(ending.what, ending.at).delete(condition=Unfinished.began_at == ending.began_at)


def _keep(ending: Unfinished) -> None:
    # Unless it was begun anew, or finished, meanwhile.
    stands = Unfinished.began_at == ending.began_at
    with models.may_be_refused():
        Unfinished(ending.what, ending.at).update(
            actions=[
                Unfinished.step.set(ending.step) if ending.step else Unfinished.step.remove(),
                Unfinished.after.set(ending.after) if ending.after else Unfinished.after.remove(),
            ],
            condition=stands,
        )
