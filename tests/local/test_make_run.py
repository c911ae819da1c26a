"""`make run` as a developer uses it: started, interrupted in every way, and started again."""

import signal

import pytest
import requests

from infra import demo
from tests.local.make_run import DEMOS, GIVEN_UP_AFTER_S, KEY, TIERS, Tree, bearer, create_key, is_free
from tests.support import exhaustive


@pytest.mark.parametrize("killed", exhaustive.after(1, ["everything", "all_but_the_engine", "the_engine_first"]))
def test_killed_run_loses_no_account_or_key(tree: Tree, killed: str) -> None:
    """After SIGKILL the next start has the same accounts, and all issued keys are valid."""
    first = tree.start()
    assert len(first.keys) == len(DEMOS)
    keys = [*first.keys, create_key(first, by=first.keys[0])]
    people = [first.get("/v1/users/me", key) for key in keys]
    if killed == "the_engine_first":
        tree.kill_engines()
    first.interrupt(signal.SIGKILL)
    if killed == "everything":
        tree.kill_engines()
    second = tree.start()
    assert [second.get("/v1/users/me", key) for key in keys] == people
    assert [person["tier"] for person in people] == [*TIERS, "free", demo.OWNER.name, "free"]


def test_later_start_prints_how_to_create_a_key(tree: Tree) -> None:
    """A later start can't show the keys, which aren't stored, so it prints the command that creates a key."""
    tree.start().interrupt(signal.SIGINT)
    again = tree.start()
    assert not KEY.search(again.printed)
    for name in DEMOS:
        assert f"make key EMAIL={name}@example.com" in again.printed
    key = tree.make("key", "EMAIL=pro@example.com").strip()
    assert KEY.fullmatch(key)
    assert again.get("/v1/users/me", key)["tier"] == "pro"


@pytest.mark.parametrize("by", exhaustive.after(1, [signal.SIGINT, signal.SIGTERM]), ids=lambda by: by.name)
def test_interrupt_stops_everything_that_was_started(tree: Tree, by: signal.Signals) -> None:
    """After SIGINT or SIGTERM, no database and no server is running."""
    run = tree.start()
    assert len(tree.engines()) == 1
    printed = run.interrupt(by)
    assert "Stopped." in printed
    assert "Traceback" not in printed
    assert tree.engines() == []
    assert is_free(tree.port)


def test_interrupt_with_a_slow_engine_prints_no_traceback(tree: Tree) -> None:
    """Background threads that fail during the shutdown write to the log, not to the terminal."""
    tree.linger()
    run = tree.start()
    printed = run.interrupt(signal.SIGINT)
    assert printed.split() == ["Stopped."]
    assert tree.engines() == []


def test_interrupt_while_starting_stops_everything(tree: Tree) -> None:
    """After Ctrl-C during the first start, no database is running, and the next start succeeds."""
    run = tree.start(until="Created")
    assert "Traceback" not in run.interrupt(signal.SIGINT)
    assert tree.engines() == []
    again = tree.start()
    for name in DEMOS:
        assert f"{name}@example.com" in again.printed


def test_password_link_of_a_local_account_has_the_local_url(tree: Tree) -> None:
    """The commands `make account` and `make password-link` make no call to AWS and print a link to the local URL."""
    run = tree.start()
    for command in ("account", "password-link"):
        printed = tree.make(command, "EMAIL=zed@example.com")
        link = printed[printed.index(f"{run.url}/password?ticket=") :].split()[0]
        assert requests.get(link, timeout=GIVEN_UP_AFTER_S).status_code == 200


def test_only_the_owner_can_read_the_files_of_a_run(tree: Tree) -> None:
    """Other users have no access to the database, the log and the emails, including files of an earlier version."""
    old = tree.path / ".local" / "latchkey.log"
    old.touch(0o644)
    run = tree.start()
    run.get("/v1/users/me", run.keys[0])
    kept = [path for path in (tree.path / ".local").iterdir() if path.name != "dynoxide"]
    assert {"latchkey.db", "latchkey.log", "running.json", "mail"} <= {path.name for path in kept}
    assert [path.name for path in kept if path.stat().st_mode & 0o077] == []


def test_demo_administrator_can_use_the_admin_api(tree: Tree) -> None:
    """The demo administrator's key gives access to the routes for administrators."""
    run = tree.start()
    key = run.keys[DEMOS.index("admin")]
    assert "/admin" in run.printed
    body = {"secret": run.keys[0]}
    response = requests.post(f"{run.url}/v1/verify", json=body, headers=bearer(key), timeout=GIVEN_UP_AFTER_S)
    assert response.status_code == 200
