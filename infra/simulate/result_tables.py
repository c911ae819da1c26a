"""Format the simulation's results as tables for docs/scale.md."""

from collections.abc import Mapping
from dataclasses import replace

from infra.costs import requests
from infra.simulate import assumptions, ceilings, scales
from infra.simulate.markdown import ms, part, table
from infra.simulate.play import Outcome
from infra.simulate.scenario import Scenario

Outcomes = Mapping[Scenario, Outcome]
MONTH_S = 30 * 24 * 3_600


def exactness(outcomes: Outcomes) -> str:
    """Return the table of over-admissions, missed changes and rejections of compliant callers, for each rate."""
    rows = []
    for agree, differ in _ladder(outcomes):
        judges = [outcome.judge for outcome in (agree, differ)]
        rows.append(
            (
                f"{agree.scenario.rate:,}",
                f"{sum(judge.asked for judge in judges):,}",
                f"{agree.accounts:,}",
                f"{agree.functions:,}",
                f"{sum(judge.over_admitted for judge in judges)}",
                f"{sum(judge.missed_changes for judge in judges)}",
                *(part(sum(judge.compliant_refused.values()), judge.compliant) for judge in judges),
                *(f"{judge.most_in_a_second():.1f}" for judge in judges),
            )
        )
    return table(
        (
            "requests/s",
            "simulated, both times",
            "accounts",
            "functions",
            "over-admitted",
            "changes missed",
            "compliant rejected",
            "the same, clocks differ",
            "most in a true second",
            "the same, clocks differ",
        ),
        rows,
    )


def latency(outcomes: Outcomes) -> str:
    """Return the table of latencies and writes for each rate."""
    rows = [
        (
            f"{agree.scenario.rate:,}",
            f"{writes_each(agree):.2f}",
            part(agree.table.throttled, agree.table.calls),
            *(ms(agree.admissions_us, percent) for percent in (50, 99, 99.9)),
            *(ms(agree.answers_us, percent) for percent in (50, 99)),
        )
        for agree, _ in _ladder(outcomes)
    ]
    return table(
        (
            "requests/s",
            "writes a request",
            "throttled",
            "admission p50 (ms)",
            "p99",
            "p99.9",
            "response p50 (ms)",
            "p99",
        ),
        rows,
    )


def costs(outcomes: Outcomes) -> str:
    """Return the table of costs for each rate, by AWS service."""
    rows = []
    for agree, _ in _ladder(outcomes):
        million = requests.per_million(_shape(agree))
        month = sum(million.values()) * agree.scenario.rate * MONTH_S / 1e6
        cells = (f"{cost:.2f}" for cost in (*million.values(), sum(million.values())))
        rows.append((f"{agree.scenario.rate:,}", *cells, f"{month:,.0f}"))
    names = tuple(requests.per_million(_shape(outcomes[scales.CLOCKS_AGREE[0]])))
    return table(("requests/s", *names, "a million", "a month"), rows)


def limits(outcomes: Outcomes) -> str:
    """Return the table of the AWS quotas that each rate needs."""
    rows = []
    for agree, _ in _ladder(outcomes):
        each_s = sum(agree.answers_us) / len(agree.answers_us) / assumptions.S
        need = ceilings.need(agree.scenario.rate, seconds_each=each_s, writes_each=writes_each(agree))
        numbers = (need.rate, need.concurrent, need.concurrency, need.grows_s, need.writes_s, need.partitions)
        rows.append((*(f"{number:,}" for number in numbers), ", ".join(need.binds()) or "nothing"))
    return table(
        (
            "requests/s",
            "concurrent requests",
            "Lambda concurrency quota",
            "seconds to scale up from zero",
            "writes/s",
            "partitions",
            "exceeded defaults",
        ),
        rows,
    )


def hot(outcomes: Outcomes) -> str:
    """Return the table of the scenarios in which one account sends all requests."""
    rows = []
    for functions, scenarios in scales.HOT_ACCOUNTS.items():
        for outcome in (outcomes[scenario] for scenario in scenarios):
            judge = outcome.judge
            rows.append(
                (
                    _asked(outcome.scenario),
                    functions,
                    f"{judge.over_admitted}",
                    f"{judge.granted / outcome.scenario.seconds:,.0f}",
                    f"{outcome.table.units / outcome.scenario.seconds:,.0f}",
                    f"{outcome.table.calls / judge.asked:.2f}",
                    part(judge.refused["throttled"], judge.asked),
                    part(judge.refused["burst"], judge.asked),
                    f"{judge.late_changes} ({judge.latest_change_us // assumptions.MS} ms)",
                )
            )
    return table(
        (
            "requests/s",
            "functions",
            "over-admitted",
            "admitted/s",
            "units/s",
            "writes a request",
            "429: throttled",
            "429: burst",
            "after a change, from a lease",
        ),
        rows,
    )


def _asked(scenario: Scenario) -> str:
    changed = f", {scenario.changes} changes" if scenario.changes else ""
    return f"{scenario.rate:,}{changed}"


def rough(outcomes: Outcomes) -> str:
    """Return the table of the scenarios with faults."""
    rows = []
    for name, scenario in scales.ROUGH.items():
        outcome = outcomes[scenario]
        judge = outcome.judge
        rows.append(
            (
                name,
                f"{judge.over_admitted}",
                f"{judge.unasked:,}",
                f"{outcome.turned_away:,}",
                *(part(judge.compliant_refused[limit], judge.compliant) for limit in ("burst", "throttled")),
                f"{outcome.table.calls / judge.asked:.2f}",
                ms(outcome.answers_us, 99),
            )
        )
    return table(
        (
            "scenario",
            "over-admitted",
            "admitted uncounted",
            "rejected by Lambda",
            "compliant rejected: burst",
            "compliant rejected: throttled",
            "writes a request",
            "response p99 (ms)",
        ),
        rows,
    )


def _shape(outcome: Outcome) -> requests.Shape:
    """Return what one request consumes on average, including a share of the authorizer's invocations.

    The authorizer runs once every 300 s for each key.
    """
    asked_s = outcome.judge.compliant / outcome.scenario.seconds
    authorizers = outcome.accounts / assumptions.CACHED_S / asked_s
    busy, many = requests.SHAPES["busy"], requests.SHAPES["many"]
    return replace(
        busy,
        name=outcome.scenario.name,
        invocations=1 + authorizers,
        gb_seconds=busy.gb_seconds + authorizers * (many.gb_seconds - busy.gb_seconds),
        write_units=writes_each(outcome),
        read_units=authorizers * many.read_units,
        line_bytes=busy.line_bytes + authorizers * (many.line_bytes - busy.line_bytes),
        traced=requests.traced_at(asked_s),
    )


def writes_each(outcome: Outcome) -> float:
    """Return the average number of writes for a compliant request."""
    return outcome.writes / max(1, len(outcome.admissions_us))


def _ladder(outcomes: Outcomes) -> list[tuple[Outcome, Outcome]]:
    pairs = zip(scales.CLOCKS_AGREE, scales.CLOCKS_DIFFER, strict=True)
    return [(outcomes[agree], outcomes[differ]) for agree, differ in pairs]
