"""Which scopes a key could do without, by what it has used in 30 days; and whether that is all it has used.

Nothing is promised that the counters can't say: an hour that doesn't name every route, a young key, or one whose
predecessor was in use within the 30 days, make the record incomplete.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chalicelib.core import clock
from chalicelib.credentials import scopes
from chalicelib.limits.recorded_usage import route_name
from chalicelib.limits.usage import Used

LOOKED_BACK_S = 30 * clock.DAY_S
YOUNG_S = 7 * clock.DAY_S
"""A job that runs once a week has had its turn after so long."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What a key has used of what it may."""

    used: list[str]
    unused: list[str]
    routes: list[str]
    complete: bool

    @property
    def narrower(self) -> bool:
        """Tell whether the key can be narrowed to what it used, as far as anybody knows."""
        return self.complete and bool(self.used) and bool(self.unused)


def advise(
    held: Iterable[str], used: Used, by_route: Mapping[str, Iterable[str]], *, age_s: int, rotated: bool
) -> Advice:
    """Return what a key that has the scopes `held` has used; `by_route` are the scopes that each route asks for.

    `rotated` says that it took over from another key.
    """
    routes = sorted(route for route in by_route if route_name(route) in used.routes)
    needed = {scope for route in routes for scope in by_route[route]}
    # A route that the app doesn't have any more may have needed any of them.
    explained = used.routes <= {route_name(route) for route in routes}
    return Advice(
        used=scopes.in_order(needed.intersection(held)),
        unused=scopes.in_order(set(held) - needed),
        routes=routes,
        complete=used.complete and explained and age_s >= (LOOKED_BACK_S if rotated else YOUNG_S),
    )
