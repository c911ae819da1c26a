"""Compute the results from the measured rounds: medians for each contender, and the values that have a target."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from infra.bench.rounds import Measured, Round
from infra.bench.rows import ROWS, Row

Summary = dict[str, Any]
Summaries = dict[str, dict[str, Summary]]


def summaries(measured: Mapping[str, Sequence[Measured]]) -> Summaries:
    """Return the results of all contenders by group: medians of the rounds, or `not_measured` with the reason."""
    return {
        group: {outcome.contender.name: _summary(outcome) for outcome in outcomes}
        for group, outcomes in measured.items()
    }


def raw(measured: Mapping[str, Sequence[Measured]]) -> dict[str, dict[str, list[Round]]]:
    """Return the measurements of every round."""
    return {
        group: {outcome.contender.name: outcome.rounds for outcome in outcomes} for group, outcomes in measured.items()
    }


def ratios(found: Summaries, rows: Sequence[Row] = ROWS) -> dict[str, dict[str, Any]]:
    """Return the value of every row, except for rows with a contender that wasn't measured."""
    reached = {row.name: _reached(row, found) for row in rows}
    return {
        row.name: {"reached": value, "target": row.target, "direction": row.direction}
        for row in rows
        if (value := reached[row.name]) is not None
    }


def missing(row: Row, found: Summaries) -> str:
    """Return the reason why a row has no value."""
    group = found.get(row.group, {})
    for name in (row.contender, row.against):
        if name and "not_measured" in group.get(name, {"not_measured": ""}):
            return f"{name}: {group[name]['not_measured']}" if name in group else "not part of this run"
    return "division by zero"


def is_met(ratio: Mapping[str, Any]) -> bool:
    """Return whether a target was reached."""
    reached, target = float(ratio["reached"]), float(ratio["target"])
    return reached <= target if ratio["direction"] == "<=" else reached >= target


def _reached(row: Row, found: Summaries) -> float | None:
    group = found.get(row.group, {})
    own = group.get(row.contender, {}).get(row.metric)
    if own is None or not row.against:
        return None if own is None else float(own)
    other = group.get(row.against, {}).get(row.metric)
    return round(own / other, 4) if other else None


def _summary(outcome: Measured) -> Summary:
    if outcome.reason:
        return {"not_measured": outcome.reason}
    rounds = outcome.rounds
    summary = {
        "ops_per_s": round(median(one["operations"] / one["wall_ns"] * 1e9 for one in rounds), 1),
        "p50_us": round(median(one["p50_ns"] for one in rounds) / 1e3, 1),
        "p99_us": round(median(one["p99_ns"] for one in rounds) / 1e3, 1),
        "cpu_us": _each(rounds, "cpu_ns", 1e3, digits=1),
        "calls_per_op": _each(rounds, "calls", 1, digits=4),
        "refused": sum(one["refused"] for one in rounds),
    }
    if "over_admitted" in rounds[0]:
        # Report the maximum instead of the median, because over-admissions aren't acceptable in any round.
        summary["over_admitted"] = max(one["over_admitted"] for one in rounds)
        summary["busiest_second"] = max(one["busiest_second"] for one in rounds)
    if "profile" in rounds[0]:
        samples = sum((Counter(one["profile"]) for one in rounds), Counter[str]())
        summary["cpu_at_once_us"] = _each(rounds, "cpu_at_once_ns", 1e3, digits=1)
        summary["profile"] = {part: round(count / samples.total(), 4) for part, count in samples.most_common()}
    return summary


def _each(rounds: Sequence[Round], name: str, unit: float, *, digits: int) -> float | None:
    """Return the median of a measure per operation, None if the contender doesn't report this measure."""
    if any(one[name] is None for one in rounds):
        return None
    each: float = median(one[name] / one["operations"] for one in rounds) / unit
    return round(each, digits)
