"""Finishing what was begun in a request: once a minute, slice by slice, until nothing is left or the time is over.

A slice may be repeated, by another function at the same moment too, so one that is killed is simply done again.
"""

from collections.abc import Callable

from chalicelib.accounts import owned_clients, unfinished
from chalicelib.accounts.unfinished import Unfinished
from chalicelib.core import clock, randomness, telemetry
from chalicelib.events import actors
from chalicelib.oauth import consent, delete_client
from chalicelib.termination import account_deletion, first_verification, password_reset

SLICES: dict[str, Callable[[Unfinished], bool]] = {
    unfinished.OF_OWNER: owned_clients.finish,
    unfinished.OF_CLIENT: delete_client.finish_ending,
    unfinished.OF_ACCOUNT: account_deletion.finish,
    unfinished.OF_CONSENT: consent.finish_withdrawal,
    unfinished.OF_PROOF: first_verification.finish,
    unfinished.OF_RESET: password_reset.finish,
}
"""What does a slice of each kind of ending, and returns whether nothing is left of it."""
SLICES_MAX = 200
"""So many slices of one ending are done in a row: one that makes no headway, for want of a mark, comes again."""


def all_unfinished(until_ms: int) -> int:
    """Do slices of what is unfinished, beginning none after `until_ms`; return how many endings there were."""
    # By lot, so that one that takes long isn't always the first.
    endings = randomness.shuffled(list(unfinished.all_there_are()))
    for ending in endings:
        try:
            with actors.latchkey():
                _finish(ending, until_ms)
        except Exception:  # One that can't be finished mustn't keep the others from it.
            telemetry.error("ending_failed", kind=ending.kind, subject=ending.subject)
            telemetry.count("BackgroundFaults", task="ending")
    return len(endings)


def first_slice(ending: Unfinished) -> bool:
    """Do the first slice of an ending that is stored, in the request that began it; return whether nothing is left."""
    is_finished = SLICES[ending.kind](ending)
    unfinished.settle(ending, is_finished=is_finished)
    return is_finished


def _finish(ending: Unfinished, until_ms: int) -> None:
    is_finished, slices = False, 0
    while not is_finished and slices < SLICES_MAX and clock.now_ms() < until_ms:
        slices += 1
        is_finished = SLICES[ending.kind](ending)
        unfinished.settle(ending, is_finished=is_finished)
