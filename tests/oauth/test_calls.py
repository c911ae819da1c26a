"""What the authorization server costs in DynamoDB calls, the caller's own admission included."""

from collections.abc import Callable

from chalicelib.core import telemetry
from chalicelib.limits import tiers
from chalicelib.limits.tiers import CLIENT as CLIENT_TIER
from infra.local_gateway.response import Response
from tests.oauth.flow import CLIENT, DEVICE, App, Person
from tests.support.harness import TestApp

READ_BOTH = ("BatchGetItem", "")
TRANSACTION = ("TransactWriteItems", "")
COUNT = ("UpdateItem", "latchkey-test-windows")
READ_TOKEN = ("GetItem", "latchkey-test-credentials")


def cost(act: Callable[..., Response], *asked: str, status: int = 200, **more: str) -> list[tuple[str, str]]:
    """Return the calls that one request makes."""
    with telemetry.calls_watched() as calls:
        answer = act(*asked, **more)
    assert answer.status == status, answer.body
    return calls.made


def test_code_exchange_is_one_read_one_transaction_and_the_admission(ada: Person, app: App, spa: App) -> None:
    """Client and code come in one call; all that is written is one transaction."""
    for client in (app, spa):
        assert cost(client.redeem, ada.code(client)) == [READ_BOTH, COUNT, TRANSACTION]


def test_refresh_is_one_read_one_transaction_and_the_admission(ada: Person, app: App, spa: App) -> None:
    """As cheap as the first exchange."""
    for client in (app, spa):
        assert cost(client.refresh, ada.grant(client)[1]) == [READ_BOTH, COUNT, TRANSACTION]


def test_client_credentials_are_one_read_one_write_and_the_admission(app: App) -> None:
    """There is no ticket to spend."""
    assert cost(app.ask, CLIENT) == [READ_BOTH, COUNT, ("PutItem", "latchkey-test-credentials")]


def test_introspection_is_two_reads_and_the_admission(ada: Person, app: App) -> None:
    """Client and token; then the account and the grant that keep the token alive."""
    for token in ada.grant(app):
        assert cost(app.post, "/oauth/introspect", token=token) == [READ_BOTH, COUNT, READ_BOTH]
    assert cost(app.post, "/oauth/introspect", token="rubbish") == [READ_BOTH, COUNT]


def test_poll_of_a_device_is_one_read_one_write_and_the_admission(app: App) -> None:
    """Waiting is cheap."""
    device_code = app.post("/oauth/device_authorization").json()["device_code"]
    calls = cost(app.ask, DEVICE, device_code=device_code, status=400)
    assert calls == [READ_BOTH, COUNT, ("UpdateItem", "latchkey-test-tickets")]


def test_first_request_of_a_token_is_two_reads_and_a_write(latchkey: TestApp, ada: Person, app: App) -> None:
    """The token; then its account, client and grant in one call. After that, as with any credential, one write."""
    for token in (ada.grant(app)[0], app.ask(CLIENT).json()["access_token"]):
        assert cost(latchkey.call, "GET", "/v1/limits", token) == [READ_TOKEN, READ_BOTH, COUNT]
        assert cost(latchkey.call, "GET", "/v1/limits", token) == [COUNT]


def test_refused_client_is_one_read_and_the_admission(latchkey: TestApp, app: App) -> None:
    """A wrong secret; and what can't be an id isn't looked for."""
    app.secret = "x"
    assert cost(app.ask, CLIENT, status=401) == [READ_BOTH, COUNT]
    assert cost(app.ask, CLIENT, client_id="x", status=401) == [COUNT]


def test_flood_that_shows_no_secret_costs_nothing_once_it_is_refused(latchkey: TestApp, spa: App) -> None:
    """What is counted by address in any case is refused from memory before anything is read."""
    latchkey.set_counters("ip_203.0.113.7", tiers.ANONYMOUS, used=3_600)
    assert cost(spa.ask, CLIENT, status=429) == [READ_BOTH, COUNT]
    assert cost(spa.ask, CLIENT, status=429) == []
    assert cost(spa.post, "/oauth/revoke", token="x", status=429) == []


def test_flood_of_a_client_costs_one_read_once_it_is_refused(latchkey: TestApp, app: App) -> None:
    """Who it is must be known to count it."""
    latchkey.set_counters(f"client_{app.id}", CLIENT_TIER, used=36_000)
    assert cost(app.ask, CLIENT, status=429) == [READ_BOTH, COUNT]
    assert cost(app.ask, CLIENT, status=429) == [READ_BOTH]


def test_discovery_is_the_admission_only(latchkey: TestApp) -> None:
    """What is known by heart is read nowhere."""
    for path in ("/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource/v1"):
        assert cost(latchkey.call, "GET", path) == [COUNT]
