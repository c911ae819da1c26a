"""Delete the data of a deleted user, in batches: sessions, remembered devices, links and events.

All of it is already invalid, because the user is marked as deleted. The user belongs to no account any more. The user
item remains, with id and times, and the event of the deletion as long as other events are kept.
"""

from itertools import islice

from chalicelib.accounts.states import DELETED
from chalicelib.accounts.tables import OneTimeToken, Session, User
from chalicelib.core.dynamodb import batch_write
from chalicelib.events import kinds
from chalicelib.events.tables import Event
from chalicelib.jobs import progress, steps
from chalicelib.jobs.steps import Step
from chalicelib.jobs.tables import Job
from chalicelib.termination import token_scan


def finish(job: Job) -> bool:
    """Delete one batch of the user's data; return whether nothing remains."""
    user = User.found(job.subject)
    if user is not None and user.status != DELETED:
        return True  # the users were restored to a time before the deletion
    progress.begin_pass(job)
    return steps.run_batch(job, _STEPS)


def _sessions(job: Job, left: int) -> int:
    return token_scan.delete(Session, job, left, attribute="user_id")


def _links(job: Job, left: int) -> int:
    return token_scan.delete(OneTimeToken, job, left, attribute="user_id")


def _events(job: Job, left: int) -> int:
    """Delete the user's events, except the event of the deletion."""
    events = (each for each in Event.query(job.subject, consistent_read=True) if each.type != kinds.USER_DELETED)
    found = list(islice(events, left))
    batch_write.delete_all(found)
    return len(found)


_STEPS: dict[str, Step] = {"sessions": _sessions, "links": _links, "events": _events}
