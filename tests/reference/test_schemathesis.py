"""schemathesis sends valid and invalid requests generated from /openapi.json, and every response must be documented.

All its checks run, except those in NOT_SO, with keys of each scope and without a key.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.credentials import scopes
from tests.browser.console import Console, Key, User, served
from tests.reference.player import Player, run_player
from tests.support import exhaustive

pytestmark = pytest.mark.xdist_group("schemathesis")

HERE = Path(__file__).parent
HOUR_S = 3_600
NOT_SO = {
    "unsupported_method": "a method that a path doesn't have is API Gateway's to refuse, and it says 404, not 405",
    "use_after_free": "a revoked key is still shown, as revoked, until 30 days past its end",
}
"""The checks that don't run, each with the reason."""
EVERY_PHASE = "examples,coverage,fuzzing,stateful"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A server of the API with a DynamoDB emulator that no other module uses."""
    with served(tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Player]:
    """A process that runs schemathesis for all tests of this module, one caller after the other."""
    with run_player(tmp_path_factory.mktemp("player")) as running:
        yield running


def fuzz(
    api: Console, player: Player, person: User, key: Key | None, held: tuple[str, ...], *, seed: int, phases: str
) -> None:
    """Run schemathesis as a caller and assert that it reports nothing."""
    api.forward(HOUR_S)  # A new hour renews the quota of anonymous callers and the number of registrations.
    arguments = [
        *("--config-file", str(HERE / "schemathesis.toml")),
        *("run", f"{api.url}/openapi.json", "--checks", "all", "--exclude-checks", ",".join(NOT_SO)),
        *("--seed", str(seed), "--max-examples", "5", "--phases", phases, "--no-color"),
        *(("--header", f"Authorization: Bearer {key.secret}") if key else ()),
    ]
    ids = f"{person.id} {key.id}" if key else person.id
    code, printed = player.run(arguments, PLAYED_IDS=ids, PLAYED_SCOPES=" ".join(held))
    assert code == 0, printed
    assert " passed" in printed


def test_caller_with_every_scope_gets_documented_responses(api: Console, player: Player) -> None:
    """All responses to an administrator's key with every scope are documented."""
    root = api.user("Root", tier="enterprise", admin=True)
    fuzz(api, player, root, api.key(root, *scopes.ALL), scopes.ALL, seed=1, phases=EVERY_PHASE)


@pytest.mark.parametrize("scope", exhaustive.after(1, scopes.ALL))
def test_caller_with_one_scope_is_denied_the_others(api: Console, player: Player, scope: str) -> None:
    """A key with one scope is denied the routes of other scopes, as documented."""
    root = api.user("Root", tier="enterprise", admin=True)
    fuzz(api, player, root, api.key(root, scope), (scope,), seed=4, phases="examples")


def test_anonymous_caller_is_denied(api: Console, player: Player) -> None:
    """A caller without a credential succeeds on public routes only."""
    fuzz(api, player, api.user("Eve"), None, (), seed=5, phases="examples")


def test_schemathesis_finds_a_missing_scope_check(api: Console, player: Player) -> None:
    """A key with more scopes than schemathesis expects is reported, which shows that the check runs."""
    root = api.user("Root", tier="enterprise", admin=True)
    with pytest.raises(AssertionError, match="answers a caller who lacks write"):
        fuzz(api, player, root, api.key(root, "write"), (), seed=4, phases="examples")
