"""Admitting a verified caller, and verifying it anew when something changed: no cached verdict outlives a change."""

from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from chalicelib.core import clock, errors, secrets
from chalicelib.credentials.principal import Principal
from chalicelib.credentials.verify import bearer, verify
from chalicelib.limits import recorded_usage, rejection_counts
from chalicelib.limits.admission import Stale, admit
from chalicelib.limits.counter_items import window_at
from chalicelib.limits.headers import Allowance
from chalicelib.limits.stale_marks import CLOCK_SKEW_S

REMEMBERED_MAX = 4_096
PRESENTED_MS = 60_000
"""How long questions of a service about one secret are answered without reading."""
ROUNDS_MAX = 40
"""Each round is lost to one more change of the same account; a console that revokes all 20 keys at once makes 20."""

K = TypeVar("K")

_renewed: OrderedDict[str, Principal] = OrderedDict()
_presented: OrderedDict[tuple[str, str], Principal] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Use:
    """Where a request comes from and what it is for; what is "" is not recorded."""

    network: str = ""
    route: str = ""
    """Its method and pattern: `GET /v1/users/{user_id}`."""
    scopes: tuple[str, ...] = ()
    """What the route asks of a credential."""


NO_USE = Use()


def forget() -> None:
    """Forget what was verified anew, as a new process would."""
    _renewed.clear()
    _presented.clear()


def remember(verdicts: OrderedDict[K, Principal], key: K, principal: Principal, *, most: int = REMEMBERED_MAX) -> None:
    """Keep a verdict; of more than `most` the one that came first is forgotten."""
    verdicts[key] = principal
    if len(verdicts) > most:
        verdicts.popitem(last=False)


def standing_of(cached: Principal) -> Principal:
    """Return the newest verdict this process has of a credential whose cached one is given."""
    renewed = _renewed.get(cached.credential_id)
    return renewed if renewed is not None and renewed.verified_at_ms > cached.verified_at_ms else cached


def admit_presented(secret: str, resource: str) -> tuple[Principal, Allowance]:
    """Let one request of whoever holds `secret` through, for a service that was shown it, and count it.

    A verdict is believed for 60 s, and no longer than until something changes. Raises as `admit_caller` does, and
    Unauthorized when the secret is no good.
    """
    digest, now_ms = secrets.digest(secret), clock.now_ms()
    cached = _presented.get((digest, resource))
    if cached is None or not 0 <= now_ms - cached.verified_at_ms < PRESENTED_MS + CLOCK_SKEW_S * 1000:
        cached = verify(secret, resource)
        remember(_presented, (digest, resource), cached)
    return admit_caller(cached, f"Bearer {secret}", resource)


def admit_caller(
    cached: Principal, authorization: str, resource: str = "", use: Use = NO_USE
) -> tuple[Principal, Allowance]:
    """Let one request of a caller through, under what is true of it now, and count it.

    `authorization` is its header, to verify it again when the cached verdict is stale; `use` is recorded with the
    admission, a route that the scopes don't allow left out. Returns the verdict that holds
    and what is left. Raises Unauthorized when the credential is good no longer, Refused when a limit is spent,
    Unavailable when changes of the account come faster than it can be verified.
    """
    principal = standing_of(cached)
    if principal.has_ended(clock.now_ms()):
        # The cached verdict may not know: a rotation with a short grace brings a key's end into the gateway's 300 s.
        raise errors.TokenExpired
    for _ in range(ROUNDS_MAX):
        try:
            left = admit(
                principal.account_id,
                principal.tier,
                counter=principal.counter,
                verified_at_ms=principal.verified_at_ms,
                shown=_shown(principal, use),
            )
        except Stale as stale:
            # Verified after the mark was seen: it has seen every change the mark stands for, whatever the clocks say.
            principal = verify(bearer(authorization), resource).verified_after(stale.stale_at_ms)
            remember(_renewed, principal.credential_id, principal)
        else:
            if left.crossed:
                _tell(principal, left, use)
            return principal, left
    raise errors.Unavailable("This account is being changed too often right now. Try again in a moment.")


def note_failure(principal: Principal) -> None:
    """Note that a request of a known credential was answered 401 or 403, to be written with a later admission."""
    rejection_counts.note_failure(window_at(principal.account_id, principal.tier, clock.now_ms()), principal.counter)


def _tell(principal: Principal, left: Allowance, use: Use) -> None:
    """Tell the account what this request has brought its quota to."""
    from chalicelib.events import actors, quota

    hour = left.quota_resets_ms // 1000 - clock.HOUR_S
    # Where a service asks for its caller, the address is the service's.
    ip = actors.current().ip if use.network else ""
    for what in left.crossed:
        used = left.limit - left.remaining
        quota.tell(principal.account_id, principal.tier, hour, what, used=used, actor=principal.credential_id, ip=ip)


def _shown(principal: Principal, use: Use) -> recorded_usage.Traits:
    # The scopes are checked after the admission, and a route that was refused was not used.
    route = use.route if principal.scopes.issuperset(use.scopes) else ""
    return _named(principal.counter, use.network, route)


@lru_cache(maxsize=REMEMBERED_MAX)
def _named(counter: str, network: str, route: str) -> recorded_usage.Traits:
    """Return what is shown by the attributes' names, whose hashes are the same at each request."""
    return recorded_usage.shown_by(counter, network=network, route=route)
