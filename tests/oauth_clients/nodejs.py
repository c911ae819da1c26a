"""Runs a client's program on Node.js, and is the person whom it asks.

A program writes one line of JSON for each thing that it asks, reads the answer from standard input, and says at last
what came of it: the records that it read with its tokens, and the tokens that must be dead afterwards.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from infra import pinned
from tests.oauth_clients.someone import CALLBACK, Application, Someone

HERE = Path(__file__).parent
ENDS_WITHIN_S = 120

Results = dict[str, Any]


def run(program: str, someone: Someone, folder: Path, application: Application | None = None, **more: str) -> Results:
    """Run a program in `folder`, for a client that is registered already or, without one, registers itself."""
    shutil.copytree(HERE / "programs", folder / "programs")
    (folder / "node_modules").symlink_to(pinned.node_modules(HERE, "oauth-clients"))
    given = {
        "issuer": someone.issuer,
        "me": someone.me,
        "redirectUri": CALLBACK,
        "clientId": application.client_id if application else None,
        "clientSecret": application.client_secret if application else None,
        **more,
    }
    with subprocess.Popen(
        ["node", folder / "programs" / f"{program}.mjs"],
        env={**os.environ, "GIVEN": json.dumps(given)},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            return _conversation(process, someone)
        finally:
            process.kill()


def _conversation(process: "subprocess.Popen[str]", someone: Someone) -> Results:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    for line in process.stdout:
        said = json.loads(line)
        if "done" in said:
            results: Results = said["done"]
            return results
        answer = _ANSWERS[said["ask"]](someone, said["about"])
        print(json.dumps(answer), file=process.stdin, flush=True)
    raise AssertionError(process.stderr.read())


def _visits(someone: Someone, start: str) -> Any:
    """Go to an app that sends the person on to the server, and come back to it with the answer."""
    with requests.Session() as browser:
        sent_on = browser.get(start, allow_redirects=False, timeout=ENDS_WITHIN_S).headers["Location"]
        answer = browser.get(someone.allows(sent_on), timeout=ENDS_WITHIN_S)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _waits(someone: Someone, seconds: float) -> None:
    """Let the time pass, on the server's clock."""
    someone.console.forward(seconds)


_ANSWERS: dict[str, Callable[[Someone, Any], Any]] = {
    "allow": Someone.allows,
    "deny": Someone.denies,
    "connect": Someone.connects,
    "visit": _visits,
    "wait": _waits,
}
