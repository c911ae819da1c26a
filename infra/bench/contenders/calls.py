"""Count the database calls of a request through the local gateway. The argument selects the request.

`authenticated` is a request with a key that was used before, `first` is the first request with a new access token.
`client_credentials`, `code` and `refresh` are token requests.
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


@dataclass
class Client:
    """A confidential client. The account that owns it is also the resource owner who consents."""

    gateway: Gateway
    account_id: str
    credentials: dict[str, str] = field(repr=False)

    def request_token(self, grant_type: str, **more: str) -> Response:
        """Send a token request."""
        body = urlencode({**self.credentials, "grant_type": grant_type, **more}).encode()
        return self.gateway.handle("POST", "/oauth/token", FORM, body)

    def code(self) -> str:
        """Give the account's consent, and return the resulting authorization code."""
        return consent.code(self.account_id, self.credentials["client_id"])

    def redeem(self, code: str) -> Response:
        """Exchange an authorization code for tokens."""
        return self.request_token(clients.CODE, code=code, redirect_uri=CALLBACK)


def main() -> None:
    """Count the database calls of the selected request."""
    operation: Callable[[], Work] = {
        "authenticated": _authenticated,
        "first": _first,
        "client_credentials": _client_credentials,
        "code": _code,
        "refresh": _refresh,
    }[sys.argv[1]]
    with latchkey.ready() as calls:
        work = operation()
        serve(Work(work.operate, work.prepare, calls))


def _authenticated() -> Work:
    gateway = Gateway(app)
    secrets = [caller.secret for caller in latchkey.callers(PRO, 5)]
    for secret in secrets:
        _call(gateway, secret)
    return Work(lambda number: _call(gateway, secrets[number % len(secrets)]))


def _first() -> Work:
    client = _client()

    def tokens(count: int) -> Sequence[str]:
        return [client.request_token(clients.CLIENT_CREDENTIALS).json()["access_token"] for _ in range(count)]

    return Work(lambda token: _call(client.gateway, token), tokens)


def _client_credentials() -> Work:
    client = _client()
    return Work(lambda _number: client.request_token(clients.CLIENT_CREDENTIALS).status == 200)


def _code() -> Work:
    client = _client()
    return Work(lambda code: client.redeem(code).status == 200, lambda count: [client.code() for _ in range(count)])


def _refresh() -> Work:
    client = _client()

    def tokens(count: int) -> Sequence[str]:
        issued: list[Any] = [client.redeem(client.code()).json() for _ in range(count)]
        return [tokens["refresh_token"] for tokens in issued]

    return Work(lambda token: client.request_token(clients.REFRESH, refresh_token=token).status == 200, tokens)


def _call(gateway: Gateway, secret: str) -> bool:
    return gateway.handle("GET", "/v1/limits", [("Authorization", f"Bearer {secret}")]).status == 200


_names = itertools.count()


def _client() -> Client:
    (caller,) = latchkey.callers(PRO, 1)
    registration = clients.register(
        name=f"Bench {next(_names)}",
        uris=[CALLBACK],
        auth_method="client_secret_post",
        grant_types=set(clients.GRANT_TYPES),
        wanted=set(clients.GRANTABLE),
        registered_by="account",
        account_id=caller.account_id,
    )
    credentials = {"client_id": registration.client.client_id, "client_secret": registration.secret or ""}
    return Client(Gateway(app), caller.account_id, credentials)


if __name__ == "__main__":
    main()
