"""Client code that generators create from /openapi.json can be imported, compiles strictly, and calls the server.

The version of the Python generator is in requirements-dev.txt, and those of the TypeScript generators are in
`generators/`.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.api.openapi.document import OPENAPI
from infra import pinned
from tests.browser.console import Console, served

pytestmark = pytest.mark.xdist_group("generators")

HERE = Path(__file__).parent / "generators"
EVERY_MODULE = """
import importlib, json, pkgutil
import generated
names = [module.name for module in pkgutil.walk_packages(generated.__path__, "generated.")]
print(json.dumps([importlib.import_module(name).__name__ for name in names]))
"""
CALLS = """
import json, sys
from generated import AuthenticatedClient, Client
from generated.api.keys import create_key, list_keys
from generated.api.o_auth import device_authorization, introspect, revoke, token
from generated.api.o_auth_client_registration import register
from generated import models

url, secret = sys.argv[1:]
api, anyone = AuthenticatedClient(base_url=url, token=secret), Client(base_url=url)
wanted = models.CreateKeyBody(name="Generated", scopes=[models.CreateKeyBodyScopesItem.READ])
made = create_key.sync(client=api, body=wanted)
listed = list_keys.sync(client=api)
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
app = register.sync(client=anyone, body=models.RegisterBody.from_dict({"redirect_uris": ["https://app.example.com/cb"]}))
device = register.sync(client=anyone, body=models.RegisterBody.from_dict(
    {"grant_types": [DEVICE], "response_types": [], "token_endpoint_auth_method": "none"}))
mine = {"client_id": app.client_id, "client_secret": app.client_secret}
opened = device_authorization.sync(client=anyone, body=models.DeviceAuthorizationBody(client_id=device.client_id))
asked = {"grant_type": "refresh_token", "refresh_token": "x", **mine}
refused = token.sync(client=anyone, body=models.TokenBody.from_dict(asked))
told = introspect.sync(client=anyone, body=models.IntrospectBody(token="x", **mine))
ended = revoke.sync_detailed(client=anyone, body=models.RevokeBody(token="x", **mine))
print(json.dumps({
    "made": made.name, "listed": [key.name for key in listed.data].count("Generated"), "opened": opened.interval,
    "refused": refused.error, "active": told.active, "ended": ended.status_code,
}))
"""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A server of the API with a DynamoDB emulator that no other module uses."""
    with served(tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture(scope="module")
def secret(api: Console) -> str:
    """The secret of a key that may manage keys."""
    return api.key(api.user(), "read", "keys").secret


@pytest.fixture(scope="module")
def python(api: Console, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the package `generated`, which openapi-python-client has created."""
    folder = tmp_path_factory.mktemp("python")
    # The generator's last step would only format the code.
    (folder / "config.yaml").write_text("post_hooks: []\n")
    program = str(Path(sys.executable).with_name("openapi-python-client"))
    into = ["--output-path", str(folder / "generated"), "--meta", "none", "--config", str(folder / "config.yaml")]
    said = _run(["sh", "-c", '"$@" 2>&1', "sh", program, "generate", "--url", f"{api.url}/openapi.json", *into], folder)
    omitted = re.findall(r"^WARNING parsing (.*) within", said, re.MULTILINE)
    # The RSS feed isn't JSON, so only its response is left out.
    assert omitted == ["GET /status.rss"], said
    return folder


@pytest.fixture(scope="module")
def typescript(api: Console, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the OpenAPI document, our TypeScript program, and the compiler."""
    folder = tmp_path_factory.mktemp("typescript")
    (folder / "node_modules").symlink_to(pinned.node_modules(HERE, "generators"))
    for name in ("package.json", "program.ts"):
        shutil.copy2(HERE / name, folder)
    return folder


def test_every_module_of_a_generated_python_client_imports(python: Path) -> None:
    """All generated modules can be imported, including those of the OAuth endpoints, whose bodies are forms."""
    names = json.loads(_run([sys.executable, "-c", EVERY_MODULE], python))
    for endpoint in ("token", "revoke", "introspect", "device_authorization", "register"):
        assert any(name.endswith(f".{endpoint}") for name in names if name.startswith("generated.api.o_auth"))
    assert len(names) > 150


def test_generated_python_client_calls_the_server(api: Console, secret: str, python: Path) -> None:
    """Requests with JSON and with forms succeed, and the parsed responses have the documented types."""
    done = json.loads(_run([sys.executable, "-c", CALLS, api.url, secret], python))
    assert done == {
        "made": "Generated",
        "listed": 1,
        "opened": 5,
        "refused": "unauthorized_client",
        "active": False,
        "ended": 200,
    }


def test_typescript_types_compile_strictly_and_match_responses(api: Console, secret: str, typescript: Path) -> None:
    """A program with openapi-typescript's types compiles under --strict and runs; wrong use of them doesn't compile."""
    _run([_bin(typescript, "openapi-typescript"), f"{api.url}/openapi.json", "-o", "schema.ts"], typescript)
    _compiled(typescript, "program.ts", "--noEmitOnError")
    done = json.loads(_run(["node", "program.js", api.url, secret], typescript))
    assert done == {"key": "Typed", "shown": True, "refused": "unauthorized_client"}


def test_client_by_orval_compiles_strictly(api: Console, typescript: Path) -> None:
    """The client that orval generates has one function for each operation, and compiles strictly."""
    chosen = {"latchkey": {"input": f"{api.url}/openapi.json", "output": {"target": "orval.ts", "client": "fetch"}}}
    (typescript / "orval.config.mjs").write_text(f"export default {json.dumps(chosen)};\n")
    _run([_bin(typescript, "orval"), "--config", "orval.config.mjs"], typescript)
    text = (typescript / "orval.ts").read_text()
    assert "export const introspect = async" in text
    _compiled(typescript, "orval.ts", "--noEmit")


def test_document_has_an_openapi_version_that_generators_support() -> None:
    """The document isn't OpenAPI 3.2, which the Python generator and spectral don't support."""
    assert OPENAPI.startswith("3.1.")


def _compiled(folder: Path, file: str, *options: str) -> None:
    kind = [
        "--target",
        "es2022",
        "--module",
        "esnext",
        "--moduleResolution",
        "bundler",
        "--lib",
        "es2022,dom,dom.iterable",
    ]
    _run([_bin(folder, "tsc"), "--strict", *kind, *options, file], folder)


def _bin(folder: Path, program: str) -> str:
    return str(folder / "node_modules" / ".bin" / program)


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
