"""Try mutants in a copy of the checkout, one after another, on commands from standard input.

Each mutant runs in its own process, which is forked to save time. For a change inside a function, the parent process
has already collected the tests (`CollectedTests`). For other changes, it has imported only third-party modules.
"""

import contextlib
import functools
import gc
import importlib
import json
import mmap
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, NoReturn

import pytest
from moto import mock_aws

from infra.mutate import copies, in_place
from infra.mutate.selection import OF_MODELS

OPTIONS = ("-p", "no:cacheprovider", "-p", "no:xdist", "-W", "ignore::pytest.PytestAssertRewriteWarning")
"""pytest's options. The ignored warning is about modules that `_import_third_party_modules` has imported early."""
SURVIVED, KILLED, BROKEN, TIMEOUT, FROM_FILE = 0, 1, 3, 6, 7
"""The exit codes of a mutant's process. FROM_FILE means that the mutant can only be tried by changing its file."""
OUTCOMES = {SURVIVED: "survived", KILLED: "killed", TIMEOUT: "timeout", FROM_FILE: "from_file"}
STARTS_WITHIN_S, TEST_STARTS_WITHIN_S, SLOWER = 60, 15, 8
"""A mutant's tests are stopped after STARTS_WITHIN_S plus SLOWER times their usual duration, and each single test after
TEST_STARTS_WITHIN_S plus SLOWER times its usual duration.
"""


def main() -> None:
    """Read mutants as JSON lines from standard input, and print the result of each."""
    _import_third_party_modules()
    _compile_tests()
    collected = CollectedTests()
    for line in sys.stdin:
        mutant = json.loads(line)
        from_file = mutant.pop("from_file")
        outcome, killer = ("from_file", None) if from_file else collected.try_mutant(**mutant)
        if outcome == "from_file":
            outcome = try_from_file(**mutant)
        print(json.dumps([outcome, killer]), flush=True)


def try_from_file(path: str, source: str, tests: dict[str, float]) -> str:
    """Write a mutated source to its file, run the tests, and restore the file.

    `tests` maps the names of the tests to their usual durations (s). Returns `killed`, `survived`, `timeout`, or
    `broken` if the tests couldn't be run.
    """
    file = Path(path)
    original, status = file.read_bytes(), file.stat()
    file.write_text(source)
    try:
        return _run_in_child(lambda: int(pytest.main(["-x", *OPTIONS, *tests])), tests)
    finally:
        file.write_bytes(original)
        # The cached bytecode is valid only for the original modification time.
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


class CollectedTests:
    """A process that has collected all tests, and that forks another process for each mutant."""

    def __init__(self) -> None:
        """Start the process. It ends when the process that started it ends."""
        requests, self._requests = (os.fdopen(end, mode) for end, mode in zip(os.pipe(), "rw", strict=True))
        self._results, results = (os.fdopen(end, mode) for end, mode in zip(os.pipe(), "rw", strict=True))
        if os.fork() == 0:
            self._requests.close()
            _mute()
            with contextlib.suppress(BaseException):
                pytest.main([*OPTIONS, *_folders()], plugins=[self._Loop(requests, results)])
            os._exit(BROKEN)
        requests.close()
        results.close()

    def try_mutant(self, **mutant: Any) -> tuple[str, str | None]:
        """Run a mutant's tests; return the result and the failed test.

        The result `from_file` means that the mutant can only be tried by changing its file.
        """
        print(json.dumps(mutant), file=self._requests, flush=True)
        outcome, killer = json.loads(self._results.readline())
        return outcome, killer

    class _Loop:
        """A pytest plugin that runs the requested tests of each mutant instead of all tests."""

        def __init__(self, requests: IO[str], results: IO[str]) -> None:
            self._requests, self._results = requests, results
            self._failed = False
            self._run_last = mmap.mmap(-1, 4)
            """The number of the test that a mutant's process started last, in memory shared with that process."""

        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            self._failed = self._failed or report.failed

        def pytest_runtestloop(self, session: pytest.Session) -> bool:
            items = {item.nodeid: item for item in session.items}
            _warm_up()
            gc.freeze()
            for line in self._requests:
                mutant = json.loads(line)
                tests = {items[name]: took_s for name, took_s in mutant["tests"].items() if name in items}
                run = functools.partial(self._run, mutant["path"], mutant["source"], tests)
                outcome = _run_in_child(run, mutant["tests"])
                last = int.from_bytes(self._run_last[:], "big")
                killer = [*tests][last].nodeid if outcome in ("killed", "timeout") else None
                print(json.dumps([outcome, killer]), file=self._results, flush=True)
            return True

        def _run(self, path: str, mutated: str, tests: dict[pytest.Item, float]) -> int:
            module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
            if not tests or not in_place.replace(module, Path(path).read_text(), mutated):
                return FROM_FILE
            signal.signal(signal.SIGALRM, lambda *_: os._exit(TIMEOUT))
            for number, (test, following) in enumerate(zip(tests, [*list(tests)[1:], None], strict=True)):
                self._run_last[:] = number.to_bytes(4, "big")
                signal.alarm(TEST_STARTS_WITHIN_S + int(SLOWER * tests[test]))
                # With `nextitem=None`, pytest would tear down session fixtures for nothing, since this process ends.
                test.config.hook.pytest_runtest_protocol(item=test, nextitem=following or test)
                if self._failed:
                    return KILLED
            return SURVIVED


def _run_in_child(run: Callable[[], int], tests: Mapping[str, float]) -> str:
    """Call `run`, which runs the tests, in a forked process with a timeout; return the result."""
    within_s = STARTS_WITHIN_S + SLOWER * sum(tests.values())
    child = os.fork()
    if child == 0:
        _run(run)
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            _end(child)
            return OUTCOMES.get(os.waitstatus_to_exitcode(status), "broken")
        time.sleep(0.01)  # polls a real process, for which no test clock exists
    _end(child)
    os.waitpid(child, 0)
    return "timeout"


def _run(run: Callable[[], int], *, writes: bool = False) -> NoReturn:
    os.setpgid(0, 0)
    sys.dont_write_bytecode = not writes
    _mute()
    code = BROKEN
    with contextlib.suppress(BaseException):
        code = run()
    os._exit(code)


def _mute() -> None:
    """Redirect the standard streams to /dev/null, since standard output is reserved for results."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)


def _end(child: int) -> None:
    """Kill a process and its children."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)


def _folders() -> list[str]:
    folders = [f"tests/{name}" for name in (*copies.TESTS, *(f"engine/{each}" for each in copies.ON_THE_ENGINE))]
    return [*folders, OF_MODELS]


def _compile_tests() -> None:
    """Collect all tests once, so that pytest caches their bytecode for the mutants' processes."""
    child = os.fork()
    if child == 0:
        _run(lambda: int(pytest.main(["--collect-only", *OPTIONS, *_folders()])), writes=True)
    os.waitpid(child, 0)


def _warm_up() -> None:
    """Create moto's tables once before forking, because this takes most of the time of a process's first test."""
    from tests import conftest
    from tests.support import moto_server

    with mock_aws(), moto_server.serve_moto() as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_DYNAMODB", url)
        conftest.create_empty_tables()


def _import_third_party_modules() -> None:
    import hypothesis  # noqa: F401 - for later tests
    import jinja2  # noqa: F401 - as above
    import moto.server  # noqa: F401 - as above
    import pynamodb.models  # noqa: F401 - as above
    import requests  # noqa: F401 - as above


if __name__ == "__main__":
    main()
