"""Format Markdown tables and the numbers in them."""

from collections.abc import Sequence

from infra.simulate import assumptions


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = True) -> str:
    """Return a Markdown table; the columns after the first are right-aligned if they hold numbers."""
    rule = ("---:" if numbers else "---",) * (len(heads) - 1)
    return "".join(f"| {' | '.join(row)} |\n" for row in (heads, ("---", *rule), *rows))


def ms(ordered_us: Sequence[int], percent: float) -> str:
    """Return a percentile of sorted durations, in milliseconds."""
    at = min(len(ordered_us) - 1, int(len(ordered_us) * percent / 100))
    return f"{ordered_us[at] / assumptions.MS:.0f}"


def part(some: int, every: int) -> str:
    """Return a count and its total in the form "1 of 2"."""
    return f"{some:,} of {every:,}"
