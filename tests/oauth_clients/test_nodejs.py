"""Tests of clients for Node.js: each program in `programs/` completes the flows that one library supports."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.oauth_clients import nodejs
from tests.oauth_clients.browser_user import AT_CLIENT_METHODS, Application, BrowserUser
from tests.oauth_clients.nodejs import Results

pytestmark = pytest.mark.xdist_group("oauth_clients")

Run = Callable[..., Results]


@pytest.fixture
def run(user: BrowserUser, tmp_path: Path) -> Run:
    """Return a function that runs a program and checks its results: records of the user or service user, and revoked
    tokens.
    """

    def checked(program: str, application: Application | None = None, **more: str) -> Results:
        results = nodejs.run(program, user, tmp_path, application, **more)
        assert results["records"]
        assert all(user.is_described_by(each) or user.is_represented_by(each) for each in results["records"])
        assert all(user.is_rejected(token) for token in results["revoked"])
        return results

    return checked


@pytest.mark.parametrize("method", AT_CLIENT_METHODS)
def test_openid_client(user: BrowserUser, run: Run, method: str) -> None:
    """All flows of openid-client work: code with PKCE, resource and `iss`, device flow, client credentials, refresh,
    introspection and revocation.
    """
    application = user.register_client(method)
    results = run("openid-client", application, method=method)
    assert len(results["records"]) == (3 if method == "none" else 4)


def test_openid_client_registers_itself(run: Run) -> None:
    """The same flows work for a self-registered client, except client credentials."""
    assert len(run("openid-client", method="none")["records"]) == 2


@pytest.mark.parametrize("method", AT_CLIENT_METHODS)
def test_oauth4webapi(user: BrowserUser, run: Run, method: str) -> None:
    """Starting from the API's own metadata, all flows work, and the library recognises each error that a client must
    handle.
    """
    application = user.register_client(method)
    results = run("oauth4webapi", application, method=method)
    assert len(results["records"]) == (3 if method == "none" else 4)


@pytest.mark.parametrize("method", ["client_secret_basic", "none"])
def test_oauth4webapi_registers_itself(run: Run, method: str) -> None:
    """The same flows work for a self-registered client."""
    assert len(run("oauth4webapi", method=method)["records"]) == 3


@pytest.mark.parametrize(("method", "body_format"), [("client_secret_basic", "form"), ("client_secret_post", "json")])
def test_simple_oauth2(user: BrowserUser, run: Run, method: str, body_format: str) -> None:
    """Code, refresh, revocation and client credentials work with forms and with JSON bodies."""
    application = user.register_client(method)
    results = run("simple-oauth2", application, method=method, bodyFormat=body_format)
    assert len(results["records"]) == 3


@pytest.mark.parametrize("method", ["client_secret_post", "none"])
def test_passport_oauth2(user: BrowserUser, run: Run, method: str) -> None:
    """Users can log in to an Express app with this server; the app keeps state and PKCE verifier in its session."""
    results = run("passport-oauth2", user.register_client(method))
    assert results["tokens"][0] != results["tokens"][1]


@pytest.mark.parametrize("method", AT_CLIENT_METHODS)
def test_modelcontextprotocol_sdk(run: Run, method: str) -> None:
    """After a 401, the SDK discovers the metadata, registers, gets consent, calls the API and refreshes its token."""
    assert len(run("modelcontextprotocol", method=method)["records"]) == 2


def test_modelcontextprotocol_sdk_client_credentials(user: BrowserUser, run: Run) -> None:
    """The SDK gets a token for the client's own account without a browser."""
    assert run("modelcontextprotocol", user.register_client())["records"]
