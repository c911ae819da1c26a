"""The code of docs/own-routes.md, pasted into a copy of the checkout as the guide says, keeps the tests passing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.blocks import ROOT, blocks_of, files_of
from tests.support.checkout_copies import copy_part

pytestmark = pytest.mark.xdist_group("own_routes")

GUIDE = "docs/own-routes.md"
PARTS = (
    ".chalice",
    ".ci",
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "app.py",
    "chalicelib",
    "docs",
    "infra",
    "pyproject.toml",
    "requirements-dev.txt",
    "requirements.txt",
    "tests",
)
COMPARED = (
    "tests/api/test_openapi.py",
    "tests/api/test_middleware.py::test_every_route_of_the_api_is_listed_here",
    "tests/api/test_idempotent_routes.py",
    "tests/api/test_head.py::test_every_route_that_can_be_got_can_be_asked_for_by_head",
    "tests/examples/test_readme.py::test_every_endpoint_is_listed_with_its_scope",
    "tests/infra/test_docs.py",
)
"""The tests that compare routes with a list, and the tests of /openapi.json."""


def with_more_lines(app: str, lines: list[str]) -> str:
    """Return `app.py` with each line inserted after the last line that begins with the same word."""
    for line in lines:
        word = line.partition(".register")[0].split()[0]
        last = [each for each in app.splitlines() if each.startswith(word)][-1]
        app = app.replace(f"{last}\n", f"{last}\n{line}\n")
    return app


def without_own_routes(app: str) -> str:
    """Return `app.py` without imports from `chalicelib.own` and lines that register what they import."""
    lines = app.splitlines(keepends=True)
    imports = [line for line in lines if line.startswith(("from chalicelib.own", "import chalicelib.own"))]
    names = [line.split()[-1].rpartition(".")[2] for line in imports]
    return "".join(
        line
        for line in lines
        if line not in imports and not any(line.startswith(f"app.register_blueprint({name}.") for name in names)
    )


def remove_own_routes(copy: Path) -> None:
    """Remove the operator's routes and their tests from a copy of the checkout, which may be a fork."""
    for folder in (copy / "chalicelib" / "own", copy / "tests" / "own"):
        for path in folder.glob("**/*.py"):
            if path.name != "__init__.py":
                path.unlink()
    app = copy / "app.py"
    app.write_text(without_own_routes(app.read_text()))


@pytest.fixture(scope="module")
def pasted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout with the guide's code in it."""
    copy = tmp_path_factory.mktemp("pasted") / "latchkey"
    copy.mkdir()
    for part in PARTS:
        copy_part(ROOT / part, copy / part)
    remove_own_routes(copy)
    paste(copy)
    return copy


def paste(copy: Path) -> None:
    """Paste the guide's code into a copy of the checkout."""
    for path, code in files_of(GUIDE).items():
        (copy / path).write_text(code)
    (registered,) = (block.code for block in blocks_of(GUIDE) if block.code.startswith("from chalicelib.own"))
    app = copy / "app.py"
    app.write_text(with_more_lines(app.read_text(), [line for line in registered.splitlines() if line]))


def run_module(copy: Path, module: str, *arguments: str) -> tuple[int, str]:
    """Run a Python module in the copy; return its exit status and output."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=600, check=False)
    return done.returncode, done.stdout + done.stderr


def test_suite_stays_green_with_own_routes(pasted: Path) -> None:
    """Tests that compare Latchkey's routes with documents ignore an operator's routes, and /openapi.json is valid."""
    code, printed = run_module(pasted, "pytest", *COMPARED)
    assert code == 0, printed


def test_own_routes_of_a_fork_are_replaced(pasted: Path, tmp_path: Path) -> None:
    """These tests also pass in a fork that has routes of its own: they are removed from the copy first."""
    fork = tmp_path / "fork"
    shutil.copytree(pasted, fork, ignore=shutil.ignore_patterns("__pycache__"))
    (fork / "chalicelib" / "own" / "more.py").write_text("raise ImportError\n")
    remove_own_routes(fork)
    assert (fork / "app.py").read_text() == (ROOT / "app.py").read_text()
    assert [path.name for path in (fork / "chalicelib" / "own").rglob("*.py")] == ["__init__.py"]
    paste(fork)
    assert (fork / "app.py").read_text() == (pasted / "app.py").read_text()


def test_own_routes_are_tested_as_the_guide_shows(pasted: Path) -> None:
    """The tests in the guide pass, with the routes as they are registered in the operator's app."""
    code, printed = run_module(pasted, "pytest", "tests/own")
    assert code == 0, printed
    assert f"{files_of(GUIDE)['tests/own/test_orders.py'].count('def test_')} passed" in printed


def test_code_of_the_guide_is_in_order(pasted: Path) -> None:
    """The guide's code follows the lint and format rules of this repository, so that `make check` passes."""
    for arguments in (("ruff", "check", "."), ("ruff", "format", "--check", ".")):
        code, printed = run_module(pasted, *arguments)
        assert code == 0, printed
