"""Run pending terminations. The function `minute` runs them in batches until nothing remains or its time is up.

Batches are idempotent and may run concurrently. An interrupted batch is simply run again.
"""

from collections.abc import Callable

from chalicelib.accounts import owned_clients, pending_terminations
from chalicelib.accounts.pending_terminations import PendingTermination
from chalicelib.core import clock, randomness, telemetry
from chalicelib.events import actors
from chalicelib.oauth import consent, delete_client
from chalicelib.termination import account_deletion, first_verification, password_reset

SLICES: dict[str, Callable[[PendingTermination], bool]] = {
    pending_terminations.OF_OWNER: owned_clients.finish,
    pending_terminations.OF_CLIENT: delete_client.finish_deletion,
    pending_terminations.OF_ACCOUNT: account_deletion.finish,
    pending_terminations.OF_CONSENT: consent.finish_withdrawal,
    pending_terminations.OF_PROOF: first_verification.finish,
    pending_terminations.OF_RESET: password_reset.finish,
}
"""The function for each kind of termination. It runs one batch and returns whether nothing remains."""
SLICES_MAX = 200
"""The maximum number of consecutive batches of one termination. A termination that can't set its invalidation marks
makes no progress, and is continued by a later run.
"""


def run_all_pending(until_ms: int) -> int:
    """Run batches of all pending terminations, but start no batch after `until_ms`. Returns how many terminations were
    pending.
    """
    # Use a random order: in a fixed order, one long termination could delay the others in every run.
    pending_ones = randomness.shuffle(list(pending_terminations.all_pending()))
    for pending in pending_ones:
        try:
            with actors.act_as_system():
                _finish(pending, until_ms)
        except Exception:  # A failing termination must not block the others.
            telemetry.error("ending_failed", kind=pending.kind, subject=pending.subject)
            telemetry.count("BackgroundFaults", task="ending")
    return len(pending_ones)


def run_first_slice(pending: PendingTermination) -> bool:
    """Run the first batch of a stored termination, in the request that started it; return whether nothing remains."""
    is_finished = SLICES[pending.kind](pending)
    pending_terminations.save_progress(pending, is_finished=is_finished)
    return is_finished


def _finish(pending: PendingTermination, until_ms: int) -> None:
    is_finished, slices = False, 0
    while not is_finished and slices < SLICES_MAX and clock.now_ms() < until_ms:
        slices += 1
        is_finished = SLICES[pending.kind](pending)
        pending_terminations.save_progress(pending, is_finished=is_finished)
