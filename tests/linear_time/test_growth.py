"""The measurement distinguishes quadratic from linear growth."""

import re

from tests.linear_time.growth import grows_faster_than_linearly

QUADRATIC = re.compile(r"\s*bearer(?:\s+(\S.*?))?\s*", re.IGNORECASE | re.DOTALL)


def test_quadratic_expression_is_detected() -> None:
    """The measurement detects an expression that once parsed the Authorization header in quadratic time."""
    times_ns = grows_faster_than_linearly(QUADRATIC.fullmatch, lambda n: f"Bearer x{' ' * n}x\0", 500)
    assert len(times_ns) == 4


def test_linear_expression_passes() -> None:
    """An expression that takes linear time passes, even if it is slow."""
    assert grows_faster_than_linearly(lambda text: text.split(" ") * 50, lambda n: "a " * n, 4_000) == []
