"""Revoke or delete the items that a user selected while resetting the password: keys, webhooks and applications that
the user created, and the access of connected apps.

The transaction that sets the password also stores the selection, so it can't be lost. Ids that belong to other users
are ignored, and so are webhooks and applications of accounts in which the user no longer has the role admin.
"""

from collections.abc import Callable
from itertools import chain, islice

from chalicelib.accounts import invalidation, members, roles
from chalicelib.accounts.tables import User
from chalicelib.core import telemetry
from chalicelib.credentials import revoke
from chalicelib.credentials.find import keys_of
from chalicelib.jobs import progress
from chalicelib.jobs.progress import BATCH
from chalicelib.jobs.tables import Job
from chalicelib.limits import stale_marks
from chalicelib.oauth import clients, consent, delete_client, grants
from chalicelib.webhooks import endpoints

CONNECTED = "connected"
"""A selection contains this value instead of an id if all apps with access to the user's accounts were selected."""


def new(user_id: str, chosen: set[str], *, by: str) -> Job:
    """Return the job for the `chosen` ids. `by` is the digest of the link that the user opened."""
    return progress.new_choice(progress.OF_RESET, user_id, chosen, by=by)


def finish(job: Job) -> bool:
    """Terminate all selected items, and disconnect one batch of the connected apps; return whether nothing remains.

    All selected items fit into one batch, because the form limits their number. If one step fails, the others still
    run.
    """
    user = User.found(job.subject)
    if user is None:
        return True
    done = [_is_done(step, job, user) for step in (_keys, _webhooks, _applications, _disconnect_slice)]
    return all(done)


Step = Callable[[Job, User], bool]


def _is_done(step: Step, job: Job, user: User) -> bool:
    try:
        return step(job, user)
    except Exception:  # A failing step must not block the others.
        telemetry.error("job_failed", kind=job.kind, subject=job.subject)
        telemetry.count("BackgroundFaults", task="job")
        return False


def _keys(job: Job, user: User) -> bool:
    chosen = _chosen(job, "key_")
    found = [key for account_id in _accounts_for(chosen, user) for key in keys_of(account_id) if key.id in chosen]
    own = [key for key in found if key.user_id == user.id]
    for key in own:
        if key.is_live():
            revoke.revoke_key(key)
    # Set the invalidation marks even if all keys are already revoked, because an earlier run may have failed to set
    # them.
    return invalidation.mark_accounts({key.account_id for key in own})


def _webhooks(job: Job, user: User) -> bool:
    chosen = _chosen(job, "whk_")
    for account_id in _managed_accounts(user) if chosen else ():
        for endpoint in list(endpoints.of_account(account_id)):
            if endpoint.id in chosen and endpoint.user_id == user.id:
                endpoints.delete(endpoint)
    return True


def _applications(job: Job, user: User) -> bool:
    chosen = _chosen(job, "app_")
    managed = _managed_accounts(user) if chosen else ()
    own = [
        client
        for each in sorted(chosen)
        if (client := clients.find_any(each)) is not None and client.user_id == user.id and client.account_id in managed
    ]
    delete_client.delete_all(own)
    return True


def _disconnect_slice(job: Job, user: User) -> bool:
    """Delete a batch of the consents and revoke a batch of the grants; return whether none remains."""
    if CONNECTED not in set(job.chosen or ()):
        return True
    # Also revoke grants that an old session created at the same moment, or that a function whose clock is fast created.
    until_ms = job.began_at + stale_marks.CLOCK_SKEW_S * 1000
    given = chain.from_iterable(grants.of_user(user.id, account_id) for account_id in _accounts_for({CONNECTED}, user))
    to_revoke = list(islice((grant for grant in given if grant.created_at <= until_ms), BATCH))
    marked = [grants.revoke(grant) for grant in to_revoke]
    forgotten = consent.delete_until(user.id, until_ms, BATCH)
    return all(marked) and len(to_revoke) < BATCH and forgotten < BATCH


def _chosen(job: Job, prefix: str) -> set[str]:
    """Return the selected ids with a prefix."""
    return {each for each in job.chosen or () if each.startswith(prefix)}


def _managed_accounts(user: User) -> list[str]:
    """Return the accounts whose webhooks and applications the user may delete."""
    return [each.account.id for each in members.all_of(user) if each.may(roles.ADMIN)]


def _accounts_for(chosen: set[str], user: User) -> list[str]:
    """Return the user's accounts, in which the `chosen` ids are looked up; none if nothing was chosen."""
    return sorted(user.account_ids or ()) if chosen else []
