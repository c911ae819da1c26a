"""Find Debian's Chromium for Playwright, or install it where possible.

Playwright's own browsers are never downloaded.
"""

import fcntl
import os
import shutil
import subprocess

from infra.engine import LOCAL

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NAMES = ("chromium", "chromium-browser", "google-chrome")
INSTALL = "apt-get update && apt-get install --yes --no-install-recommends chromium"


class NoChromium(Exception):
    """Chromium is missing and can't be installed; the message contains the command to run."""


def path() -> str:
    """Return the path of Chromium, installing it first as root with apt-get.

    Raises NoChromium if it is missing and can't be installed.
    """
    if _found() is None and shutil.which("apt-get") and os.geteuid() == 0:
        _install()
    found = _found()
    if found is None:
        raise NoChromium(f"The browser tests need Chromium. On Debian, run as root: {INSTALL}")
    return found


def _install() -> None:
    LOCAL.mkdir(exist_ok=True)
    with (LOCAL / "chromium.lock").open("w") as lock:
        # Tests run in several processes, and concurrent runs of apt-get fail.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _found() is None:
            print("Installing Chromium for the browser tests (once) …", flush=True)
            noninteractive = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run(["bash", "-c", INSTALL], env=noninteractive, check=False, stdout=subprocess.DEVNULL)


def _found() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)
