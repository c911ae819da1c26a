"""Find the scopes that a key has not used in 30 days.

The result, an `Advice`, also states whether it is complete. It is incomplete if the record of an hour lacks routes, if
the key used a route that no longer exists, or if the key is too young. A key is too young if it is less than 7 days
old, or less than 30 days if it replaced another key.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chalicelib.core import clock
from chalicelib.credentials import scopes
from chalicelib.limits.recorded_usage import route_name
from chalicelib.limits.usage import Used

PERIOD_S = 30 * clock.DAY_S
YOUNG_S = 7 * clock.DAY_S
"""The minimum age of a key for complete advice, so that a weekly job has used the key once."""


@dataclass(frozen=True, slots=True)
class Advice:
    """The used and unused scopes of a key, and the routes that it used."""

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
    """Return which of a key's scopes the key has used, and which it hasn't.

    `held` are the scopes of the key, and `by_route` maps each route to the scopes that it requires. `rotated` means
    that the key replaced another one.
    """
    routes = sorted(route for route in by_route if route_name(route) in used.routes)
    needed = {scope for route in routes for scope in by_route[route]}
    # If the key used a route that no longer exists, the scopes for it are unknown.
    explained = used.routes <= {route_name(route) for route in routes}
    return Advice(
        used=scopes.in_order(needed.intersection(held)),
        unused=scopes.in_order(set(held) - needed),
        routes=routes,
        complete=used.complete and explained and age_s >= (PERIOD_S if rotated else YOUNG_S),
    )
