"""Deliveries by real processes that are killed at any moment, to receivers that misbehave in every way.

Every event arrives at least once wherever anything can arrive, and nothing of it is on the way of a request.
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
from chalicelib.accounts.tables import Account
from chalicelib.api import background
from chalicelib.core import clock, errors, settings, telemetry
from chalicelib.events import kinds, record
from chalicelib.webhooks import deliver, endpoints, states
from chalicelib.webhooks.states import DELIVERED, DISABLED
from chalicelib.webhooks.tables import Delivery, Endpoint
from tests.engine import courier
from tests.support.harness import NOON_MS, TestApp, stage_key_file
from tests.support.webhook_receiver import PUBLIC_URL, Receiver, listening
from tests.webhooks.told import images

pytestmark = pytest.mark.xdist_group("couriers")

EVENTS = 30
KILLS = 12
ARRIVES_WITHIN_S = 240
TYPES = [kinds.ACCOUNT_RENAMED]


@dataclass
class Sockets:
    """A receiver that speaks no proper HTTP: what it says, byte for byte, and the ids of what it was sent."""

    says: bytes | None
    """None: nothing, ever; it doesn't even read."""
    url: str = ""
    ids: list[str] = field(default_factory=list)


def head_of(accepted: socket.socket) -> str:
    """Return the head of a request, "" when it breaks off before its end."""
    text = b""
    while b"\r\n\r\n" not in text:
        more = accepted.recv(65_536)
        if not more:
            return ""
        text += more
    return text.decode()


@contextmanager
def raw(says: bytes | None) -> Iterator[Sockets]:
    """Listen with a bare socket."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        made = Sockets(says, f"http://127.0.0.1:{server.getsockname()[1]}/")
        kept: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    accepted, _ = server.accept()
                except OSError:
                    return
                kept.append(accepted)
                if made.says is not None:
                    # Who sends may be killed at any moment: then there is less than a request, and nobody to answer.
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
class Town:
    """An account and every kind of receiver."""

    account: Account
    good: Receiver
    slow: Receiver
    flapping: Receiver
    redirecting: Receiver
    gone: Receiver
    lying: Sockets
    silent: Sockets
    endpoints: dict[str, Endpoint]


@pytest.fixture
def town(latchkey: TestApp) -> Iterator[Town]:
    """A local house, an account with an endpoint for each receiver."""
    chosen = replace(settings.current(), public_url=PUBLIC_URL, stage_key_file=stage_key_file())
    with ExitStack() as stack:
        stack.enter_context(settings.in_use(chosen))
        receivers = {
            name: stack.enter_context(listening()) for name in ("good", "slow", "flapping", "redirecting", "gone")
        }
        lying = stack.enter_context(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nfour"))
        silent = stack.enter_context(raw(None))
        receivers["flapping"].fails_first = 1
        receivers["redirecting"].says = [302]
        receivers["redirecting"].headers = {"Location": receivers["good"].url}
        receivers["gone"].says = [410]
        receivers["slow"].takes_s = 0.4
        ada = latchkey.account()
        urls = {name: each.url for name, each in receivers.items()} | {"lying": lying.url, "silent": silent.url}
        made = {name: endpoints.create(ada.id, url=url, name=name, types=TYPES) for name, url in urls.items()}
        yield Town(account=ada, lying=lying, silent=silent, endpoints=made, **receivers)


def renamed(account: Account, times: int) -> None:
    """Change an account's name so often."""
    for number in range(times):
        change.rename(account.id, f"Ada {number}")


def events_of(account: Account) -> set[str]:
    """Return the ids of the events that the endpoints are told of."""
    return {event.id for event in record.newest_first(account.id, 500, kind=TYPES[0])}


def attempts_at(town: Town, name: str) -> int:
    """Return how many attempts to deliver to an endpoint are written down."""
    return sum(len(each.attempts) for each in Delivery.query(town.endpoints[name].id))


def waiting_for(town: Town, name: str) -> set[str]:
    """Return the ids of what an endpoint was, or is yet to be, told."""
    return {each.id for each in Delivery.query(town.endpoints[name].id)}


