"""Work through the steps of a job in batches: each step deletes items until none remains, then the next one begins."""

from collections.abc import Callable, Mapping

from chalicelib.jobs.tables import Job

Step = Callable[[Job, int], int]
"""A function that deletes up to the given number of items and returns how many it deleted. If it deletes fewer, none
remains.
"""
DELETED_AT_ONCE = 100
"""The maximum number of items that one batch deletes."""


def run_batch(job: Job, steps: Mapping[str, Step]) -> bool:
    """Run one batch of the steps in their order, from the progress of the job; return whether nothing remains."""
    left, names = DELETED_AT_ONCE, list(steps)
    for name in names[names.index(job.step) if job.step in names else 0 :]:
        if name != job.step:
            job.step, job.after = name, None
        left -= steps[name](job, left)
        if left <= 0:
            return False
    # If another run follows a minute later, it begins from the start. The indexes are then up to date.
    job.step = job.after = None
    return True
