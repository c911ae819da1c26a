"""Run one scenario from its first request to its last; the same seed gives the same run."""

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from io import TextIOBase

from chalicelib.core import clock, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.limits.counter_items import item_key
from infra.simulate.assumptions import S
from infra.simulate.clients import Account
from infra.simulate.dynamodb import DynamoDB, Placement, Tally
from infra.simulate.functions import Fleet
from infra.simulate.judge import Judge
from infra.simulate.processes import Processes
from infra.simulate.scenario import Scenario
from infra.simulate.service import FULL_HOUR_MS, Service
from infra.simulate.table import Table
from infra.simulate.timeline import Timeline

SETTINGS = settings.Settings(stage="simulated")
FIRST_HOUR = FULL_HOUR_MS // 1000 - clock.HOUR_S


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a scenario."""

    scenario: Scenario
    accounts: int
    functions: int
    cold: int
    turned_away: int
    judge: Judge
    table: Tally
    writes: int
    """The number of DynamoDB writes for compliant requests."""
    admissions_us: list[int]
    """The duration of each compliant request's admission."""
    answers_us: list[int]
    """The time from each compliant request's arrival to its response."""


def play(scenario: Scenario, table: Table | None = None) -> Outcome:
    """Run a scenario. Tests pass their own table to inject faults."""
    accounts = scenario.crowd(scenario.rate * scenario.share(), scenario.seconds, scenario.dice("clients"))
    processes = Processes()
    service = _service(scenario, accounts, processes, Table() if table is None else table)
    with _replace_dependencies(service, processes):
        for account in accounts:
            _expect(service, account)
        _change_some(service, accounts)
        service.timeline.run()
    return Outcome(
        scenario=scenario,
        accounts=len(accounts),
        functions=service.fleet.functions,
        cold=service.fleet.cold,
        turned_away=service.fleet.turned_away,
        judge=service.judge,
        table=service.database.tally,
        writes=service.writes,
        admissions_us=sorted(service.admissions_us),
        answers_us=sorted(service.answers_us),
    )


@contextmanager
def _replace_dependencies(service: Service, processes: Processes) -> Iterator[None]:
    """Let the product use the simulated clock, sleep and DynamoDB in a `with` block."""
    with ExitStack() as stack:
        stack.callback(processes.end)
        stack.callback(random.setstate, random.getstate())
        # The product's retry jitter uses this random generator.
        random.seed(service.scenario.seed)
        stack.enter_context(settings.override(SETTINGS))
        stack.enter_context(clock.use_wall_clock(service.now_ms))
        stack.enter_context(clock.use_sleep(service.pause))
        stack.enter_context(dynamodb.use_sender(service.send))
        stack.callback(telemetry.write_to, None)
        telemetry.write_to(_Discard())  # type: ignore[arg-type]  # a minimal text stream
        yield


def _service(scenario: Scenario, accounts: list[Account], processes: Processes, table: Table) -> Service:
    timeline = Timeline()
    fleet = Fleet(
        timeline,
        scenario.dice("functions"),
        clocks_off_ms=scenario.clocks_off_ms,
        limit=scenario.functions_limit,
        pick=scenario.pick,
        new_state=processes.new,
    )
    fleet.warm(scenario.warm_functions())
    isolated = frozenset(account.partition for account in accounts if account.isolated)
    placement = Placement(max(1, round(scenario.share() * scenario.all_partitions())), isolated)
    away_us = (scenario.seconds * S // 4, scenario.seconds * S // 4 + scenario.away_s * S)
    return Service(
        scenario=scenario,
        timeline=timeline,
        processes=processes,
        fleet=fleet,
        database=DynamoDB(timeline, scenario.dice("dynamodb"), table, placement, away_us),
        judge=Judge(FIRST_HOUR),
        dice=scenario.dice("service"),
    )


def _expect(service: Service, account: Account) -> None:
    """Schedule an account's requests, and store how much of its quota it has used before the scenario starts."""
    service.judge.expect(account)
    if account.used_before:
        service.database.table.update(
            {
                "Key": item_key(account.subject, account.tier, FIRST_HOUR),
                "UpdateExpression": "ADD used :used",
                "ExpressionAttributeValues": {":used": {"N": str(account.used_before)}},
            }
        )
    for at_us in account.arrives_us:
        service.timeline.at(at_us, partial(service.ask, account))


def _change_some(service: Service, accounts: list[Account]) -> None:
    """Schedule changes of random accounts, each in the first half of the account's requests.

    So each changed account sends further requests after the change, and these need re-verification.
    """
    changes, dice = service.scenario.changes, service.scenario.dice("changes")
    for number in range(1, changes + 1):
        account = dice.choice(accounts)
        at = len(account.arrives_us) * number // (2 * changes + 1)
        service.timeline.at(account.arrives_us[at], partial(service.change, account))


class _Discard(TextIOBase):
    """A text stream that discards log lines."""

    def write(self, text: str, /) -> int:
        return len(text)
