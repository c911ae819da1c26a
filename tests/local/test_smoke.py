"""`make smoke` against `make run`, as the README's reader uses both."""

import subprocess
import sys

from tests.local.make_run import ROOT, Tree
from tests.support.checkout_copies import copy_part


def test_smoke_finds_no_difference_in_a_local_run(tree: Tree) -> None:
    """Every check passes against a local run, the burst with 64 parallel requests included."""
    tree.start()
    copy_part(ROOT / "pyproject.toml", tree.path / "pyproject.toml")  # the report contains the version
    done = subprocess.run(
        [sys.executable, "-m", "infra.smoke"], cwd=tree.path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "Nothing differs after " in done.stdout) == (0, True), done.stdout + done.stderr
