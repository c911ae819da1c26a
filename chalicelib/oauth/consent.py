"""Consents: a remembered yes to a client, and when it must be asked for again."""

from collections.abc import Iterable, Iterator
from itertools import islice

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.accounts import unfinished
from chalicelib.accounts.tables import Account
from chalicelib.accounts.unfinished import SLICE, Unfinished
from chalicelib.core import clock, secrets
from chalicelib.core.dynamodb import models
from chalicelib.credentials.scopes import joined
from chalicelib.events import kinds, record
from chalicelib.oauth import grants
from chalicelib.oauth.redirect_uris import is_shared_with_other_apps, place
from chalicelib.oauth.tables import Client, Consent


def lines(redirect_uri: str, scopes: Iterable[str], resources: Iterable[str]) -> set[str]:
    """Return what a yes is to, as it is remembered (see `Consent.allowed`)."""
    where = place(redirect_uri)
    return {f"{where} {resource} {scope}" for resource in (set(resources) or {""}) for scope in scopes}


def is_remembered(account: Account, client: Client, *, redirect_uri: str, allowed: set[str]) -> bool:
    """Tell whether an account said yes to all of this before: these scopes, for these resources, at this place.

    Never to a redirect that any app of a machine may listen on: another app could pose as the client (RFC 8252 §8.6).
    """
    if is_shared_with_other_apps(redirect_uri):
        return False
    consent = _given(account, client)
    return consent is not None and allowed <= consent.allowed


def is_given_at(account: Account, client: Client, redirect_uri: str) -> bool:
    """Return whether an account allowed a client anything with the answer going to this place."""
    consent, where = _given(account, client), place(redirect_uri)
    return consent is not None and any(line.startswith(f"{where} ") for line in consent.allowed)


def check_in(write: models.Transaction, account_id: str, client_id: str, allowed: set[str]) -> None:
    """Add to a transaction: all of this is still remembered. So a yes that is taken back meanwhile is worth nothing."""
    stands: Condition = Consent.given_at.exists()
    for line in sorted(allowed):
        stands &= Consent.allowed.contains(line)
    write.condition_check(Consent, account_id, client_id, condition=stands)


def of_account(account: Account) -> Iterator[Consent]:
    """Return what an account said yes to and has not taken back, whether or not it is made use of now."""
    for consent in Consent.query(account.id, consistent_read=True):
        if not account.has_ended(consent.given_at):
            yield consent


def was_refused(error: TransactWriteError, account_id: str, client_id: str) -> bool:
    """Tell whether a transaction failed at what `check_in` added."""
    return models.refused_write(error, Consent(account_id, client_id)) is not None


def remember(account_id: str, client_id: str, allowed: set[str]) -> None:
    """Remember a yes beside what was remembered before, or in place of what is over; two at once add up."""
    since_ms = Account.get(account_id, consistent_read=True).credentials_since
    actions: list[Action] = [Consent.allowed.add(allowed), Consent.given_at.set(clock.now_ms())]
    told = {"application": client_id, "scopes": joined({line.rpartition(" ")[2] for line in allowed})}
    over = Consent.given_at < since_ms
    try:
        _add(account_id, client_id, actions, told, only_if=~over)
    except TransactWriteError as error:
        if not models.refused(error):
            raise
        _replace(Consent(account_id, client_id, allowed=allowed, given_at=clock.now_ms()), over, actions, told)


def withdraw(account_id: str, client_id: str) -> None:
    """Forget a yes and end every grant that came from it: the client's tokens stop at the next request.

    A slice of the grants ends here, and what is left, or what the index doesn't show yet, by the minute's function.
    """
    by = secrets.digest(f"withdrawal {client_id}")
    ending = unfinished.new_choice(unfinished.OF_CONSENT, account_id, {client_id}, by=by)
    try:
        with models.transaction() as write:
            write.delete(Consent(account_id, client_id), condition=Consent.given_at.exists())
            record.add_to(write, account_id, kinds.CONSENT_WITHDRAWN, {"application": client_id})
            write.save(ending)
    except TransactWriteError as error:
        if not models.refused(error):
            raise
        # Nothing is remembered, of a device say; its grants end all the same.
        if not any(grant.client_id == client_id for grant in grants.of_account(account_id)):
            return
        ending.save()
    unfinished.settle(ending, is_finished=finish_withdrawal(ending))


def finish_withdrawal(ending: Unfinished) -> bool:
    """Revoke a slice of the grants that a client had when a yes to it was taken back; return whether none is left."""
    (client_id,) = ending.chosen
    is_moment = unfinished.is_first_look(ending)
    its_own = (grant for grant in grants.of_account(ending.subject) if grant.client_id == client_id)
    given = list(islice((each for each in its_own if is_moment or each.created_at <= ending.began_at), SLICE))
    marked = [grants.revoke(grant) for grant in given]
    return all(marked) and len(given) < SLICE


def forget_until(account_id: str, at_ms: int, most: int) -> int:
    """Forget what an account said yes to until a time (ms), at most so much of it; return how much was found."""
    given = (consent for consent in Consent.query(account_id, consistent_read=True) if consent.given_at <= at_ms)
    found = list(islice(given, most))
    for consent in found:
        with models.may_be_refused(), models.transaction() as write:
            # Not one that was given again meanwhile.
            write.delete(Consent(account_id, consent.client_id), condition=Consent.given_at == consent.given_at)
            record.add_to(write, account_id, kinds.CONSENT_WITHDRAWN, {"application": consent.client_id})
    return len(found)


def forget_client(client_id: str, most: int, *, after: str | None = None) -> list[str]:
    """Forget what was said yes to for a client that has ended, at most so much of it, from beyond an account's id.

    Return the accounts. Nobody can use such a consent, and its lines hold the client's addresses.
    """
    beyond = Consent.account_id > after if after else None
    found = [consent.account_id for consent in islice(Consent.by_client.query(client_id, beyond), most)]
    for account_id in found:
        Consent(account_id, client_id).delete()
    return found


def _given(account: Account, client: Client) -> Consent | None:
    consent = Consent.found(account.id, client.client_id)
    return None if consent is None or account.has_ended(consent.given_at) else consent


def _add(
    account_id: str, client_id: str, actions: list[Action], told: dict[str, str], *, only_if: Condition | None = None
) -> None:
    with models.transaction() as write:
        write.update(Consent(account_id, client_id), actions=actions, condition=only_if)
        record.add_to(write, account_id, kinds.CONSENT_REMEMBERED, told)


def _replace(new: Consent, over: Condition, actions: list[Action], told: dict[str, str]) -> None:
    """Put a consent in the place of one that is over; of two at once the second finds none, and adds to the first's."""
    try:
        with models.transaction() as write:
            write.save(new, condition=over)
            record.add_to(write, new.account_id, kinds.CONSENT_REMEMBERED, told)
    except TransactWriteError as error:
        if not models.refused(error):
            raise
        _add(new.account_id, new.client_id, actions, told)
