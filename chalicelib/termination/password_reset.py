"""Ending what an account's user chose to end while setting a password by a link.

The choice is stored in the transaction that sets the password, so a function that is killed then loses none of it. Each
thing is ended by what ends it elsewhere, if it is the account's; ending it again is harmless.
"""

from collections.abc import Callable
from contextlib import suppress
from itertools import islice

from chalicelib.accounts import unfinished
from chalicelib.accounts.unfinished import SLICE, Unfinished
from chalicelib.core import errors, telemetry
from chalicelib.credentials import revoke
from chalicelib.credentials.find import keys_of
from chalicelib.limits import stale_marks
from chalicelib.oauth import clients, consent, delete_client, grants
from chalicelib.webhooks import endpoints

CONNECTED = "connected"
"""Chosen in place of an id: every app that the account allowed."""


def new(account_id: str, chosen: set[str], *, by: str) -> Unfinished:
    """Return the ending of what was chosen; `by` is the digest of the link that was used."""
    return unfinished.new_choice(unfinished.OF_RESET, account_id, chosen, by=by)


def finish(ending: Unfinished) -> bool:
    """End what was chosen, but of connected apps a slice; return whether nothing is left.

    What a form can name is bounded, so all of it is ended in the first slice. What can't be ended keeps nothing else.
    """
    chosen = set(ending.chosen or ())
    done = [_is_done(step, ending, chosen) for step in (_keys, _webhooks, _applications, _connected)]
    return all(done)


Step = Callable[[Unfinished, set[str]], bool]


def _is_done(step: Step, ending: Unfinished, chosen: set[str]) -> bool:
    try:
        return step(ending, chosen)
    except Exception:  # What can't be ended mustn't keep the rest from it.
        telemetry.error("ending_failed", kind=ending.kind, subject=ending.subject)
        telemetry.count("BackgroundFaults", task="ending")
        return False


def _keys(ending: Unfinished, chosen: set[str]) -> bool:
    its_keys = [key for key in keys_of(ending.subject) if key.id in chosen]
    for key in its_keys:
        if key.is_live():
            revoke.end(key)
    # Also where they had been revoked: the mark may have been lost then.
    return not its_keys or stale_marks.mark(ending.subject)


def _webhooks(ending: Unfinished, chosen: set[str]) -> bool:
    for webhook_id in (each for each in chosen if each.startswith("whk_")):
        with suppress(errors.NotFound):
            endpoints.delete(endpoints.owned(ending.subject, webhook_id))
    return True


def _applications(ending: Unfinished, chosen: set[str]) -> bool:
    owned = (clients.stored(each) for each in sorted(chosen) if each.startswith("app_"))
    delete_client.delete_all([client for client in owned if client is not None and client.owner_id == ending.subject])
    return True


def _connected(ending: Unfinished, chosen: set[str]) -> bool:
    """Forget a slice of the consents that there were, and revoke one of the grants."""
    if CONNECTED not in chosen:
        return True
    # What an old session was still granting at that moment, or by a fast clock, is among them.
    until_ms = ending.began_at + stale_marks.CLOCK_SKEW_S * 1000
    given = (grant for grant in grants.of_account(ending.subject) if grant.created_at <= until_ms)
    its_grants = list(islice(given, SLICE))
    marked = [grants.revoke(grant) for grant in its_grants]
    forgotten = consent.forget_until(ending.subject, until_ms, SLICE)
    return all(marked) and len(its_grants) < SLICE and forgotten < SLICE
