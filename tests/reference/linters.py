"""Run redocly and spectral, which npm installs once into `.local/`, and return their findings for a document."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from infra import pinned

HERE = Path(__file__).parent


def of_redocly(document: Path) -> list[str]:
    """Return the errors and warnings of redocly's recommended rules."""
    command = ["redocly", "lint", "--config", str(HERE / "redocly.yaml"), "--format", "json", str(document)]
    found: dict[str, Any] = json.loads(_run(command))
    return [f"{problem['ruleId']}: {problem['message']}" for problem in found["problems"]]


def of_spectral(document: Path) -> list[str]:
    """Return all findings of spectral's OpenAPI rules, including hints."""
    ruleset = str(HERE / "spectral.yaml")
    command = ["spectral", "lint", "--ruleset", ruleset, "--format", "json", "--quiet", str(document)]
    return [f"{problem['code']}: {problem['message']}" for problem in json.loads(_run(command))]


def _run(command: list[str]) -> str:
    program = pinned.node_modules(HERE, "openapi-linters") / ".bin" / command[0]
    quiet = os.environ | {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
    done = subprocess.run([str(program), *command[1:]], capture_output=True, text=True, env=quiet, check=False)
    assert done.stdout, done.stderr
    return done.stdout
