"""A copy of this checkout to deploy from, so that the developer's own `.chalice/deployed` is never touched."""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.copies import copy_part

ROOT = Path(__file__).parents[2]
PARTS = ("app.py", "requirements.txt", "pyproject.toml", "chalicelib", "infra")
KEPT = ROOT / ".local" / "deploy-test"
"""Packages with their dependencies, by processor: Chalice fetches those again only when requirements.txt changes."""
LAMBDA_OF = {"x86_64": "x86_64", "aarch64": "arm64"}
"""What Lambda calls the processors on which functions can run here, by Linux's name."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A copy, and the environment in which its commands run."""

    path: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, command: str, stage: str, *more: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """Run one command of `infra.deploy`, with `typed` on its standard input."""
        done = subprocess.run(
            [sys.executable, "-m", "infra.deploy", command, "--stage", stage, *more],
            cwd=self.path,
            env={**os.environ, **self.environment},
            input=typed,
            capture_output=True,
            text=True,
            check=False,
        )
        self._keep_packages()
        return done

    def succeeds(self, command: str, stage: str, *more: str, typed: str = "") -> str:
        """Return what a command prints; it must succeed."""
        done = self.run(command, stage, *more, typed=typed)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def packages(self) -> Path:
        """Return where Chalice keeps the packages that it made."""
        return self.path / ".chalice" / "deployments"

    @property
    def architecture(self) -> str:
        """Return the processor for which this copy packages."""
        return str(_configuration(self.path)["stages"]["dev"]["lambda_architecture"])

    def _keep_packages(self) -> None:
        kept = KEPT / self.architecture
        for package in self.packages.glob("*.zip"):
            if not (kept / package.name).exists():
                kept.mkdir(parents=True, exist_ok=True)
                part = kept / f"{package.name}.{os.getpid()}"
                shutil.copy(package, part)
                part.replace(kept / package.name)  # whole or not at all


def copied(path: Path, *, architecture: str = "arm64", **environment: str) -> Checkout:
    """Copy the checkout to `path`, to deploy for a processor: `arm64`, which is configured, or `x86_64`."""
    for part in PARTS:
        copy_part(ROOT / part, path / part)
    (path / ".chalice").mkdir()
    for policy in (ROOT / ".chalice").glob("policy-*.json"):
        shutil.copy(policy, path / ".chalice")
    configuration = _configuration(ROOT)
    for stage in configuration["stages"].values():
        stage["lambda_architecture"] = architecture
    (path / ".chalice" / "config.json").write_text(json.dumps(configuration))
    checkout = Checkout(path, environment)
    if (KEPT / architecture).exists():
        shutil.copytree(KEPT / architecture, checkout.packages, ignore=shutil.ignore_patterns("*.zip.*"))
    return checkout


def architecture_here() -> str | None:
    """Return what Lambda calls this machine's processor; None where no function for Lambda can run."""
    return LAMBDA_OF.get(platform.machine()) if platform.system() == "Linux" else None


def _configuration(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((path / ".chalice" / "config.json").read_text())
    return loaded
