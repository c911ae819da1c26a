"""Tries mutants in a copy of the checkout, one after another, as it is asked on standard input.

What the tests need is imported once; each mutant has a process of its own, which begins with that and ends with it.
"""

import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from infra.mutate import copies

IMPORTED_BEFORE = "ignore::pytest.PytestAssertRewriteWarning"
"""It is meant: see `_import_what_never_changes`."""


def main() -> None:
    """Answer each line of JSON with how the tests ended."""
    os.nice(19)
    _import_what_never_changes()
    _compile_tests()
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(tried(Path(asked["path"]), asked["source"], asked["tests"], asked["within_s"])), flush=True)


def tried(path: Path, source: str, tests: list[str], within_s: float) -> str:
    """Return whether the tests notice another source of a file: `killed`, `survived`, `timeout`, or `broken`."""
    original, stands = path.read_bytes(), path.stat()
    path.write_text(source)
    try:
        child = os.fork()
        if child == 0:
            _run(tests)
        return _outcome(child, within_s)
    finally:
        path.write_bytes(original)
        # Its compiled form is known by this.
        os.utime(path, ns=(stands.st_atime_ns, stands.st_mtime_ns))


def _run(tests: list[str], *, writes: bool = False) -> None:
    os.setpgid(0, 0)
    sys.dont_write_bytecode = not writes
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)
    code = 3
    with contextlib.suppress(BaseException):
        code = int(pytest.main(["-x", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", IMPORTED_BEFORE, *tests]))
    os._exit(code)


def _outcome(child: int, within_s: float) -> str:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            _end(child)
            return {0: "survived", 1: "killed"}.get(os.waitstatus_to_exitcode(status), "broken")
        time.sleep(0.05)  # nothing of the service: there is no clock to move
    _end(child)
    os.waitpid(child, 0)
    return "timeout"


def _end(child: int) -> None:
    """End a process and what it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)


def _compile_tests() -> None:
    """Let pytest write the compiled form of each test down once: the processes of mutants only read it."""
    tests = [f"tests/{name}" for name in (*copies.TESTS, "engine")]
    child = os.fork()
    if child == 0:
        _run(["--collect-only", *tests], writes=True)
    os.waitpid(child, 0)


def _import_what_never_changes() -> None:
    import authlib.oauth2.rfc6749  # noqa: F401 - for those to come
    import hypothesis  # noqa: F401 - as above
    import jinja2  # noqa: F401 - as above
    import moto.server  # noqa: F401 - as above
    import pynamodb.models  # noqa: F401 - as above
    import requests  # noqa: F401 - as above


if __name__ == "__main__":
    main()
