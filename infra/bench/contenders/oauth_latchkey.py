"""The token endpoint and the introspection, from the gateway's event to the answer: the argument says which operation.

Confidential clients that authenticate by HTTP Basic and use PKCE, as many as keep each below its limit. Codes are made
by what the consent page calls, and refresh tokens by exchanging codes, outside of what is measured. Each refresh spends
a token of a grant of its own.
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
    """A confidential client, and the account that says yes to it."""

    id: str
    account_id: str
    authorization: str = field(repr=False)

    def token_event(self, grant_type: str, **more: str) -> Event:
        """Return the event of a token request."""
        return self.event(TOKEN, grant_type=grant_type, **more)

    def event(self, path: str, **parameters: str) -> Event:
        """Return the event of a form that this client posts, as API Gateway sends it."""
        event = latchkey.proxy_event(path, "-")
        headers = event["headers"]
        headers |= {"Authorization": self.authorization, "Content-Type": "application/x-www-form-urlencoded"}
        event["multiValueHeaders"] = {name: [value] for name, value in headers.items()}
        event["httpMethod"] = event["requestContext"]["httpMethod"] = "POST"
        event["body"] = urlencode(parameters)
        return event

    def redemption(self) -> Event:
        """Return the event that exchanges a new code."""
        return self.token_event(clients.CODE, code=self.code(), redirect_uri=CALLBACK, code_verifier=VERIFIER)

    def redeemed(self) -> dict[str, str]:
        """Return the tokens of a new grant."""
        tokens: dict[str, str] = json.loads(answered(self.redemption(), "refresh_token"))
        return tokens

    def code(self) -> str:
        """Return an authorization code, as consent issues it."""
        return consent.code(self.account_id, self.id, code_challenge=CHALLENGE, code_challenge_method="S256")


def main() -> None:
    """Serve requests of one kind."""
    with latchkey.ready() as calls:
        operation = OPERATIONS[sys.argv[1]](itertools.cycle(clients_of_one_account()))

        def prepare(count: int) -> Sequence[Event]:
            return [operation.event() for _ in range(count)]

        def operate(event: Event) -> bool:
            return bool(answered(event, operation.says))

        serve(Work(operate, prepare, calls))


def answered(event: Event, says: str) -> str:
    """Return the body of the answer to a request; raise if it isn't a success that says what it must."""
    answer: dict[str, Any] = app(event, _CONTEXT)
    body = str(answer["body"])
    if answer["statusCode"] != 200 or says not in body:
        raise AssertionError(f"{answer['statusCode']} {body}")
    return body


@dataclass(frozen=True, slots=True)
class Operation:
    """What is sent, and what a success says."""

    event: Callable[[], Event]
    says: str


Clients = Iterator[Client]


def _client_credentials(of: Clients) -> Operation:
    return Operation(lambda: next(of).token_event(clients.CLIENT_CREDENTIALS, scope="read"), '"access_token"')


def _code(of: Clients) -> Operation:
    return Operation(lambda: next(of).redemption(), '"refresh_token"')


def _refresh(of: Clients) -> Operation:
    def event() -> Event:
        client = next(of)
        return client.token_event(clients.REFRESH, refresh_token=client.redeemed()["refresh_token"])

    return Operation(event, '"refresh_token"')


def _introspect(of: Clients) -> Operation:
    asked = itertools.islice(of, latchkey.SUBJECTS)
    events = [client.event(INTROSPECT, token=client.redeemed()["access_token"]) for client in asked]
    again = itertools.cycle(events)
    return Operation(lambda: next(again), '"active":true')


OPERATIONS: dict[str, Callable[[Clients], Operation]] = {
    "client_credentials": _client_credentials,
    "code": _code,
    "refresh": _refresh,
    "introspect": _introspect,
}


def clients_of_one_account() -> list[Client]:
    """Return new clients, as many as a load is spread over."""
    (owner,) = latchkey.callers(PRO, 1)
    return [_client(owner.account_id) for _ in range(latchkey.SUBJECTS)]


def _client(owner_id: str) -> Client:
    made = clients.register(
        name="Bench",
        uris=[CALLBACK],
        auth_method="client_secret_basic",
        grant_types={clients.CODE, clients.REFRESH, clients.CLIENT_CREDENTIALS},
        wanted=set(clients.GRANTABLE),
        registered_by="account",
        account_id=owner_id,
    )
    credentials = f"{made.client.client_id}:{made.secret}".encode()
    return Client(made.client.client_id, owner_id, f"Basic {base64.b64encode(credentials).decode()}")


if __name__ == "__main__":
    main()
