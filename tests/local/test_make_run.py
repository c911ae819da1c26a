"""`make run` as a developer uses it: started, interrupted in every way, started again."""

import signal

import pytest
import requests

from tests.local.make_run import DEMOS, GIVEN_UP_AFTER_S, KEY, TIERS, Tree, bearer, created_key, is_free
from tests.support import exhaustive


@pytest.mark.parametrize("killed", exhaustive.after(1, ["everything", "all_but_the_engine", "the_engine_first"]))
def test_killed_run_loses_no_account_or_key(tree: Tree, killed: str) -> None:
    """After kill -9 the next start has the same accounts, and every key that was ever shown works."""
    first = tree.start()
    assert len(first.keys) == len(DEMOS)
    keys = [*first.keys, created_key(first, by=first.keys[0])]
    people = [first.get("/v1/users/me", key) for key in keys]
    if killed == "the_engine_first":
        tree.kill_engines()
    first.interrupt(signal.SIGKILL)
    if killed == "everything":
        tree.kill_engines()
    second = tree.start()
    assert [second.get("/v1/users/me", key) for key in keys] == people
    assert [person["tier"] for person in people] == [*TIERS, "free", "free"]


def test_later_start_shows_no_secret_but_how_to_get_a_key(tree: Tree) -> None:
    """What isn't stored can't be shown again: a later start names the command that makes a key, and the key works."""
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
    """Ctrl-C, and a polite kill, leave no engine and no server behind."""
    run = tree.start()
    assert len(tree.engines()) == 1
    printed = run.interrupt(by)
    assert "Stopped." in printed
    assert "Traceback" not in printed
    assert tree.engines() == []
    assert is_free(tree.port)


def test_interrupt_says_nothing_of_an_engine_that_takes_its_time_to_end(tree: Tree) -> None:
    """What goes on beside the server stops with it, or fails into the log: the terminal shows no traceback."""
    tree.linger()
    run = tree.start()
    printed = run.interrupt(signal.SIGINT)
    assert printed.split() == ["Stopped."]
    assert tree.engines() == []


def test_interrupt_while_starting_stops_everything(tree: Tree) -> None:
    """Ctrl-C in the middle of the first start leaves no engine behind, and the next start has all it needs."""
    run = tree.start(until="Created")
    assert "Traceback" not in run.interrupt(signal.SIGINT)
    assert tree.engines() == []
    again = tree.start()
    for name in DEMOS:
        assert f"{name}@example.com" in again.printed


def test_link_of_an_account_made_here_leads_to_the_run(tree: Tree) -> None:
    """`make account` and `make password-link` ask nothing of AWS for it."""
    run = tree.start()
    for command in ("account", "password-link"):
        printed = tree.make(command, "EMAIL=zed@example.com")
        link = printed[printed.index(f"{run.url}/password?ticket=") :].split()[0]
        assert requests.get(link, timeout=GIVEN_UP_AFTER_S).status_code == 200


def test_only_the_owner_can_read_what_a_run_keeps(tree: Tree) -> None:
    """The database, the log and the mail, made now or by an earlier version: nobody else on the machine."""
    old = tree.path / ".local" / "latchkey.log"
    old.touch(0o644)
    run = tree.start()
    run.get("/v1/users/me", run.keys[0])
    kept = [path for path in (tree.path / ".local").iterdir() if path.name != "dynoxide"]
    assert {"latchkey.db", "latchkey.log", "running.json", "mail"} <= {path.name for path in kept}
    assert [path.name for path in kept if path.stat().st_mode & 0o077] == []


def test_administration_is_there_to_be_seen(tree: Tree) -> None:
    """The demo administrator's key reads what only administrators may."""
    run = tree.start()
    key = run.keys[DEMOS.index("admin")]
    assert "/admin" in run.printed
    body = {"secret": run.keys[0]}
    answer = requests.post(f"{run.url}/v1/verify", json=body, headers=bearer(key), timeout=GIVEN_UP_AFTER_S)
    assert answer.status_code == 200
