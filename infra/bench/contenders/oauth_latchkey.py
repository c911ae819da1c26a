"""Measure Latchkey's token and introspection endpoints, from API Gateway's event to the response.

The argument selects the operation. Clients are confidential, authenticate by HTTP Basic and use PKCE; there are enough
of them that none reaches its limit. Before the measured time starts, codes are issued by the functions behind the
consent page, and refresh tokens by exchanging codes. Each refresh uses a token of a new grant.
"""

import base64
import itertools
import json
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from app import app
from chalicelib.limits.tiers import PRO
from chalicelib.oauth import clients, pkce
from infra.bench import consent, latchkey
from infra.bench.consent import CALLBACK
from infra.bench.contender import Work, serve
from infra.bench.latchkey import Event
from infra.local_gateway.lambda_context import LambdaContext

TOKEN, INTROSPECT = "/oauth/token", "/oauth/introspect"
VERIFIER = secrets.token_urlsafe(32)
CHALLENGE = pkce.s256(VERIFIER)

_CONTEXT: Any = LambdaContext("latchkey-bench", "bench")


@dataclass(frozen=True, slots=True)
class Client:
    """A confidential client, and the account that consents to its requests."""

    id: str
    account_id: str
    authorization: str = field(repr=False)

    def token_event(self, grant_type: str, **more: str) -> Event:
        """Return API Gateway's event for a token request."""
        return self.event(TOKEN, grant_type=grant_type, **more)

    def event(self, path: str, **parameters: str) -> Event:
        """Return API Gateway's event for a form that this client posts."""
        event = latchkey.proxy_event(path, "-")
        headers = event["headers"]
        headers |= {"Authorization": self.authorization, "Content-Type": "application/x-www-form-urlencoded"}
        event["multiValueHeaders"] = {name: [value] for name, value in headers.items()}
        event["httpMethod"] = event["requestContext"]["httpMethod"] = "POST"
        event["body"] = urlencode(parameters)
        return event

    def redemption(self) -> Event:
        """Return API Gateway's event for the exchange of a new code."""
        return self.token_event(clients.CODE, code=self.code(), redirect_uri=CALLBACK, code_verifier=VERIFIER)

    def redeem(self) -> dict[str, str]:
        """Return the tokens of a new grant."""
        tokens: dict[str, str] = json.loads(send(self.redemption(), "refresh_token"))
        return tokens

    def code(self) -> str:
        """Give the account's consent, and return the resulting authorization code."""
        return consent.code(self.account_id, self.id, code_challenge=CHALLENGE, code_challenge_method="S256")


def main() -> None:
    """Measure the operation that the argument selects."""
    with latchkey.ready() as calls:
        operation = OPERATIONS[sys.argv[1]](itertools.cycle(create_clients()))

        def prepare(count: int) -> Sequence[Event]:
            return [operation.event() for _ in range(count)]

        def operate(event: Event) -> bool:
            return bool(send(event, operation.expected))

        serve(Work(operate, prepare, calls))


def send(event: Event, expected: str) -> str:
    """Send a request, and return the response's body. Raises AssertionError unless the response is the expected one."""
    response: dict[str, Any] = app(event, _CONTEXT)
    body = str(response["body"])
    if response["statusCode"] != 200 or expected not in body:
        raise AssertionError(f"{response['statusCode']} {body}")
    return body


@dataclass(frozen=True, slots=True)
class Operation:
    """One kind of request, and a text that every successful response contains."""

    event: Callable[[], Event]
    expected: str


Clients = Iterator[Client]


def _client_credentials(of: Clients) -> Operation:
    return Operation(lambda: next(of).token_event(clients.CLIENT_CREDENTIALS, scope="read"), '"access_token"')


def _code(of: Clients) -> Operation:
    return Operation(lambda: next(of).redemption(), '"refresh_token"')


def _refresh(of: Clients) -> Operation:
    def event() -> Event:
        client = next(of)
        return client.token_event(clients.REFRESH, refresh_token=client.redeem()["refresh_token"])

    return Operation(event, '"refresh_token"')


def _introspect(of: Clients) -> Operation:
    introspected = itertools.islice(of, latchkey.SUBJECTS)
    events = [client.event(INTROSPECT, token=client.redeem()["access_token"]) for client in introspected]
    repeated = itertools.cycle(events)
    return Operation(lambda: next(repeated), '"active":true')


OPERATIONS: dict[str, Callable[[Clients], Operation]] = {
    "client_credentials": _client_credentials,
    "code": _code,
    "refresh": _refresh,
    "introspect": _introspect,
}


def create_clients() -> list[Client]:
    """Return new clients of one account. There are enough of them that no client reaches its limit."""
    (owner,) = latchkey.callers(PRO, 1)
    return [_client(owner.account_id) for _ in range(latchkey.SUBJECTS)]


def _client(owner_id: str) -> Client:
    registration = clients.register(
        name="Bench",
        uris=[CALLBACK],
        auth_method="client_secret_basic",
        grant_types={clients.CODE, clients.REFRESH, clients.CLIENT_CREDENTIALS},
        wanted=set(clients.GRANTABLE),
        registered_by="account",
        account_id=owner_id,
    )
    credentials = f"{registration.client.client_id}:{registration.secret}".encode()
    return Client(registration.client.client_id, owner_id, f"Basic {base64.b64encode(credentials).decode()}")


if __name__ == "__main__":
    main()
