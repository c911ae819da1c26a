"""Copy the checkout for mutation testing, so that files in the checkout itself are never changed."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import coverage

from infra.engine import LOCAL
from infra.mutate.selection import OF_MODELS, Coverage

ROOT = Path(__file__).parents[2]
HOME = LOCAL / "mutate"
TESTS = (
    "accounts",
    "api",
    "contract",
    "core",
    "credentials",
    "events",
    "idempotency",
    "jobs",
    "limits",
    "oauth",
    "termination",
    "uptime",
    "detection",
    "webhooks",
)
"""The folders with tests that start no other process: coverage isn't recorded in other processes."""
ON_THE_ENGINE = (
    "test_application_races.py",
    "test_change_faults.py",
    "test_account_races.py",
    "test_email_link_races.py",
    "test_session_races.py",
    "test_counting_faults.py",
    "test_idempotency.py",
    "test_jobs.py",
    "test_key_ends.py",
    "test_oauth_consent_races.py",
    "test_oauth_device_races.py",
    "test_oauth_exchange_races.py",
)


def files() -> list[str]:
    """Return every file of the checkout, including files that aren't committed yet."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return sorted(name for name in listed.split("\0") if name and (ROOT / name).is_file())


def digest(names: list[str]) -> str:
    """Return a digest of the names and contents of files."""
    whole = hashlib.sha256()
    for name in names:
        whole.update(f"{name}\0".encode() + (ROOT / name).read_bytes())
    return whole.hexdigest()[:16]


def copy(number: int) -> Path:
    """Create a copy of the checkout, which shares the installed dependencies, and return its path."""
    made = HOME / f"copy-{number}"
    shutil.rmtree(made, ignore_errors=True)
    for name in files():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, made / name)
    (made / ".venv").symlink_to(ROOT / ".venv")
    (made / ".local").symlink_to(LOCAL)
    return made


def measure_coverage(fresh: Path, state: str, only: Sequence[str] = ()) -> Coverage:
    """Return the coverage of each test: the stored one if nothing has changed, otherwise from a run of all tests.

    For selected packages, only the tests in their folders run. This is faster, but other tests may kill more mutants.
    """
    folder = HOME / "-".join(["coverage", *only, state])
    if not (folder / "whole").exists():
        print(
            "Recording the coverage of each test. This takes as long as the tests, once after each change …",
            flush=True,
        )
        where = [f"tests/{name}" for name in only or TESTS]
        where += [] if only else [f"tests/engine/{name}" for name in ON_THE_ENGINE]
        where.append(OF_MODELS)
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "infra.mutate.contexts",
            "-n",
            "2",
            "--dist",
            "loadgroup",
            *where,
        ]
        environment = os.environ | {"MUTATE_COVERAGE": str(folder)}
        completed = subprocess.run(["nice", "-n", "19", *command], cwd=fresh, env=environment, check=False)
        if completed.returncode not in (0, 1):
            raise SystemExit("The tests could not be run.")
        if completed.returncode:
            print("Some tests fail without a mutation. They are ignored.", flush=True)
        (folder / "whole").touch()
    return _read(folder, fresh)


def _read(folder: Path, fresh: Path) -> Coverage:
    lines: dict[str, dict[int, set[str]]] = {}
    for file in folder.glob("lines.*"):
        data = coverage.CoverageData(str(file))
        data.read()
        for path in data.measured_files():
            by_line = lines.setdefault(str(Path(path).relative_to(fresh)), {})
            for line, tests in data.contexts_by_lineno(path).items():
                by_line.setdefault(line, set()).update(tests)
    took: dict[str, float] = {}
    for file in folder.glob("took.*.json"):
        took |= json.loads(file.read_text())
    frozen = {path: {line: frozenset(tests) for line, tests in each.items()} for path, each in lines.items()}
    return Coverage(frozen, took)
