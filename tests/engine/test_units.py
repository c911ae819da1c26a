"""The capacity in docs/costs.md equals what the DynamoDB emulator reports for each type of request, scheduled run and
stored record.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from chalicelib.api import background
from chalicelib.core import secrets, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.credentials.issue import Issued
from chalicelib.limits import tiers
from infra import data, engine
from infra.costs import idle_stage, requests, storage
from infra.local_gateway.response import Response
from tests.detection.planted import used_for_days
from tests.engine.consumed_capacity import Consumption, measure, stored_bytes
from tests.oauth.flow import CLIENT, ISSUER, App, User, new_user, register_client
from tests.support.harness import AccountOfTest, TestApp, run_app
from tests.support.webhook_receiver import PUBLIC_URL, Receiver, run_receiver
from tests.webhooks.told import endpoint_of, happens, images

STAGE = "units"
pytestmark = pytest.mark.xdist_group("units")


@pytest.fixture(scope="module")
def alone() -> Iterator[str]:
    """The URL of a DynamoDB emulator that only these tests use."""
    running = engine.start(None, say=False)
    yield running.url
    running.stop()


@pytest.fixture
def latchkey(alone: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestApp]:
    """An app on the emulator `alone`, with empty tables for each test."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", alone)
    dynamodb.reset_connections()
    with run_app(stage=STAGE) as made:
        data.create_missing_tables()
        yield made
        for table in data.tables(STAGE):
            dynamodb.call("DeleteTable", {"TableName": table})
    dynamodb.reset_connections()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A webhook receiver on loopback, which the app accepts while its own public URL is a loopback URL."""
    with run_receiver() as made:
        yield made


@dataclass
class Traffic:
    """Requests of each type in docs/costs.md, each with its consumption."""

    latchkey: TestApp
    receiver: Receiver

    def busy(self) -> Consumption:
        """Measure a request with a key that was used before."""
        issued = self._used()
        return measure(lambda: self._asks(issued.secret))

    def many(self) -> Consumption:
        """Measure the first request of a key, for which the authorizer reads the key and its account."""
        issued = self.latchkey.key(self.latchkey.account())
        return measure(lambda: self._asks(issued.secret))

    def limited(self) -> Consumption:
        """Measure the second request over the quota, because the first still calls the database."""
        account = self.latchkey.account()
        issued = self._used(account)
        self.latchkey.set_counters(account.id, tiers.FREE, used=1_000)
        assert self._asks(issued.secret).status == 429
        return measure(lambda: self._asks(issued.secret))

    def random(self) -> Consumption:
        """Measure a request with a well-formed unknown key."""
        return measure(lambda: self._asks(secrets.mint("test")))

    def no_key(self) -> Consumption:
        """Measure a request without a credential."""
        return measure(lambda: self.latchkey.call("GET", "/v1/limits"))

    def unknown(self) -> Consumption:
        """Measure a request for an unknown path."""
        return measure(lambda: self.latchkey.call("GET", "/v1/nothing"))

    def refresh(self) -> Consumption:
        """Measure a refresh by an authorized application."""
        ada, app = self._connected()
        token = ada.grant(app)[1]
        return measure(lambda: app.refresh(token))

    def client(self) -> Consumption:
        """Measure a client credentials request."""
        _, app = self._connected()
        return measure(lambda: app.ask(CLIENT))

    def webhook(self) -> Consumption:
        """Measure a delivery of an event to one endpoint."""
        with settings.override(replace(settings.current(), public_url=PUBLIC_URL)):
            account = self.latchkey.account()
            endpoint_of(account, self.receiver)
            event = happens(self.latchkey, account)
            newest = images(account.id)[-1:]
            taken = measure(lambda: background.follow_up(newest))
        assert self.receiver.ids == [event]
        return taken

    def _asks(self, secret: str) -> Response:
        return self.latchkey.call("GET", "/v1/limits", secret)

    def _used(self, account: AccountOfTest | None = None) -> Issued:
        issued = self.latchkey.key(account or self.latchkey.account())
        self._asks(issued.secret)
        return issued

    def _connected(self) -> tuple[User, App]:
        return new_user(self.latchkey), register_client(self.latchkey)


@pytest.mark.parametrize("name", requests.SHAPES)
def test_request_consumes_the_units_of_the_page(latchkey: TestApp, receiver: Receiver, name: str) -> None:
    """The capacity units equal those of the page. Sizes of log lines and responses may differ by 10 %, because ids and
    numbers vary in length.
    """
    shape = requests.SHAPES[name]
    act: Callable[[], Consumption] = getattr(Traffic(latchkey, receiver), name)
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
    [(background.every_minute, idle_stage.MINUTE), (background.every_hour, idle_stage.HOUR)],
    ids=["minute", "hour"],
)
def test_scheduled_run_consumes_the_units_of_the_page(
    latchkey: TestApp, act: Callable[[], None], run: idle_stage.Run
) -> None:
    """A scheduled run of a stage without accounts consumes the documented units."""
    act()
    latchkey.clock.forward(3_600)
    taken = measure(act)
    assert (taken.write_units, taken.read_units) == (run.write_units, run.read_units)
    assert taken.line_bytes == pytest.approx(run.line_bytes, rel=0.1)


def test_hourly_run_for_an_account_consumes_the_units_of_the_page(latchkey: TestApp) -> None:
    """Unused and used accounts, and the daily detection for a used account, consume the documented units."""
    accounts = [latchkey.account() for _ in range(4)]
    page_of_directory = 0.5
    at_rest = idle_stage.HOUR.read_units + page_of_directory
    latchkey.clock.forward(3_600)
    taken = measure(background.every_hour)
    assert taken.read_units == at_rest + 4 * idle_stage.IDLE_ACCOUNT_READS
    used_for_days(latchkey, accounts[0])
    in_use = at_rest + 3 * idle_stage.IDLE_ACCOUNT_READS + idle_stage.USED_ACCOUNT_READS
    look, *hours = [measure(background.every_hour) for _ in range(2)]
    assert look.write_units == idle_stage.HOUR.write_units + idle_stage.LOOK_WRITES
    assert look.read_units <= in_use + idle_stage.LOOK_READS
    assert hours[-1].read_units <= in_use


@dataclass
class Kept:
    """Functions that store one record of each type in docs/costs.md."""

    latchkey: TestApp
    receiver: Receiver

    def __post_init__(self) -> None:
        """Create an account and an application."""
        self.account, self.ada, self.app = (
            self.latchkey.account(),
            new_user(self.latchkey),
            register_client(self.latchkey),
        )

    def of_account(self) -> Callable[[], object]:
        """Return a function that creates an account."""
        return self.latchkey.account

    def of_key(self) -> Callable[[], object]:
        """Return a function that creates a key."""
        return lambda: self.latchkey.key(self.account)

    def of_grant(self) -> Callable[[], object]:
        """Return a function that stores a first consent to an application and its grant."""
        return lambda: self.ada.grant(self.app)

    def of_refresh(self) -> Callable[[], object]:
        """Return a function that refreshes a grant."""
        token = self.ada.grant(self.app)[1]
        return lambda: self.app.refresh(token)

    def of_client(self) -> Callable[[], object]:
        """Return a function that issues an access token of client credentials."""
        return lambda: self.app.ask(CLIENT)

    def of_event(self) -> Callable[[], object]:
        """Return a function that records an event."""
        return lambda: happens(self.latchkey, self.account)

    def of_delivery(self) -> Callable[[], object]:
        """Return a function that sends an event to one endpoint."""
        endpoint_of(self.account, self.receiver)
        happens(self.latchkey, self.account)
        return lambda: background.follow_up(images(self.account.id)[-1:])

    def of_hour(self) -> Callable[[], object]:
        """Return a function that sends an account's first request of an hour."""
        issued = self.latchkey.key(self.account)
        return lambda: self.latchkey.call("GET", "/v1/limits", issued.secret)


@pytest.mark.parametrize("name", storage.STORED)
def test_stored_record_has_the_size_of_the_page(latchkey: TestApp, receiver: Receiver, name: str) -> None:
    """The sizes of a record in tables and indexes differ from those of the page by at most 10 %, because names vary in
    length.
    """
    kept = storage.STORED[name]
    with settings.override(replace(settings.current(), public_url=PUBLIC_URL if name == "delivery" else ISSUER)):
        act: Callable[[], object] = getattr(Kept(latchkey, receiver), f"of_{name}")()
        before = stored_bytes(STAGE, kept.tables)
        act()
        more = [now - then for now, then in zip(stored_bytes(STAGE, kept.tables), before, strict=True)]
    assert more == [pytest.approx(kept.table_bytes, rel=0.1), pytest.approx(kept.index_bytes, rel=0.1)]
