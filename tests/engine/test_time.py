"""Response times don't reveal whether an address has an account (no user enumeration by timing).

Requests with known and unknown addresses alternate, at least 120 in all, with the DynamoDB emulator and a fake SES on a
socket. Both types of requests must make the same database calls. Their median durations may differ by half a
millisecond, or by as much as random halves of the requests of one type differ. Reading an existing item takes about 0.1
ms longer than a missing one, too little to measure over a network within the rate limits.

argon2 takes most of the time and its variation would hide other differences, so it isn't run. Both types of requests
must call it equally often and with the same cost.
"""

import gc
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_address
from itertools import count
from statistics import median
from types import SimpleNamespace
from typing import Any

import pytest
from argon2 import _password_hasher as argon2_calls
from argon2.exceptions import VerifyMismatchError

from chalicelib.accounts import email_sender, passwords, sessions
from chalicelib.accounts.tables import User
from chalicelib.core import randomness, settings, telemetry
from tests.engine.fake_ses import FakeSes, run_fake_ses
from tests.support.console_client import PASSWORD, ConsoleClient, new_account
from tests.support.harness import TestApp

CUTS = 300
LEAST_NS = 500_000
WARM = 5
COST = "$argon2id$v=19$m=65536,t=3,p=4"
"""The argon2 parameters of RFC 9106's low-memory profile."""
_addresses = count(int(ip_address("10.0.0.1")))


@pytest.fixture
def proxy(url: str) -> Any:
    """The URL of the DynamoDB emulator. The proxy itself isn't used, because it would add its own time."""
    return SimpleNamespace(url=url)


