"""Admitting a verified caller, and verifying it anew when something changed: no cached verdict outlives a change."""

from collections import OrderedDict

from chalicelib.core import clock, errors, secrets
from chalicelib.credentials.verdict import Verdict
from chalicelib.credentials.verify import bearer, verify
from chalicelib.limits.admission import Stale, admit
from chalicelib.limits.allowance import Allowance
from chalicelib.limits.stale import CLOCK_SKEW_S

REMEMBERED_MAX = 4_096
PRESENTED_MS = 60_000
"""How long questions of a service about one secret are answered without reading."""
ROUNDS_MAX = 40
"""Each round is lost to one more change of the same account; a console that revokes all 20 keys at once makes 20."""

_renewed: OrderedDict[str, Verdict] = OrderedDict()
_presented: OrderedDict[tuple[str, str], Verdict] = OrderedDict()


def forget() -> None:
    """Forget what was verified anew, as a new process would."""
    _renewed.clear()
    _presented.clear()


def standing_of(cached: Verdict) -> Verdict:
    """Return the newest verdict this process has of a credential whose cached one is given."""
    renewed = _renewed.get(cached.credential_id)
    return renewed if renewed is not None and renewed.verified_at_ms > cached.verified_at_ms else cached


def admit_presented(secret: str, resource: str) -> tuple[Verdict, Allowance]:
    """Let one request of whoever holds `secret` through, for a service that was shown it, and count it.

    A verdict is believed for 60 s, and no longer than until something changes. Raises as `admit_caller` does, and
    Unauthorized when the secret is no good.
    """
    digest, now_ms = secrets.digest(secret), clock.now_ms()
    cached = _presented.get((digest, resource))
    if cached is None or not 0 <= now_ms - cached.verified_at_ms < PRESENTED_MS + CLOCK_SKEW_S * 1000:
        cached = verify(secret, resource)
        _presented[digest, resource] = cached
        if len(_presented) > REMEMBERED_MAX:
            _presented.popitem(last=False)
    return admit_caller(cached, f"Bearer {secret}", resource)


def admit_caller(cached: Verdict, authorization: str, resource: str = "") -> tuple[Verdict, Allowance]:
    """Let one request of a caller through, under what is true of it now, and count it.

    `authorization` is its header, to verify it again when the cached verdict is stale. Returns the verdict that holds
    and what is left. Raises Unauthorized when the credential is good no longer, Refused when a limit is spent,
    Unavailable when changes of the account come faster than it can be verified.
    """
    verdict = standing_of(cached)
    if verdict.has_ended(clock.now_ms()):
        # The cached verdict may not know: a rotation with a short grace brings a key's end into the gateway's 300 s.
        raise errors.TokenExpired
    for _ in range(ROUNDS_MAX):
        try:
            left = admit(
                verdict.account_id, verdict.tier, counter=verdict.counter, verified_at_ms=verdict.verified_at_ms
            )
        except Stale as stale:
            # Verified after the mark was seen: it has seen every change the mark stands for, whatever the clocks say.
            verdict = verify(bearer(authorization), resource).verified_after(stale.stale_at_ms)
            _remember(verdict)
        else:
            return verdict, left
    raise errors.Unavailable("Too much of this account is being changed right now. Try again in a moment.")


def _remember(verdict: Verdict) -> None:
    _renewed[verdict.credential_id] = verdict
    if len(_renewed) > REMEMBERED_MAX:
        _renewed.popitem(last=False)
