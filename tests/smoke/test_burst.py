"""The expected responses to concurrent requests depend on how many functions the account can run concurrently."""

from collections.abc import Callable

import pytest

from infra.local_gateway.response import Response
from infra.smoke import burst
from infra.smoke.outcomes import DIFFERS, LEFT_OUT
from infra.smoke.run import Run

NAME = "only 200 and 429 during a volley"


def judge_statuses(run: Run, statuses: list[int], runs_at_once: int | None) -> list[str]:
    """Return the state of the check that no response has a status other than 200 and 429."""
    burst.judge(run, 1, burst.Volley([Response(status, [], b"") for status in statuses], 2), runs_at_once)
    return [each.state for each in run.outcomes.found if each.check == NAME and each.state in (DIFFERS, LEFT_OUT)]


@pytest.mark.parametrize(
    ("statuses", "runs_at_once", "states"),
    [
        ([200, 500, 429], 10, [LEFT_OUT]),
        ([200, 500, 429], 1_000, [DIFFERS]),
        ([200, 500, 429], None, [DIFFERS]),
        ([200, 500, 404], 10, [DIFFERS]),
        ([200, 0], 10, [DIFFERS]),
        ([200, 429], 10, []),
    ],
)
def test_5xx_responses_are_expected_with_a_low_concurrency_limit(
    quiet_run: Callable[..., Run], statuses: list[int], runs_at_once: int | None, states: list[str]
) -> None:
    """With a concurrency limit of 10, as in a new account, 5xx responses are expected; otherwise they are a
    difference.
    """
    assert judge_statuses(quiet_run(), statuses, runs_at_once) == states
