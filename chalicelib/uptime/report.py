"""Build the status page from the current states, the last 90 days, and the incidents. It also works while the database
is down.

The last report is cached for some seconds, to limit the load on the database. While the database is down, the last
report is shown until this process ends. A failed read is also cached for some seconds, so that not every request has to
wait for the database.
"""

from dataclasses import dataclass, field, replace

from pynamodb.exceptions import PynamoDBException

from chalicelib.core import clock
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import DynamoDBError
from chalicelib.core.process_cache import ProcessCache
from chalicelib.uptime import days, incidents
from chalicelib.uptime.states import COMPONENTS, DEGRADED, DOWN, PARTLY_CHECKED, UNKNOWN, UP
from chalicelib.uptime.tables import Status

CACHE_MS = 15_000
OUTAGE_CACHE_MS = 5_000
FRESH_MINUTES = 5
"""If the last check is older than this, the states are unknown."""
NAMES = {"api": "API", "oauth": "Authorization server", "webhooks": "Webhooks", "database": "Database"}


@dataclass(frozen=True, slots=True)
class Day:
    """One day of one component, in minutes."""

    day: str
    checked: int = 0
    degraded: int = 0
    down: int = 0

    @property
    def state(self) -> str:
        """Return the state of the day. A day is down if the component was down for at least 5 minutes. It is degraded
        if the component was down for at least one minute, or degraded for at least 5.
        """
        if not self.checked:
            return UNKNOWN
        if self.down >= 5:
            return DOWN
        return DEGRADED if self.down or self.degraded >= 5 else UP


@dataclass(frozen=True, slots=True)
class Component:
    """A component of the service."""

    id: str
    state: str
    days: tuple[Day, ...]

    @property
    def name(self) -> str:
        """Return the display name."""
        return NAMES[self.id]

    @property
    def uptime_percent(self) -> float | None:
        """Return the percentage of checked minutes in which the component wasn't down; None if none was checked."""
        checked = sum(day.checked for day in self.days)
        return round(100 - 100 * sum(day.down for day in self.days) / checked, 3) if checked else None


@dataclass(frozen=True, slots=True)
class Report:
    """The complete status page."""

    components: tuple[Component, ...]
    incidents: tuple[Status, ...] = ()
    checked_at_ms: int | None = None
    is_readable: bool = True
    """Whether the history of checks and incidents could be read."""
    read_at_ms: int = field(default=0, compare=False)

    @property
    def state(self) -> str:
        """Return the worst state of any component. If some components are not checked and all others are up, return
        PARTLY_CHECKED.
        """
        states = {component.state for component in self.components}
        if states == {UP, UNKNOWN}:
            return PARTLY_CHECKED
        return next((state for state in (DOWN, DEGRADED, UP) if state in states), UNKNOWN)


_cached: ProcessCache[str, Report] = ProcessCache("uptime.report", 2)
_CURRENT, _OUTAGE = "current", "outage"


def report() -> Report:
    """Return the current report. A database error is not raised: the report then shows the database as down."""
    now_ms = clock.now_ms()
    for name, lifetime_ms in ((_CURRENT, CACHE_MS), (_OUTAGE, OUTAGE_CACHE_MS)):
        cached = _cached.get(name)
        if cached is not None and 0 <= now_ms - cached.read_at_ms < lifetime_ms:
            return cached
    try:
        current = _build(days.newest_first(now_ms // 1000), tuple(incidents.newest_first()), now_ms)
    except (DynamoDBError, PynamoDBException):
        # Read the clock again, because the failed read may have taken seconds.
        _cached[_OUTAGE] = outage = _without_database(clock.now_ms())
        return outage
    _cached[_CURRENT] = current
    return current


def _build(items: list[dynamodb.Json], all_incidents: tuple[Status, ...], now_ms: int) -> Report:
    by_day = {item["at"]["S"]: item for item in items}
    newest = items[0] if items else {}
    last_minute = _number(newest, "last_minute")
    is_fresh = 0 <= now_ms // 60_000 - last_minute <= FRESH_MINUTES
    shown_days = [days.day_of(now_ms // 1000 - ago * clock.DAY_S) for ago in reversed(range(days.DAYS_SHOWN))]
    components = tuple(
        Component(
            name,
            newest.get(f"now_{name}", {"S": UNKNOWN})["S"] if is_fresh else UNKNOWN,
            tuple(_day(day, by_day.get(day, {}), name) for day in shown_days),
        )
        for name in COMPONENTS
    )
    return Report(components, all_incidents, last_minute * 60_000 if last_minute else None, read_at_ms=now_ms)


def _day(day: str, item: dynamodb.Json, name: str) -> Day:
    checked = _number(item, "minutes") - _number(item, f"{name}_{UNKNOWN}")
    return Day(day, checked, _number(item, f"{name}_{DEGRADED}"), _number(item, f"{name}_{DOWN}"))


def _without_database(now_ms: int) -> Report:
    last = _cached.get(_CURRENT) or _build([], (), now_ms)
    components = tuple(replace(each, state=DOWN if each.id == "database" else UNKNOWN) for each in last.components)
    return replace(last, components=components, is_readable=bool(_cached), read_at_ms=now_ms)


def _number(item: dynamodb.Json, name: str) -> int:
    return int(item[name]["N"]) if name in item else 0
