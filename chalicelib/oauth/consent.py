"""Remembered consents: when the consent page can be skipped, and how a consent is withdrawn.

A consent is that of one user to one client for one account.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.accounts import members
from chalicelib.accounts.members import Membership
from chalicelib.accounts.tables import User
from chalicelib.core import clock, errors, secrets
from chalicelib.core.dynamodb import batch_write, models
from chalicelib.credentials.scopes import join
from chalicelib.events import kinds, record
from chalicelib.jobs import progress
from chalicelib.jobs.progress import BATCH
from chalicelib.jobs.tables import Job
from chalicelib.oauth import client_lifetime, grants
from chalicelib.oauth.redirect_uris import is_shared_with_other_apps, recipient_of
from chalicelib.oauth.tables import Client, Consent


class ClientEnded(Exception):
    """The client was deleted or suspended concurrently, so no consent to it is remembered."""


def entries(redirect_uri: str, scopes: Iterable[str], resources: Iterable[str]) -> set[str]:
    """Return the entries of a consent as they are stored (see `Consent.allowed`)."""
    recipient = recipient_of(redirect_uri)
    return {f"{recipient} {resource} {scope}" for resource in (set(resources) or {""}) for scope in scopes}


def key_of(user_id: str, account_id: str, client_id: str) -> Consent:
    """Return the consent of a user to a client for an account, with only its key."""
    return Consent(user_id, f"{account_id}#{client_id}")


def covers(consent: Consent | None, *, redirect_uri: str, allowed: set[str]) -> bool:
    """Return whether a user's consent includes all of `allowed`.

    The result is always false for a redirect URI that any app on the device can receive: another app could impersonate
    the client (RFC 8252 §8.6).
    """
    return consent is not None and not is_shared_with_other_apps(redirect_uri) and allowed <= consent.allowed


def given(memberships: Iterable[Membership], client: Client) -> dict[str, Consent]:
    """Return a user's valid consents to a client, by account. `memberships` are those of one user, at most 50."""
    by_key = {_key(each, client.client_id): each for each in memberships}
    found = Consent.batch_get(list(by_key), consistent_read=True) if by_key else []
    return {
        consent.account_id: consent for consent in found if _is_valid(consent, by_key[consent.user_id, consent.grantee])
    }


def valid_since_ms(membership: Membership) -> int:
    """Return the time (ms) since which a user's consents and grants for an account are valid.

    Before the first verification of the user's address, or that of the account's creator, somebody else may have
    consented. A user who left the account and joined it again is asked again.
    """
    account, user, member = membership.account, membership.user, membership.member
    return max(account.credentials_since, user.credentials_since, member.since)


def is_given_at(memberships: Iterable[Membership], client: Client, redirect_uri: str) -> bool:
    """Return whether a user has consented, for any account, to any access by a client that redirects to the recipient
    of this redirect URI.
    """
    recipient = recipient_of(redirect_uri)
    allowed = (entry for consent in given(memberships, client).values() for entry in consent.allowed)
    return any(entry.startswith(f"{recipient} ") for entry in allowed)


def require_remembered(write: models.Transaction, key: Consent, allowed: set[str]) -> None:
    """Add to a transaction the condition that all of `allowed` is still remembered. The transaction fails if the
    consent with this key has been withdrawn.
    """
    is_still_remembered: Condition = Consent.given_at.exists()
    for entry in sorted(allowed):
        is_still_remembered &= Consent.allowed.contains(entry)
    write.condition_check(Consent, key.user_id, key.grantee, condition=is_still_remembered)


def of_membership(membership: Membership) -> Iterator[Consent]:
    """Yield the remembered consents of a user for an account, whether or not the client has an active grant."""
    account = membership.account
    for consent in Consent.query(membership.user.id, _is_for(account.id), consistent_read=True):
        if _is_valid(consent, membership):
            yield consent


def was_withdrawn(error: TransactWriteError, key: Consent) -> bool:
    """Return whether a transaction failed because of the condition that `require_remembered` added."""
    return models.find_failed_write(error, key) is not None


def remember(membership: Membership, client_id: str, allowed: set[str]) -> None:
    """Remember a consent. It is added to an earlier consent, or replaces one that is no longer valid.

    Concurrent consents are merged. Raises ClientEnded if the client is no longer active.
    """
    account_id, user_id = membership.account.id, membership.user.id
    try:
        since_ms = valid_since_ms(members.find(User.get(user_id, consistent_read=True), account_id))
    except errors.NotFound:
        return  # the user was removed from the account concurrently
    key = key_of(user_id, account_id, client_id)
    actions: list[Action] = [
        Consent.client_id.set(client_id),
        Consent.allowed.add(allowed),
        Consent.given_at.set(clock.now_ms()),
    ]
    details = {"application": client_id, "scopes": join({entry.rpartition(" ")[2] for entry in allowed})}
    is_outdated = Consent.given_at < since_ms
    try:
        _add(key, actions, details, only_if=~is_outdated)
    except TransactWriteError as error:
        if not models.is_condition_failure(error):
            raise
        new = Consent(key.user_id, key.grantee, client_id=client_id, allowed=allowed, given_at=clock.now_ms())
        _replace(new, is_outdated, actions, details)


