"""The invariants of the simulation, checked by the responses to callers rather than by the table."""

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
    """Records every response.

    The limits are defined by the clock of the function that decides, so that is where they are judged: by burst window
    and by hour, as that clock numbers them. The number in a true second is reported beside it.
    """

    first_hour: int
    asked: int = 0
    granted: int = 0
    leased: int = 0
    unasked: int = 0
    over_burst: int = 0
    over_quota: int = 0
    missed_changes: int = 0
    """Requests that DynamoDB admitted by a verification from before a change, after the response to that change."""
    late_changes: int = 0
    latest_change_us: int = 0
    """The same for admissions from a lease, and the longest delay."""
    given_up: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    compliant: int = 0
    compliant_refused: Counter[str] = field(default_factory=Counter)
    _in_window: Counter[tuple[Hour, str]] = field(default_factory=Counter)
    _in_hour: Counter[Hour] = field(default_factory=Counter)
    _granted_us: dict[str, list[int]] = field(default_factory=dict)
    _bursts: dict[str, int] = field(default_factory=dict)

    def expect(self, account: Account) -> None:
        """Record an account, and its earlier usage."""
        self._in_hour[account.partition, self.first_hour] = account.used_before
        self._bursts[account.partition] = account.tier.burst

    def grant(self, account: Account, window: Window, arrived_us: int, principal: Principal) -> None:
        """Record a request that DynamoDB admitted."""
        self._count(account, window, arrived_us)
        self.missed_changes += any(True for _ in _unfelt(account, arrived_us, principal))

    def grant_from_lease(self, account: Account, window: Window, arrived_us: int, principal: Principal) -> None:
        """Record a request that was admitted from a lease."""
        self._count(account, window, arrived_us)
        self.leased += 1
        late_us = max((arrived_us - told_us for told_us in _unfelt(account, arrived_us, principal)), default=-1)
        self.late_changes += late_us >= 0
        self.latest_change_us = max(self.latest_change_us, late_us)

    def pass_unasked(self, account: Account, arrived_us: int) -> None:
        """Record a request that was admitted while DynamoDB was unavailable (fail-open), counted separately."""
        self.unasked += 1
        self._note_moment(account, arrived_us)

    def refuse(self, account: Account, refusal: Rejected) -> None:
        """Record a rejection."""
        self.refused[refusal.limit] += 1
        if account.compliant:
            self.compliant_refused[refusal.limit] += 1

    @property
    def over_admitted(self) -> int:
        """Return the number of requests admitted over a burst or a quota."""
        return self.over_burst + self.over_quota

    def most_in_a_second(self) -> float:
        """Return the most admissions of any account in any true second, as a multiple of its burst."""
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


def _unfelt(account: Account, arrived_us: int, principal: Principal) -> Iterator[int]:
    """Return the times of the responses to changes that this later request's verification didn't include."""
    return (told_us for made_us, told_us in account.changes if told_us <= arrived_us and principal.truly_us < made_us)


def _most(times: list[int]) -> int:
    ordered = sorted(times)
    return max(bisect_left(ordered, at_us + S) - first for first, at_us in enumerate(ordered))
