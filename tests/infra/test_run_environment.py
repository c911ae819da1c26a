"""`make run` and the operator's commands import only packages that infra/requirements/run.txt installs."""

import re
import subprocess
import sys
from importlib.metadata import packages_distributions

import pytest

from tests.infra.commands import ROOT

RUN = {
    re.sub(r"[-_.]+", "-", name).lower()
    for name in re.findall(r"^([\w.-]+)==", (ROOT / "infra/requirements/run.txt").read_text(), re.MULTILINE)
}
OTHERS = sorted(
    package
    for package, names in packages_distributions().items()
    if not {re.sub(r"[-_.]+", "-", name).lower() for name in names} & RUN
)
"""Top-level modules of packages that only tests install."""
PROGRAM = """
import importlib, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in others:
            raise ModuleNotFoundError(f"No module named {name!r}")
others = set(sys.argv[2].split())
sys.meta_path.insert(0, Missing())
importlib.import_module(sys.argv[1])
"""
MAKEFILE = (ROOT / "Makefile").read_text()
MODULES = sorted(
    {"infra.manage"}
    | {
        module
        for recipe in re.findall(r"^[\w-]+:[^\n]*\$\(BIN\)/\.run\b[^\n]*\n((?:\t[^\n]*\n)+)", MAKEFILE, re.MULTILINE)
        for module in re.findall(r"-m (infra[\w.]*)", recipe)
    }
)


def test_modules_are_found() -> None:
    """The tested commands are those whose Makefile target installs run.txt only."""
    assert {"infra.local", "infra.manage", "infra.reference"} <= set(MODULES)
    assert {"moto", "pytest"} <= set(OTHERS)


@pytest.mark.parametrize("module", MODULES)
def test_command_imports_what_its_environment_has(module: str) -> None:
    """A command imports no package that only tests install, because a first installation excludes these."""
    package = f"{module}.__main__" if (ROOT / module.replace(".", "/")).is_dir() else module
    command = [sys.executable, "-c", PROGRAM, package, " ".join(OTHERS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "ModuleNotFoundError" not in done.stderr, done.stderr
