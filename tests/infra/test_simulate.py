"""The simulation detects faults and is deterministic, and its table behaves like DynamoDB."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from chalicelib.core import clock, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import ConditionFailed
from chalicelib.limits import fail_open, local_cache, tiers
from infra.simulate import ceilings, clients, expressions, functions, page, scales
from infra.simulate.expression_parser import InvalidError, Item, Names, NotModelledError, Values
from infra.simulate.play import Outcome, play
from infra.simulate.processes import Processes, UnknownStateError
from infra.simulate.scenario import Scenario
from infra.simulate.table import Table
from tests.support.harness import TestApp

PAGE = (Path(__file__).parents[2] / "docs" / "scale.md").read_text()
CROWD = Scenario("crowd", 60, 6, clocks_off_ms=3_000)
HOT = Scenario("hot", 700, 4, crowd=clients.hot, changes=2)


@lru_cache(maxsize=1)
def play_crowd() -> Outcome:
    """Return the outcome of the crowd scenario with a correct table."""
    return play(CROWD)


class Blind(Table):
    """A table whose conditions ignore the attributes that match `unseen`."""

    unseen: str

    def holds(self, condition: str | None, item: Item, names: Names, values: Values) -> bool:
        seen = {name: value for name, value in item.items() if not re.fullmatch(self.unseen, name)}
        return super().holds(condition, seen, names, values)


class BlindToBursts(Blind):
    """A table with which the burst limit never rejects a request."""

    unseen = r"s\d+"


class BlindToQuotas(Blind):
    """A table with which the quota never rejects a request."""

    unseen = "used"


class BlindToChanges(Blind):
    """A table that never reports a request as verified before a change."""

    unseen = "stale_at"


class Forgetful(Table):
    """A table that loses the burst counters of all seconds but the one that was written last."""

    def update(self, request: Any) -> tuple[int, dynamodb.Json | ConditionFailed]:
        response = super().update(request)
        written = request.get("ExpressionAttributeNames", {}).get("#slot")
        for item in self.items.values():
            for name in [name for name in item if re.fullmatch(r"s\d+", name) and name != written]:
                del item[name]
        return response


class Recording(Table):
    """A table that records its requests and responses."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[dict[str, Any], dynamodb.Json | ConditionFailed]] = []

    def update(self, request: Any) -> tuple[int, dynamodb.Json | ConditionFailed]:
        units, response = super().update(request)
        self.asked.append((dict(request), response))
        return units, response


def test_same_seed_gives_the_same_run() -> None:
    """Two runs with the same seed have equal counts and durations."""
    assert play(CROWD) == play_crowd()


def test_another_seed_gives_another_run() -> None:
    """A different seed gives different durations."""
    assert play(replace(CROWD, seed=2)).answers_us != play_crowd().answers_us


def test_crowd_is_admitted_exactly_with_clock_skew() -> None:
    """Quotas and bursts are exhausted but never exceeded, and every change takes effect in time."""
    judge = play_crowd().judge
    assert (judge.over_burst, judge.over_quota, judge.missed_changes) == (0, 0, 0)
    assert judge.refused["burst"] > 100
    assert judge.refused["quota"] > 0


def test_hot_account_is_admitted_exactly_from_leases() -> None:
    """A request that a lease admits counts in the second in which it is admitted, so no limit is exceeded."""
    judge = play(replace(HOT, pick=functions.latest_idle)).judge
    assert judge.leased > 100
    assert (judge.over_admitted, judge.missed_changes) == (0, 0)


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        (BlindToBursts, lambda outcome: outcome.judge.over_burst),
        (BlindToQuotas, lambda outcome: outcome.judge.over_quota),
        (BlindToChanges, lambda outcome: outcome.judge.missed_changes),
        (Forgetful, lambda outcome: outcome.judge.over_burst),
    ],
)
def test_fault_of_the_table_is_found(fault: type[Table], found: Callable[[Outcome], int]) -> None:
    """A table that ignores a condition or loses a counter is reported by the simulation."""
    assert found(play(CROWD, fault())) > 0


def test_partition_throttles_over_its_capacity() -> None:
    """With many functions, rejections alone exceed a partition's write capacity, and the rest is throttled with
    a 429.
    """
    outcome = play(replace(HOT, rate=2_500, seconds=2, beside=100_000, changes=0))
    # The total of rejections is written from time to time, and these writes may be throttled, too.
    assert outcome.table.throttled >= outcome.judge.refused["throttled"] > 1_000
    assert outcome.table.units <= ceilings.PARTITION_WRITES_S * (2 + 2)


