"""Deleting a client: it ends at the next request, its grants and consents in slices.

The client's own mark comes first, in one transaction that decides between two deletions at once.
"""

from collections.abc import Iterable
from itertools import islice

from pynamodb.expressions.update import Action

from chalicelib.accounts import unfinished
from chalicelib.accounts.tables import Account
from chalicelib.accounts.unfinished import SLICE, Unfinished
from chalicelib.core import clock
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds
from chalicelib.limits import stale_marks
from chalicelib.oauth import clients, consent, grants
from chalicelib.oauth.tables import Client

DELETED_KEPT_S = 30 * clock.DAY_S
WHOLE_AT_ONCE = 3
"""Of so many applications that end together the first users are reached at once, of more by the minute's function."""
_CONSENTS = "consents"
"""The second step of a client's ending."""


def delete(client: Client, *, actor: str = "", reason: str | None = None) -> None:
    """End a client for good: its own tokens and every grant it was given end at the next request. Harmless to repeat.

    The client's own mark comes first: from then on nothing is issued to it and nothing of it is accepted. The grants
    are revoked, and their accounts marked, in slices: the first of them here, the others by the minute's function.
    `actor` does it, for `reason`, or else who acts now.
    """
    ending = begin_deleting(client, actor=actor, reason=reason)
    if ending is not None:
        unfinished.settle(ending, is_finished=finish_ending(ending))


def begin_deleting(client: Client, *, actor: str = "", reason: str | None = None) -> Unfinished | None:
    """End a client as `delete` does, and leave all its grants to the minute's function; None when it had ended."""
    ending = unfinished.new(unfinished.OF_CLIENT, client.client_id)
    is_document = client.registered_by == "document"
    actions: list[Action] = [
        Client.deleted_at.set(ending.began_at),
        # A document could be fetched again, so that it was ended is remembered for good.
        Client.dies_at.remove() if is_document else Client.dies_at.set(ending.began_at // 1000 + DELETED_KEPT_S),
        Client.ended_by.set(actor) if actor else Client.ended_by.remove(),
        Client.ended_because.set(reason) if reason else Client.ended_because.remove(),
    ]
    with models.may_be_refused():
        with models.transaction() as write:
            # Of two deletions at once one gives the place back.
            alive = Client.created_at.exists() & Client.deleted_at.does_not_exist()
            write.update(Client(client.client_id), actions=actions, condition=alive)
            write.save(ending)
            _count_out(write, client)
            clients.record_event(write, client, kinds.APPLICATION_DELETED, actor=actor, reason=reason)
        if client.owner_id is not None:
            stale_marks.mark(client.owner_id)
        return ending
    return None


def delete_all(found: Iterable[Client]) -> None:
    """Delete an account's applications: at most 50, whose users are any number.

    The first users of a few of them are reached here, and the others by the minute's function.
    """
    for number, client in enumerate(client for client in found if client.deleted_at is None):
        end = delete if number < WHOLE_AT_ONCE else begin_deleting
        end(client)


def delete_unverified(owner_id: str) -> None:
    """Delete the applications from before an account's address was first verified."""
    account = Account.get(owner_id, consistent_read=True)
    delete_all([client for client in clients.owned_by(owner_id) if account.has_ended(client.created_at)])


def finish_ending(ending: Unfinished) -> bool:
    """Revoke a slice of the grants of an ended client, then forget one of the consents; return whether none is left."""
    left = SLICE
    if ending.step != _CONSENTS:
        given = list(islice(grants.of_client(ending.subject, after=ending.after), left))
        for grant in given:
            # A mark that is lost is set again by the stream, for the event of the revocation.
            grants.revoke(grant)
        ending.after = given[-1].id if given else ending.after
        left -= len(given)
        if not left:
            return False
        ending.step, ending.after = _CONSENTS, None
    forgotten = consent.forget_client(ending.subject, left, after=ending.after)
    ending.after = forgotten[-1] if forgotten else ending.after
    if len(forgotten) == left:
        return False
    # From the start once more when the indexes have settled, too.
    ending.step = ending.after = None
    return True


def _count_out(write: models.Transaction, client: Client) -> None:
    if client.owner_id is not None:
        write.update(Account(client.owner_id), actions=[Account.applications.add(-1)], condition=Account.id.exists())
