"""docs/costs.md is reckoned from what the engine says is consumed: every shape of traffic, every run, every item."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from chalicelib.accounts.tables import Account
from chalicelib.api import background
from chalicelib.core import secrets, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.credentials.issue import Issued
from chalicelib.limits import tiers
from infra import costs, data, engine
from infra.standin import Answer
from tests.detection.planted import used_for_days
from tests.engine.metered import Metered, metered, stored
from tests.oauth.flow import CLIENT, ISSUER, App, User, new_user, register_client
from tests.support.harness import TestApp, house
from tests.support.webhook_receiver import PUBLIC_URL, Receiver, listening
from tests.webhooks.told import endpoint_of, happens, images

STAGE = "units"
pytestmark = pytest.mark.xdist_group("units")


@pytest.fixture(scope="module")
def alone() -> Iterator[str]:
    """An engine of its own, on which nothing else is."""
    running = engine.start(None, say=False)
    yield running.url
    running.stop()


@pytest.fixture
def latchkey(alone: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestApp]:
    """A house on it, with the tables empty."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", alone)
    dynamodb.forget_connection()
    with house(stage=STAGE) as made:
        data.create_missing_tables()
        yield made
        for table in data.tables(STAGE):
            dynamodb.call("DeleteTable", {"TableName": table})
    dynamodb.forget_connection()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of webhooks, reachable as long as the house says that it runs on this machine."""
    with listening() as made:
        yield made


@dataclass
class Traffic:
    """One request of each shape."""

    latchkey: TestApp
    receiver: Receiver

    def busy(self) -> Metered:
        """A request in the steady state."""
        issued = self._used()
        return metered(lambda: self._asks(issued.secret))

    def many(self) -> Metered:
        """A key's first request."""
        issued = self.latchkey.key(self.latchkey.account())
        return metered(lambda: self._asks(issued.secret))

    def limited(self) -> Metered:
        """The second request over the quota: the first one asks the database."""
        account = self.latchkey.account()
        issued = self._used(account)
        self.latchkey.counted(account.id, tiers.FREE, used=1_000)
        assert self._asks(issued.secret).status == 429
        return metered(lambda: self._asks(issued.secret))

    def random(self) -> Metered:
        """A key that nobody was given, in the form of one."""
        return metered(lambda: self._asks(secrets.mint("test")))

    def no_key(self) -> Metered:
        """Nothing to authorize."""
        return metered(lambda: self.latchkey.call("GET", "/v1/limits"))

    def unknown(self) -> Metered:
        """A path that there isn't."""
        return metered(lambda: self.latchkey.call("GET", "/v1/nothing"))

    def refresh(self) -> Metered:
        """A refresh of an application that somebody allowed."""
        ada, app = self._connected()
        token = ada.grant(app)[1]
        return metered(lambda: app.refresh(token))

    def client(self) -> Metered:
        """A token for the application itself."""
        _, app = self._connected()
        return metered(lambda: app.ask(CLIENT))

    def webhook(self) -> Metered:
        """An event on its way to one endpoint."""
        with settings.in_use(replace(settings.current(), public_url=PUBLIC_URL)):
            account = self.latchkey.account()
            endpoint_of(account, self.receiver)
            event = happens(self.latchkey, account)
            newest = images(account.id)[-1:]
            taken = metered(lambda: background.follow_up(newest))
        assert self.receiver.ids == [event]
        return taken

    def _asks(self, secret: str) -> Answer:
        return self.latchkey.call("GET", "/v1/limits", secret)

    def _used(self, account: Account | None = None) -> Issued:
        issued = self.latchkey.key(account or self.latchkey.account())
        self._asks(issued.secret)
        return issued

    def _connected(self) -> tuple[User, App]:
        return new_user(self.latchkey), register_client(self.latchkey)


@pytest.mark.parametrize("name", costs.SHAPES)
def test_a_request_consumes_what_the_page_reckons_with(latchkey: TestApp, receiver: Receiver, name: str) -> None:
    """Units exactly; log lines and answers, in which ids and numbers are of any length, within a tenth."""
    shape = costs.SHAPES[name]
    act: Callable[[], Metered] = getattr(Traffic(latchkey, receiver), name)
    taken = act()
    assert (taken.write_units, taken.read_units) == (shape.write_units, shape.read_units)
    assert taken.line_bytes == pytest.approx(shape.line_bytes, rel=0.1)
    if shape.is_request:
        assert taken.answer_bytes == pytest.approx(shape.answer_bytes, rel=0.1)
    else:
        (sent,) = receiver.received
        headers = sum(len(header) + len(value) + 4 for header, value in sent.headers.items())
        assert headers + len(sent.body) == pytest.approx(shape.answer_bytes, rel=0.1)


