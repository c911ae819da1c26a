"""The scenarios of `make simulate`: rates from 1 to 1,000,000 requests a second, and faults."""

from infra.simulate import assumptions, ceilings, clients, functions
from infra.simulate.scenario import Scenario

PLAYED = 10_000
"""The approximate number of simulated requests per rate."""
SECONDS = {1: 600, 10: 120, 100: 40, 1_000: 15, 10_000: 10, 100_000: 10, 1_000_000: 10}
RATES = tuple(SECONDS)

CLOCKS_AGREE = tuple(Scenario(f"{rate} a second", rate, seconds, at_most=PLAYED) for rate, seconds in SECONDS.items())
CLOCKS_DIFFER = tuple(
    Scenario(
        f"{rate} a second, clocks differ",
        rate,
        seconds,
        at_most=PLAYED,
        clocks_off_ms=assumptions.CLOCKS_DIFFER_MS,
    )
    for rate, seconds in SECONDS.items()
)

HOT = {100: 20, 800: 6, 2_000: 4}
"""The duration (s) of the scenarios with one Enterprise account, by its request rate."""
OTHERS_S = 100_000


def _hot(name: str, pick: functions.Pick, beside: int) -> tuple[Scenario, ...]:
    undisturbed = (
        Scenario(f"{rate} {name}", rate, seconds, crowd=clients.hot, pick=pick, beside=beside, changes=0)
        for rate, seconds in HOT.items()
    )
    changed = Scenario(f"800 {name}, changed", 800, HOT[800], crowd=clients.hot, pick=pick, beside=beside, changes=3)
    return (*undisturbed, changed)


HOT_ACCOUNTS = {
    "its own, the most recently used first": _hot("few", functions.latest_idle, 0),
    "its own, any idle function": _hot("any", functions.any_idle, 0),
    f"functions for {OTHERS_S:,}/s, any idle function": _hot("many", functions.any_idle, OTHERS_S),
}
"""The scenarios with a single Enterprise account, by the way in which Lambda selects a function for each request."""

ROUGH = {
    "DynamoDB doesn't respond for 5 s, at 100/s": Scenario("outage", 100, 40, away_s=5),
    "from 0 to 10,000/s, with Lambda's default concurrency": Scenario(
        "rush", 10_000, 1, warm=False, functions_limit=ceilings.LAMBDA_CONCURRENCY
    ),
    "one Free account sends 3,000 requests/s, few functions": Scenario(
        "flood, few functions", 3_000, 3, crowd=clients.flooded, partitions=1
    ),
    f"the same, with {OTHERS_S:,}/s of other traffic": Scenario(
        "flood, many functions", 3_000, 3, crowd=clients.flooded, partitions=1, beside=OTHERS_S
    ),
}

EVERY = (
    *CLOCKS_AGREE,
    *CLOCKS_DIFFER,
    *(scenario for scenarios in HOT_ACCOUNTS.values() for scenario in scenarios),
    *ROUGH.values(),
)
