"""`make oauth-demo` with `make run`: the printed flow, and the demo application."""

import re
import signal

from tests.local.make_run import GIVEN_UP_AFTER_S, Tree

CLIENT = re.compile(r"client id +(\S+)\n +secret +(.+)\n +redirect URI +(\S+)")
REQUEST = re.compile(r"^> ([A-Z]+) ([^ ?]+)", re.MULTILINE)
STATUS = re.compile(r"^< HTTP/1\.1 (\d+)", re.MULTILINE)
REGISTRATION = [("POST", "/oauth/register", "201")]
FLOW = [
    ("GET", "/oauth/authorize", "303"),
    ("GET", "/login", "200"),
    ("POST", "/login", "303"),
    ("GET", "/oauth/authorize", "200"),
    ("POST", "/oauth/authorize", "303"),
    ("GET", "/callback", "200"),
    ("POST", "/oauth/token", "200"),
    ("GET", "/v1/users", "200"),
    ("POST", "/oauth/token", "200"),
    ("GET", "/v1/users", "200"),
    ("POST", "/oauth/revoke", "200"),
    ("GET", "/v1/users", "401"),
]


def exchanges(printed: str) -> list[tuple[str, str, str]]:
    """Return the printed requests with their status."""
    sent = REQUEST.findall(printed)
    return [(method, path, status) for (method, path), status in zip(sent, STATUS.findall(printed), strict=True)]


def test_demo_prints_the_whole_flow(tree: Tree) -> None:
    """Without arguments the demo registers a client dynamically; with an id and a secret it uses that client."""
    run = tree.start()
    printed = tree.make("oauth-demo")
    assert exchanges(printed) == REGISTRATION + FLOW
    assert ("code_challenge_method=S256" in printed, '"code_verifier"' in printed) == (True, True)
    found = CLIENT.search(run.printed)
    assert found is not None
    with_demo_client = tree.make("oauth-demo", f"CLIENT_ID={found[1]}", f"CLIENT_SECRET={found[2]}")
    assert exchanges(with_demo_client) == FLOW
    failed = tree._make("oauth-demo", "CLIENT_ID=app_unknown000000000", "CLIENT_SECRET=x")
    printed = failed.communicate(timeout=GIVEN_UP_AFTER_S)[0]
    assert (failed.returncode != 0, "doesn't redirect to a client: 400. " in printed) == (True, True)
    assert "client_id" in printed.partition("doesn't redirect to a client: 400. ")[2]


def test_demo_without_a_run_prints_how_to_start_it(tree: Tree) -> None:
    """Without a running `make run`, the demo prints one sentence on how to start it, and no traceback."""
    process = tree._make("oauth-demo")
    printed = process.communicate(timeout=GIVEN_UP_AFTER_S)[0]
    assert process.returncode != 0
    assert "Start one with `make run`" in printed
    assert "Traceback" not in printed


def test_demo_application_is_created_once(tree: Tree) -> None:
    """A later start of `make run` prints the same application, without its secret, and how to rotate the secret."""
    first = CLIENT.search(tree.start().printed)
    tree.runs[0].interrupt(signal.SIGINT)
    second = CLIENT.search(tree.start().printed)
    assert first is not None
    assert second is not None
    assert (first[1], first[3]) == (second[1], second[3])
    assert first[2].startswith("lk_cs_")
    assert "Rotate secret" in second[2]
