"""Bar charts: their geometry shows the numbers of the columns."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.pages import charts

_counts = st.integers(min_value=0, max_value=10**9)
_columns = st.lists(st.tuples(_counts, _counts), min_size=1, max_size=31)


def add_titles(columns: list[tuple[int, int]]) -> list[tuple[str, int, int]]:
    """Return columns with a unique title for each."""
    return [(str(at), used, refused) for at, (used, refused) in enumerate(columns)]


@given(_columns)
def test_heights_of_bars_are_proportional(columns: list[tuple[int, int]]) -> None:
    """The height of each part of a bar is its share of the chart's maximum, and the parts are stacked within
    the plot.
    """
    bars, top = charts.bars(add_titles(columns))
    for (used, refused), bar in zip(columns, bars, strict=True):
        assert abs(bar.used_height - charts.HEIGHT * used / top) <= 0.051
        assert abs(bar.rejected_height - charts.HEIGHT * refused / top) <= 0.051
        assert abs(bar.used_y + bar.used_height - charts.HEIGHT) < 0.01
        assert abs(bar.rejected_y + bar.rejected_height - bar.used_y) < 0.101
        assert -0.11 <= bar.rejected_y <= bar.used_y <= charts.HEIGHT


@given(_columns)
def test_bars_are_in_order_without_overlap(columns: list[tuple[int, int]]) -> None:
    """Bars are in the order of the columns, don't overlap, stay within the plot, and have the titles of their
    columns.
    """
    bars, _ = charts.bars(add_titles(columns))
    assert [bar.title for bar in bars] == [str(at) for at in range(len(columns))]
    assert bars[0].x >= 0
    assert bars[-1].x + bars[-1].width <= charts.WIDTH
    for left, right in pairwise(bars):
        assert left.x + left.width <= right.x


@given(_columns)
def test_maximum_is_a_round_number(columns: list[tuple[int, int]]) -> None:
    """The maximum has two digits and zeros, is even from 10 on, and is at most one and a half times the highest
    column.
    """
    _, top = charts.bars(add_titles(columns))
    highest = max(used + refused for used, refused in columns)
    assert len(str(top).rstrip("0")) <= 2
    assert top < 10 or top % 2 == 0
    assert highest <= top <= max(1, 1.5 * highest)


@given(_columns)
def test_coordinates_are_short(columns: list[tuple[int, int]]) -> None:
    """Coordinates have one decimal place, so that a page with many bars stays small."""
    bars, _ = charts.bars(add_titles(columns))
    for bar in bars:
        numbers = (bar.x, bar.width, bar.used_y, bar.used_height, bar.rejected_y, bar.rejected_height)
        assert all(round(number, 1) == number for number in numbers)


def test_chart_without_values_is_empty() -> None:
    """A chart with no columns, or with columns of zero, doesn't divide by zero."""
    assert charts.bars([]) == ([], 1)
    bars, top = charts.bars([("a", 0, 0)])
    assert (top, bars[0].used_height, bars[0].rejected_height) == (1, 0, 0)
