"""The simulated service: assign each request to a function, run the product's admission, and record the response."""

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
"""2021-12-20T11:00:00Z, the middle of every scenario, so that each one spans two hours."""
TRIES_MAX = 3
"""The maximum number of attempts of a compliant client, which waits as long as Retry-After says."""
COUNTER = "k1234567"
"""The usage counter of the only API key of each account."""


@dataclass(slots=True)
class Service:
    """API Gateway and the functions behind it during a scenario."""

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
        """Return the time by the clock of the running function."""
        return self._true_ms() + (self.running.off_ms if self.running is not None else 0)

    def send(self, operation: str, body: dynamodb.Json) -> dynamodb.Json:
        """Send a DynamoDB call of the running function, and suspend the function until the response."""
        function = self._suspend()
        function.calls += 1
        try:
            response = self.database.send(operation, body)
            function.unanswered = False
            return response
        except DynamoDBError as error:
            function.unanswered = isinstance(error, Unreachable)
            raise
        finally:
            self._resume(function)

    def pause(self, seconds: float) -> None:
        """Suspend the running function for a time."""
        function = self._suspend()
        self.timeline.wait_until(self.timeline.now_us + int(seconds * S))
        self._resume(function)

    def ask(self, account: Account, tries: int = 1) -> None:
        """Handle one request of an account."""
        arrived_us = self.timeline.now_us
        self.judge.asked += 1
        self.judge.compliant += account.compliant
        self.fleet.serve(lambda function: self._work(function, lambda: self._decide(account, arrived_us, tries)))

    def change(self, account: Account) -> None:
        """Simulate a change of an account, which sets the account's invalidation mark."""
        made_us = self.timeline.now_us
        self.fleet.serve(lambda function: self._work(function, lambda: self._mark(account, made_us)))

    def _work(self, function: Function, what: Callable[[], None]) -> None:
        def work() -> None:
            self._resume(function)
            what()
            self._suspend()
            self.timeline.after(assumptions.VIEW_MS * MS, lambda: self.fleet.release(function))

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
        """Admit a request in the same way as `credentials.revocation_check`; a re-verification takes two reads."""
        function = self._function()
        principal = self._find_principal(account, function)
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
                    self.judge.grant_uncounted(account, arrived_us)
                elif function.calls == calls:
                    self.judge.grant_from_lease(account, window, arrived_us, principal)
                else:
                    self.judge.grant(account, window, arrived_us, principal)
                return
        raise RuntimeError("the principal is still stale after all rounds")

    def _ask_again(self, account: Account, after_s: int, tries: int) -> None:
        if account.compliant and tries < TRIES_MAX:
            self.timeline.after(after_s * S, lambda: self.ask(account, tries + 1))
        else:
            self.judge.given_up += account.compliant

    def _mark(self, account: Account, made_us: int) -> None:
        if stale_marks.mark(account.subject, (account.tier,)):
            account.changes.append((made_us, self.timeline.now_us))

    def _find_principal(self, account: Account, function: Function) -> Principal:
        """Return the newer of the principal cached by API Gateway and the one re-verified by the function."""
        cached = self.cached.get(account.subject)
        if cached is None or self.timeline.now_us - cached.truly_us > assumptions.CACHED_S * S:
            cached = self.cached[account.subject] = self._verify()
        renewed = function.renewed.get(account.subject, cached)
        return renewed if renewed.verified_at_ms > cached.verified_at_ms else cached

    def _verify(self) -> Principal:
        """Verify a credential in the same way as the authorizer, whose function has its own clock."""
        off_ms = self.dice.randint(-self.scenario.clocks_off_ms, self.scenario.clocks_off_ms)
        return Principal(stale_marks.verified_from(self._true_ms() + off_ms), self.timeline.now_us)

    def _true_ms(self) -> int:
        return FULL_HOUR_MS - self.scenario.seconds * 500 + self.timeline.now_us // MS

    def _function(self) -> Function:
        if self.running is None:
            raise RuntimeError("no function is running")
        return self.running

    def _suspend(self) -> Function:
        function = self._function()
        self.processes.leave(function.state)
        self.running = None
        return function

    def _resume(self, function: Function) -> None:
        self.processes.enter(self.fleet.state_of(function))
        self.running = function
