"""Webhook deliveries by real processes that are killed at random, to receivers that misbehave in every way.

Every event is delivered at least once to each working receiver, and no request waits for a delivery.
"""

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace

import pytest

from chalicelib.accounts import change
from chalicelib.api import background
from chalicelib.core import clock, errors, settings, telemetry
from chalicelib.events import kinds, record
from chalicelib.webhooks import deliver, endpoints, states
from chalicelib.webhooks.states import DELIVERED, DISABLED
from chalicelib.webhooks.tables import Delivery, Endpoint
from tests.engine import background_process
from tests.support.harness import START_MS, AccountOfTest, TestApp, stage_key_file
from tests.support.webhook_receiver import PUBLIC_URL, Receiver, run_receiver
from tests.webhooks.told import images

pytestmark = pytest.mark.xdist_group("background processes")

EVENTS = 30
KILLS = 12
ARRIVES_WITHIN_S = 240
TYPES = [kinds.ACCOUNT_RENAMED]


@dataclass
class RawReceiver:
    """A receiver that sends raw, malformed responses, and records the ids of the received messages."""

    says: bytes | None
    """The bytes to send in response; None for a receiver that never reads or sends."""
    url: str = ""
    ids: list[str] = field(default_factory=list)


def head_of(accepted: socket.socket) -> str:
    """Return the head of a request, or "" if it is incomplete."""
    text = b""
    while b"\r\n\r\n" not in text:
        more = accepted.recv(65_536)
        if not more:
            return ""
        text += more
    return text.decode()


@contextmanager
def run_raw_receiver(says: bytes | None) -> Iterator[RawReceiver]:
    """Run a receiver on a raw socket."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        made = RawReceiver(says, f"http://127.0.0.1:{server.getsockname()[1]}/")
        kept: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    accepted, _ = server.accept()
                except OSError:
                    return
                kept.append(accepted)
                if made.says is not None:
                    # The request is incomplete if the sending process was killed.
                    with accepted, suppress(OSError):
                        head = head_of(accepted)
                        if "webhook-id: " in head:
                            made.ids.append(head.split("webhook-id: ")[1].split("\r\n")[0])
                            accepted.sendall(made.says)

        threading.Thread(target=serve, daemon=True).start()
        yield made
        server.shutdown(socket.SHUT_RDWR)
        for each in kept:
            each.close()


@dataclass
class Receivers:
    """An account with an endpoint for each type of receiver."""

    account: AccountOfTest
    good: Receiver
    slow: Receiver
    flapping: Receiver
    redirecting: Receiver
    gone: Receiver
    lying: RawReceiver
    silent: RawReceiver
    endpoints: dict[str, Endpoint]


@pytest.fixture
def receivers(latchkey: TestApp) -> Iterator[Receivers]:
    """An app whose public URL is on loopback, and an account with an endpoint for each receiver."""
    chosen = replace(settings.current(), public_url=PUBLIC_URL, stage_key_file=stage_key_file())
    with ExitStack() as stack:
        stack.enter_context(settings.override(chosen))
        receivers = {
            name: stack.enter_context(run_receiver()) for name in ("good", "slow", "flapping", "redirecting", "gone")
        }
        lying = stack.enter_context(run_raw_receiver(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nfour"))
        silent = stack.enter_context(run_raw_receiver(None))
        receivers["flapping"].failures_first = 1
        receivers["redirecting"].statuses = [302]
        receivers["redirecting"].headers = {"Location": receivers["good"].url}
        receivers["gone"].statuses = [410]
        receivers["slow"].delay_s = 0.4
        ada = latchkey.account()
        urls = {name: each.url for name, each in receivers.items()} | {"lying": lying.url, "silent": silent.url}
        made = {name: endpoints.create(ada.id, url=url, name=name, types=TYPES) for name, url in urls.items()}
        yield Receivers(account=ada, lying=lying, silent=silent, endpoints=made, **receivers)


def rename_repeatedly(account: AccountOfTest, times: int) -> None:
    """Change an account's name several times."""
    for number in range(times):
        change.rename(account.id, f"Ada {number}")


def events_of(account: AccountOfTest) -> set[str]:
    """Return the ids of the account's events to which the endpoints subscribe."""
    return {event.id for event in record.newest_first(account.id, 500, kind=TYPES[0])}


def count_attempts(receivers: Receivers, name: str) -> int:
    """Return the number of recorded attempts to an endpoint."""
    return sum(len(each.attempts) for each in Delivery.query(receivers.endpoints[name].id))


def list_deliveries(receivers: Receivers, name: str) -> set[str]:
    """Return the ids of all events with a delivery to an endpoint, delivered or pending."""
    return {each.id for each in Delivery.query(receivers.endpoints[name].id)}


