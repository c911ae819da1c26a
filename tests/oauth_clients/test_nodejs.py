"""The clients for Node.js: each program in `programs/` goes the whole way of one of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.oauth_clients import nodejs
from tests.oauth_clients.nodejs import Results
from tests.oauth_clients.someone import AT_CLIENT_METHODS, Application, Someone

pytestmark = pytest.mark.xdist_group("oauth_clients")

Run = Callable[..., Results]


@pytest.fixture
def run(someone: Someone, tmp_path: Path) -> Run:
    """Runs a program; whatever it did, each record it read must be the person's, and each token it ended be dead."""

    def checked(program: str, application: Application | None = None, **more: str) -> Results:
        results = nodejs.run(program, someone, tmp_path, application, **more)
        assert results["records"]
        assert all(someone.is_named_by(record) for record in results["records"])
        assert all(someone.refuses(token) for token in results["revoked"])
        return results

    return checked


@pytest.mark.parametrize("method", AT_CLIENT_METHODS)
def test_openid_client(someone: Someone, run: Run, method: str) -> None:
    """Discovery, code with PKCE and resource, `iss`, refresh, introspection, revocation, device, client credentials."""
    application = someone.registers(method)
    results = run("openid-client", application, method=method)
    assert len(results["records"]) == (3 if method == "none" else 4)


def test_openid_client_registers_itself(run: Run) -> None:
    """The same way of a client that nobody registered before."""
    assert len(run("openid-client", method="none")["records"]) == 2


@pytest.mark.parametrize("method", AT_CLIENT_METHODS)
def test_oauth4webapi(someone: Someone, run: Run, method: str) -> None:
    """From the API's own metadata on, with each refusal that a client must understand on the way."""
    application = someone.registers(method)
    results = run("oauth4webapi", application, method=method)
    assert len(results["records"]) == (3 if method == "none" else 4)


@pytest.mark.parametrize("method", ["client_secret_basic", "none"])
def test_oauth4webapi_registers_itself(run: Run, method: str) -> None:
    """The same way of a client that nobody registered before."""
    assert len(run("oauth4webapi", method=method)["records"]) == 3


@pytest.mark.parametrize(("method", "body_format"), [("client_secret_basic", "form"), ("client_secret_post", "json")])
def test_simple_oauth2(someone: Someone, run: Run, method: str, body_format: str) -> None:
    """Code, refresh, revocation, client credentials; with forms, and with JSON bodies as the guide shows them."""
    application = someone.registers(method)
    results = run("simple-oauth2", application, method=method, bodyFormat=body_format)
    assert len(results["records"]) == 3


@pytest.mark.parametrize("method", ["client_secret_post", "none"])
def test_passport_oauth2(someone: Someone, run: Run, method: str) -> None:
    """People log in to an app of Express through this server, with state and PKCE in the app's session."""
    results = run("passport-oauth2", someone.registers(method))
    assert results["tokens"][0] != results["tokens"][1]


@pytest.mark.parametrize("method", AT_CLIENT_METHODS)
def test_modelcontextprotocol_sdk(run: Run, method: str) -> None:
    """A 401 leads to the metadata, a registration, consent with PKCE and resource, the answer, and a refresh."""
    assert len(run("modelcontextprotocol", method=method)["records"]) == 2


def test_modelcontextprotocol_sdk_by_itself(someone: Someone, run: Run) -> None:
    """A client of one's own needs nobody at a browser."""
    assert run("modelcontextprotocol", someone.registers())["records"]
