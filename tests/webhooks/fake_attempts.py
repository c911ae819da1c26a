"""Fake attempts, which send nothing and take simulated time, and helpers that create pending deliveries."""

import threading
from collections.abc import Callable, Iterator

import pytest

from chalicelib.core import clock, ssrf_rule
from chalicelib.events import kinds
from chalicelib.events.tables import Event
from chalicelib.webhooks import (
    deliver,
    endpoints,
    fan_out,
    send_delivery,
)
from chalicelib.webhooks.send_delivery import Outcome
from chalicelib.webhooks.tables import Delivery, Endpoint
from tests.support.harness import AccountOfTest, Clock, TestApp
from tests.support.webhook_receiver import Receiver
from tests.webhooks.told import endpoint_of, happens, images

DEAD = "http://127.0.0.1:9/"

RENAMED = [kinds.ACCOUNT_RENAMED]

SWEEP_MS = 45_000


class ThreadClock(Clock):
    """A clock that each thread moves separately. The thread that waits for the others continues at their
    latest time.
    """

    def __init__(self, now_ms: int) -> None:
        """Start at `now_ms`. The current thread is the one that waits for the others."""
        super().__init__(now_ms)
        self.waits, self.own, self.latest_ms = threading.current_thread(), threading.local(), now_ms

    def __call__(self) -> int:
        if threading.current_thread() is not self.waits:
            return getattr(self.own, "now_ms", self.now_ms)
        self.now_ms = max(self.now_ms, self.latest_ms)
        return self.now_ms

    def forward(self, seconds: float) -> None:
        """Move the clock of the current thread forward."""
        now_ms = self() + round(seconds * 1000)
        if threading.current_thread() is self.waits:
            self.now_ms = now_ms
        else:
            self.own.now_ms = now_ms
            self.latest_ms = max(self.latest_ms, now_ms)


class Sent:
    """A fake of `send_delivery.send`. It records each message with its endpoint, and moves the clock by a configured
    time.
    """

    def __init__(self, latchkey: TestApp) -> None:
        """Start with attempts that succeed at once. An attempt at the URL DEAD never gets a response."""
        self.latchkey, self.took_s = latchkey, 0.005
        self.messages: list[tuple[Endpoint, str]] = []
        self.before: Callable[[], None] = lambda: None

    def send(self, endpoint: Endpoint, message: Delivery, _resolver: ssrf_rule.Resolve = ssrf_rule.resolve) -> Outcome:
        """Record a message and return its outcome without sending it."""
        self.messages.append((endpoint, message.id))
        self.before()
        at_ms = clock.now_ms()
        is_dead = endpoint.url == DEAD
        took_s = send_delivery.DEADLINE_S if is_dead else self.took_s
        self.latchkey.clock.forward(took_s)
        return Outcome(
            at_ms, round(took_s * 1000), None if is_dead else 200, problem="No response." if is_dead else None
        )

    def to(self, endpoint: Endpoint) -> list[str]:
        """Return the messages sent to an endpoint."""
        return [message_id for each, message_id in self.messages if each.id == endpoint.id]


@pytest.fixture
def sent(local: TestApp, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sent]:
    """Replace attempts by a fake. One thread sends to healthy endpoints and one to all others; in production there are
    sixteen of each.
    """
    local.clock = ThreadClock(local.clock.now_ms)
    made = Sent(local)
    monkeypatch.setattr(send_delivery, "send", made.send)
    monkeypatch.setattr(deliver, "CONCURRENT_ENDPOINTS_MAX", 1)
    with clock.use_wall_clock(local.clock):
        yield made


def create_dead_endpoints(account: AccountOfTest, number: int) -> list[Endpoint]:
    """Create endpoints of an account that are unreachable."""
    return [endpoints.create(account.id, url=DEAD, name="Down", types=RENAMED) for _ in range(number)]


def put(account: AccountOfTest) -> None:
    """Create the deliveries of an account's events without sending them."""
    fan_out.enqueue(Event.from_raw_data(image) for image in images(account.id))


def queue_events(latchkey: TestApp, account: AccountOfTest, number: int) -> list[str]:
    """Record events and create their deliveries; return the ids of the events."""
    event_ids = [happens(latchkey, account, f"Ada {each}") for each in range(number)]
    put(account)
    return event_ids


def queue_for_healthy_endpoint(latchkey: TestApp, receiver: Receiver) -> tuple[Endpoint, str]:
    """Create a delivery to a healthy endpoint of another account, and return endpoint and delivery."""
    bob = latchkey.account(name="Bob")
    endpoint = endpoint_of(bob, receiver)
    (event_id,) = queue_events(latchkey, bob, 1)
    return endpoint, event_id


def sweep_each_minute(latchkey: TestApp, minutes: int) -> None:
    """Start a sweep every minute, whether or not the previous one has ended."""
    began_ms = clock.now_ms()
    for minute in range(1, minutes + 1):
        latchkey.clock.now_ms = max(began_ms + minute * 60_000, clock.now_ms())
        deliver.sweep(clock.now_ms() + SWEEP_MS)
