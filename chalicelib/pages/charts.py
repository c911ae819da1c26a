"""The geometry of a usage chart: bars in an SVG of fixed size. The page also shows the numbers in a table."""

from dataclasses import dataclass

WIDTH, HEIGHT = 720, 160
GAP = 2


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: the admitted requests, with the rejected ones on top."""

    x: float
    width: float
    used_y: float
    used_height: float
    rejected_y: float
    rejected_height: float
    title: str


def bars(values: list[tuple[str, int, int]]) -> tuple[list[Bar], int]:
    """Return the bars for `values`, which are (title, admitted, rejected) from left to right, and the number of
    requests at the top edge of the chart.
    """
    top = _round_up(max((used + rejected for _, used, rejected in values), default=0))
    step = WIDTH / max(1, len(values))
    return [_bar(at, step, top, *value) for at, value in enumerate(values)], top


def _bar(at: int, step: float, top: int, title: str, used: int, rejected: int) -> Bar:
    used_height = round(HEIGHT * used / top, 1)
    rejected_height = round(HEIGHT * rejected / top, 1)
    return Bar(
        x=round(at * step + GAP / 2, 1),
        width=round(step - GAP, 1),
        used_y=round(HEIGHT - used_height, 1),
        used_height=used_height,
        rejected_y=round(HEIGHT - used_height - rejected_height, 1),
        rejected_height=rejected_height,
        title=title,
    )


def _round_up(number: int) -> int:
    """Return the smallest round number that is at least `number`. If the result is 10 or more, it is even, because the
    chart also labels half of it.
    """
    power = 1
    while True:
        for tenths in (10, 12, 16, 20, 30, 40, 50, 60, 80):
            step = tenths * power // 10
            if step >= max(1, number):
                return step
        power *= 10
