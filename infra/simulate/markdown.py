"""Markdown tables, and the format of the numbers in them."""

from collections.abc import Sequence

from infra.simulate import assumptions


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = True) -> str:
    """Return a table in Markdown; the columns after the first hold numbers, or words."""
    rule = ("---:" if numbers else "---",) * (len(heads) - 1)
    return "".join(f"| {' | '.join(row)} |\n" for row in (heads, ("---", *rule), *rows))


def ms(ordered_us: Sequence[int], percent: float) -> str:
    """Return a percentile of sorted durations, in milliseconds."""
    at = min(len(ordered_us) - 1, int(len(ordered_us) * percent / 100))
    return f"{ordered_us[at] / assumptions.MS:.0f}"


def part(some: int, every: int) -> str:
    """Return two counts as "1 of 2"."""
    return f"{some:,} of {every:,}"