def withdraw(user_id: str, account_id: str, client_id: str) -> None:
    """Delete a user's consent and revoke the client's grants from this user for this account. The client's tokens are
    invalid at the next request.

    This call revokes a first batch of the grants. A job revokes the other grants, and those that the index doesn't
    contain yet.
    """
    key = key_of(user_id, account_id, client_id)
    by = secrets.digest(f"withdrawal {key.grantee}")
    ending = progress.new_choice(progress.OF_CONSENT, user_id, {key.grantee}, by=by)
    try:
        with models.transaction() as write:
            write.delete(key, condition=Consent.given_at.exists())
            record.add_to(write, account_id, kinds.CONSENT_WITHDRAWN, {"application": client_id})
            write.save(ending)
    except TransactWriteError as error:
        if not models.is_condition_failure(error):
            raise
        # A grant of the device flow has no remembered consent, but must be revoked, too.
        if not any(grant.client_id == client_id for grant in grants.of_user(user_id, account_id)):
            return
        ending.save()
    progress.save(ending, is_finished=finish_withdrawal(ending))


def finish_withdrawal(ending: Job) -> bool:
    """Revoke a batch of the grants that a client had when its consent was withdrawn; return whether all are revoked."""
    (grantee,) = ending.chosen
    account_id, _, client_id = grantee.partition("#")
    is_first_run = progress.is_first_run(ending)
    of_client = (grant for grant in grants.of_user(ending.subject, account_id) if grant.client_id == client_id)
    found = list(islice((each for each in of_client if is_first_run or each.created_at <= ending.began_at), BATCH))
    marked = [grants.revoke(grant) for grant in found]
    return all(marked) and len(found) < BATCH


def delete_until(user_id: str, at_ms: int, most: int) -> int:
    """Delete at most `most` consents that a user gave at or before `at_ms`, for any account; return how many were
    found.
    """
    earlier = (consent for consent in Consent.query(user_id, consistent_read=True) if consent.given_at <= at_ms)
    found = list(islice(earlier, most))
    for consent in found:
        with models.ignore_condition_failure(), models.transaction() as write:
            # If the user gave the consent again concurrently, it is kept.
            key = Consent(consent.user_id, consent.grantee)
            write.delete(key, condition=Consent.given_at == consent.given_at)
            record.add_to(write, consent.account_id, kinds.CONSENT_WITHDRAWN, {"application": consent.client_id})
    return len(found)


def delete_of_member(user_id: str, account_id: str, most: int, *, until_ms: int | None = None) -> int:
    """Delete at most `most` consents of a user for an account that the user can no longer access; return how many were
    found. If `until_ms` is given, later ones are kept.
    """
    of_account = Consent.query(user_id, _is_for(account_id), consistent_read=True)
    found = list(islice((each for each in of_account if until_ms is None or each.given_at <= until_ms), most))
    for consent in found:
        consent.delete()
    return len(found)


def delete_of_client(client_id: str, most: int, *, after: str | None = None) -> list[str]:
    """Delete at most `most` consents to a deleted client, and return the ids of the users who gave them.

    `after` is the user id at which to continue: a user may have given several, for several accounts. No request can use
    these consents any more, but their entries contain the client's redirect URIs.
    """
    is_after = Consent.user_id >= after if after else None
    found = list(islice(Consent.by_client.query(client_id, is_after, page_size=most), most))
    batch_write.delete_all([Consent(consent.user_id, consent.grantee) for consent in found])
    return [consent.user_id for consent in found]


def _key(membership: Membership, client_id: str) -> tuple[str, str]:
    key = key_of(membership.user.id, membership.account.id, client_id)
    return key.user_id, key.grantee


def _is_for(account_id: str) -> Condition:
    return Consent.grantee.startswith(f"{account_id}#")


def _is_valid(consent: Consent, membership: Membership) -> bool:
    return consent.given_at >= valid_since_ms(membership)


def _add(key: Consent, actions: list[Action], details: dict[str, str], *, only_if: Condition | None = None) -> None:
    with _remembering(key.account_id, details) as write:
        write.update(Consent(key.user_id, key.grantee), actions=actions, condition=only_if)


def _replace(new: Consent, is_outdated: Condition, actions: list[Action], details: dict[str, str]) -> None:
    """Replace a consent that is no longer valid. If a concurrent call has replaced it first, add to the consent of that
    call.
    """
    try:
        with _remembering(new.account_id, details) as write:
            write.save(new, condition=is_outdated)
    except TransactWriteError as error:
        if not models.is_condition_failure(error):
            raise
        _add(new, actions, details)


@contextmanager
def _remembering(account_id: str, details: dict[str, str]) -> Iterator[models.Transaction]:
    """Return a transaction that records the event of a consent, and raises ClientEnded unless the client is active."""
    try:
        with models.transaction() as write:
            client_lifetime.require_active(write, details["application"])
            record.add_to(write, account_id, kinds.CONSENT_REMEMBERED, details)
            yield write
    except TransactWriteError as error:
        if client_lifetime.has_ended(error, details["application"]):
            raise ClientEnded from None
        raise
