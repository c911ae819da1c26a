"""How the CPU time of something grows with its input: measured at n, 2n, 4n and 8n, without any limit in seconds."""

import gc
import time
from collections.abc import Callable

TIMES = 8
FACTOR = 2.5
"""Eight times the input may take eight times as long by this much more: quadratic is eight times more."""
LEAST_NS = 2_000_000
"""What takes less at its longest can't be told from noise, and costs nobody anything."""
ROUNDS = 3
TRIES = 4


def took_ns(work: Callable[[str], object], text: str, *, rounds: int = ROUNDS) -> int:
    """Return the least CPU time of this thread over a few runs: what else the machine does only ever adds to it."""
    best = 0
    for _ in range(rounds):
        started = time.thread_time_ns()
        work(text)
        spent = time.thread_time_ns() - started
        best = min(best, spent) if best else spent
    return best


def grows_faster_than_linearly(work: Callable[[str], object], text_of: Callable[[int], str], n: int) -> list[int]:
    """Return the times at n, 2n, 4n and 8n when they grow too fast, each time that it was tried; [] when they don't.

    A busy machine may spoil one measurement; nothing but the work itself spoils all of them.
    """
    texts = [text_of(n * times) for times in (1, 2, 4, TIMES)]
    times_ns: list[int] = []
    gc.disable()
    try:
        # One run of the longest is never quicker than the quickest of a few: what passes so would pass below.
        longest_ns = took_ns(work, texts[-1], rounds=1)
        if longest_ns < LEAST_NS or longest_ns <= FACTOR * TIMES * max(took_ns(work, texts[0]), 1):
            return []
        for _ in range(TRIES):
            times_ns = [took_ns(work, text) for text in texts]
            if times_ns[-1] < LEAST_NS or times_ns[-1] <= FACTOR * TIMES * max(times_ns[0], 1):
                return []
    finally:
        gc.enable()
    return times_ns
