"""Consents: a remembered yes to a client, and when it must be asked for again."""

from pynamodb.expressions.update import Action

from chalicelib.core import clock
from chalicelib.oauth import grants
from chalicelib.oauth.redirect_uris import is_shared_with_other_apps
from chalicelib.oauth.tables import Client, Consent


def is_remembered(account_id: str, client: Client, *, redirect_uri: str, scopes: set[str], resources: set[str]) -> bool:
    """Tell whether an account said yes to all of this before.

    Never to a redirect that any app of a machine may listen on: another app could pose as the client (RFC 8252 §8.6).
    """
    if is_shared_with_other_apps(redirect_uri):
        return False
    try:
        consent = Consent.get(account_id, client.client_id, consistent_read=True)
    except Consent.DoesNotExist:
        return False
    return scopes <= set(consent.scopes) and resources <= set(consent.resources or ())


def remember(account_id: str, client_id: str, *, scopes: set[str], resources: set[str]) -> None:
    """Remember a yes beside what was remembered before; two at once add up."""
    actions: list[Action] = [Consent.scopes.add(scopes), Consent.given_at.set(clock.now_ms())]
    if resources:
        actions.append(Consent.resources.add(resources))
    Consent(account_id, client_id).update(actions=actions)


def withdraw(account_id: str, client_id: str) -> None:
    """Forget a yes and end every grant that came from it: the client's tokens stop at the next request."""
    Consent(account_id, client_id).delete()
    for grant in grants.of_account(account_id):
        if grant.client_id == client_id:
            grants.revoke(grant)
