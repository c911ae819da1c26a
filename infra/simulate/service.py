"""The simulated service: each request gets a function, the product's own admission, and a response for the judge."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from chalicelib.core import clock
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import DynamoDBError, Unreachable
from chalicelib.credentials.revocation_check import ROUNDS_MAX
from chalicelib.limits import fail_open, stale_marks
from chalicelib.limits.admission import Rejected, Stale, admit
from chalicelib.limits.counter_items import window_at
from infra.simulate import assumptions
from infra.simulate.assumptions import MS, S
from infra.simulate.clients import Account
from infra.simulate.dynamodb import DynamoDB
from infra.simulate.functions import Fleet, Function, Principal
from infra.simulate.judge import Judge
from infra.simulate.processes import Processes
from infra.simulate.scenario import Scenario
from infra.simulate.timeline import Timeline

FULL_HOUR_MS = 1_639_998_000_000
"""2021-12-20T11:00:00Z: each scenario has one half on either side of it."""
TRIES_MAX = 3
"""The attempts of a rejected compliant client, each after the Retry-After."""
COUNTER = "k1234567"
"""The key of every request of an account."""


@dataclass(slots=True)
class Service:
    """The gateway and the functions behind it, during a scenario."""

    scenario: Scenario
    timeline: Timeline
    processes: Processes
    fleet: Fleet
    database: DynamoDB
    judge: Judge
    dice: Random
    running: Function | None = None
    cached: dict[str, Principal] = field(default_factory=dict)
    writes: int = 0
    admissions_us: list[int] = field(default_factory=list)
    answers_us: list[int] = field(default_factory=list)

    def now_ms(self) -> int:
        """Return the time of the running function's clock."""
        return self._true_ms() + (self.running.off_ms if self.running is not None else 0)

    def send(self, operation: str, body: dynamodb.Json) -> dynamodb.Json:
        """Handle a DynamoDB call of the running function."""
        function = self._parked()
        function.calls += 1
        try:
            answer = self.database.send(operation, body)
            function.unanswered = False
            return answer
        except DynamoDBError as error:
            function.unanswered = isinstance(error, Unreachable)
            raise
        finally:
            self._resume(function)

    def pause(self, seconds: float) -> None:
        """Suspend the running function."""
        function = self._parked()
        self.timeline.wait_until(self.timeline.now_us + int(seconds * S))
        self._resume(function)

    def ask(self, account: Account, tries: int = 1) -> None:
        """Handle a request of an account."""
        arrived_us = self.timeline.now_us
        self.judge.asked += 1
        self.judge.compliant += account.compliant
        self.fleet.serve(lambda function: self._work(function, lambda: self._decide(account, arrived_us, tries)))

    def change(self, account: Account) -> None:
        """Change an account, and set its stale mark."""
        made_us = self.timeline.now_us
        self.fleet.serve(lambda function: self._work(function, lambda: self._mark(account, made_us)))

    def _work(self, function: Function, what: Callable[[], None]) -> None:
        def work() -> None:
            self._resume(function)
            what()
            self._parked()
            self.timeline.after(assumptions.VIEW_MS * MS, lambda: self.fleet.idle_again(function))

        self.timeline.begin(work)

    def _decide(self, account: Account, arrived_us: int, tries: int) -> None:
        begun_us, calls = self.timeline.now_us, self._function().calls
        try:
            self._admit(account, arrived_us)
        except Rejected as refusal:
            self.judge.refuse(account, refusal)
            self._ask_again(account, refusal.retry_after_s, tries)
        if account.compliant:
            self.writes += self._function().calls - calls
            self.admissions_us.append(self.timeline.now_us - begun_us)
            self.answers_us.append(self.timeline.now_us - arrived_us + assumptions.VIEW_MS * MS)

    def _admit(self, account: Account, arrived_us: int) -> None:
        """Admit as `credentials.revocation_check` does; a re-verification costs two reads."""
        function = self._function()
        principal = self._believed(account, function)
        for _ in range(ROUNDS_MAX):
            window = window_at(account.subject, account.tier, clock.now_ms())
            function.unanswered, calls = fail_open.is_active(window.now_ms), function.calls
            try:
                admit(account.subject, account.tier, counter=COUNTER, verified_at_ms=principal.verified_at_ms)
            except Stale as stale_since:
                principal = Principal(stale_since.stale_at_ms, self.timeline.now_us)
                self.pause(2 * assumptions.ROUND_TRIP.draw_us(self.dice) / S)
                function.renewed[account.subject] = principal
            else:
                if function.unanswered:
                    self.judge.pass_unasked(account, arrived_us)
                elif function.calls == calls:
                    self.judge.grant_from_lease(account, window, arrived_us, principal)
                else:
                    self.judge.grant(account, window, arrived_us, principal)
                return
        raise RuntimeError("stale for ever")

    def _ask_again(self, account: Account, after_s: int, tries: int) -> None:
        if account.compliant and tries < TRIES_MAX:
            self.timeline.after(after_s * S, lambda: self.ask(account, tries + 1))
        else:
            self.judge.given_up += account.compliant

    def _mark(self, account: Account, made_us: int) -> None:
        if stale_marks.mark(account.subject):
            account.changes.append((made_us, self.timeline.now_us))

    def _believed(self, account: Account, function: Function) -> Principal:
        """Return the function's newest principal: the gateway's, or its own re-verification."""
        cached = self.cached.get(account.subject)
        if cached is None or self.timeline.now_us - cached.truly_us > assumptions.CACHED_S * S:
            cached = self.cached[account.subject] = self._verified()
        renewed = function.renewed.get(account.subject, cached)
        return renewed if renewed.verified_at_ms > cached.verified_at_ms else cached

    def _verified(self) -> Principal:
        """Verify as the authorizer does, by the clock of another function."""
        off_ms = self.dice.randint(-self.scenario.clocks_off_ms, self.scenario.clocks_off_ms)
        return Principal(stale_marks.verified_from(self._true_ms() + off_ms), self.timeline.now_us)

    def _true_ms(self) -> int:
        return FULL_HOUR_MS - self.scenario.seconds * 500 + self.timeline.now_us // MS

    def _function(self) -> Function:
        if self.running is None:
            raise RuntimeError("no function runs")
        return self.running

    def _parked(self) -> Function:
        function = self._function()
        self.processes.leave(function.state)
        self.running = None
        return function

    def _resume(self, function: Function) -> None:
        self.processes.enter(self.fleet.state_of(function))
        self.running = function
