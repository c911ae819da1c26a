"""A copy of this checkout from which tests deploy, so that the developer's own `.chalice/deployed` stays unchanged."""

import io
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

import pytest
from botocore.loaders import JSONFileLoader
from chalice.deploy.packager import DependencyBuilder, LambdaDeploymentPackager, PipRunner, SubprocessPip
from chalice.utils import UI, OSUtils

from infra import packaging
from infra.deploy.command import main
from tests.support.checkout_copies import copy_part

ROOT = Path(__file__).parents[2]
PARTS = ("app.py", "requirements.txt", "pyproject.toml", "chalicelib", "infra")
KEPT = ROOT / ".local" / "deploy-test"
"""The folder of the built packages for each processor. They are rebuilt only after a change of requirements.txt."""
_load_file = JSONFileLoader.load_file
LAMBDA_OF = {"x86_64": "x86_64", "aarch64": "arm64"}
"""Lambda's name for each processor architecture, by Linux's name."""


class Done(NamedTuple):
    """The exit status and output of a command."""

    status: int
    said: str
    error: str


@dataclass(frozen=True, slots=True)
class Checkout:
    """A copy of the checkout, and the environment of its commands."""

    path: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    is_light: bool = False

    def run(self, command: str, stage: str, *more: str, typed: str = "") -> Done:
        """Run a command of `infra.deploy` in this copy; `typed` is its standard input."""
        said, error = io.StringIO(), io.StringIO()
        with _environment_kept(), pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(error):
            for name, value in self.environment.items():
                patch.setenv(name, value)
            patch.setenv("AWS_CHALICE_CLI_MODE", "true")
            patch.chdir(self.path)
            patch.setattr(sys, "stdin", io.StringIO(typed))
            # Chalice creates many sessions, and each would otherwise read botocore's service models again.
            patch.setattr(JSONFileLoader, "load_file", lambda _, path: _read_once(path))
            status = main([command, "--stage", stage, *more])
        self._keep_packages()
        return Done(status, said.getvalue(), error.getvalue())

    def run_alone(self, command: str, stage: str, *more: str) -> Done:
        """Run a command in a separate process with the code of this copy."""
        done = subprocess.run(
            [sys.executable, "-m", "infra.deploy", command, "--stage", stage, *more],
            cwd=self.path,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        self._keep_packages()
        return Done(done.returncode, done.stdout, done.stderr)

    def succeeds(self, command: str, stage: str, *more: str, typed: str = "") -> str:
        """Run a command, fail if it fails, and return its output."""
        done = self.run(command, stage, *more, typed=typed)
        assert done.status == 0, done.said + done.error
        return done.said

    @property
    def packages(self) -> Path:
        """Return the folder in which Chalice stores its packages of this copy."""
        return self.path / ".chalice" / "deployments"

    @property
    def architecture(self) -> str:
        """Return the processor architecture that this copy builds packages for."""
        return str(_configuration(self.path)["stages"]["dev"]["lambda_architecture"])

    def _keep_packages(self) -> None:
        if self.is_light:
            return
        kept = KEPT / self.architecture
        for package in self.packages.glob("*.zip"):
            if not (kept / package.name).exists():
                kept.mkdir(parents=True, exist_ok=True)
                part = kept / f"{package.name}.{os.getpid()}"
                shutil.copy(package, part)
                part.replace(kept / package.name)  # Renaming is atomic, so no other process sees an incomplete package.


def copied(path: Path, *, architecture: str = "arm64", is_light: bool = False, **environment: str) -> Checkout:
    """Copy the checkout to `path`, and configure the copy for a processor architecture: `arm64` or `x86_64`.

    A light copy has an empty package, for tests that don't read the package: uploading eight megabytes for each
    function would take most of a deployment's time.
    """
    for part in PARTS:
        copy_part(ROOT / part, path / part)
    (path / ".chalice").mkdir()
    configuration = _configuration(ROOT)
    for stage in configuration["stages"].values():
        stage["lambda_architecture"] = architecture
    (path / ".chalice" / "config.json").write_text(json.dumps(configuration))
    checkout = Checkout(path, environment, is_light)
    if is_light:
        _make_light(checkout)
        return checkout
    if (KEPT / architecture).exists():
        shutil.copytree(KEPT / architecture, checkout.packages, ignore=shutil.ignore_patterns("*.zip.*"))
    return checkout


def _make_light(checkout: Checkout) -> None:
    # The installed dependencies are part of the package's content, from which the package's name is computed.
    packaging.install()
    files = OSUtils()
    pip = DependencyBuilder(files, PipRunner(SubprocessPip(files), files))
    packager = LambdaDeploymentPackager(files, pip, UI(), checkout.architecture)
    name = packager.deployment_package_filename(str(checkout.path), f"python3.{sys.version_info.minor}")
    checkout.packages.mkdir()
    with ZipFile(name, "w") as package:
        package.writestr("app.py", "")


@contextmanager
def _environment_kept() -> Iterator[None]:
    """Restore the process's environment after a `with` block, because Chalice sets the variables of the stage's
    functions.
    """
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@lru_cache(maxsize=64)
def _read_once(path: str) -> Any:
    return _load_file(JSONFileLoader(), path)


def architecture_here() -> str | None:
    """Return Lambda's name for this machine's architecture, or None if Lambda functions can't run on it."""
    return LAMBDA_OF.get(platform.machine()) if platform.system() == "Linux" else None


def _configuration(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((path / ".chalice" / "config.json").read_text())
    return loaded
