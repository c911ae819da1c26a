"""Remembered consents: when the consent page can be skipped, and how a consent is withdrawn."""

from collections.abc import Iterable, Iterator
from itertools import islice

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.accounts import pending_terminations
from chalicelib.accounts.pending_terminations import SLICE, PendingTermination
from chalicelib.accounts.tables import Account
from chalicelib.core import clock, secrets
from chalicelib.core.dynamodb import models
from chalicelib.credentials.scopes import join
from chalicelib.events import kinds, record
from chalicelib.oauth import grants
from chalicelib.oauth.redirect_uris import is_shared_with_other_apps, recipient_of
from chalicelib.oauth.tables import Client, Consent


def entries(redirect_uri: str, scopes: Iterable[str], resources: Iterable[str]) -> set[str]:
    """Return the entries of a consent as they are stored (see `Consent.allowed`)."""
    recipient = recipient_of(redirect_uri)
    return {f"{recipient} {resource} {scope}" for resource in (set(resources) or {""}) for scope in scopes}


def is_remembered(account: Account, client: Client, *, redirect_uri: str, allowed: set[str]) -> bool:
    """Return whether an account has already consented to all of `allowed`.

    The result is always false for a redirect URI that any app on the device can receive: another app could impersonate
    the client (RFC 8252 §8.6).
    """
    if is_shared_with_other_apps(redirect_uri):
        return False
    consent = _find(account, client)
    return consent is not None and allowed <= consent.allowed


def is_given_at(account: Account, client: Client, redirect_uri: str) -> bool:
    """Return whether an account has consented to any access by a client that redirects to the recipient of this
    redirect URI.
    """
    consent, recipient = _find(account, client), recipient_of(redirect_uri)
    return consent is not None and any(entry.startswith(f"{recipient} ") for entry in consent.allowed)


def require_remembered(write: models.Transaction, account_id: str, client_id: str, allowed: set[str]) -> None:
    """Add to a transaction the condition that all of `allowed` is still remembered. The transaction fails if the
    consent has been withdrawn.
    """
    is_still_remembered: Condition = Consent.given_at.exists()
    for entry in sorted(allowed):
        is_still_remembered &= Consent.allowed.contains(entry)
    write.condition_check(Consent, account_id, client_id, condition=is_still_remembered)


def of_account(account: Account) -> Iterator[Consent]:
    """Yield the remembered consents of an account, whether or not the client has an active grant."""
    for consent in Consent.query(account.id, consistent_read=True):
        if not account.predates_verification(consent.given_at):
            yield consent


def was_withdrawn(error: TransactWriteError, account_id: str, client_id: str) -> bool:
    """Return whether a transaction failed because of the condition that `require_remembered` added."""
    return models.find_failed_write(error, Consent(account_id, client_id)) is not None


def remember(account_id: str, client_id: str, allowed: set[str]) -> None:
    """Remember a consent. It is added to an earlier consent, or replaces one that is no longer valid.

    Concurrent consents are merged.
    """
    since_ms = Account.get(account_id, consistent_read=True).credentials_since
    actions: list[Action] = [Consent.allowed.add(allowed), Consent.given_at.set(clock.now_ms())]
    details = {"application": client_id, "scopes": join({entry.rpartition(" ")[2] for entry in allowed})}
    is_outdated = Consent.given_at < since_ms
    try:
        _add(account_id, client_id, actions, details, only_if=~is_outdated)
    except TransactWriteError as error:
        if not models.is_condition_failure(error):
            raise
        new = Consent(account_id, client_id, allowed=allowed, given_at=clock.now_ms())
        _replace(new, is_outdated, actions, details)


def withdraw(account_id: str, client_id: str) -> None:
    """Delete a consent and revoke the client's grants from this account. The client's tokens are invalid at the next
    request.

    This call revokes a first batch of the grants. The scheduled function revokes the other grants, and those that the
    index doesn't contain yet.
    """
    by = secrets.digest(f"withdrawal {client_id}")
    ending = pending_terminations.new_choice(pending_terminations.OF_CONSENT, account_id, {client_id}, by=by)
    try:
        with models.transaction() as write:
            write.delete(Consent(account_id, client_id), condition=Consent.given_at.exists())
            record.add_to(write, account_id, kinds.CONSENT_WITHDRAWN, {"application": client_id})
            write.save(ending)
    except TransactWriteError as error:
        if not models.is_condition_failure(error):
            raise
        # A grant of the device flow has no remembered consent, but must be revoked, too.
        if not any(grant.client_id == client_id for grant in grants.of_account(account_id)):
            return
        ending.save()
    pending_terminations.save_progress(ending, is_finished=finish_withdrawal(ending))


def finish_withdrawal(ending: PendingTermination) -> bool:
    """Revoke a batch of the grants that a client had when its consent was withdrawn; return whether all are revoked."""
    (client_id,) = ending.chosen
    is_first_run = pending_terminations.is_first_run(ending)
    of_client = (grant for grant in grants.of_account(ending.subject) if grant.client_id == client_id)
    found = list(islice((each for each in of_client if is_first_run or each.created_at <= ending.began_at), SLICE))
    marked = [grants.revoke(grant) for grant in found]
    return all(marked) and len(found) < SLICE


def delete_until(account_id: str, at_ms: int, most: int) -> int:
    """Delete at most `most` consents that an account gave at or before `at_ms`; return how many were found."""
    earlier = (consent for consent in Consent.query(account_id, consistent_read=True) if consent.given_at <= at_ms)
    found = list(islice(earlier, most))
    for consent in found:
        with models.ignore_condition_failure(), models.transaction() as write:
            # If the account gave the consent again concurrently, it is kept.
            write.delete(Consent(account_id, consent.client_id), condition=Consent.given_at == consent.given_at)
            record.add_to(write, account_id, kinds.CONSENT_WITHDRAWN, {"application": consent.client_id})
    return len(found)


def delete_of_client(client_id: str, most: int, *, after: str | None = None) -> list[str]:
    """Delete at most `most` consents to a deleted client, and return the ids of the accounts that gave them.

    `after` is the account id after which to continue. No request can use these consents any more, but their entries
    contain the client's redirect URIs.
    """
    is_after = Consent.account_id > after if after else None
    found = [consent.account_id for consent in islice(Consent.by_client.query(client_id, is_after), most)]
    for account_id in found:
        Consent(account_id, client_id).delete()
    return found


def _find(account: Account, client: Client) -> Consent | None:
    consent = Consent.found(account.id, client.client_id)
    return None if consent is None or account.predates_verification(consent.given_at) else consent


def _add(
    account_id: str, client_id: str, actions: list[Action], details: dict[str, str], *, only_if: Condition | None = None
) -> None:
    with models.transaction() as write:
        write.update(Consent(account_id, client_id), actions=actions, condition=only_if)
        record.add_to(write, account_id, kinds.CONSENT_REMEMBERED, details)


def _replace(new: Consent, is_outdated: Condition, actions: list[Action], details: dict[str, str]) -> None:
    """Replace a consent that is no longer valid. If a concurrent call has replaced it first, add to the consent of that
    call.
    """
    try:
        with models.transaction() as write:
            write.save(new, condition=is_outdated)
            record.add_to(write, new.account_id, kinds.CONSENT_REMEMBERED, details)
    except TransactWriteError as error:
        if not models.is_condition_failure(error):
            raise
        _add(new.account_id, new.client_id, actions, details)