def test_killed_at_any_moment_every_event_arrives(url: str, town: Town) -> None:
    """At each receiver that takes anything, at least once; one that says 410 is disabled, the others go on."""
    began, dice = time.monotonic(), random.Random(4711)  # noqa: S311 - fixed on purpose
    with clock.driven_by(courier.clock_from(NOON_MS, began)):
        happening = threading.Thread(target=renamed, args=(town.account, EVENTS))
        happening.start()
        for _ in range(KILLS):
            running = courier.started(url, NOON_MS, began)
            time.sleep(0.3 + dice.random())
            running.kill()
            running.wait()
        happening.join()
        running = courier.started(url, NOON_MS, began)
        happened = events_of(town.account)
        assert len(happened) == EVENTS
        takers: dict[str, Receiver | Sockets] = {
            "good": town.good,
            "slow": town.slow,
            "flapping": town.flapping,
            "lying": town.lying,
        }
        give_up = time.monotonic() + ARRIVES_WITHIN_S
        missing, untried, gone_on = {"nothing": {"yet"}}, {"nothing"}, True
        while (any(missing.values()) or untried or gone_on) and time.monotonic() < give_up:
            time.sleep(0.2)
            gone_on = endpoints.owned(town.account.id, town.endpoints["gone"].id).status != DISABLED
            untried = {
                name
                for name in ("redirecting", "silent")
                if not attempts_at(town, name) or waiting_for(town, name) != happened
            }
            missing = {
                name: {
                    delivery.id
                    for delivery in Delivery.query(town.endpoints[name].id)
                    if delivery.state != DELIVERED and delivery.id in happened
                }
                | (happened - set(taker.ids))
                for name, taker in takers.items()
            }
        running.kill()
        running.wait()
        assert missing == {name: set() for name in takers}
        gone = endpoints.owned(town.account.id, town.endpoints["gone"].id)
        assert (gone.status, gone.disabled_because) == (DISABLED, states.GONE)
        assert set(town.gone.ids) <= happened
        # Nothing was lost where nothing could arrive: it waits, with what was wrong. An attempt at the silent one takes
        # all of its 15 s, which is longer than everything else here may take.
        assert untried == set()
        for name in ("redirecting", "silent"):
            assert waiting_for(town, name) == happened
        # What the redirect named was sent nothing by it.
        assert {each.path for each in town.good.received} == {"/hooks"}


def test_events_arrive_in_order_where_nothing_fails(url: str, town: Town) -> None:
    """The stream brings them in order, and one function at a time sends to an endpoint."""
    began = time.monotonic()
    with clock.driven_by(courier.clock_from(NOON_MS, began)):
        running = courier.started(url, NOON_MS, began)
        renamed(town.account, EVENTS)
        happened = sorted(events_of(town.account))
        give_up = time.monotonic() + ARRIVES_WITHIN_S
        while not set(happened) <= set(town.good.ids) and time.monotonic() < give_up:
            time.sleep(0.1)
        running.kill()
        running.wait()
    first = list(dict.fromkeys(town.good.ids))
    assert first == happened


def test_no_request_waits_for_a_webhook(latchkey: TestApp, town: Town) -> None:
    """A change makes the same calls with ten endpoints as with none; what is sent is sent by other functions."""
    key = latchkey.key(town.account)
    other = latchkey.key(latchkey.account(name="Bob"))
    calls = []
    for secret in (key.secret, other.secret):
        assert latchkey.call("GET", "/v1/users/me", secret).status == 200
        with telemetry.calls_watched() as watched:
            answer = latchkey.call("PATCH", "/v1/users/me", secret, json_body={"name": "Grace"})
        assert answer.status == 200
        calls.append(watched.made)
    assert calls[0] == calls[1]
    assert town.good.received == []


def test_two_that_bring_the_same_events_at_once_put_each_on_its_way_once(latchkey: TestApp, town: Town) -> None:
    """The loser of the race for a delivery sends nothing."""
    for number in range(8):
        change.rename(town.account.id, f"Ada {number}")
    items = images(town.account.id)
    together = threading.Barrier(6)

    def bring() -> None:
        together.wait()
        background.follow_up(items)

    threads = [threading.Thread(target=bring) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    happened = events_of(town.account)
    assert {each.id for each in Delivery.query(town.endpoints["good"].id)} == happened
    assert len(town.good.ids) == len(set(town.good.ids))


def at_once(times: int, work: Callable[[], object], until_one_is_left: threading.Event | None = None) -> list[object]:
    """Do the same so many times at once, and return what came of each: what it returned, or the conflict.

    The event is set as soon as one alone is under way.
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


def test_of_many_tests_at_once_one_is_sent(latchkey: TestApp, town: Town) -> None:
    """The others are told that something is being sent, and hold nothing."""
    town.good.waits.clear()
    came = at_once(12, lambda: deliver.send_test(town.endpoints["good"]), town.good.waits)
    sent = [each.id for each in came if isinstance(each, Delivery)]
    assert town.good.ids == sent
    assert len(sent) == 1


def test_form_sent_many_times_at_once_adds_one_webhook(latchkey: TestApp, town: Town) -> None:
    """The others hear that the form was used."""
    account = latchkey.account(name="Bob")
    came = at_once(
        12, lambda: endpoints.create(account.id, url=town.good.url, name="Ledger", types=None, form="the same")
    )
    conflicts = [str(each) for each in came if isinstance(each, errors.Conflict)]
    assert len(list(endpoints.of_account(account.id))) == 1
    assert conflicts == ["This form was already submitted. Its webhook is in the list."] * 11
