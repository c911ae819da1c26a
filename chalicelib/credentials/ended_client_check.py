"""Verify a token again if its client has ended since the token was verified.

Only requests with a token need this, so only they import it. It reads the ended clients (see `limits.ended_clients`) at
most once in 5 s and process. Thus a token is rejected within 10 s after the end of its client, even if the client has
more users than can be marked in this time.
"""

from dataclasses import dataclass
from itertools import count

from chalicelib.core import clock, telemetry
from chalicelib.core.dynamodb.errors import DynamoDBError, Unreachable
from chalicelib.core.process_cache import ProcessCache
from chalicelib.credentials.principal import Principal
from chalicelib.credentials.verify import bearer, verify
from chalicelib.limits import ended_clients, fail_open
from chalicelib.limits.ended_clients import EndedClients
from chalicelib.limits.stale_marks import CLOCK_SKEW_S

READ_EVERY_MS = 5_000
CACHED_MAX = 4_096


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The ended clients when this process last read them."""

    number: int
    read_at_ms: int
    ended: EndedClients | None
    """None if they couldn't be read; then each client may have ended."""

    def may_include(self, principal: Principal) -> bool:
        """Return whether the principal's client may have ended after the principal was verified."""
        if self.ended is None:
            return True
        # The time of a verification may be that of a mark, which a fast clock has set, and that of an end is from
        # another clock, which may be slow.
        return self.ended.ended_at_ms(principal.client_id) > principal.verified_at_ms - CLOCK_SKEW_S * 1000


_snapshots: ProcessCache[str, Snapshot] = ProcessCache("credentials.ended_clients", 1)
_verified_after: ProcessCache[str, int] = ProcessCache("credentials.verified_after_snapshot", CACHED_MAX)
"""The number of the snapshot after which each credential was last verified. That verification includes every end in the
snapshot, whatever the clocks show.
"""
_numbers = count(1)


def verify_if_ended(principal: Principal, authorization: str, resource: str) -> Principal:
    """Return the principal of a token; verify it again if its client may have ended since.

    If the ended clients can't be read, each token is verified directly, once in 5 s and process. If DynamoDB doesn't
    respond at all, the token is accepted until API Gateway's policy expires, after 300 s at most: an outage of the
    database must not become an outage of the API (see `limits.fail_open`). Raises the errors of `verify`.
    """
    snapshot = _current_snapshot()
    if snapshot is None or not snapshot.may_include(principal):
        return principal
    if _verified_after.get(principal.credential_id) == snapshot.number:
        return principal
    try:
        renewed = verify(bearer(authorization), resource)
    except DynamoDBError:
        # A token whose client has ended is never accepted unverified.
        if snapshot.ended is not None:
            raise
        return principal
    _verified_after[principal.credential_id] = snapshot.number
    # The new verification includes everything that the old one did, so it doesn't have an earlier time.
    return renewed.verified_after(max(renewed.verified_at_ms, principal.verified_at_ms))


def _current_snapshot() -> Snapshot | None:
    """Return the ended clients as of the last 5 s, or None while DynamoDB doesn't respond."""
    now_ms = clock.now_ms()
    known = _snapshots.get("")
    if known is not None and 0 <= now_ms - known.read_at_ms < READ_EVERY_MS:
        return known
    if fail_open.is_active(now_ms):
        return None
    ended: EndedClients | None = None
    try:
        ended = ended_clients.read()
    except Unreachable:
        fail_open.start(clock.now_ms())
        telemetry.count("LimiterUnavailable")
        return None
    except DynamoDBError as error:
        telemetry.error("ended_clients_unread", code=error.code)
    _snapshots[""] = snapshot = Snapshot(next(_numbers), now_ms, ended)
    return snapshot
