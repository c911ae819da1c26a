"""Bars for a page: where each stands in an SVG of fixed size. People read the numbers in the table beside it."""

from dataclasses import dataclass

WIDTH, HEIGHT = 720, 160
GAP = 2


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: the admitted part, and on top of it the refused one."""

    x: float
    width: float
    used_y: float
    used_height: float
    refused_y: float
    refused_height: float
    title: str


def bars(values: list[tuple[str, int, int]]) -> tuple[list[Bar], int]:
    """Return the bars of (title, used, refused) from left to right, and the number that the top edge stands for."""
    top = _round_up(max((used + refused for _, used, refused in values), default=0))
    step = WIDTH / max(1, len(values))
    return [_bar(at, step, top, *value) for at, value in enumerate(values)], top


def _bar(at: int, step: float, top: int, title: str, used: int, refused: int) -> Bar:
    used_height = round(HEIGHT * used / top, 1)
    refused_height = round(HEIGHT * refused / top, 1)
    return Bar(
        x=round(at * step + GAP / 2, 1),
        width=round(step - GAP, 1),
        used_y=round(HEIGHT - used_height, 1),
        used_height=used_height,
        refused_y=round(HEIGHT - used_height - refused_height, 1),
        refused_height=refused_height,
        title=title,
    )


def _round_up(number: int) -> int:
    """Return the next number that a person calls round, and half of which is round too, from 10 up."""
    power = 1
    while True:
        for tenths in (10, 12, 16, 20, 30, 40, 50, 60, 80):
            step = tenths * power // 10
            if step >= max(1, number):
                return step
        power *= 10
