"""Consents: a remembered yes to a client, and when it must be asked for again."""

from collections.abc import Iterator

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.accounts.tables import Account
from chalicelib.core import clock, tables
from chalicelib.credentials.scopes import joined
from chalicelib.events import kinds, record
from chalicelib.oauth import grants
from chalicelib.oauth.redirect_uris import is_shared_with_other_apps
from chalicelib.oauth.tables import Client, Consent


def is_remembered(
    account: Account, client: Client, *, redirect_uri: str, scopes: set[str], resources: set[str]
) -> bool:
    """Tell whether an account said yes to all of this before.

    Never to a redirect that any app of a machine may listen on: another app could pose as the client (RFC 8252 §8.6).
    """
    if is_shared_with_other_apps(redirect_uri):
        return False
    consent = Consent.found(account.id, client.client_id)
    if consent is None or account.has_ended(consent.given_at):
        return False
    return scopes <= set(consent.scopes) and resources <= set(consent.resources or ())


def of_account(account: Account) -> Iterator[Consent]:
    """Return what an account said yes to and has not taken back, whether or not it is made use of now."""
    for consent in Consent.query(account.id, consistent_read=True):
        if not account.has_ended(consent.given_at):
            yield consent


def remember(account_id: str, client_id: str, *, scopes: set[str], resources: set[str]) -> None:
    """Remember a yes beside what was remembered before, or in place of what is over; two at once add up."""
    since_ms = Account.get(account_id, consistent_read=True).credentials_since
    actions: list[Action] = [Consent.scopes.add(scopes), Consent.given_at.set(clock.now_ms())]
    told = {"application": client_id, "scopes": joined(scopes)}
    if resources:
        actions.append(Consent.resources.add(resources))
    over = Consent.given_at < since_ms
    try:
        _add(account_id, client_id, actions, told, only_if=~over)
    except TransactWriteError as error:
        if not tables.refused(error):
            raise
        new = Consent(account_id, client_id, scopes=scopes, resources=resources or None, given_at=clock.now_ms())
        _replace(new, over, actions, told)


def withdraw(account_id: str, client_id: str) -> None:
    """Forget a yes and end every grant that came from it: the client's tokens stop at the next request."""
    with tables.may_be_refused(), tables.transaction() as write:
        write.delete(Consent(account_id, client_id), condition=Consent.given_at.exists())
        record.add_to(write, account_id, kinds.CONSENT_WITHDRAWN, {"application": client_id})
    for grant in grants.of_account(account_id):
        if grant.client_id == client_id:
            grants.revoke(grant)


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
