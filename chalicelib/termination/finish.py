"""The kinds of job, and the function that works on a job of each kind."""

from collections.abc import Iterable
from contextlib import nullcontext

from chalicelib.accounts import owned_clients
from chalicelib.core import clock
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.events import actors
from chalicelib.jobs import progress, run
from chalicelib.jobs.run import Kind, in_batches
from chalicelib.jobs.tables import Job
from chalicelib.oauth import consent, delete_client
from chalicelib.termination import (
    account_deletion,
    first_verification,
    password_reset,
    undone_membership,
    user_deletion,
)

KINDS: dict[str, Kind] = {
    progress.OF_OWNER: in_batches(owned_clients.finish),
    progress.OF_CLIENT: in_batches(delete_client.finish_deletion),
    progress.OF_ACCOUNT: in_batches(account_deletion.finish),
    progress.OF_CONSENT: in_batches(consent.finish_withdrawal),
    progress.OF_MEMBER: in_batches(undone_membership.finish),
    progress.OF_PROOF: in_batches(first_verification.finish),
    progress.OF_RESET: in_batches(password_reset.finish),
    progress.OF_USER: in_batches(user_deletion.finish),
}

CHOSEN_BY_CALLER = frozenset((progress.OF_MEMBER, progress.OF_RESET))
"""The kinds of job whose subject or items the caller of the request chose."""


def work_on(images: Iterable[dynamodb.Json]) -> None:
    """Run a slice of each job, given as DynamoDB items of the stream."""
    run.work_on(images, KINDS)


def run_first_batch(job: Job) -> bool:
    """Run the first batch of a stored job that waits, in the request that stored it; return whether nothing remains.

    Its events name the caller only if the caller chose what ends. Otherwise they name the service, as those of later
    batches do: events of other accounts must not contain the address of a user who verified an email address.
    """
    with nullcontext() if job.kind in CHOSEN_BY_CALLER else actors.act_as_system():
        is_finished = KINDS[job.kind](job, clock.now_ms())
    progress.save(job, is_finished=is_finished)
    return is_finished