def test_lambda_rejects_over_its_concurrency() -> None:
    """A request is rejected if no function is idle and the maximum number of functions is running."""
    outcome = play(replace(CROWD, warm=False, functions_limit=2))
    assert outcome.functions == 2
    assert outcome.turned_away > 0
    assert len(outcome.answers_us) < outcome.judge.compliant


def test_outage_fails_open_and_is_counted_separately() -> None:
    """Requests admitted during an outage are counted separately, and not as exceeding a limit."""
    outcome = play(replace(CROWD, away_s=2))
    assert outcome.judge.unasked > 0
    assert outcome.judge.over_admitted == 0


def test_run_restores_global_state() -> None:
    """A run leaves the clock, the settings and the DynamoDB client unchanged."""
    before = clock.now_ms, settings._current, dynamodb._current_sender, clock._pause
    play(replace(CROWD, seconds=2))
    assert before == (clock.now_ms, settings._current, dynamodb._current_sender, clock._pause)
    assert not local_cache._items


def test_table_responds_like_moto(latchkey: TestApp) -> None:
    """The recorded updates of a crowd and a busy account, including failed conditions, have the same results in
    moto.
    """
    table = Recording()
    play(Scenario("told", 4, 30, clocks_off_ms=3_000), table)
    play(replace(HOT, rate=20, changes=8, clocks_off_ms=3_000), table)
    play(replace(HOT, rate=60, changes=0, pick=functions.latest_idle), table)
    # The other accounts are left out, because they have many similar requests.
    told = ("acc_spender", "acc_pipeline", "acc_hot")
    asked = [each for each in table.asked if each[0]["Key"]["subject"]["S"].startswith(told)]
    for text in ("REMOVE", "ADD stale_at", "SET stale_at", "SET dies_at"):
        assert any(text in request["UpdateExpression"] for request, _ in asked), text
    assert any(isinstance(response, ConditionFailed) for _, response in asked)
    assert any(request["ExpressionAttributeValues"].get(":size", {"N": "1"}) != {"N": "1"} for request, _ in asked)
    for request, response in asked:
        assert _send_to_moto(request) == _describe(response)


def _send_to_moto(request: dict[str, Any]) -> tuple[bool, Item]:
    try:
        return _describe(dynamodb.call("UpdateItem", request | {"TableName": "latchkey-test-windows"}))
    except ConditionFailed as refusal:
        return _describe(refusal)


def _describe(response: dynamodb.Json | ConditionFailed) -> tuple[bool, Item]:
    """Return whether a condition was satisfied, and the item that the update returned."""
    if isinstance(response, ConditionFailed):
        return False, response.item
    return True, response.get("Attributes", {})


ITEM: Item = {"used": {"N": "7"}, "s1": {"N": "2"}}
VALUES = {":seven": {"N": "7"}, ":one": {"N": "1"}}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("used = :seven", True),
        ("used < :seven", False),
        ("used <= :seven", True),
        ("used > :one AND #slot >= :one", True),
        ("absent < :seven", False),
        ("attribute_not_exists(absent) OR absent < :one", True),
        ("attribute_exists(used) AND (used < :one OR #slot < :one)", False),
    ],
)
def test_condition_is_evaluated(text: str, holds: bool) -> None:
    """A comparison with a missing attribute is false, as in DynamoDB."""
    assert expressions.condition(text)(ITEM, {"#slot": "s1"}, VALUES) is holds


def test_update_is_applied_to_the_item_as_it_was() -> None:
    """Every clause of an update uses the values that the item had before the update."""
    update = expressions.update("SET total = used + :one, first = if_not_exists(first, :one) ADD used :one REMOVE s1")
    assert update.apply(ITEM, {}, VALUES) == {"used": {"N": "8"}, "total": {"N": "8"}, "first": {"N": "1"}}


@pytest.mark.parametrize(
    "text", ["begins_with(used, :one)", "used <> :one", "NOT used < :one", "used BETWEEN :one AND :seven", "a.b = :one"]
)
def test_unsupported_condition_stops_the_run(text: str) -> None:
    """A condition that the simulation doesn't support raises an error."""
    with pytest.raises(NotModelledError):
        expressions.condition(text)


@pytest.mark.parametrize("text", ["DELETE used :one", "SET used", "ADD used other", "SET a[0] = :one"])
def test_unsupported_update_stops_the_run(text: str) -> None:
    """An update that the simulation doesn't support raises an error."""
    with pytest.raises(NotModelledError):
        expressions.update(text)


REQUEST = {
    "TableName": "windows",
    "Key": {"subject": {"S": "acc#free"}, "hour": {"N": "0"}},
    "UpdateExpression": "ADD used :one",
    "ExpressionAttributeValues": {":one": {"N": "1"}},
}


