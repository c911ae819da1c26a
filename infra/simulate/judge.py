"""What must hold, judged from what callers were answered rather than from what the table says."""

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
    """Notes every answer.

    The limits are defined by the clock of the function that decides, so that is where they are judged: by burst window
    and by hour, as that clock numbers them. What came of it in a true second is told beside it.
    """

    first_hour: int
    asked: int = 0
    granted: int = 0
    leased: int = 0
    unasked: int = 0
    over_burst: int = 0
    over_quota: int = 0
    missed_changes: int = 0
    """Requests that DynamoDB let through under what was verified before a change, after its maker was told of it."""
    late_changes: int = 0
    latest_change_us: int = 0
    """The same of those that were let through from a lease, and the longest time after."""
    given_up: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    compliant: int = 0
    compliant_refused: Counter[str] = field(default_factory=Counter)
    _in_window: Counter[tuple[Hour, str]] = field(default_factory=Counter)
    _in_hour: Counter[Hour] = field(default_factory=Counter)
    _granted_us: dict[str, list[int]] = field(default_factory=dict)
    _bursts: dict[str, int] = field(default_factory=dict)

    def expect(self, account: Account) -> None:
        """Note an account, and what it used before."""
        self._in_hour[account.partition, self.first_hour] = account.used_before
        self._bursts[account.partition] = account.tier.burst

    def grant(self, account: Account, window: Window, arrived_us: int, principal: Principal) -> None:
        """Note a request that DynamoDB let through."""
        self._count(account, window, arrived_us)
        self.missed_changes += any(True for _ in _unfelt(account, arrived_us, principal))

    def grant_from_lease(self, account: Account, window: Window, arrived_us: int, principal: Principal) -> None:
        """Note a request that was let through from what an earlier write had taken."""
        self._count(account, window, arrived_us)
        self.leased += 1
        late_us = max((arrived_us - told_us for told_us in _unfelt(account, arrived_us, principal)), default=-1)
        self.late_changes += late_us >= 0
        self.latest_change_us = max(self.latest_change_us, late_us)

    def pass_unasked(self, account: Account, arrived_us: int) -> None:
        """Note a request that was let through since DynamoDB couldn't be asked: meant so, and counted apart."""
        self.unasked += 1
        self._note_moment(account, arrived_us)

    def refuse(self, account: Account, refusal: Rejected) -> None:
        """Note a refusal."""
        self.refused[refusal.limit] += 1
        if account.compliant:
            self.compliant_refused[refusal.limit] += 1

    @property
    def over_admitted(self) -> int:
        """Return how many requests were let through beyond a burst or a quota."""
        return self.over_burst + self.over_quota

    def most_in_a_second(self) -> float:
        """Return the most that any account got through in any true second, in bursts of its tier."""
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
    """Return when the makers of changes were told that they are felt, which this verdict on a later request is not."""
    return (told_us for made_us, told_us in account.changes if told_us <= arrived_us and principal.truly_us < made_us)


def _most(times: list[int]) -> int:
    ordered = sorted(times)
    return max(bisect_left(ordered, at_us + S) - first for first, at_us in enumerate(ordered))
