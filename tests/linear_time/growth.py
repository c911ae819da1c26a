"""Measure how the CPU time of a function grows with its input, at n, 2n, 4n and 8n, without a limit in seconds."""

import gc
import time
from collections.abc import Callable

TIMES = 8
FACTOR = 2.5
"""The tolerated ratio to linear growth, which is eightfold from n to 8n; quadratic growth is 64-fold."""
LEAST_NS = 2_000_000
"""Shorter times aren't judged, because they vary at random and are harmless."""
ROUNDS = 3
TRIES = 4


def measure_ns(work: Callable[[str], object], text: str, *, rounds: int = ROUNDS) -> int:
    """Return the least CPU time of this thread over a few runs, because other load can only increase it."""
    best = 0
    for _ in range(rounds):
        started = time.thread_time_ns()
        work(text)
        spent = time.thread_time_ns() - started
        best = min(best, spent) if best else spent
    return best


def grows_faster_than_linearly(work: Callable[[str], object], text_of: Callable[[int], str], n: int) -> list[int]:
    """Return the times at n, 2n, 4n and 8n of the last attempt if all attempts grow too fast, otherwise [].

    A busy machine may spoil one measurement, but not all of them.
    """
    texts = [text_of(n * times) for times in (1, 2, 4, TIMES)]
    times_ns: list[int] = []
    gc.disable()
    try:
        # One run of the longest input takes at least as long as the fastest of several, so if it passes, the
        # loop below would pass, too.
        longest_ns = measure_ns(work, texts[-1], rounds=1)
        if longest_ns < LEAST_NS or longest_ns <= FACTOR * TIMES * max(measure_ns(work, texts[0]), 1):
            return []
        for _ in range(TRIES):
            times_ns = [measure_ns(work, text) for text in texts]
            if times_ns[-1] < LEAST_NS or times_ns[-1] <= FACTOR * TIMES * max(times_ns[0], 1):
                return []
    finally:
        gc.enable()
    return times_ns
