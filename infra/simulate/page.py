"""The tables of docs/scale.md: what was simulated, and what follows from it and from the prices."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from infra import costs
from infra.simulate import assumptions, ceilings, scales
from infra.simulate.play import Outcome
from infra.simulate.scenario import Scenario

Outcomes = Mapping[Scenario, Outcome]
MONTH_S = 30 * 24 * 3_600
_BEGIN, _END = "<!-- simulate: {} -->\n", "<!-- /simulate -->"


def blocks(outcomes: Outcomes) -> dict[str, str]:
    """Return every block of the page by its name."""
    return told() | {
        "exactness": _exactness(outcomes),
        "latency": _latency(outcomes),
        "costs": _costs(outcomes),
        "limits": _limits(outcomes),
        "hot": _hot(outcomes),
        "rough": _rough(outcomes),
    }


def told() -> dict[str, str]:
    """Return the blocks that follow from what the simulation is told, not from playing it."""
    return {"defaults": _defaults(), "assumptions": _assumptions()}


def rewritten(page: str, written: Mapping[str, str]) -> str:
    """Return the page with its blocks written anew. Raises ValueError when it lacks one."""
    for name, block in written.items():
        before, begin, rest = page.partition(_BEGIN.format(name))
        _, end, after = rest.partition(_END)
        if not begin or not end:
            raise ValueError(f"docs/scale.md has no place for {name!r}")
        page = before + begin + block + end + after
    return page


def _exactness(outcomes: Outcomes) -> str:
    rows = []
    for agree, differ in _ladder(outcomes):
        verdicts = [outcome.judge for outcome in (agree, differ)]
        rows.append(
            (
                f"{agree.scenario.rate:,}",
                f"{sum(principal.asked for principal in verdicts):,}",
                f"{agree.accounts:,}",
                f"{agree.functions:,}",
                f"{sum(principal.over_admitted for principal in verdicts)}",
                f"{sum(principal.missed_changes for principal in verdicts)}",
                *(_part(sum(principal.compliant_refused.values()), principal.compliant) for principal in verdicts),
                *(f"{principal.most_in_a_second():.1f}" for principal in verdicts),
            )
        )
    return table(
        (
            "requests/s",
            "played, both times",
            "accounts",
            "functions",
            "over-admitted",
            "changes missed",
            "compliant refused",
            "the same, clocks differ",
            "most in a true second",
            "the same, clocks differ",
        ),
        rows,
    )


def _latency(outcomes: Outcomes) -> str:
    rows = [
        (
            f"{agree.scenario.rate:,}",
            f"{writes_each(agree):.2f}",
            _part(agree.table.throttled, agree.table.calls),
            *(_ms(agree.admissions_us, percent) for percent in (50, 99, 99.9)),
            *(_ms(agree.answers_us, percent) for percent in (50, 99)),
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
            "answer p50 (ms)",
            "p99",
        ),
        rows,
    )


def _costs(outcomes: Outcomes) -> str:
    rows = []
    for agree, _ in _ladder(outcomes):
        million = costs.per_million(_shape(agree))
        month = sum(million.values()) * agree.scenario.rate * MONTH_S / 1e6
        cells = (f"{cost:.2f}" for cost in (*million.values(), sum(million.values())))
        rows.append((f"{agree.scenario.rate:,}", *cells, f"{month:,.0f}"))
    names = tuple(costs.per_million(_shape(outcomes[scales.CLOCKS_AGREE[0]])))
    return table(("requests/s", *names, "a million", "a month"), rows)


def _limits(outcomes: Outcomes) -> str:
    rows = []
    for agree, _ in _ladder(outcomes):
        each_s = sum(agree.answers_us) / len(agree.answers_us) / assumptions.S
        need = ceilings.need(agree.scenario.rate, seconds_each=each_s, writes_each=writes_each(agree))
        numbers = (need.rate, need.concurrent, need.concurrency, need.grows_s, need.writes_s, need.partitions)
        rows.append((*(f"{number:,}" for number in numbers), ", ".join(need.binds()) or "nothing"))
    return table(
        (
            "requests/s",
            "at work at once",
            "Lambda concurrency to have",
            "seconds to grow from nothing",
            "writes/s",
            "partitions",
            "beyond its default",
        ),
        rows,
    )


def _hot(outcomes: Outcomes) -> str:
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
                    _part(judge.refused["throttled"], judge.asked),
                    _part(judge.refused["burst"], judge.asked),
                    f"{judge.late_changes} ({judge.latest_change_us // assumptions.MS} ms)",
                )
            )
    return table(
        (
            "asked/s",
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


def _rough(outcomes: Outcomes) -> str:
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
                *(_part(judge.compliant_refused[limit], judge.compliant) for limit in ("burst", "throttled")),
                f"{outcome.table.calls / judge.asked:.2f}",
                _ms(outcome.answers_us, 99),
            )
        )
    return table(
        (
            "what",
            "over-admitted",
            "passed uncounted",
            "turned away by Lambda",
            "compliant refused: burst",
            "compliant refused: throttled",
            "writes a request",
            "answer p99 (ms)",
        ),
        rows,
    )


def _defaults() -> str:
    rows = (
        (
            "gateway: the stage's throttle, set by `make deploy`",
            f"{ceilings.STAGE_REQUESTS_S:,} requests/s, burst {ceilings.STAGE_BURST:,}",
            "stage",
            "`RATE_LIMIT` and `BURST_LIMIT` in `infra/deploy/gateway_stage.py`",
        ),
        (
            "API Gateway: requests",
            f"{ceilings.GATEWAY_REQUESTS_S:,} requests/s, burst {ceilings.GATEWAY_BURST:,}",
            "AWS account and region",
            "Service Quotas",
        ),
        ("API Gateway: waits for a function", f"{ceilings.GATEWAY_TIMEOUT_S} s", "request", "Service Quotas"),
        (
            "Lambda: concurrency",
            f"{ceilings.LAMBDA_CONCURRENCY:,}, and {ceilings.LAMBDA_REQUESTS_S_EACH} requests/s for each of them",
            "AWS account and region",
            "Service Quotas",
        ),
        (
            "Lambda: growth",
            f"{ceilings.LAMBDA_GROWS:,} environments, and what they may serve, in {ceilings.LAMBDA_GROWS_IN_S} s",
            "function",
            "no; provisioned concurrency goes before it",
        ),
        (
            "DynamoDB: a partition, and so an item",
            f"{ceilings.PARTITION_WRITES_S:,} write and {ceilings.PARTITION_READS_S:,} read units/s",
            "partition",
            "never",
        ),
        (
            "DynamoDB: what a new table takes at once",
            f"{ceilings.NEW_TABLE_WRITES_S:,} write units/s, later twice its last peak",
            "table",
            "warm throughput",
        ),
        ("DynamoDB: an on-demand table", f"{ceilings.TABLE_WRITES_S:,} write units/s", "table", "Service Quotas"),
    )
    return table(("limit", "default", "for each", "raised by"), rows, numbers=False)


def _assumptions() -> str:
    off_ms = assumptions.CLOCKS_AGREE_MS, assumptions.CLOCKS_DIFFER_MS
    edge_ms, view_ms = assumptions.EDGE_MS, assumptions.VIEW_MS
    lost = _each(assumptions.LOST_BEFORE)
    rows = (
        ("a call to DynamoDB", _spread(assumptions.ROUND_TRIP)),
        ("a cold start", _spread(assumptions.COLD_START)),
        ("a function's work before and after the admission", f"{edge_ms} ms and {view_ms} ms"),
        ("requests arrive late by", f"{assumptions.CLIENT_JITTER_MS} ms on average"),
        ("calls that are lost, or whose answer is, or that get a 5xx", f"{lost} of each kind"),
        ("functions that end after a request", _each(assumptions.FUNCTION_ENDS)),
        ("clocks that are set anew after a request", _each(assumptions.CLOCK_SET)),
        ("clocks are off by up to", f"{off_ms[0]} ms either way where they agree, {off_ms[1]:,} ms where they differ"),
        ("a partition takes", f"{ceilings.PARTITION_WRITES_S:,} write units a second, and keeps none for later"),
    )
    return table(("assumed", "as"), rows, numbers=False)


def _shape(outcome: Outcome) -> costs.Shape:
    """Return what one request costs: its own, and its share of the authorizer, which is asked once in 300 s and key."""
    asked_s = outcome.judge.compliant / outcome.scenario.seconds
    authorizers = outcome.accounts / assumptions.CACHED_S / asked_s
    busy, many = costs.SHAPES["busy"], costs.SHAPES["many"]
    return replace(
        busy,
        name=outcome.scenario.name,
        invocations=1 + authorizers,
        gb_seconds=busy.gb_seconds + authorizers * (many.gb_seconds - busy.gb_seconds),
        write_units=writes_each(outcome),
        read_units=authorizers * many.read_units,
        line_bytes=busy.line_bytes + authorizers * (many.line_bytes - busy.line_bytes),
        traced=costs.traced_at(asked_s),
    )


def writes_each(outcome: Outcome) -> float:
    """Return how many writes a compliant request took on average."""
    return outcome.writes / max(1, len(outcome.admissions_us))


def _ladder(outcomes: Outcomes) -> list[tuple[Outcome, Outcome]]:
    pairs = zip(scales.CLOCKS_AGREE, scales.CLOCKS_DIFFER, strict=True)
    return [(outcomes[agree], outcomes[differ]) for agree, differ in pairs]


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = True) -> str:
    """Return a table in Markdown; the columns after the first hold numbers, or words."""
    rule = ("---:" if numbers else "---",) * (len(heads) - 1)
    return "".join(f"| {' | '.join(row)} |\n" for row in (heads, ("---", *rule), *rows))


def _ms(ordered_us: Sequence[int], percent: float) -> str:
    at = min(len(ordered_us) - 1, int(len(ordered_us) * percent / 100))
    return f"{ordered_us[at] / assumptions.MS:.0f}"


def _part(some: int, every: int) -> str:
    return f"{some:,} of {every:,}"


def _each(chance: float) -> str:
    return f"1 in {round(1 / chance):,}"


def _spread(duration: assumptions.Duration) -> str:
    return f"{duration.median_ms} ms in the median, {duration.p99_ms} ms at p99"
