"""What a measurement was taken on and of: the machine, and the version of everything that takes part."""

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
"""What Latchkey or a floor under it runs on."""


def machine() -> dict[str, object]:
    """Return the processor, how many cores there are, and the system."""
    return {
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions() -> dict[str, dict[str, str]]:
    """Return the versions of Latchkey and what it runs on, and those of the peers."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ours = {name: metadata.version(name) for name in OURS}
    under = {"python": platform.python_version(), "node": _node(), "dynoxide": engine.DYNOXIDE}
    return {"latchkey": {"latchkey": project["version"], **ours}, "peers": peers.versions(), "under both": under}


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except FileNotFoundError:  # not Linux
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _node() -> str:
    try:
        result = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "none"
    return result.stdout.strip().removeprefix("v")
