"""Format the results in docs/bench.json as a table for the terminal and as docs/performance.md."""

from collections.abc import Mapping, Sequence
from typing import Any

from infra.bench import results
from infra.bench.rounds import Round
from infra.bench.rows import GROUPS, PROFILE, ROWS, Group, Row

Bench = Mapping[str, Any]

_SIGN = {"<=": "≤", ">=": "≥"}


def table(bench: Bench) -> str:
    """Return a table of all targets for the terminal."""
    lines = [("", "reached", "target", "")]
    for row in ROWS:
        ratio = bench["ratios"].get(row.name)
        if ratio is None:
            lines.append((_plain(row.says), "–", _target(row), f"not measured: {results.missing(row, _found(bench))}"))
        else:
            lines.append((_plain(row.says), _number(ratio["reached"]), _target(row), _outcome(ratio)))
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    return "\n".join(
        f"{says:<{widths[0]}}  {reached:>{widths[1]}}  {target:>{widths[2]}}  {principal}".rstrip()
        for says, reached, target, principal in lines
    )


def page(bench: Bench) -> str:
    """Return the text of docs/performance.md."""
    machine = bench["machine"]
    where = f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}"
    lines = [
        "# Performance",
        "",
        "<!-- written by `make bench` from bench.json; change infra/bench, not this page -->",
        "",
        f"Measured on {bench['date']} by `make bench`: {where}.",
        "Every number is the median of its rounds; for over-admission the maximum. Contenders alternate round by",
        "round, after two warm-up rounds. Those on DynamoDB use the same local engine, the others SQLite in their own",
        "process. CPU is the user and system time of a contender's own process, without the engine's. Latencies and",
        "rates are those of this machine and this engine: DynamoDB responds over a network.",
        *_outdated_lines(bench["versions"]["latchkey"]),
        "",
        "## Targets",
        "",
        "| measurement | reached | target | |",
        "|---|---:|---:|---|",
        *(_target_line(row, bench) for row in ROWS),
        "",
        *(line for group in GROUPS for line in _group_lines(group, bench)),
        *_version_lines(bench["versions"]),
        "`make bench` measures again. It takes some minutes, the first time more, because it installs the libraries.",
        "",
    ]
    return "\n".join(lines)


def _outdated_lines(versions: Mapping[str, str]) -> list[str]:
    """Return a note if the results are from a version of Latchkey that depended on Authlib."""
    if "Authlib" not in versions:
        return []
    return ["", "This measurement includes Authlib, which the product no longer contains."]


def _target_line(row: Row, bench: Bench) -> str:
    ratio = bench["ratios"].get(row.name)
    if ratio is None:
        return f"| {row.says} | – | {_target(row)} | not measured: {results.missing(row, _found(bench))} |"
    return f"| {row.says} | {_number(ratio['reached'])} | {_target(row)} | {_outcome(ratio)} |"


def _group_lines(group: Group, bench: Bench) -> list[str]:
    found = _found(bench).get(group.name)
    if found is None:
        return []
    if group.name == PROFILE:
        return _profile_lines(group, bench)
    lines = [
        f"## {group.says}",
        "",
        _size(bench["rounds"][group.name]),
        "",
        "| contender | operation | per second | p50 ms | p99 ms | CPU µs each | database calls each |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for contender in group.contenders:
        summary = found[contender.name]
        if "not_measured" in summary:
            cells = f"not measured: {summary['not_measured']} | | | |"
        else:
            cells = " | ".join(_cells(summary))
        lines.append(f"| {contender.name} | {contender.says} | {cells} |")
    return [*lines, ""]


def _profile_lines(group: Group, bench: Bench) -> list[str]:
    """Return the table of a profile: how much CPU time each part takes, in percent and in µs.

    The percentages come from the samples. The µs are these percentages of the CPU time measured without profiling.
    """
    found = _found(bench)
    watched = {
        contender.name: found[group.name][contender.name]
        for contender in group.contenders
        if "profile" in found[group.name][contender.name]
        and "cpu_us" in found.get(contender.name, {}).get("latchkey", {})
    }
    whole_us = {name: found[name]["latchkey"]["cpu_us"] for name in watched}
    lines = [
        f"## {group.says}",
        "",
        f"{_size(bench['rounds'][group.name])} The stack is sampled every few milliseconds of CPU. The last row",
        "repeats the requests with stored responses of the database, without waiting. The difference is more than",
        "sockets: a process that slept has cold caches, so its next work takes longer. Libraries that keep data in",
        "memory never wait.",
        "",
        "| part | " + " | ".join(f"{name}: share | CPU µs" for name in watched) + " |",
        "|---|" + "---:|---:|" * len(watched),
    ]
    for part in dict.fromkeys(part for summary in watched.values() for part in summary["profile"]):
        shares = {name: summary["profile"].get(part, 0) for name, summary in watched.items()}
        cells = " | ".join(f"{share:.0%} | {_number(share * whole_us[name])}" for name, share in shares.items())
        lines.append(f"| {part} | {cells} |")
    at_once = " | ".join(f" | {_number(summary['cpu_at_once_us'])}" for summary in watched.values())
    return [*lines, f"| total without waiting |{at_once} |", ""]


def _cells(summary: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        _number(summary["ops_per_s"]),
        _number(summary["p50_us"] / 1e3),
        _number(summary["p99_us"] / 1e3),
        _number(summary["cpu_us"]),
        _number(summary["calls_per_op"]),
    )


def _version_lines(versions: Mapping[str, Mapping[str, str]]) -> list[str]:
    lines = ["## Versions", ""]
    for whose, named in versions.items():
        lines.append(f"- {whose}: " + ", ".join(f"{name} {version}" for name, version in named.items()))
    return [*lines, ""]


def _size(measured: Mapping[str, Sequence[Round]]) -> str:
    """Return the number of rounds and the operations per round as a sentence."""
    rounds = max(measured.values(), key=len)
    sizes = sorted({one["operations"] for one in rounds})
    return f"Rounds: {len(rounds)}, of {' or '.join(f'{size:,}' for size in sizes) or 'no'} operations each."


def _found(bench: Bench) -> results.Summaries:
    found: results.Summaries = bench["contenders"]
    return found


def _target(row: Row) -> str:
    return f"{_SIGN[row.direction]} {row.target:g}"


def _outcome(ratio: Mapping[str, Any]) -> str:
    return "reached" if results.is_met(ratio) else "**missed**"


def _number(value: float | None) -> str:
    """Return a number with about three significant digits, or a dash for None."""
    if value is None:
        return "–"
    if value == int(value) or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _plain(text: str) -> str:
    return text.replace("`", "")
