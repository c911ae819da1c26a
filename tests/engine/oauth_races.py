"""A client that sends concurrent requests, and assertions on the tokens that remain valid."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib.core import clock
from chalicelib.limits import tiers
from chalicelib.oauth import approval, authorize, clients, device, parameters
from infra.local_gateway.response import Response
from tests.engine.fault_proxy import Call, is_transaction
from tests.engine.fleet import PUBLIC_URL, Fleet, Reply, Request, flatten
from tests.oauth.flow import CHALLENGE, VERIFIER, choice_of
from tests.support.harness import AccountOfTest, TestApp

of_functions = pytest.mark.xdist_group("fleet")
TWENTY = 20
REDIRECT = "https://app.example.com/callback"
KINDS = ("public", "confidential")
Parameters = dict[str, str]

ONE_OF_TWENTY = {(200, ""): 1, (400, "invalid_grant"): TWENTY - 1}


class RegisteredClient:
    """A registered OAuth client and its requests."""

    def __init__(self, latchkey: TestApp, kind: str) -> None:
        """Register the client for a new account."""
        public = kind == "public"
        kinds = {clients.CODE, clients.REFRESH, clients.DEVICE} | (set() if public else {clients.CLIENT_CREDENTIALS})
        made = clients.register(
            name="App",
            uris=[REDIRECT],
            auth_method="none" if public else "client_secret_post",
            grant_types=kinds,
            wanted={"read", "write"},
            registered_by="account",
            account_id=latchkey.account(tiers.PRO).id,
        )
        self.latchkey, self.client, self.id = latchkey, made.client, made.client.client_id
        self.credentials = {"client_id": self.id} | ({"client_secret": made.secret} if made.secret else {})

    def authorization(self, **more: str) -> Parameters:
        """Return the parameters of an authorization request."""
        return {
            "client_id": self.id,
            "redirect_uri": REDIRECT,
            "response_type": "code",
            "scope": "read write",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **more,
        }

    def approved(self, account: AccountOfTest, authorization: Parameters) -> str:
        """Approve a request for an account and return the redirect."""
        asked = parameters.parse_query({name: [value] for name, value in authorization.items()})
        request = authorize.parse(asked, PUBLIC_URL)
        return approval.approve(request, choice_of(account, *request.scopes), PUBLIC_URL)

    def code(self, account: AccountOfTest) -> str:
        """Approve a request for an account and return the code."""
        location = self.approved(account, self.authorization())
        return parse_qs(urlsplit(location).query)["code"][0]

    def redemption(self, code: str) -> Parameters:
        """Return the token request that exchanges a code."""
        proof = {"redirect_uri": REDIRECT, "code_verifier": VERIFIER}
        return {"grant_type": clients.CODE, "code": code, **proof, **self.credentials}

    def refresh(self, tokens: dict[str, Any]) -> Parameters:
        """Return the token request that uses a refresh token."""
        return {"grant_type": clients.REFRESH, "refresh_token": tokens["refresh_token"], **self.credentials}

    def poll(self, device_code: str) -> Parameters:
        """Return the token request for a device code."""
        return {"grant_type": clients.DEVICE, "device_code": device_code, **self.credentials}

    def ask(self, asked: Parameters) -> Response:
        """Send a token request."""
        return self.latchkey.call("POST", "/oauth/token", json_body=asked)

    def spend(self, asked: Parameters) -> Response:
        """Send a token request and use the access token at once, so that the gateway caches its policy."""
        response = self.ask(asked)
        if response.status == 200:
            self.latchkey.call("GET", "/v1/users/me", response.json()["access_token"])
        return response

    def revoke(self, token: str) -> Response:
        """Revoke a token."""
        return self.latchkey.call("POST", "/oauth/revoke", json_body={"token": token, **self.credentials})

    def tokens(self, account: AccountOfTest) -> dict[str, Any]:
        """Return the tokens of a new grant."""
        response = self.spend(self.redemption(self.code(account)))
        assert response.status == 200, response.body
        tokens: dict[str, Any] = response.json()
        return tokens

    def device_code(self) -> tuple[str, str]:
        """Return a new device code and its user code."""
        shown = device.start(self.client, scopes={"read"}, resources=set(), base_url=PUBLIC_URL)
        return str(shown["device_code"]), str(shown["user_code"])


def status_and_error(response: Response | Reply) -> tuple[int, str]:
    """Return the status of a response, with its `error` or ""."""
    body = response.json() if isinstance(response, Response) else response.body
    return response.status, body.get("error", "")


def find_accepted(latchkey: TestApp, everything: list[dict[str, Any]]) -> list[str]:
    """Return the access tokens that are accepted with or without the gateway's cache."""
    secrets = [tokens["access_token"] for tokens in everything]
    statuses = [latchkey.call("GET", "/v1/users/me", secret).status for secret in secrets]
    latchkey.forget()
    latchkey.gateway.cached.clear()
    statuses += [latchkey.call("GET", "/v1/users/me", secret).status for secret in secrets]
    assert set(statuses) <= {200, 401}
    return [secret for secret, status in zip(secrets * 2, statuses, strict=True) if status == 200]


def collect_tokens(responses: list[Response]) -> list[dict[str, Any]]:
    """Return the tokens of the successful responses."""
    return [answer.json() for answer in responses if answer.status == 200 and b"access_token" in answer.body]


def assert_nothing_works(app: RegisteredClient, everything: list[dict[str, Any]]) -> None:
    """Assert that no access token is accepted and no refresh token can be exchanged."""
    app.latchkey.clock.forward(1)  # A new second has an unused burst for these requests.
    assert find_accepted(app.latchkey, everything) == []
    app.latchkey.clock.forward(1)
    assert {status_and_error(app.ask(app.refresh(tokens))) for tokens in everything} <= {
        (400, "invalid_grant"),
        (401, "invalid_client"),
    }


def is_spending(call: Call) -> bool:
    """Return whether a call is a transaction that creates or consumes a one-time token."""
    return is_transaction(call) and "tickets" in _written(call)


def _written(call: Call) -> set[str]:
    """Return the tables that a transaction writes to."""
    return tables_of(call, "Update") | tables_of(call, "Put")


def tables_of(call: Call, kind: str) -> set[str]:
    """Return the tables to which a transaction makes writes of one type."""
    return {each[kind]["TableName"].rpartition("-")[2] for each in call.body["TransactItems"] if kind in each}


def send_everywhere(latchkey: TestApp, fleet: Fleet, url: str, asked: Parameters) -> list[Reply]:
    """Send one token request 20 times concurrently, from four processes that have served a request before."""
    warm_up = json.dumps({"client_id": "app_unknown", "grant_type": clients.CODE}).encode()
    fleet.everywhere(url, Request("POST", "/oauth/token", "", clock.now_ms() - 1000, warm_up))
    body = json.dumps(asked).encode()
    return flatten(fleet.send(url, [Request("POST", "/oauth/token", "", clock.now_ms(), body)] * TWENTY))
