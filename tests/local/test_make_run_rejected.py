"""`make run` can't start: ports in use or invalid, a second run, a misspelt setting."""

import signal
import socket

import pytest

from tests.local.make_run import GIVEN_UP_AFTER_S, Tree, find_free_port
from tests.support import exhaustive


def test_misspelt_setting_ends_the_start_with_one_sentence(tree: Tree) -> None:
    """A misspelt setting is an error that a change of the code can't mend, so `make run` ends with one sentence."""
    printed = tree.refused_start(LATCHKEY_LOG_LEVEL="LOUD")
    assert "LATCHKEY_LOG_LEVEL takes" in printed
    assert "Traceback" not in printed
    assert tree.engines() == []


def test_port_in_use_is_reported_and_leaves_nothing_running(tree: Tree) -> None:
    """One sentence names the port in use and how to choose another, and no database is left running."""
    with socket.create_server(("127.0.0.1", tree.port)):
        printed = tree.refused_start()
    assert f"127.0.0.1:{tree.port}" in printed
    assert "make run PORT=" in printed
    assert "Traceback" not in printed
    assert tree.engines() == []


@pytest.mark.parametrize("port", exhaustive.after(2, ["here", "0", "65536", "-1"]))
def test_invalid_port_is_rejected(tree: Tree, port: str) -> None:
    """For an invalid port, one sentence is printed before anything is started."""
    process = tree._make("run", f"PORT={port}")
    printed = process.communicate(timeout=GIVEN_UP_AFTER_S)[0]
    assert process.returncode != 0
    assert "PORT must be a number from 1 to 65535." in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize("where", exhaustive.after(1, ["on another port", "on its port"]))
def test_second_run_is_rejected_and_leaves_the_first_running(tree: Tree, where: str) -> None:
    """A second run prints the URL of the first run, which keeps running with its database."""
    first = tree.start()
    if where == "on another port":
        tree.port = find_free_port()
    printed = tree.refused_start()
    assert f"Latchkey is already running at {first.url}" in printed
    assert "LATCHKEY_BRNAD is no setting" in tree.refused_start(LATCHKEY_BRNAD="x")
    assert "Traceback" not in printed
    assert len(tree.engines()) == 1
    assert first.get("/v1/users/me", tree.make("key", "EMAIL=pro@example.com").strip())["tier"] == "pro"
    assert "Stopped." in first.interrupt(signal.SIGINT)
    assert len(tree.start().keys) == 0


def test_second_run_is_rejected_while_the_first_starts(tree: Tree) -> None:
    """A second run is rejected even before the first listens on its port, because the lock is acquired first."""
    tree.start(until="Created")
    assert "Latchkey is already running" in tree.refused_start()
    assert len(tree.engines()) == 1
