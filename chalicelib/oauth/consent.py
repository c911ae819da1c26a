"""Consents: a remembered yes to a client, and when it must be asked for again."""

from collections.abc import Iterator
from itertools import islice

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.accounts.tables import Account
from chalicelib.core import clock, tables
from chalicelib.credentials.scopes import joined
from chalicelib.events import kinds, record
from chalicelib.oauth import grants
from chalicelib.oauth.redirect_uris import is_shared_with_other_apps, place
from chalicelib.oauth.tables import Client, Consent


def is_remembered(
    account: Account, client: Client, *, redirect_uri: str, scopes: set[str], resources: set[str]
) -> bool:
    """Tell whether an account said yes to all of this before, with the answer going to the same place.

    Never to a redirect that any app of a machine may listen on: another app could pose as the client (RFC 8252 §8.6).
    """
    if is_shared_with_other_apps(redirect_uri):
        return False
    consent = _given_at(account, client, redirect_uri)
    return consent is not None and scopes <= set(consent.scopes) and resources <= set(consent.resources or ())


def is_given_at(account: Account, client: Client, redirect_uri: str) -> bool:
    """Return whether an account allowed a client anything with the answer going to this place."""
    return _given_at(account, client, redirect_uri) is not None


def of_account(account: Account) -> Iterator[Consent]:
    """Return what an account said yes to and has not taken back, whether or not it is made use of now."""
    for consent in Consent.query(account.id, consistent_read=True):
        if not account.has_ended(consent.given_at):
            yield consent


def remember(account_id: str, client_id: str, *, redirects: set[str], scopes: set[str], resources: set[str]) -> None:
    """Remember a yes beside what was remembered before, or in place of what is over; two at once add up.

    `redirects` are the places that the answer may go to: a client whose redirect URI changes is asked about again.
    """
    since_ms = Account.get(account_id, consistent_read=True).credentials_since
    actions: list[Action] = [Consent.scopes.add(scopes), Consent.given_at.set(clock.now_ms())]
    told = {"application": client_id, "scopes": joined(scopes)}
    if resources:
        actions.append(Consent.resources.add(resources))
    if redirects:
        actions.append(Consent.redirects.add(redirects))
    over = Consent.given_at < since_ms
    try:
        _add(account_id, client_id, actions, told, only_if=~over)
    except TransactWriteError as error:
        if not tables.refused(error):
            raise
        new = Consent(
            account_id,
            client_id,
            scopes=scopes,
            resources=resources or None,
            redirects=redirects or None,
            given_at=clock.now_ms(),
        )
        _replace(new, over, actions, told)


def withdraw(account_id: str, client_id: str) -> None:
    """Forget a yes and end every grant that came from it: the client's tokens stop at the next request."""
    with tables.may_be_refused(), tables.transaction() as write:
        write.delete(Consent(account_id, client_id), condition=Consent.given_at.exists())
        record.add_to(write, account_id, kinds.CONSENT_WITHDRAWN, {"application": client_id})
    for grant in grants.of_account(account_id):
        if grant.client_id == client_id:
            grants.revoke(grant)


def forget_until(account_id: str, at_ms: int, most: int) -> int:
    """Forget what an account said yes to until a time (ms), at most so much of it; return how much was found."""
    given = (consent for consent in Consent.query(account_id, consistent_read=True) if consent.given_at <= at_ms)
    found = list(islice(given, most))
    for consent in found:
        with tables.may_be_refused(), tables.transaction() as write:
            # Not one that was given again meanwhile.
            write.delete(Consent(account_id, consent.client_id), condition=Consent.given_at == consent.given_at)
            record.add_to(write, account_id, kinds.CONSENT_WITHDRAWN, {"application": consent.client_id})
    return len(found)


def _given_at(account: Account, client: Client, redirect_uri: str) -> Consent | None:
    consent = Consent.found(account.id, client.client_id)
    if consent is None or account.has_ended(consent.given_at):
        return None
    return consent if place(redirect_uri) in (consent.redirects or ()) else None


def _add(
    account_id: str, client_id: str, actions: list[Action], told: dict[str, str], *, only_if: Condition | None = None
) -> None:
    with tables.transaction() as write:
        write.update(Consent(account_id, client_id), actions=actions, condition=only_if)
        record.add_to(write, account_id, kinds.CONSENT_REMEMBERED, told)


def _replace(new: Consent, over: Condition, actions: list[Action], told: dict[str, str]) -> None:
    """Put a consent in the place of one that is over; of two at once the second finds none, and adds to the first's."""
    try:
        with tables.transaction() as write:
            write.save(new, condition=over)
            record.add_to(write, new.account_id, kinds.CONSENT_REMEMBERED, told)
    except TransactWriteError as error:
        if not tables.refused(error):
            raise
        _add(new.account_id, new.client_id, actions, told)
