"""Test the authorization code flow with PKCE: token exchange and use, refresh token rotation, revocation."""

import json
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from infra.local_gateway.response import Response
from infra.oauth_demo import challenge_of
from infra.smoke.credentials import ME
from infra.smoke.run import Failed, Run, expect
from infra.smoke.throwaway import NAME, Account

REDIRECT_URI = "http://127.0.0.1/callback"
TOKEN = "/oauth/token"  # noqa: S105 - a path


@dataclass(frozen=True, slots=True)
class Client:
    """A confidential OAuth client of the run's account."""

    run: Run
    account: Account
    id: str
    secret: str = field(repr=False)

    def code(self, verifier: str) -> str:
        """Return an authorization code after the user's consent in a browser."""
        state = secrets.token_urlsafe(12)
        parameters = {
            "client_id": self.id,
            "redirect_uri": REDIRECT_URI,
            "response_type": "code",
            "scope": "read",
            "state": state,
            "code_challenge": challenge_of(verifier),
            "code_challenge_method": "S256",
        }
        url = f"{self.run.target.url}/oauth/authorize?{urlencode(parameters)}"
        back = self.account.browser.decide(url, "allow", email=self.account.email, password=self.account.password)
        response = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
        if response.get("state") != state or "code" not in response:
            raise Failed(f"The authorization endpoint returned {response.get('error', 'no code or the wrong state')}.")
        return self.run.hide(response["code"])

    def exchange(self, code: str, verifier: str) -> Response:
        """Exchange a code for tokens."""
        form = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
        return self.post(TOKEN, form | {"redirect_uri": REDIRECT_URI})

    def post(self, path: str, form: dict[str, str]) -> Response:
        """Send a form with the client's credentials."""
        body = urlencode(form | {"client_id": self.id, "client_secret": self.secret}).encode()
        return self.run.call("POST", path, headers={"Content-Type": "application/x-www-form-urlencoded"}, body=body)

    def tokens(self, request: str, response: Response) -> dict[str, Any]:
        """Return the tokens of a response, and redact them in all further output."""
        tokens: dict[str, Any] = expect(200, request, response).json()
        for name in ("access_token", "refresh_token"):
            self.run.hide(tokens[name])
        return tokens


def check(run: Run, account: Account) -> None:
    """Run the flow in the same way as an application."""
    client, verifier = _register(run, account), secrets.token_urlsafe(32)
    wrong = client.exchange(client.code(verifier), secrets.token_urlsafe(32))
    _expect_invalid_grant(run, "a code with another verifier is rejected (RFC 7636)", wrong)
    code = client.code(verifier)
    first = client.tokens("The code exchange", client.exchange(code, verifier))
    _expect(run, "an access token calls the API", 200, _me(run, first))
    refreshed = client.post(TOKEN, {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]})
    second = client.tokens("The refresh", refreshed)
    are_new = second["access_token"] != first["access_token"] and second["refresh_token"] != first["refresh_token"]
    run.outcomes.expect("a refresh rotates both tokens", are_new, expected="two new tokens", got="an unchanged token")
    _expect(run, "the refreshed access token calls the API", 200, _me(run, second))
    _expect(run, "a refresh token is revoked", 200, client.post("/oauth/revoke", {"token": second["refresh_token"]}))
    _expect(run, "its access token is rejected at the next request", 401, _me(run, second))
    again = client.post(TOKEN, {"grant_type": "refresh_token", "refresh_token": second["refresh_token"]})
    _expect_invalid_grant(run, "a revoked refresh token is rejected", again)


def _register(run: Run, account: Account) -> Client:
    form = "/settings/applications/new"
    page = account.browser.send(
        account.browser.open(form),
        form,
        name=NAME,
        redirect_uris=REDIRECT_URI,
        kind="confidential",
        scopes=["read"],
    )
    return Client(run, account, page.value("client_id"), run.hide(page.value("secret")))


def _me(run: Run, tokens: dict[str, Any]) -> Response:
    return run.call("GET", ME, tokens["access_token"])


def _expect(run: Run, check: str, status: int, response: Response) -> None:
    got = f"{response.status}: {response.body.decode()}"
    run.outcomes.expect(check, response.status == status, expected=status, got=got)


def _expect_invalid_grant(run: Run, check: str, response: Response) -> None:
    error = json.loads(response.body).get("error") if response.status == 400 else None
    got = f"{response.status}: {response.body.decode()}"
    run.outcomes.expect(check, error == "invalid_grant", expected="400 invalid_grant", got=got)
