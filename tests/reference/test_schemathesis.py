"""schemathesis makes requests up from /openapi.json, good and bad ones, and no answer is one that isn't documented.

Everything it can check is checked, with keys of every scope and without one, but for what NOT_SO names.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.credentials import scopes
from tests.browser.console import Console, Key, Person, served

pytestmark = pytest.mark.xdist_group("schemathesis")

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
HOUR_S = 3_600
NOT_SO = {
    "unsupported_method": "a method that a path doesn't have is API Gateway's to refuse, and it says 404, not 405",
    "use_after_free": "a revoked key is still shown, as revoked, until 30 days past its end",
}
"""The checks that are left out, and why."""
EVERY_PHASE = "examples,coverage,fuzzing,stateful"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """The API on an engine of its own."""
    with served(tmp_path_factory.mktemp("api")) as running:
        yield running


def fuzz(
    api: Console, folder: Path, person: Person, key: Key | None, held: tuple[str, ...], *, seed: int, phases: str
) -> None:
    """Let schemathesis play a caller; insist that it finds nothing."""
    api.forward(HOUR_S)  # strangers have their hour's quota anew, and clients may register again
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(HERE / "schemathesis.toml")),
        *("run", f"{api.url}/openapi.json", "--checks", "all", "--exclude-checks", ",".join(NOT_SO)),
        *("--seed", str(seed), "--max-examples", "5", "--phases", phases, "--no-color"),
        *(("--header", f"Authorization: Bearer {key.secret}") if key else ()),
    ]
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "SCHEMATHESIS_HOOKS": "tests.reference.hooks",
        "PLAYED_IDS": f"{person.id} {key.id}" if key else person.id,
        "PLAYED_SCOPES": " ".join(held),
    }
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_caller_who_may_do_everything_meets_nothing_undocumented(api: Console, tmp_path: Path) -> None:
    """An admin's key with every scope, on an account without a quota."""
    root = api.person("Root", tier="enterprise", admin=True)
    fuzz(api, tmp_path, root, api.key(root, *scopes.ALL), scopes.ALL, seed=1, phases=EVERY_PHASE)


@pytest.mark.parametrize("scope", scopes.ALL)
def test_caller_with_one_scope_gets_no_further(api: Console, tmp_path: Path, scope: str) -> None:
    """A key of each scope: what asks for another is refused as documented."""
    root = api.person("Root", tier="enterprise", admin=True)
    fuzz(api, tmp_path, root, api.key(root, scope), (scope,), seed=4, phases="examples")


def test_caller_without_a_key_gets_nowhere(api: Console, tmp_path: Path) -> None:
    """Only what is open to anyone answers."""
    fuzz(api, tmp_path, api.person("Eve"), None, (), seed=5, phases="examples,coverage")
