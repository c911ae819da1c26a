"""The burst limit: at most `burst` requests of an account in one burst window, which is one second by default.

The attribute `s<n>` of the hour's counter item counts the requests in burst window n. The limit is part of the
condition of an admission's write, so two functions can't both get the last request.
"""

from collections.abc import Iterable
from itertools import islice

from chalicelib.core import settings
from chalicelib.limits.counter_items import Window

CONDITION = "(attribute_not_exists(#slot) OR #slot < :below)"
SLOTS_KEPT_S = 8
"""How long a burst counter is kept after its window began, because another function's clock may be behind.

The value is the sum of 6 s of clock skew (one clock 3 s fast, one 3 s slow) and 2 s for a retried write.
"""
REMOVED_PER_WRITE = 100
"""The maximum number of burst counters that one write removes. An update expression can have 4 KB, and an hour has up
to 3,600 burst windows. The next write removes more.
"""


def past_slots(names: Iterable[str], window: Window) -> tuple[str, ...]:
    """Return up to 100 of the burst counters in `names` that are too old to be used by a function with any clock."""
    oldest = (window.slot_start - window.hour - SLOTS_KEPT_S) // settings.current().burst_window_s
    past = (name for name in names if name[0] == "s" and name[1:].isdigit() and int(name[1:]) < oldest)
    return tuple(islice(past, REMOVED_PER_WRITE))