@pytest.mark.parametrize(
    ("act", "run"),
    [(background.every_minute, costs.MINUTE), (background.every_hour, costs.HOUR)],
    ids=["minute", "hour"],
)
def test_a_run_consumes_what_the_page_reckons_with(latchkey: TestApp, act: Callable[[], None], run: costs.Run) -> None:
    """Of a stage that nobody uses yet."""
    act()
    latchkey.clock.forward(3_600)
    taken = metered(act)
    assert (taken.write_units, taken.read_units) == (run.write_units, run.read_units)
    assert taken.line_bytes == pytest.approx(run.line_bytes, rel=0.1)


def test_the_hour_of_an_account_consumes_what_the_page_reckons_with(latchkey: TestApp) -> None:
    """One that nobody uses, one in use, and what is done once a day for one in use."""
    accounts = [latchkey.account() for _ in range(4)]
    page_of_directory = 0.5
    at_rest = costs.HOUR.read_units + page_of_directory
    latchkey.clock.forward(3_600)
    taken = metered(background.every_hour)
    assert taken.read_units == at_rest + 4 * costs.IDLE_ACCOUNT_READS
    used_for_days(latchkey, accounts[0])
    in_use = at_rest + 3 * costs.IDLE_ACCOUNT_READS + costs.USED_ACCOUNT_READS
    look, *hours = [metered(background.every_hour) for _ in range(2)]
    assert look.write_units == costs.HOUR.write_units + costs.LOOK_WRITES
    assert look.read_units <= in_use + costs.LOOK_READS
    assert hours[-1].read_units <= in_use


@dataclass
class Kept:
    """One of each thing that is stored."""

    latchkey: TestApp
    receiver: Receiver

    def __post_init__(self) -> None:
        """Let there be somebody, and an application."""
        self.account, self.ada, self.app = (
            self.latchkey.account(),
            new_user(self.latchkey),
            register_client(self.latchkey),
        )

    def of_account(self) -> Callable[[], object]:
        """Another account."""
        return self.latchkey.account

    def of_key(self) -> Callable[[], object]:
        """A key."""
        return lambda: self.latchkey.key(self.account)

    def of_grant(self) -> Callable[[], object]:
        """A first yes to an application."""
        return lambda: self.ada.grant(self.app)

    def of_refresh(self) -> Callable[[], object]:
        """A refresh."""
        token = self.ada.grant(self.app)[1]
        return lambda: self.app.refresh(token)

    def of_client(self) -> Callable[[], object]:
        """A token for a program."""
        return lambda: self.app.ask(CLIENT)

    def of_event(self) -> Callable[[], object]:
        """Something that happens to an account."""
        return lambda: happens(self.latchkey, self.account)

    def of_delivery(self) -> Callable[[], object]:
        """An event that was sent to one endpoint."""
        endpoint_of(self.account, self.receiver)
        happens(self.latchkey, self.account)
        return lambda: background.follow_up(images(self.account.id)[-1:])

    def of_hour(self) -> Callable[[], object]:
        """An account's first request of an hour."""
        issued = self.latchkey.key(self.account)
        return lambda: self.latchkey.call("GET", "/v1/limits", issued.secret)


@pytest.mark.parametrize("name", costs.STORED)
def test_what_is_stored_takes_the_bytes_that_the_page_reckons_with(
    latchkey: TestApp, receiver: Receiver, name: str
) -> None:
    """In its tables and in their indexes, within a tenth: names are of any length."""
    kept = costs.STORED[name]
    with settings.in_use(replace(settings.current(), public_url=PUBLIC_URL if name == "delivery" else ISSUER)):
        act: Callable[[], object] = getattr(Kept(latchkey, receiver), f"of_{name}")()
        before = stored(STAGE, kept.tables)
        act()
        more = [now - then for now, then in zip(stored(STAGE, kept.tables), before, strict=True)]
    assert more == [pytest.approx(kept.table_bytes, rel=0.1), pytest.approx(kept.index_bytes, rel=0.1)]