@pytest.fixture
def office(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSes]:
    """A fake SES, with log-in limits that the tests don't reach."""
    sending = replace(
        settings.current(),
        mail_from="keys@example.com",
        log_in_attempts_per_email=100_000,
        log_in_attempts_per_network=100_000,
    )
    with run_fake_ses() as opened:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", opened.url)
        email_sender._ses.cache_clear()
        with settings.override(sending):
            yield opened
        email_sender._ses.cache_clear()


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The recorded argon2 calls with their cost. Nothing is hashed, and every password is wrong."""
    asked: list[str] = []

    def made(*, time_cost: int, memory_cost: int, parallelism: int, **_: object) -> bytes:
        stored = f"$argon2id$v=19$m={memory_cost},t={time_cost},p={parallelism}${'s' * 22}${'h' * 43}"
        asked.append(f"hash {cost_of(stored)}")
        return stored.encode()

    def checked(stored: bytes, *_: object) -> bool:
        asked.append(f"check {cost_of(stored.decode())}")
        raise VerifyMismatchError

    monkeypatch.setattr(argon2_calls, "hash_secret", made)
    monkeypatch.setattr(argon2_calls, "verify_secret", checked)
    return asked


def cost_of(stored: str) -> str:
    """Return the argon2 parameters of a password hash."""
    return stored.rpartition("$")[0].rpartition("$")[0]


def compare_medians(one: list[int], other: list[int]) -> float:
    """Return the difference between the medians of two series."""
    return abs(median(one) - median(other))


def measure_noise(series: list[int], dice: random.Random) -> float:
    """Return the largest difference between the medians of random halves of a series."""
    apart = []
    for _ in range(CUTS):
        cut = dice.sample(series, len(series))
        apart.append(compare_medians(cut[::2], cut[1::2]))
    return max(apart)


def looks_alike(one: list[int], other: list[int], *, at_least: float = LEAST_NS) -> bool:
    """Return whether the medians differ by at most `at_least`, or by as much as random halves of one series differ."""
    dice = random.Random(1)  # noqa: S311 - no secret
    return compare_medians(one, other) <= max(measure_noise(one, dice), measure_noise(other, dice), at_least)


def measure_times(
    latchkey: TestApp, hashes: list[str], one: Callable[[], None], other: Callable[[], None], tries: int
) -> tuple[list[int], list[int]]:
    """Return the durations of both functions in nanoseconds. Each round calls both, in alternating order.

    Both must make the same database calls, and equally many password hashes of the same cost.
    """
    taken: tuple[list[int], list[int]] = ([], [])
    made: tuple[set[tuple[object, ...]], set[tuple[object, ...]]] = (set(), set())
    gc.collect()
    gc.disable()
    try:
        for number in range(2 * WARM + tries):
            for at in (0, 1) if number % 2 else (1, 0):
                latchkey.clock.forward(1)
                hashes.clear()
                started_ns = time.perf_counter_ns()
                with telemetry.record_calls() as calls:
                    (one, other)[at]()
                made[at].add((*calls.made, *hashes))
                if number >= 2 * WARM:
                    taken[at].append(time.perf_counter_ns() - started_ns)
    finally:
        gc.enable()
    assert made[0] == made[1]
    return taken


def build_sender(
    latchkey: TestApp, action: str, emails: Iterator[str], status: int, device: str = "", **fields: str
) -> Any:
    """Return a function that submits a form with the next of `emails`, each time from another client address."""
    console = ConsoleClient(latchkey)
    form = console.fill(console.open(action), action, fields)
    if device:
        console.cookies[console.cookie_name("latchkey-device")] = device
    cookies = dict(console.cookies)

    def send() -> None:
        console.cookies = dict(cookies)
        console.ip = str(ip_address(next(_addresses)))
        assert console.send(action, {**form, "email": next(emails)}).status == status

    return send


def repeat_address(email: str) -> Iterator[str]:
    """Yield the same address forever."""
    while True:
        yield email


def generate_addresses() -> Iterator[str]:
    """Yield unknown addresses."""
    while True:
        yield f"new.{randomness.base62(10).lower()}@example.com"


def create_addresses(tries: int) -> Iterator[str]:
    """Return addresses of existing accounts, enough for `tries`; checking their passwords has the usual cost.

    Each address is used once, like the unknown ones, because earlier attempts with an address change the response time.
    """
    password_hash = passwords.hash_password(PASSWORD)
    accounts = [new_account() for _ in range(tries + 2 * WARM)]
    for account in accounts:
        account.user.update(actions=[User.password_hash.set(password_hash)])
    return iter([account.email for account in accounts])


def test_measure_detects_one_millisecond() -> None:
    """The measure detects an additional millisecond in durations of ten milliseconds with a standard deviation
    of one.
    """
    dice = random.Random(2)  # noqa: S311 - no secret
    one, same, later = ([round(dice.gauss(middle_ms, 1) * 1e6) for _ in range(200)] for middle_ms in (10.0, 10.0, 11.0))
    assert looks_alike(one, same, at_least=0)
    assert not looks_alike(one, later)


@pytest.mark.xdist_group("time of log-in")
def test_log_in_takes_alike_for_an_unknown_address_and_a_wrong_password(
    latchkey: TestApp, office: FakeSes, hashes: list[str]
) -> None:
    """A log-in with an unknown address takes as long as one with a wrong password, even from a known device."""
    device = sessions.remember_device(new_account(name="Eve").user)
    one = build_sender(latchkey, "/login", create_addresses(60), 401, device, password="not the password at all")
    other = build_sender(latchkey, "/login", generate_addresses(), 401, device, password="not the password at all")
    assert looks_alike(*measure_times(latchkey, hashes, one, other, 60))
    assert hashes == [f"check {COST}"]


@pytest.mark.xdist_group("time of sign-up")
def test_sign_up_takes_alike_for_a_known_and_a_new_address(
    latchkey: TestApp, office: FakeSes, hashes: list[str]
) -> None:
    """A sign-up with a known address takes as long as one with a new address, because both send an email."""
    fields = {"name": "Ada", "password": PASSWORD}
    one = build_sender(latchkey, "/signup", create_addresses(60), 200, **fields)
    other = build_sender(latchkey, "/signup", generate_addresses(), 200, **fields)
    assert looks_alike(*measure_times(latchkey, hashes, one, other, 60))
    assert hashes == [f"hash {COST}"]
    assert len(office.recipients) == 2 * (60 + 2 * WARM)


@pytest.mark.xdist_group("time of limited emails")
def test_rate_limited_reset_takes_alike_for_a_known_and_an_unknown_address(
    latchkey: TestApp, office: FakeSes, hashes: list[str]
) -> None:
    """A reset over the email limit takes as long for an unknown address as for a known one, as neither sends an
    email.
    """
    one = build_sender(latchkey, "/forgot", repeat_address(new_account().email), 200)
    other = build_sender(latchkey, "/forgot", repeat_address("nobody.at.all@example.com"), 200)
    assert looks_alike(*measure_times(latchkey, hashes, one, other, 200))
    assert len(office.recipients) == 2 * (200 + 2 * WARM)


@pytest.mark.xdist_group("time of reset")
def test_reset_takes_alike_for_a_known_and_an_unknown_address(
    latchkey: TestApp, office: FakeSes, hashes: list[str]
) -> None:
    """A password reset takes as long for an unknown address as for a known one, because both call SES."""
    one = build_sender(latchkey, "/forgot", create_addresses(200), 200)
    other = build_sender(latchkey, "/forgot", generate_addresses(), 200)
    assert looks_alike(*measure_times(latchkey, hashes, one, other, 200))
    assert len(office.recipients) == 2 * (200 + 2 * WARM)
