"""The stack that `make package` writes, created whole in an emulator and called through its API Gateway.

SAM's transform, the API document, the cached authorizer, both functions (from the packaged zip, with its compiled
dependencies) and DynamoDB run for real. The emulator (ministack) has these limits, covered elsewhere:

- It doesn't expand `$context.authorizer.*` in gateway responses, so the body of the authorizer's errors is checked at
  the authorizer's function here, and at the local gateway by tests/contract.
- It ignores the document's gateway responses: tests/deploy/emulator.py creates the same responses as resources, and
  tests/deploy/test_deploy.py checks the document.
- It imports no responses of mock integrations (preflight, the 404 of `/{proxy+}`): tests/infra/test_gateway.py.
- It gives a request no `domainName`, so the public URL is set; tests/api/test_client_address.py covers it.
- It doesn't rename `WWW-Authenticate` in responses of functions: tests/api/test_middleware.py.
- It speaks plain HTTP on loopback: tests/api/console checks `Secure` cookies and HSTS.
- It checks no IAM policy: tests/infra/test_policies.py compares the policies with the recorded calls.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
import requests
from requests_oauthlib import OAuth2Session

from chalicelib.accounts.tables import Member
from chalicelib.core import clock, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.credentials.issue import Issued, new_key, store_key
from chalicelib.limits import counter_items, tiers
from infra import deployed
from infra.browser import Page
from infra.deploy import status
from infra.gateway import RESPONSES
from infra.local_gateway.response import Response
from tests.deploy import emulator
from tests.deploy.checkout import architecture_here
from tests.deploy.conftest import EmulatedStage
from tests.deploy.emulator import TIMEOUT_S
from tests.support.console_client import PASSWORD, new_account
from tests.support.harness import AccountOfTest

pytestmark = [
    pytest.mark.xdist_group("deploy"),
    pytest.mark.skipif(architecture_here() is None, reason="functions for Lambda run on Linux, x86-64 or arm64"),
]
HOUR_MS = 3_600_000
CALLBACK = "http://127.0.0.1/callback"


@dataclass(frozen=True, slots=True)
class Emulated:
    """The emulated stage at `url`; tests can use its tables directly."""

    url: str
    emulator: emulator.Emulator

    def call(self, method: str, path: str, secret: str | None = None, **more: Any) -> requests.Response:
        """Send a request through the emulated gateway."""
        headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        return requests.request(method, self.url + path, headers=headers, timeout=TIMEOUT_S, **more)

    def authorizer_says(self, secret: str) -> dict[str, Any]:
        """Call the authorizer's function with a credential and return the policy."""
        event = {
            "type": "TOKEN",
            "authorizationToken": f"Bearer {secret}",
            "methodArn": "arn:aws:execute-api:r:1:a/api/GET/v1",
        }
        client = self.emulator.client("lambda")
        answer = client.invoke(FunctionName="latchkey-dev-authorizer", Payload=json.dumps(event).encode())
        policy: dict[str, Any] = json.loads(answer["Payload"].read())
        return policy

    def authorizer_ran_for(self, key: Issued) -> int:
        """Return how often the authorizer's function has accepted a key, counted in its log group."""
        logs = self.emulator.client("logs")
        events = logs.filter_log_events(logGroupName="/aws/lambda/latchkey-dev-authorizer")["events"]
        return sum(key.key.id in event["message"] for event in events)


@pytest.fixture(scope="module")
def emulated(emulated_stage: EmulatedStage) -> Emulated:
    """The packaged stack in the emulator."""
    return Emulated(emulated_stage.url, emulated_stage.emulator)


@pytest.fixture
def account(emulated: Emulated) -> AccountOfTest:
    """A new account with a password."""
    return new_account()


def key_of(account: AccountOfTest, *scopes: str, expires_at_ms: int | None = None) -> Issued:
    """Create a key and return it with its secret."""
    wanted = list(scopes) or ["read", "write", "keys"]
    issued = new_key(
        account.id, account.user_id, name="Test key", wanted=wanted, expires_at=expires_at_ms, made_by=None
    )
    store_key(issued)
    return issued


def refusal(answer: requests.Response) -> tuple[int, str]:
    """Return the status and the `error` of an error response."""
    return answer.status_code, answer.json()["error"]


