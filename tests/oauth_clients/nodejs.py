"""Run a Node.js program that uses a client library, with a user who reacts to its requests.

The program writes each request to the user as a line of JSON and reads the reply from standard input. At the end it
writes its results: the records that it read with its tokens, and the tokens that must be invalid afterwards.
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
from tests.oauth_clients.browser_user import CALLBACK, Application, BrowserUser

HERE = Path(__file__).parent
TIMEOUT_S = 120

Results = dict[str, Any]


def run(program: str, user: BrowserUser, folder: Path, application: Application | None = None, **more: str) -> Results:
    """Run a program in `folder` with a registered client. Without `application` the program registers itself."""
    shutil.copytree(HERE / "programs", folder / "programs")
    (folder / "node_modules").symlink_to(pinned.node_modules(HERE, "oauth-clients"))
    given = {
        "issuer": user.issuer,
        "me": user.me,
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
            return _conversation(process, user)
        finally:
            process.kill()


def _conversation(process: "subprocess.Popen[str]", user: BrowserUser) -> Results:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    for line in process.stdout:
        message = json.loads(line)
        if "done" in message:
            results: Results = message["done"]
            return results
        reply = _REPLIES[message["ask"]](user, message["about"])
        print(json.dumps(reply), file=process.stdin, flush=True)
    raise AssertionError(process.stderr.read())


def _visit(user: BrowserUser, start: str) -> Any:
    """Open an app that redirects to the authorization server, approve, and return the app's page after the redirect."""
    with requests.Session() as browser:
        location = browser.get(start, allow_redirects=False, timeout=TIMEOUT_S).headers["Location"]
        response = browser.get(user.allow(location), timeout=TIMEOUT_S)
    assert response.status_code == 200, response.text
    return response.json()


def _wait(user: BrowserUser, seconds: float) -> None:
    """Move the server's clock forward."""
    user.console.forward(seconds)


_REPLIES: dict[str, Callable[[BrowserUser, Any], Any]] = {
    "allow": BrowserUser.allow,
    "deny": BrowserUser.deny,
    "connect": BrowserUser.approve_device,
    "visit": _visit,
    "wait": _wait,
}