@pytest.mark.parametrize(
    "changed",
    [
        {"UpdateExpression": "ADD used :two"},
        {"UpdateExpression": "ADD hour :one"},
        {"UpdateExpression": "ADD used :one, used :one"},
        {"ExpressionAttributeNames": {"#unused": "s1"}},
    ],
)
def test_request_that_dynamodb_would_reject_stops_the_run(changed: dict[str, Any]) -> None:
    """A request that DynamoDB would reject raises an error, because the product must not send it."""
    with pytest.raises(InvalidError):
        Table().update(REQUEST | changed)


def test_request_with_an_unknown_part_stops_the_run() -> None:
    """A request with an unknown field raises an error, because the simulated table may not support the field."""
    with pytest.raises(NotModelledError):
        Table().update(REQUEST | {"ReturnConsumedCapacity": "TOTAL"})


@pytest.fixture
def processes() -> Iterator[Processes]:
    """The separate states of simulated functions; the test's own state is restored afterwards."""
    made = Processes()
    yield made
    made.end()


def test_functions_have_separate_state(processes: Processes) -> None:
    """The fail-open state of one function doesn't affect another function."""
    one, other = processes.new(), processes.new()
    processes.enter(one)
    fail_open.start(0)
    processes.leave(one)
    processes.enter(other)
    assert not fail_open.is_active(1)
    processes.leave(other)
    processes.enter(one)
    assert fail_open.is_active(1)


@pytest.mark.parametrize("state", [lru_cache(str), Event()], ids=["cache", "event"])
def test_state_that_cannot_be_separated_stops_the_run(monkeypatch: pytest.MonkeyPatch, state: object) -> None:
    """State that all functions would share, like a cache, raises an error."""
    monkeypatch.setattr(local_cache, "_more", state, raising=False)
    with pytest.raises(UnknownStateError):
        Processes()


def test_state_that_cannot_be_cleared_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """State that can't be cleared raises an error, because a new process must start without state."""
    monkeypatch.setattr(tiers, "_seen", {}, raising=False)
    with pytest.raises(UnknownStateError, match="tiers keeps _seen"):
        Processes()


def test_constant_that_changes_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A constant that changes during a run raises an error."""
    monkeypatch.setattr(local_cache, "SEEN", [], raising=False)
    processes = Processes()
    local_cache.SEEN.append(1)  # type: ignore[attr-defined]  # planted above
    with pytest.raises(UnknownStateError, match="SEEN"):
        processes.end()


@pytest.mark.parametrize("tier", [tiers.FREE, tiers.PRO, tiers.ENTERPRISE], ids=lambda tier: tier.name)
def test_compliant_client_stays_below_its_burst(tier: tiers.Tier) -> None:
    """A compliant client sends at most 80 % of its burst in any second."""
    sent = list(clients._space_out(iter(range(0, 3_000_000, 100)), tier))
    most = round(clients.KEEPS_UNDER * tier.burst)
    assert all(later - earlier >= 1_000_000 for earlier, later in zip(sent, sent[most:], strict=False))


def test_limits_bind_in_the_order_of_their_defaults() -> None:
    """Concurrency is at least a tenth of the rate, even for short requests, so the stage's throttle is reached
    first.
    """
    assert ceilings.need(1_000, seconds_each=0.01, writes_each=1).binds() == []
    need = ceilings.need(3_000, seconds_each=0.01, writes_each=1)
    assert (need.binds(), need.concurrent, need.concurrency) == (["the stage's throttle"], 30, 300)
    assert ceilings.need(30_000, seconds_each=0.01, writes_each=1).binds()[-1] == "Lambda's concurrency"


def test_page_has_the_simulations_inputs() -> None:
    """docs/scale.md has the inputs of `make simulate`, which must be run after a change of an assumption or a limit."""
    assert page.replace_blocks(PAGE, page.input_blocks()) == PAGE


def test_page_has_every_rate_without_over_admissions() -> None:
    """The table of exactness has a row for every rate, with no request over a limit and no missed change."""
    block = PAGE.partition("<!-- simulate: exactness -->")[2].partition("<!-- /simulate -->")[0]
    heads, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in block.strip().splitlines())
    assert [row[0] for row in rows] == [f"{rate:,}" for rate in scales.RATES]
    for name in ("over-admitted", "changes missed"):
        assert {row[heads.index(name)] for row in rows} == {"0"}


def test_page_without_a_marker_for_a_table_is_rejected() -> None:
    """A page without a marker for one of the tables raises an error, because the table would be missing on the page."""
    with pytest.raises(ValueError, match="exactness"):
        page.replace_blocks("# Scale", {"exactness": ""})