def test_every_event_is_delivered_when_processes_are_killed(url: str, receivers: Receivers) -> None:
    """Every event reaches each working receiver at least once; an endpoint that responds 410 is disabled."""
    began, dice = time.monotonic(), random.Random(4711)  # noqa: S311 - fixed on purpose
    with clock.use_wall_clock(background_process.clock_from(START_MS, began)):
        happening = threading.Thread(target=rename_repeatedly, args=(receivers.account, EVENTS))
        happening.start()
        for _ in range(KILLS):
            running = background_process.start(url, START_MS, began)
            time.sleep(0.3 + dice.random())
            running.kill()
            running.wait()
        happening.join()
        running = background_process.start(url, START_MS, began)
        happened = events_of(receivers.account)
        assert len(happened) == EVENTS
        takers: dict[str, Receiver | RawReceiver] = {
            "good": receivers.good,
            "slow": receivers.slow,
            "flapping": receivers.flapping,
            "lying": receivers.lying,
        }
        give_up = time.monotonic() + ARRIVES_WITHIN_S
        missing, untried, gone_on = {"nothing": {"yet"}}, {"nothing"}, True
        while (any(missing.values()) or untried or gone_on) and time.monotonic() < give_up:
            time.sleep(0.2)
            gone_on = endpoints.find_owned(receivers.account.id, receivers.endpoints["gone"].id).status != DISABLED
            untried = {
                name
                for name in ("redirecting", "silent")
                if not count_attempts(receivers, name) or list_deliveries(receivers, name) != happened
            }
            missing = {
                name: {
                    delivery.id
                    for delivery in Delivery.query(receivers.endpoints[name].id)
                    if delivery.state != DELIVERED and delivery.id in happened
                }
                | (happened - set(taker.ids))
                for name, taker in takers.items()
            }
        running.kill()
        running.wait()
        assert missing == {name: set() for name in takers}
        gone = endpoints.find_owned(receivers.account.id, receivers.endpoints["gone"].id)
        assert (gone.status, gone.disabled_because) == (DISABLED, states.GONE)
        assert set(receivers.gone.ids) <= happened
        # Deliveries to these two receivers fail, but stay listed. An attempt at the silent receiver lasts until its
        # timeout of 15 s, longer than the rest of the test.
        assert untried == set()
        for name in ("redirecting", "silent"):
            assert list_deliveries(receivers, name) == happened
        # The redirect isn't followed.
        assert {each.path for each in receivers.good.received} == {"/hooks"}


def test_events_are_delivered_in_order_without_failures(url: str, receivers: Receivers) -> None:
    """Events arrive in the order of the stream, and one process at a time sends to an endpoint."""
    began = time.monotonic()
    with clock.use_wall_clock(background_process.clock_from(START_MS, began)):
        running = background_process.start(url, START_MS, began)
        rename_repeatedly(receivers.account, EVENTS)
        happened = sorted(events_of(receivers.account))
        give_up = time.monotonic() + ARRIVES_WITHIN_S
        while not set(happened) <= set(receivers.good.ids) and time.monotonic() < give_up:
            time.sleep(0.1)
        running.kill()
        running.wait()
    first = list(dict.fromkeys(receivers.good.ids))
    assert first == happened


def test_no_request_waits_for_a_webhook(latchkey: TestApp, receivers: Receivers) -> None:
    """A change makes the same database calls with and without endpoints; other functions send the messages."""
    key = latchkey.key(receivers.account)
    other = latchkey.key(latchkey.account(name="Bob"))
    calls = []
    for secret in (key.secret, other.secret):
        assert latchkey.call("GET", "/v1/users/me", secret).status == 200
        with telemetry.record_calls() as watched:
            response = latchkey.call("PATCH", "/v1/users/me", secret, json_body={"name": "Grace"})
        assert response.status == 200
        calls.append(watched.made)
    assert calls[0] == calls[1]
    assert receivers.good.received == []


def test_events_processed_twice_concurrently_are_sent_once(latchkey: TestApp, receivers: Receivers) -> None:
    """A process that loses the race for a delivery sends nothing."""
    for number in range(8):
        change.rename(receivers.account.id, f"Ada {number}")
    items = images(receivers.account.id)
    together = threading.Barrier(6)

    def bring() -> None:
        together.wait()
        background.follow_up(items)

    threads = [threading.Thread(target=bring) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    happened = events_of(receivers.account)
    assert {each.id for each in Delivery.query(receivers.endpoints["good"].id)} == happened
    assert len(receivers.good.ids) == len(set(receivers.good.ids))


def run_at_once(
    times: int, work: Callable[[], object], until_one_is_left: threading.Event | None = None
) -> list[object]:
    """Run a function several times concurrently, and return the result or Conflict of each call.

    `until_one_is_left` is set as soon as only one call is still running.
    """
    together = threading.Barrier(times)

    def one(_: int) -> object:
        together.wait()
        try:
            return work()
        except errors.Conflict as error:
            return error

    with ThreadPoolExecutor(times) as pool:
        under_way = [pool.submit(one, number) for number in range(times)]
        if until_one_is_left is not None:
            while sum(not each.done() for each in under_way) > 1:
                time.sleep(0.01)
            until_one_is_left.set()
    return [each.result() for each in under_way]


def test_of_concurrent_test_messages_one_is_sent(latchkey: TestApp, receivers: Receivers) -> None:
    """Of 12 concurrent requests for a test message one sends it; the others get a conflict and store nothing."""
    receivers.good.may_respond.clear()
    came = run_at_once(12, lambda: deliver.send_test(receivers.endpoints["good"]), receivers.good.may_respond)
    sent = [each.id for each in came if isinstance(each, Delivery)]
    assert receivers.good.ids == sent
    assert len(sent) == 1


def test_form_submitted_concurrently_adds_one_webhook(latchkey: TestApp, receivers: Receivers) -> None:
    """Of 12 concurrent submissions of one form one adds a webhook; the others get a conflict that the form was already
    submitted.
    """
    account = latchkey.account(name="Bob")
    came = run_at_once(
        12, lambda: endpoints.create(account.id, url=receivers.good.url, name="Ledger", types=None, form="the same")
    )
    conflicts = [str(each) for each in came if isinstance(each, errors.Conflict)]
    assert len(list(endpoints.of_account(account.id))) == 1
    assert conflicts == ["This form was already submitted. Its webhook is in the list."] * 11
