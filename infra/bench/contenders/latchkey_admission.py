"""Latchkey's limit decision by itself: quota, burst and staleness judged and counted.

As a Pro account, since the decisions that it is measured against judge an hourly and a one-second limit too. Spread
over so many accounts that none comes near its 200 a second or 10,000 an hour.
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
    """Serve admissions."""
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
