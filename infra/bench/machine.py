"""Describe the machine that ran a measurement, and the versions of the measured software."""

import os
import platform
import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

from infra import engine
from infra.bench import peers

ROOT = Path(__file__).parents[2]
OURS = ("boto3", "botocore", "chalice", "pynamodb", "aws-lambda-powertools")
"""The Python dependencies of Latchkey and of the baselines."""


def machine() -> dict[str, object]:
    """Return the processor, the number of cores, and the operating system."""
    return {
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions() -> dict[str, dict[str, str]]:
    """Return the versions of Latchkey, of its dependencies and of the compared libraries."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ours = {name: metadata.version(name) for name in OURS}
    under = {"python": platform.python_version(), "node": _node(), "dynoxide": engine.DYNOXIDE}
    return {"latchkey": {"latchkey": project["version"], **ours}, "peers": peers.versions(), "under both": under}


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except FileNotFoundError:  # this file exists only on Linux
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _node() -> str:
    try:
        result = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "none"
    return result.stdout.strip().removeprefix("v")
