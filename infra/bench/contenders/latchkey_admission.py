"""Measure one admission, which checks the quota, the burst limit and the invalidation mark, and counts the request.

The accounts are Pro, because the compared libraries also check an hourly and a one-second limit. There are enough
accounts that none reaches its limit of 200 requests per second or 10,000 per hour.
"""

from chalicelib.core import clock
from chalicelib.limits.admission import Rejected, admit
from chalicelib.limits.counter_items import counter_of
from chalicelib.limits.stale_marks import verified_from
from chalicelib.limits.tiers import PRO
from infra.bench import latchkey
from infra.bench.contender import Work, serve

COUNTER = counter_of("key_benchmark")
SUBJECTS = [f"acc_bench{number:012}" for number in range(latchkey.SUBJECTS)]


def main() -> None:
    """Measure how long one admission takes."""
    verified_at_ms = verified_from(clock.now_ms())

    def operate(number: int) -> bool:
        try:
            admit(SUBJECTS[number % len(SUBJECTS)], PRO, counter=COUNTER, verified_at_ms=verified_at_ms)
        except Rejected:
            return False
        return True

    with latchkey.ready() as calls:
        serve(Work(operate, calls=calls))


if __name__ == "__main__":
    main()
