"""A first deployment that fails at any call is completed by a second deployment from another checkout.

Each call fails once before it takes effect, and once afterwards, so that only its response is lost. Only the first and
the last call of each kind fail, because the calls between them do the same for other functions.
"""

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests

from chalicelib.core import clock
from infra import lock
from tests.deploy.checkout import Checkout, Done, copied
from tests.deploy.cloud import Cloud, Failure, serving

PARTS = 4
"""The number of tests among which the calls are divided, so that they run in parallel."""


@dataclass
class Rig:
    """An account, a checkout from which tests deploy into it, and the resources after a successful deployment."""

    cloud: Cloud
    checkout: Checkout
    whole: object = None
    calls: tuple[int, ...] = ()
    """The numbers of the calls that fail, one in each deployment."""
    ahead_s: int = 0
    """The number of seconds by which the clock is ahead. It increases with each deployment."""

    def forget(self) -> None:
        """Delete Chalice's record, which another checkout wouldn't have."""
        shutil.rmtree(self.checkout.path / ".chalice" / "deployed", ignore_errors=True)

    def empty(self) -> None:
        """Delete everything in the account, and Chalice's record."""
        requests.post(f"{self.cloud.behind}/moto-api/reset", timeout=30).raise_for_status()
        self.cloud.formations.clear()
        self.cloud.dashboards.clear()
        self.cloud.changes.clear()
        self.forget()

    def deploys(self) -> Done:
        """Deploy without Chalice's record, when the lock of an earlier deployment has expired."""
        self.forget()
        self.ahead_s += lock.HELD_S + 1
        with clock.use_wall_clock(lambda: time.time_ns() // 1_000_000 + self.ahead_s * 1000):
            return self.checkout.run("deploy", "dev")

    def fails(self, failure: Failure) -> Done:
        """Deploy while one call fails."""
        self.cloud.fails = failure
        done = self.deploys()
        self.cloud.fails = None
        return done

    def there(self) -> object:
        """Return the names and numbers of a stage's resources."""
        cloud = self.cloud
        mappings = cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        (api,) = cloud.apis()
        stage = cloud.client("apigateway").get_stage(restApiId=api, stageName="api")
        return (
            sorted(cloud.functions()),
            [mapping["FunctionArn"] for mapping in mappings],
            sorted(rule["Name"] for rule in cloud.client("events").list_rules()["Rules"]),
            {rule: self._targets(rule) for rule in ("latchkey-dev-minute-event", "latchkey-dev-hour-event")},
            sorted(self._permissions(name) for name in cloud.functions()),
            stage["methodSettings"]["*/*"]["throttlingRateLimit"],
            "destinationArn" in stage["accessLogSettings"],
            {name: sorted(stack.made) for name, stack in cloud.formation().stacks.items()},
            cloud.formation().stacks["latchkey-dev-data"].protected,
            cloud.client("ssm").get_parameter(Name="/latchkey/dev/key")["Parameter"]["Version"],
            cloud.client("dynamodb").scan(TableName="latchkey-dev-tickets")["Count"],
        )

    def _targets(self, rule: str) -> int:
        return len(self.cloud.client("events").list_targets_by_rule(Rule=rule)["Targets"])

    def _permissions(self, function: str) -> int:
        functions = self.cloud.client("lambda")
        try:
            return int(functions.get_policy(FunctionName=function)["Policy"].count('"Sid"'))
        except functions.exceptions.ResourceNotFoundException:
            return 0


def first_and_last(calls: list[str]) -> tuple[int, ...]:
    """Return the numbers, from 1, of the first and the last call of each type, ignoring names of functions and APIs."""
    kinds = [re.sub(r"latchkey-dev[-\w]*|(?<=/restapis/)\w+|arn:[^/]*", "*", call) for call in calls]
    return tuple(
        sorted({edge for kind in kinds for edge in (kinds.index(kind) + 1, len(kinds) - kinds[::-1].index(kind))})
    )


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """An account that is emptied before each deployment."""
    with serving() as cloud:
        made = Rig(cloud, copied(tmp_path_factory.mktemp("checkout"), is_light=True, **cloud.environment))
        made.checkout.succeeds("deploy", "dev")
        made.whole, made.calls = made.there(), first_and_last(cloud.changes)
        yield made


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(part, marks=[pytest.mark.xdist_group(f"repeated-{part}"), *[pytest.mark.exhaustive] * (part > 0)])
        for part in range(PARTS)
    ],
)
def test_deployment_that_failed_at_any_call_is_completed(rig: Rig, part: int) -> None:
    """Whichever call fails, the second deployment creates all resources once and isn't blocked by the lock."""
    assert len(rig.calls) > 20
    for number in rig.calls[part::PARTS]:
        rig.empty()
        first = rig.fails(Failure(number, is_done=False))
        call = rig.cloud.changes[number - 1].partition(" ")[2]
        second = rig.fails(Failure(re.sub("/restapis/.*", "/restapis", call), is_done=True))
        again = rig.deploys()
        told = (number, call, first.error, second.error, again.said, again.error)
        assert first.status == 1 or call == "DeleteItem", told
        assert again.status == 0, told
        assert rig.there() == rig.whole, told
