"""schemathesis makes requests up from /openapi.json, good and bad ones, and no answer is one that isn't documented.

Everything it can check is checked, with keys of every scope and without one, but for what NOT_SO names.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.credentials import scopes
from tests.browser.console import Console, Key, User, served
from tests.reference.player import Player, playing
from tests.support import exhaustive

pytestmark = pytest.mark.xdist_group("schemathesis")

HERE = Path(__file__).parent
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


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Player]:
    """One schemathesis for all callers."""
    with playing(tmp_path_factory.mktemp("player")) as running:
        yield running


def fuzz(
    api: Console, player: Player, person: User, key: Key | None, held: tuple[str, ...], *, seed: int, phases: str
) -> None:
    """Let schemathesis play a caller; insist that it finds nothing."""
    api.forward(HOUR_S)  # strangers have their hour's quota anew, and clients may register again
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


def test_caller_who_may_do_everything_meets_nothing_undocumented(api: Console, player: Player) -> None:
    """An admin's key with every scope, on an account without a quota."""
    root = api.user("Root", tier="enterprise", admin=True)
    fuzz(api, player, root, api.key(root, *scopes.ALL), scopes.ALL, seed=1, phases=EVERY_PHASE)


@pytest.mark.parametrize("scope", exhaustive.after(1, scopes.ALL))
def test_caller_with_one_scope_gets_no_further(api: Console, player: Player, scope: str) -> None:
    """A key of each scope: what asks for another is refused as documented."""
    root = api.user("Root", tier="enterprise", admin=True)
    fuzz(api, player, root, api.key(root, scope), (scope,), seed=4, phases="examples")


def test_caller_without_a_key_gets_nowhere(api: Console, player: Player) -> None:
    """Only what is open to anyone answers. What it takes was tried above, more thoroughly."""
    fuzz(api, player, api.user("Eve"), None, (), seed=5, phases="examples")


def test_schemathesis_would_find_a_scope_that_is_not_asked_for(api: Console, player: Player) -> None:
    """A key that may do more than its caller is known to have is found, whatever was run before."""
    root = api.user("Root", tier="enterprise", admin=True)
    with pytest.raises(AssertionError, match="answers a caller who lacks write"):
        fuzz(api, player, root, api.key(root, "write"), (), seed=4, phases="examples")
