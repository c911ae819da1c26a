"""Clients for Node.js: each program in `programs/` completes the flows of one of them."""

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
    """Run a program, and check that its records are the user's and its revoked tokens are rejected."""

    def checked(program: str, application: Application | None = None, **more: str) -> Results:
        results = nodejs.run(program, user, tmp_path, application, **more)
        assert results["records"]
        assert all(user.is_described_by(record) for record in results["records"])
        assert all(user.is_rejected(token) for token in results["revoked"])
        return results

    return checked


@pytest.mark.parametrize("method", AT_CLIENT_METHODS)
def test_openid_client(user: BrowserUser, run: Run, method: str) -> None:
    """Discovery, code with PKCE and resource, `iss`, refresh, introspection, revocation, device, client credentials."""
    application = user.register_client(method)
    results = run("openid-client", application, method=method)
    assert len(results["records"]) == (3 if method == "none" else 4)


def test_openid_client_registers_itself(run: Run) -> None:
    """The same flows for a self-registered client."""
    assert len(run("openid-client", method="none")["records"]) == 2


@pytest.mark.parametrize("method", AT_CLIENT_METHODS)
def test_oauth4webapi(user: BrowserUser, run: Run, method: str) -> None:
    """From the API's own metadata on, with each error that a client must handle."""
    application = user.register_client(method)
    results = run("oauth4webapi", application, method=method)
    assert len(results["records"]) == (3 if method == "none" else 4)


@pytest.mark.parametrize("method", ["client_secret_basic", "none"])
def test_oauth4webapi_registers_itself(run: Run, method: str) -> None:
    """The same flows for a self-registered client."""
    assert len(run("oauth4webapi", method=method)["records"]) == 3


@pytest.mark.parametrize(("method", "body_format"), [("client_secret_basic", "form"), ("client_secret_post", "json")])
def test_simple_oauth2(user: BrowserUser, run: Run, method: str, body_format: str) -> None:
    """Code, refresh, revocation, client credentials; with forms, and with JSON bodies as in the guide."""
    application = user.register_client(method)
    results = run("simple-oauth2", application, method=method, bodyFormat=body_format)
    assert len(results["records"]) == 3


@pytest.mark.parametrize("method", ["client_secret_post", "none"])
def test_passport_oauth2(user: BrowserUser, run: Run, method: str) -> None:
    """Users log in to an Express app with this server, with state and PKCE in the app's session."""
    results = run("passport-oauth2", user.register_client(method))
    assert results["tokens"][0] != results["tokens"][1]


@pytest.mark.parametrize("method", AT_CLIENT_METHODS)
def test_modelcontextprotocol_sdk(run: Run, method: str) -> None:
    """A 401 leads to the metadata, registration, consent with PKCE and resource, the response, and a refresh."""
    assert len(run("modelcontextprotocol", method=method)["records"]) == 2


def test_modelcontextprotocol_sdk_client_credentials(user: BrowserUser, run: Run) -> None:
    """A client in its own name needs no browser."""
    assert run("modelcontextprotocol", user.register_client())["records"]
