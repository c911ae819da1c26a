"""What a volley comes to, by what the account can run at a time."""

from collections.abc import Callable

import pytest

from infra.local_gateway.response import Response
from infra.smoke import burst
from infra.smoke.outcomes import DIFFERS, LEFT_OUT
from infra.smoke.run import Run

NAME = "only 200 and 429 during a volley"


def judged(run: Run, statuses: list[int], runs_at_once: int | None) -> list[str]:
    """Return what came of the check that nothing else was answered."""
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
def test_gateways_errors_are_explained_by_an_account_that_runs_few_functions(
    quiet_run: Callable[..., Run], statuses: list[int], runs_at_once: int | None, states: list[str]
) -> None:
    """A new account often begins with 10; anything else than a 5xx, and any 5xx where there is room, differs."""
    assert judged(quiet_run(), statuses, runs_at_once) == states