def test_health_without_a_key(emulated: Emulated) -> None:
    """`GET /health` needs no key and counts against the limit for anonymous callers."""
    answer = emulated.call("GET", "/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["X-RateLimit-Limit"] == "3600"


def test_status_of_a_packaged_stage(emulated: Emulated, capsys: pytest.CaptureFixture[str]) -> None:
    """`make status` shows the URL and the tables of a packaged stage, and no data stack."""
    status.status(emulator.STAGE)
    said = capsys.readouterr().out
    assert f"Latchkey runs at {deployed.live_api(emulator.STAGE)['rest_api_url']}" in said
    assert "latchkey-dev-accounts: ACTIVE" in said
    assert "latchkey-dev-data: missing" in said


def test_missing_key_is_rejected_by_the_gateway(emulated: Emulated) -> None:
    """A request without a Bearer header is rejected by API Gateway itself, with a challenge."""
    basic = requests.get(f"{emulated.url}/v1/users/me", headers={"Authorization": "Basic YTpi"}, timeout=TIMEOUT_S)
    for answer in (emulated.call("GET", "/v1/users/me"), basic):
        assert refusal(answer) == (401, "missing_api_key")
        assert answer.text == RESPONSES["UNAUTHORIZED"].body
        metadata = f"{emulated.url}/.well-known/oauth-protected-resource"
        assert answer.headers["WWW-Authenticate"] == f'Bearer resource_metadata="{metadata}"'
        assert answer.headers["X-RateLimit-Limit"] == "0"


def test_unknown_route_is_not_found(emulated: Emulated) -> None:
    """A path or method without a route gets the API's 404."""
    for method, path in (("GET", "/nowhere"), ("DELETE", "/v1/users/me")):
        assert refusal(emulated.call(method, path)) == (404, "not_found"), path


def test_invalid_key_is_denied(emulated: Emulated) -> None:
    """The authorizer denies malformed and unknown secrets with `invalid_api_key`."""
    for secret in ("nonsense", "lk_test_" + "0" * 36):
        answer = emulated.call("GET", "/v1/users/me", secret)
        assert (answer.status_code, answer.headers["WWW-Authenticate"][:28]) == (401, 'Bearer error="invalid_token"')
        said = emulated.authorizer_says(secret)
        assert said["policyDocument"]["Statement"][0]["Effect"] == "Deny"
        assert said["context"]["refusal"] == "invalid_api_key"


def test_expired_key_is_denied(emulated: Emulated, account: AccountOfTest) -> None:
    """The authorizer denies an expired key with `token_expired`."""
    then_ms = clock.now_ms() - HOUR_MS
    Member(account.id, account.user_id).update(actions=[Member.since.set(then_ms)])
    with clock.use_wall_clock(lambda: then_ms):
        key = key_of(account, expires_at_ms=then_ms + 60_000)
    assert emulated.call("GET", "/v1/users/me", key.secret).status_code == 401
    assert emulated.authorizer_says(key.secret)["context"]["refusal"] == "token_expired"


def test_authorizer_context_reaches_the_function(emulated: Emulated, account: AccountOfTest) -> None:
    """The function gets the authorizer's context, and responds with the limits of the account's tier."""
    key = key_of(account)
    answer = emulated.call("GET", "/v1/users/me", key.secret)
    assert (answer.status_code, answer.json()["id"]) == (200, account.user_id)
    assert (answer.headers["X-RateLimit-Limit"], answer.headers["X-RateLimit-Remaining"]) == ("1000", "999")


def test_missing_scope_is_rejected_by_the_function(emulated: Emulated, account: AccountOfTest) -> None:
    """The function checks the scope, because the cached policy allows every route."""
    key = key_of(account, "read")
    assert refusal(emulated.call("GET", "/v1/keys", key.secret)) == (403, "insufficient_scope")


def test_keys_are_created_and_listed(emulated: Emulated, account: AccountOfTest) -> None:
    """A key can create another key, which is valid immediately. The function gets the path's parameters."""
    key = key_of(account)
    made = emulated.call("POST", "/v1/keys", key.secret, json={"name": "Second", "scopes": ["read"]})
    assert made.status_code == 201, made.text
    assert emulated.call("GET", "/v1/users/me", made.json()["secret"]).json()["id"] == account.user_id
    one = emulated.call("GET", f"/v1/keys/{made.json()['id']}", key.secret)
    assert (one.status_code, one.json()["name"]) == (200, "Second")
    listed = emulated.call("GET", "/v1/keys", key.secret).json()["data"]
    assert {item["name"] for item in listed} == {"Test key", "Second"}


def test_exhausted_quota_is_rejected_despite_the_cached_policy(emulated: Emulated, account: AccountOfTest) -> None:
    """A request over the quota is rejected although API Gateway has the policy cached."""
    key = key_of(account)
    assert emulated.call("GET", "/v1/users/me", key.secret).status_code == 200
    for at_ms in (clock.now_ms(), clock.now_ms() + HOUR_MS):  # The hour may change before the request is counted.
        window = counter_items.window_at(account.id, tiers.FREE, at_ms)
        dynamodb.call(
            "UpdateItem",
            {
                "TableName": settings.current().table(counter_items.TABLE),
                "Key": counter_items.item_key(account.id, tiers.FREE, window.hour),
                "UpdateExpression": "SET used = :used",
                "ExpressionAttributeValues": {":used": {"N": "1000"}},
            },
        )
    answer = emulated.call("GET", "/v1/users/me", key.secret)
    assert refusal(answer) == (429, "rate_limit_exceeded")
    assert answer.headers["X-RateLimit-Remaining"] == "0"
    assert 1 <= int(answer.headers["Retry-After"]) <= 3600
    assert emulated.authorizer_ran_for(key) == 1


def test_revoked_key_is_rejected_at_the_next_request(emulated: Emulated, account: AccountOfTest) -> None:
    """A revoked key is rejected at the next request although API Gateway has the policy cached."""
    key, other = key_of(account), key_of(account)
    assert emulated.call("GET", "/v1/users/me", key.secret).status_code == 200
    revoked = emulated.call("DELETE", f"/v1/keys/{key.key.id}", other.secret)
    assert revoked.status_code in (200, 204), revoked.text
    assert refusal(emulated.call("GET", "/v1/users/me", key.secret)) == (401, "invalid_api_key")
    assert emulated.authorizer_ran_for(key) == 1
    assert emulated.call("GET", "/v1/users/me", other.secret).status_code == 200


@dataclass
class ConsoleClient:
    """A client of the console that uses the stage's prefix, and follows redirects within the prefix."""

    root: str
    session: requests.Session = field(default_factory=requests.Session)

    def open(self, url: str) -> Page:
        """Open a page."""
        return self._page(self.session.get(url, allow_redirects=False, timeout=TIMEOUT_S))

    def send(self, page: Page, path: str, **filled_in: str) -> Page:
        """Send the form of a page to a path below the prefix."""
        form = page.form(urlsplit(self.root).path + path)
        assert form is not None, f"{page.url} has no form for {path}"
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(self.root))
        answer = self.session.post(
            urljoin(self.root, form.action),
            data={**form.fields, **filled_in},
            headers={"Origin": origin},
            allow_redirects=False,
            timeout=TIMEOUT_S,
        )
        return self._page(answer)

    def _page(self, answer: requests.Response) -> Page:
        url = answer.url
        while "Location" in answer.headers:
            url = urljoin(url, answer.headers["Location"])
            if not url.startswith(f"{self.root}/"):
                return Page(url, _as_answer(answer), leads_to=url)
            answer = self.session.get(url, allow_redirects=False, timeout=TIMEOUT_S)
        return Page(url, _as_answer(answer))


