"""How many database calls a request makes, on its real way through the gateway's stand-in: the argument says which.

`authenticated`: one more request of a key; `first`: the first of an access token; `client_credentials`, `code` and
`refresh`: the token endpoint.
"""

import itertools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from app import app
from chalicelib.limits.tiers import PRO
from chalicelib.oauth import clients
from infra.bench import consent, latchkey
from infra.bench.consent import CALLBACK
from infra.bench.contender import Work, serve
from infra.local_gateway.gateway import Gateway
from infra.local_gateway.response import Response

FORM = [("Content-Type", "application/x-www-form-urlencoded")]

Given = dict[str, str]


@dataclass
class Client:
    """A confidential client of one account, which also says yes to it."""

    gateway: Gateway
    account_id: str
    authenticated_by: Given = field(repr=False)

    def ask(self, grant_type: str, **more: str) -> Response:
        """Send a token request."""
        body = urlencode({**self.authenticated_by, "grant_type": grant_type, **more}).encode()
        return self.gateway.handle("POST", "/oauth/token", FORM, body)

    def code(self) -> str:
        """Return an authorization code, as consent issues it."""
        return consent.code(self.account_id, self.authenticated_by["client_id"])

    def redeem(self, code: str) -> Response:
        """Exchange a code."""
        return self.ask(clients.CODE, code=code, redirect_uri=CALLBACK)


def main() -> None:
    """Serve requests of one kind."""
    kind: Callable[[], Work] = {
        "authenticated": _authenticated,
        "first": _first,
        "client_credentials": _client_credentials,
        "code": _code,
        "refresh": _refresh,
    }[sys.argv[1]]
    with latchkey.ready() as calls:
        work = kind()
        serve(Work(work.operate, work.prepare, calls))


def _authenticated() -> Work:
    gateway = Gateway(app)
    secrets = [caller.secret for caller in latchkey.callers(PRO, 5)]
    for secret in secrets:
        _called(gateway, secret)
    return Work(lambda number: _called(gateway, secrets[number % len(secrets)]))


def _first() -> Work:
    client = _client()

    def tokens(count: int) -> Sequence[str]:
        return [client.ask(clients.CLIENT_CREDENTIALS).json()["access_token"] for _ in range(count)]

    return Work(lambda token: _called(client.gateway, token), tokens)


def _client_credentials() -> Work:
    client = _client()
    return Work(lambda _number: client.ask(clients.CLIENT_CREDENTIALS).status == 200)


def _code() -> Work:
    client = _client()
    return Work(lambda code: client.redeem(code).status == 200, lambda count: [client.code() for _ in range(count)])


def _refresh() -> Work:
    client = _client()

    def tokens(count: int) -> Sequence[str]:
        answers: list[Any] = [client.redeem(client.code()).json() for _ in range(count)]
        return [answer["refresh_token"] for answer in answers]

    return Work(lambda token: client.ask(clients.REFRESH, refresh_token=token).status == 200, tokens)


def _called(gateway: Gateway, secret: str) -> bool:
    return gateway.handle("GET", "/v1/limits", [("Authorization", f"Bearer {secret}")]).status == 200


_names = itertools.count()


def _client() -> Client:
    (caller,) = latchkey.callers(PRO, 1)
    made = clients.register(
        name=f"Bench {next(_names)}",
        uris=[CALLBACK],
        auth_method="client_secret_post",
        grant_types=set(clients.GRANT_TYPES),
        wanted=set(clients.GRANTABLE),
        registered_by="account",
        account_id=caller.account_id,
    )
    credentials = {"client_id": made.client.client_id, "client_secret": made.secret or ""}
    return Client(Gateway(app), caller.account_id, credentials)


if __name__ == "__main__":
    main()
