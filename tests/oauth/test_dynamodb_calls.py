"""The DynamoDB calls of each request to the authorization server, including the call that counts the request."""

from collections.abc import Callable

from chalicelib.core import telemetry
from chalicelib.limits import tiers
from chalicelib.limits.tiers import CLIENT as CLIENT_TIER
from infra.local_gateway.response import Response
from tests.oauth.flow import CLIENT, DEVICE, App, User
from tests.support.harness import TestApp

READ_BOTH = ("BatchGetItem", "")
TRANSACTION = ("TransactWriteItems", "")
COUNT = ("UpdateItem", "latchkey-test-windows")
READ_ENDED = ("GetItem", "latchkey-test-windows")
READ_TOKEN = ("GetItem", "latchkey-test-credentials")


def measure_cost(act: Callable[..., Response], *args: str, status: int = 200, **more: str) -> list[tuple[str, str]]:
    """Return the DynamoDB calls of a request."""
    with telemetry.record_calls() as calls:
        response = act(*args, **more)
    assert response.status == status, response.body
    return calls.made


def test_code_exchange_costs_one_read_and_one_transaction(ada: User, app: App, spa: App) -> None:
    """A code exchange reads client and code in one call, and does all writes in one transaction."""
    for client in (app, spa):
        assert measure_cost(client.redeem, ada.code(client)) == [READ_BOTH, COUNT, TRANSACTION]


def test_refresh_costs_one_read_and_one_transaction(ada: User, app: App, spa: App) -> None:
    """A refresh costs the same calls as a code exchange."""
    for client in (app, spa):
        assert measure_cost(client.refresh, ada.grant(client)[1]) == [READ_BOTH, COUNT, TRANSACTION]


def test_client_credentials_cost_one_read_and_one_write(app: App) -> None:
    """A client credentials request writes one token; there is no code to consume."""
    assert measure_cost(app.ask, CLIENT) == [READ_BOTH, COUNT, ("PutItem", "latchkey-test-credentials")]


def test_introspection_costs_two_reads(ada: User, app: App) -> None:
    """Introspection reads client and token in one call, and account and grant in a second one."""
    for token in ada.grant(app):
        assert measure_cost(app.post, "/oauth/introspect", token=token) == [READ_BOTH, COUNT, READ_BOTH]
    assert measure_cost(app.post, "/oauth/introspect", token="rubbish") == [READ_BOTH, COUNT]


def test_device_poll_costs_one_read_and_one_write(app: App) -> None:
    """A pending poll reads client and code in one call, and writes the time of the poll in another."""
    device_code = app.post("/oauth/device_authorization").json()["device_code"]
    calls = measure_cost(app.ask, DEVICE, device_code=device_code, status=400)
    assert calls == [READ_BOTH, COUNT, ("UpdateItem", "latchkey-test-tickets")]


def test_first_request_of_a_token_costs_two_reads_and_a_write(latchkey: TestApp, ada: User, app: App) -> None:
    """The first request reads the token, then account, client and grant in one call.

    Later requests cost one write, as with any credential, and the ended clients are read once in 5 s and process.
    """
    for token in (ada.grant(app)[0], app.ask(CLIENT).json()["access_token"]):
        assert measure_cost(latchkey.call, "GET", "/v1/limits", token) == [READ_TOKEN, READ_BOTH, COUNT]
        assert measure_cost(latchkey.call, "GET", "/v1/limits", token) == [COUNT]
    latchkey.clock.forward(5)
    assert measure_cost(latchkey.call, "GET", "/v1/limits", token) == [READ_ENDED, COUNT]
    assert measure_cost(latchkey.call, "GET", "/v1/limits", token) == [COUNT]


def test_failed_client_authentication_costs_one_read(latchkey: TestApp, app: App) -> None:
    """A wrong secret costs one read; a malformed client id isn't looked up."""
    app.secret = "x"
    assert measure_cost(app.ask, CLIENT, status=401) == [READ_BOTH, COUNT]
    assert measure_cost(app.ask, CLIENT, client_id="x", status=401) == [COUNT]


def test_rejected_flood_without_a_secret_costs_nothing(latchkey: TestApp, spa: App) -> None:
    """Requests counted by IP address are rejected from the local cache before any read."""
    latchkey.set_counters("ip_203.0.113.7", tiers.ANONYMOUS, used=3_600)
    assert measure_cost(spa.ask, CLIENT, status=429) == [READ_BOTH, COUNT]
    assert measure_cost(spa.ask, CLIENT, status=429) == []
    assert measure_cost(spa.post, "/oauth/revoke", token="x", status=429) == []


def test_rejected_flood_of_a_client_costs_one_read(latchkey: TestApp, app: App) -> None:
    """A rejected request of a confidential client costs one read, because the client must be authenticated first."""
    latchkey.set_counters(f"client_{app.id}", CLIENT_TIER, used=36_000)
    assert measure_cost(app.ask, CLIENT, status=429) == [READ_BOTH, COUNT]
    assert measure_cost(app.ask, CLIENT, status=429) == [READ_BOTH]


def test_discovery_costs_the_admission_only(latchkey: TestApp) -> None:
    """A metadata request costs only the call that counts it."""
    for path in ("/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource/v1"):
        assert measure_cost(latchkey.call, "GET", path) == [COUNT]
