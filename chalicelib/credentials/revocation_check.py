"""Admit a verified caller. If the caller's credential may have changed since it was verified, verify it again first.

API Gateway caches a verified principal for 300 s. A revocation therefore sets an invalidation mark (see
`limits.stale_marks`), and the admission of every request checks the mark. Thus a revoked credential is rejected at its
next request. The end of an OAuth client with many users is found before all of them are marked (see
`ended_client_check`).
"""

from dataclasses import dataclass
from functools import lru_cache

from chalicelib.core import clock, errors, secrets
from chalicelib.core.process_cache import ProcessCache
from chalicelib.credentials.principal import Principal
from chalicelib.credentials.verify import bearer, verify
from chalicelib.limits import recorded_usage, rejection_counts
from chalicelib.limits.admission import Stale, admit
from chalicelib.limits.counter_items import window_at
from chalicelib.limits.headers import Allowance
from chalicelib.limits.stale_marks import CLOCK_SKEW_S

CACHED_MAX = 4_096
PRESENTED_MS = 60_000
"""If another service sends a secret to this API for verification, the principal is cached for this long."""
RECENT_MS = 10_000
"""A token that was verified less than 10 s ago is accepted without a check whether its client has ended. The time of a
verification is set back by the clock skew, so its age is never underestimated.
"""
ROUNDS_MAX = 40
"""Maximum number of times that one request verifies its credential. Each change of the account may require one more
verification; revoking all 20 keys in the console makes 20 changes.
"""

_reverified: ProcessCache[str, Principal] = ProcessCache("credentials.reverified", CACHED_MAX)
_presented: ProcessCache[tuple[str, str], Principal] = ProcessCache("credentials.presented", CACHED_MAX)


@dataclass(frozen=True, slots=True)
class Use:
    """The network and route of a request.

    They are recorded when the request is admitted; "" means that nothing is recorded.
    """

    network: str = ""
    route: str = ""
    """The method and path pattern: `GET /v1/users/{user_id}`."""
    scopes: tuple[str, ...] = ()
    """Scopes that the route requires."""


NO_USE = Use()


def newest_of(cached: Principal) -> Principal:
    """Return the most recently verified principal of a credential: either `cached`, or a newer one in this process's
    cache.
    """
    renewed = _reverified.get(cached.credential_id)
    return renewed if renewed is not None and renewed.verified_at_ms > cached.verified_at_ms else cached


def admit_presented(secret: str, resource: str) -> tuple[Principal, Allowance]:
    """Admit and count one request that a caller sent to another service. `secret` is the credential in that request.

    The principal is cached for 60 s; if the account changes in this time, it is verified again. Raises Unauthorized
    when the secret is invalid, and all errors of `admit_caller`.
    """
    digest, now_ms = secrets.digest(secret), clock.now_ms()
    cached = _presented.get((digest, resource))
    if cached is None or not 0 <= now_ms - cached.verified_at_ms < PRESENTED_MS + CLOCK_SKEW_S * 1000:
        cached = verify(secret, resource)
        _presented[(digest, resource)] = cached
    return admit_caller(cached, f"Bearer {secret}", resource)


def admit_caller(
    cached: Principal, authorization: str, resource: str = "", use: Use = NO_USE
) -> tuple[Principal, Allowance]:
    """Admit and count one request of a caller; return the caller's current principal and remaining allowance.

    If the account has changed since the `cached` principal was verified, the credential in the header `authorization`
    is verified again. `use` is recorded with the admission, but the route is omitted if the caller lacks one of its
    scopes. Raises Unauthorized when the credential is no longer valid, Rejected when a limit is exceeded, and
    Unavailable when the account changes faster than the credential can be verified.
    """
    principal = newest_of(cached)
    if principal.is_expired(clock.now_ms()):
        # API Gateway caches a principal for 300 s. In this time the credential may expire, for example when a grace
        # period ends.
        raise errors.TokenExpired
    if principal.client_id and not (principal is cached and _is_recent(cached)):
        principal = _verify_if_ended(principal, authorization, resource)
    for _ in range(ROUNDS_MAX):
        try:
            left = admit(
                principal.account_id,
                principal.tier,
                counter=principal.counter,
                verified_at_ms=principal.verified_at_ms,
                shown=_usage_of_request(principal, use),
            )
        except Stale as stale:
            # This verification began after the mark was read, so it includes every change before the mark, even if a
            # clock is wrong.
            principal = verify(bearer(authorization), resource).verified_after(stale.stale_at_ms)
            _reverified[principal.credential_id] = principal
        else:
            if left.crossed:
                _record_thresholds(principal, left, use)
            return principal, left
    raise errors.Unavailable("This account is being changed too often right now. Try again in a moment.")


def record_failure(principal: Principal) -> None:
    """Count a response with status 401 or 403 to a known credential.

    A later admission writes the count to the database.
    """
    rejection_counts.record_failure(window_at(principal.account_id, principal.tier, clock.now_ms()), principal.counter)


def _is_recent(cached: Principal) -> bool:
    return 0 <= clock.now_ms() - cached.verified_at_ms < RECENT_MS


def _verify_if_ended(principal: Principal, authorization: str, resource: str) -> Principal:
    """Return the principal of a token, verified again if its client may have ended."""
    from chalicelib.credentials import ended_client_check

    renewed = ended_client_check.verify_if_ended(principal, authorization, resource)
    if renewed is not principal:
        _reverified[renewed.credential_id] = renewed
    return renewed


def _record_thresholds(principal: Principal, left: Allowance, use: Use) -> None:
    """Record an event for each quota threshold that is reached with this request."""
    from chalicelib.events import actors, quota

    hour = left.quota_resets_ms // 1000 - clock.HOUR_S
    # If `use.network` is empty, the request is from a service that verifies a secret, so the IP address of the request
    # isn't that of the secret's user.
    ip = actors.current().ip if use.network else ""
    for name in left.crossed:
        used = left.limit - left.remaining
        quota.record_threshold(
            principal.account_id, principal.tier, hour, name, used=used, actor=principal.credential_id, ip=ip
        )


def _usage_of_request(principal: Principal, use: Use) -> recorded_usage.RequestUsage:
    # Scopes are checked only after the admission. If the caller lacks one, the request will be denied, so its route
    # isn't recorded as used.
    route = use.route if principal.scopes.issuperset(use.scopes) else ""
    return _hash_usage(principal.counter, use.network, route)


@lru_cache(maxsize=CACHED_MAX)
def _hash_usage(counter: str, network: str, route: str) -> recorded_usage.RequestUsage:
    """Return the usage with hashed names. The result is cached, because most requests of a caller repeat an earlier
    network and route.
    """
    return recorded_usage.usage_of(counter, network=network, route=route)
