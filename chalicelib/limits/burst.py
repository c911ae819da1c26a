"""The burst limit: at most `burst` requests of an account in one burst window, one second by default.

The attribute `s<n>` of the hour's counter item counts burst window n. The limit is part of the condition of the
admission's write, so concurrent functions can't both take the last request.
"""

from collections.abc import Iterable
from itertools import islice

from chalicelib.core import settings
from chalicelib.limits.counter_items import Window

CONDITION = "(attribute_not_exists(#slot) OR #slot < :below)"
SLOTS_KEPT_S = 8
"""How far another function's clock may lag and still find its burst window:

6 s of skew (one clock 3 s fast, one 3 s slow), and 2 s for a retried write.
"""
REMOVED_PER_WRITE = 100
"""The maximum number of windows that one write removes: an expression is at most 4 KB, and an hour has up to 3,600
burst windows. The next write removes more.
"""


def past_slots(names: Iterable[str], window: Window) -> tuple[str, ...]:
    """Return the burst counters among `names`, at most 100, that are too old for the clock of any function."""
    oldest = (window.slot_start - window.hour - SLOTS_KEPT_S) // settings.current().burst_window_s
    past = (name for name in names if name[0] == "s" and name[1:].isdigit() and int(name[1:]) < oldest)
    return tuple(islice(past, REMOVED_PER_WRITE))
