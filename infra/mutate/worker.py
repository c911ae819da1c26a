"""Tries mutants in a copy of the checkout, one after another, as it is asked on standard input.

Each mutant has a process of its own, forked from one that has everything ready. For a change inside of a function that
one has collected the tests, too (`CollectedTests`); for any other change it has imported only what never changes.
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
"""The warning is expected: see `_import_what_never_changes`."""
SURVIVED, KILLED, BROKEN, TIMEOUT, FROM_FILE = 0, 1, 3, 6, 7
"""Exit codes of a mutant's process. FROM_FILE: it can only be tried from its file."""
OUTCOMES = {SURVIVED: "survived", KILLED: "killed", TIMEOUT: "timeout", FROM_FILE: "from_file"}
STARTS_WITHIN_S, TEST_STARTS_WITHIN_S, SLOWER = 60, 15, 8
"""How much longer than it took before a run, or one test, may take before it counts as hanging."""


def main() -> None:
    """Answer each line of JSON with how the tests ended."""
    _import_what_never_changes()
    _compile_tests()
    collected = CollectedTests()
    for line in sys.stdin:
        asked = json.loads(line)
        from_file = asked.pop("from_file")
        outcome, killer = ("from_file", None) if from_file else collected.try_mutant(**asked)
        if outcome == "from_file":
            outcome = try_from_file(**asked)
        print(json.dumps([outcome, killer]), flush=True)


def try_from_file(path: str, source: str, tests: dict[str, float]) -> str:
    """Return whether `tests` (name: usual seconds) notice another source of a file.

    The outcome is `killed`, `survived`, `timeout`, or `broken` where nothing can be said.
    """
    file = Path(path)
    original, stands = file.read_bytes(), file.stat()
    file.write_text(source)
    try:
        return _outcome_of(lambda: int(pytest.main(["-x", *OPTIONS, *tests])), tests)
    finally:
        file.write_bytes(original)
        # Its compiled form is known by this.
        os.utime(file, ns=(stands.st_atime_ns, stands.st_mtime_ns))


class CollectedTests:
    """A process that has collected every test and forks one that runs some of them for each mutant."""

    def __init__(self) -> None:
        """Start it; it ends with this process."""
        questions, self._ask = (os.fdopen(end, mode) for end, mode in zip(os.pipe(), "rw", strict=True))
        self._answers, answers = (os.fdopen(end, mode) for end, mode in zip(os.pipe(), "rw", strict=True))
        if os.fork() == 0:
            self._ask.close()
            _mute()
            with contextlib.suppress(BaseException):
                pytest.main([*OPTIONS, *_folders()], plugins=[self._Loop(questions, answers)])
            os._exit(BROKEN)
        questions.close()
        answers.close()

    def try_mutant(self, **asked: Any) -> tuple[str, str | None]:
        """Return how the tests ended, or `from_file`; and the test that failed."""
        print(json.dumps(asked), file=self._ask, flush=True)
        outcome, killer = json.loads(self._answers.readline())
        return outcome, killer

    class _Loop:
        """A pytest plugin that runs tests when it is asked to, instead of all of them."""

        def __init__(self, questions: IO[str], answers: IO[str]) -> None:
            self._questions, self._answers = questions, answers
            self._failed = False
            self._run_last = mmap.mmap(-1, 4)
            """The number of the test that a mutant's process ran last."""

        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            self._failed = self._failed or report.failed

        def pytest_runtestloop(self, session: pytest.Session) -> bool:
            items = {item.nodeid: item for item in session.items}
            _warm_up()
            gc.freeze()
            for line in self._questions:
                asked = json.loads(line)
                tests = {items[name]: took_s for name, took_s in asked["tests"].items() if name in items}
                run = functools.partial(self._run, asked["path"], asked["source"], tests)
                outcome = _outcome_of(run, asked["tests"])
                last = int.from_bytes(self._run_last[:], "big")
                killer = [*tests][last].nodeid if outcome in ("killed", "timeout") else None
                print(json.dumps([outcome, killer]), file=self._answers, flush=True)
            return True

        def _run(self, path: str, mutated: str, tests: dict[pytest.Item, float]) -> int:
            module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
            if not tests or not in_place.replace(module, Path(path).read_text(), mutated):
                return FROM_FILE
            signal.signal(signal.SIGALRM, lambda *_: os._exit(TIMEOUT))
            for number, (test, following) in enumerate(zip(tests, [*list(tests)[1:], None], strict=True)):
                self._run_last[:] = number.to_bytes(4, "big")
                signal.alarm(TEST_STARTS_WITHIN_S + int(SLOWER * tests[test]))
                # The fixtures of the session are left standing after the last test and end with the process.
                test.config.hook.pytest_runtest_protocol(item=test, nextitem=following or test)
                if self._failed:
                    return KILLED
            return SURVIVED


def _outcome_of(run: Callable[[], int], tests: Mapping[str, float]) -> str:
    """Return how `run`, which runs `tests`, ended in a process of its own."""
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
        time.sleep(0.01)  # nothing of the service: there is no clock to move
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
    """Read and write nothing: standard output is for answers."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)


def _end(child: int) -> None:
    """End a process and what it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)


def _folders() -> list[str]:
    folders = [f"tests/{name}" for name in (*copies.TESTS, *(f"engine/{each}" for each in copies.ON_THE_ENGINE))]
    return [*folders, OF_MODELS]


def _compile_tests() -> None:
    """Let pytest write the compiled form of each test once: the processes of mutants only read it."""
    child = os.fork()
    if child == 0:
        _run(lambda: int(pytest.main(["--collect-only", *OPTIONS, *_folders()])), writes=True)
    os.waitpid(child, 0)


def _warm_up() -> None:
    """Have moto make the tables once: most of what the first test of a process would take."""
    from tests import conftest
    from tests.support import moto_server

    with mock_aws(), moto_server.serve_moto() as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_DYNAMODB", url)
        conftest.create_empty_tables()


def _import_what_never_changes() -> None:
    import hypothesis  # noqa: F401 - for those to come
    import jinja2  # noqa: F401 - as above
    import moto.server  # noqa: F401 - as above
    import pynamodb.models  # noqa: F401 - as above
    import requests  # noqa: F401 - as above


if __name__ == "__main__":
    main()