def _as_answer(response: requests.Response) -> Response:
    return Response(response.status_code, list(response.headers.items()), response.content)


def test_console_under_the_stage_prefix(emulated: Emulated, account: AccountOfTest) -> None:
    """A user can log in below the stage's prefix, and every path on the next page has the prefix."""
    console = ConsoleClient(emulated.url)
    page = console.open(f"{emulated.url}/login")
    page = console.send(page, "/login", email=account.email, password=PASSWORD)
    assert (page.answer.status, page.url) == (200, f"{emulated.url}/settings/keys")
    text = page.answer.body.decode()
    assert "Log out" in text
    paths = [path for path in re.findall(r'(?:href|src|action)="([^"#]+)"', text) if path.startswith("/")]
    prefix = urlsplit(emulated.url).path
    assert paths
    assert [path for path in paths if not path.startswith(f"{prefix}/")] == []
    style = console.open(urljoin(emulated.url, next(path for path in paths if path.endswith(".css"))))
    assert style.answer.status == 200


def test_wrong_password_is_rejected(emulated: Emulated, account: AccountOfTest) -> None:
    """A wrong password shows the login page with status 401, and opens no session."""
    console = ConsoleClient(emulated.url)
    page = console.send(console.open(f"{emulated.url}/login"), "/login", email=account.email, password="wrong horse")
    assert page.answer.status == 401
    assert page.form(f"{urlsplit(emulated.url).path}/login") is not None


def test_code_flow_of_a_real_client(
    emulated: Emulated, account: AccountOfTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """requests-oauthlib completes the code flow and a refresh, and a revoked token is rejected immediately."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # oauthlib documents this variable for servers on loopback.
    server = emulated.call("GET", "/.well-known/oauth-authorization-server").json()
    assert server["issuer"] == emulated.url
    asked = {
        "client_name": "A real client",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
    }
    client_id = requests.post(server["registration_endpoint"], json=asked, timeout=TIMEOUT_S).json()["client_id"]
    session = OAuth2Session(client_id, redirect_uri=CALLBACK, scope=["read"], pkce="S256")
    url, _ = session.authorization_url(server["authorization_endpoint"])
    console = ConsoleClient(emulated.url)
    page = console.send(console.open(url), "/login", email=account.email, password=PASSWORD)
    page = console.send(page, "/oauth/authorize", decision="allow")
    assert page.leads_to.startswith(CALLBACK)
    token = session.fetch_token(server["token_endpoint"], authorization_response=page.leads_to, include_client_id=True)
    assert session.get(f"{emulated.url}/v1/users/me").json()["id"] == account.user_id
    fresh = session.refresh_token(server["token_endpoint"], client_id=client_id)
    assert fresh["access_token"] != token["access_token"]
    assert session.get(f"{emulated.url}/v1/users/me").status_code == 200
    ended = {"token": fresh["refresh_token"], "client_id": client_id}
    assert requests.post(server["revocation_endpoint"], data=ended, timeout=TIMEOUT_S).status_code == 200
    assert refusal(session.get(f"{emulated.url}/v1/users/me")) == (401, "invalid_api_key")
