"""Find the scopes that a key has not used in 30 days.

The advice says whether the recorded usage is complete. It is incomplete when an hour's counter item omits routes, or
when the key is too young: less than 7 days old, or 30 days if it replaced another key.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chalicelib.core import clock
from chalicelib.credentials import scopes
from chalicelib.limits.recorded_usage import route_name
from chalicelib.limits.usage import Used

PERIOD_S = 30 * clock.DAY_S
YOUNG_S = 7 * clock.DAY_S
"""The minimum age of a key: a weekly job has run once by then."""


@dataclass(frozen=True, slots=True)
class Advice:
    """Used and unused scopes of a key."""

    used: list[str]
    unused: list[str]
    routes: list[str]
    complete: bool

    @property
    def narrower(self) -> bool:
        """Return whether the unused scopes can safely be removed."""
        return self.complete and bool(self.used) and bool(self.unused)


def advise(
    held: Iterable[str], used: Used, by_route: Mapping[str, Iterable[str]], *, age_s: int, rotated: bool
) -> Advice:
    """Return which of the scopes `held` by a key it has used; `by_route` has the scopes that each route requires.

    `rotated` means that the key replaced another one.
    """
    routes = sorted(route for route in by_route if route_name(route) in used.routes)
    needed = {scope for route in routes for scope in by_route[route]}
    # The key may have used a route that no longer exists, whose scopes are unknown.
    explained = used.routes <= {route_name(route) for route in routes}
    return Advice(
        used=scopes.in_order(needed.intersection(held)),
        unused=scopes.in_order(set(held) - needed),
        routes=routes,
        complete=used.complete and explained and age_s >= (PERIOD_S if rotated else YOUNG_S),
    )
