"""Delete the data of a deleted account, in batches.

All data is already invalid when this starts, because the account and its clients are marked as deleted. Clients,
credentials, grants and memberships are deleted at once. The other data is deleted a minute later, so that webhooks can
deliver the event of the deletion first. Sessions and links belong to users, who remain. The account item remains, with
id, tier and times. The account's counters remain for 31 days. The event of the deletion is kept as long as other events
are.
"""

from itertools import chain, islice
from typing import Any

from chalicelib.accounts import quota_inheritance
from chalicelib.accounts.states import DELETED
from chalicelib.accounts.tables import Account, Member, OneTimeToken, User
from chalicelib.core.dynamodb import batch_write, models
from chalicelib.credentials.tables import Credential
from chalicelib.detection.tables import Profiles
from chalicelib.events import kinds
from chalicelib.events.tables import Event
from chalicelib.jobs import progress, steps
from chalicelib.jobs.steps import Step
from chalicelib.jobs.tables import Job
from chalicelib.limits import ended_clients
from chalicelib.oauth import consent, grants
from chalicelib.oauth.tables import Client, Grant
from chalicelib.termination import token_scan
from chalicelib.webhooks.tables import Delivery, Endpoint


def finish(job: Job) -> bool:
    """Delete one batch of the account's data; return whether nothing remains."""
    account = Account.found(job.subject)
    if account is not None and account.status != DELETED:
        return True  # the accounts were restored to a time before the deletion
    settled = progress.begin_pass(job)
    return steps.run_batch(job, _STEPS if settled else _AT_ONCE)


def _clients(job: Job, left: int) -> int:
    """For each client of the account, delete the grants to it and the consents to it, then the client itself."""
    done = 0
    owned = list(Client.by_account.query(job.subject))
    # If this fails, the next batch repeats it. If none follows, all grants have been deleted.
    ended_clients.record_missing([client.client_id for client in owned], since_ms=job.began_at)
    for client in owned:
        client_grants = grants.all_of_client(client.client_id, limit=left - done)
        # A job of the client itself may be at work, too; the time is part of the id of the grants' events.
        grants.delete_with_client(client_grants, at_ms=client.deleted_at or job.began_at)
        done += len(client_grants)
        done += len(consent.delete_of_client(client.client_id, left - done)) if done < left else 0
        if done >= left:
            break
        _delete_client(client, began_at=job.began_at)
        done += 1
        if done >= left:
            break
    return done


def _delete_client(client: Client, *, began_at: int) -> None:
    """Delete a client, and store a job for the grants and consents that the indexes don't show yet.

    The job begins when the account's deletion began, so that it derives the same events.
    """
    with models.ignore_condition_failure(), models.transaction() as write:
        # The condition fails if the client is deleted, but the index still shows it.
        write.delete(Client(client.client_id), condition=Client.created_at.exists())
        if client.deleted_at is None:  # otherwise it has a job already
            ending = progress.new(progress.OF_CLIENT, client.client_id)
            ending.began_at = began_at
            write.save(ending)


def _credentials(job: Job, left: int) -> int:
    return _delete(Credential.by_account.query(job.subject, limit=left), left)


def _grants(job: Job, left: int) -> int:
    return _delete(Grant.by_account.query(job.subject, limit=left), left)


def _members(job: Job, left: int) -> int:
    """For each member, delete the member's consents for the account, then the membership. Also delete the
    invitations.
    """
    done = 0
    for member in Member.query(job.subject, consistent_read=True):
        done += consent.delete_of_member(member.user_id, job.subject, left - done)
        if done >= left:
            break
        with models.ignore_condition_failure():
            # The condition fails for an invitation, because no user has its id.
            User(member.user_id).update(actions=[User.account_ids.delete({job.subject})], condition=User.id.exists())
        member.delete()
        done += 1
        if done >= left:
            break
    return done


def _webhooks(job: Job, left: int) -> int:
    """Delete the account's endpoints, each one after all deliveries to it. Also delete the item that counts the
    endpoints.
    """
    done = 0
    for endpoint in Endpoint.query(job.subject, consistent_read=True):
        done += _delete(Delivery.query(endpoint.id, limit=left - done), left - done)
        if done >= left:
            break
        done += _delete([endpoint], 1)
        if done >= left:
            break
    return done


def _events(job: Job, left: int) -> int:
    """Delete the account's events, except the event of its deletion. Also delete the deliveries to webhooks that were
    deleted earlier, because only the events still contain the ids of these webhooks.
    """
    done = 0
    once = Event.query(f"{job.subject}#once", consistent_read=True)
    for event in chain(Event.query(job.subject, consistent_read=True), once):
        # The items in the partition `#once` are not events and have no type.
        if event.attribute_values.get("type") == kinds.ACCOUNT_DELETED:
            continue
        webhook = event.changed.as_dict().get("webhook")
        done += _delete(Delivery.query(webhook, limit=left - done), left - done) if webhook else 0
        if done >= left:
            break
        done += _delete([event], 1)
        if done >= left:
            break
    return done


def _links(job: Job, left: int) -> int:
    # The item that passes on the account's usage is kept until its hour ends.
    return token_scan.delete(OneTimeToken, job, left, attribute="account_id", but_kind=quota_inheritance.KIND)


def _profile(job: Job, left: int) -> int:
    del left
    Profiles(job.subject).delete()
    return 0


_AT_ONCE: dict[str, Step] = {
    "clients": _clients,
    "credentials": _credentials,
    "grants": _grants,
    "members": _members,
}
_STEPS = _AT_ONCE | {
    "webhooks": _webhooks,
    "events": _events,
    "links": _links,
    "profile": _profile,
}


def _delete(found: Any, left: int) -> int:
    """Delete up to `left` of the found items; return how many were deleted."""
    items: list[models.Table] = list(islice(found, left))
    batch_write.delete_all(items)
    return len(items)
