"""Revoke or delete the items that a user selected while resetting the password: keys, webhooks, applications, and the
access of connected apps.

The transaction that sets the password also stores the selection, so it can't be lost. Ids that belong to other accounts
are ignored.
"""

from collections.abc import Callable
from contextlib import suppress
from itertools import islice

from chalicelib.accounts import pending_terminations
from chalicelib.accounts.pending_terminations import SLICE, PendingTermination
from chalicelib.core import errors, telemetry
from chalicelib.credentials import revoke
from chalicelib.credentials.find import keys_of
from chalicelib.limits import stale_marks
from chalicelib.oauth import clients, consent, delete_client, grants
from chalicelib.webhooks import endpoints

CONNECTED = "connected"
"""A selection contains this value instead of an id if all apps with access to the account were selected."""


def new(account_id: str, chosen: set[str], *, by: str) -> PendingTermination:
    """Return the pending termination of the `chosen` ids. `by` is the digest of the link that the user opened."""
    return pending_terminations.new_choice(pending_terminations.OF_RESET, account_id, chosen, by=by)


def finish(pending: PendingTermination) -> bool:
    """Terminate all selected items, and disconnect one batch of the connected apps; return whether nothing remains.

    All selected items fit into one batch, because the form limits their number. If one step fails, the others still
    run.
    """
    chosen = set(pending.chosen or ())
    done = [_is_done(step, pending, chosen) for step in (_keys, _webhooks, _applications, _disconnect_slice)]
    return all(done)


Step = Callable[[PendingTermination, set[str]], bool]


def _is_done(step: Step, pending: PendingTermination, chosen: set[str]) -> bool:
    try:
        return step(pending, chosen)
    except Exception:  # A failing step must not block the others.
        telemetry.error("ending_failed", kind=pending.kind, subject=pending.subject)
        telemetry.count("BackgroundFaults", task="ending")
        return False


def _keys(pending: PendingTermination, chosen: set[str]) -> bool:
    chosen_keys = [key for key in keys_of(pending.subject) if key.id in chosen]
    for key in chosen_keys:
        if key.is_live():
            revoke.revoke_key(key)
    # Set the invalidation mark even if all keys are already revoked, because an earlier run may have failed to set it.
    return not chosen_keys or stale_marks.mark(pending.subject)


def _webhooks(pending: PendingTermination, chosen: set[str]) -> bool:
    for webhook_id in (each for each in chosen if each.startswith("whk_")):
        with suppress(errors.NotFound):
            endpoints.delete(endpoints.find_owned(pending.subject, webhook_id))
    return True


def _applications(pending: PendingTermination, chosen: set[str]) -> bool:
    owned = (clients.find_any(each) for each in sorted(chosen) if each.startswith("app_"))
    delete_client.delete_all(
        [client for client in owned if client is not None and client.account_id == pending.subject]
    )
    return True


def _disconnect_slice(pending: PendingTermination, chosen: set[str]) -> bool:
    """Delete a batch of the consents and revoke a batch of the grants; return whether none remains."""
    if CONNECTED not in chosen:
        return True
    # Also revoke grants that an old session created at the same moment, or that a function whose clock is fast created.
    until_ms = pending.began_at + stale_marks.CLOCK_SKEW_S * 1000
    candidates = (grant for grant in grants.of_account(pending.subject) if grant.created_at <= until_ms)
    to_revoke = list(islice(candidates, SLICE))
    marked = [grants.revoke(grant) for grant in to_revoke]
    forgotten = consent.delete_until(pending.subject, until_ms, SLICE)
    return all(marked) and len(to_revoke) < SLICE and forgotten < SLICE
