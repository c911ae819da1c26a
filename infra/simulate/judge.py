"""Check the limits in the simulation from the responses that callers receive, not from the counters in the table."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from chalicelib.limits.admission import Rejected
from chalicelib.limits.counter_items import Window
from infra.simulate.assumptions import S
from infra.simulate.clients import Account
from infra.simulate.functions import Principal

Hour = tuple[str, int]


@dataclass(slots=True)
class Judge:
    """Records every response, and counts over-admissions.

    The limits apply to burst windows and hours by the clock of the function that decides, so requests are counted by
    that clock. The number of admissions in a true second is reported separately.
    """

    first_hour: int
    asked: int = 0
    granted: int = 0
    leased: int = 0
    unasked: int = 0
    over_burst: int = 0
    over_quota: int = 0
    missed_changes: int = 0
    """The number of requests that DynamoDB admitted after a change was complete, although their credential was verified
    before the change.
    """
    late_changes: int = 0
    """The number of requests that a lease admitted after a change was complete, although their credential was verified
    before the change.
    """
    latest_change_us: int = 0
    """The longest time from the completion of a change until a lease admitted a request with a credential that was
    verified before the change.
    """
    given_up: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    compliant: int = 0
    compliant_refused: Counter[str] = field(default_factory=Counter)
    _in_window: Counter[tuple[Hour, str]] = field(default_factory=Counter)
    _in_hour: Counter[Hour] = field(default_factory=Counter)
    _granted_us: dict[str, list[int]] = field(default_factory=dict)
    _bursts: dict[str, int] = field(default_factory=dict)

    def expect(self, account: Account) -> None:
        """Record an account, and how much of its quota it has used before the scenario starts."""
        self._in_hour[account.partition, self.first_hour] = account.used_before
        self._bursts[account.partition] = account.tier.burst

    def grant(self, account: Account, window: Window, arrived_us: int, principal: Principal) -> None:
        """Record a request that DynamoDB admitted."""
        self._count(account, window, arrived_us)
        self.missed_changes += any(True for _ in _find_missed_changes(account, arrived_us, principal))

    def grant_from_lease(self, account: Account, window: Window, arrived_us: int, principal: Principal) -> None:
        """Record a request that was admitted from a lease."""
        self._count(account, window, arrived_us)
        self.leased += 1
        missed = _find_missed_changes(account, arrived_us, principal)
        late_us = max((arrived_us - done_us for done_us in missed), default=-1)
        self.late_changes += late_us >= 0
        self.latest_change_us = max(self.latest_change_us, late_us)

    def grant_uncounted(self, account: Account, arrived_us: int) -> None:
        """Record a request that was admitted without being counted, because DynamoDB was unavailable (fail-open)."""
        self.unasked += 1
        self._note_moment(account, arrived_us)

    def refuse(self, account: Account, refusal: Rejected) -> None:
        """Record a rejection."""
        self.refused[refusal.limit] += 1
        if account.compliant:
            self.compliant_refused[refusal.limit] += 1

    @property
    def over_admitted(self) -> int:
        """Return the number of requests that were admitted over a burst limit or a quota."""
        return self.over_burst + self.over_quota

    def most_in_a_second(self) -> float:
        """Return the highest number of admissions of an account in a true second, as a multiple of its burst limit."""
        return max((_most(times) / self._bursts[key] for key, times in self._granted_us.items()), default=0)

    def _count(self, account: Account, window: Window, arrived_us: int) -> None:
        self.granted += 1
        self._note_moment(account, arrived_us)
        hour = window.item_key
        self._in_window[hour, window.slot] += 1
        self._in_hour[hour] += 1
        self.over_burst += self._in_window[hour, window.slot] > window.tier.burst
        self.over_quota += window.tier.quota is not None and self._in_hour[hour] > window.tier.quota

    def _note_moment(self, account: Account, at_us: int) -> None:
        self._granted_us.setdefault(account.partition, []).append(at_us)


def _find_missed_changes(account: Account, arrived_us: int, principal: Principal) -> Iterator[int]:
    """Yield the completion time of each change that began after the credential was verified and completed before the
    request arrived.
    """
    return (done_us for made_us, done_us in account.changes if done_us <= arrived_us and principal.truly_us < made_us)


def _most(times: list[int]) -> int:
    ordered = sorted(times)
    return max(bisect_left(ordered, at_us + S) - first for first, at_us in enumerate(ordered))
