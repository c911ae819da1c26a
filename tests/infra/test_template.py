"""The template as its inspectors see it. What checkov says is asked by `make audit`: it takes minutes to install."""

import subprocess
import sys
from pathlib import Path

from infra import template

ROOT = Path(__file__).parents[2]


def test_cfn_lint_has_nothing_to_say(tmp_path: Path) -> None:
    """Warnings and remarks included; of the data stack, as it is sent, and of the edge."""
    data = tmp_path / "data.json"
    data.write_text(template.as_text(template.composed("keys@example.com")))
    edge = sorted((ROOT / "infra" / "edge").glob("*.yaml"))
    program = str(Path(sys.executable).with_name("cfn-lint"))
    command = [program, "--include-checks", "I", "--", str(data), "infra/waf.yaml", *map(str, edge)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_checkov_is_told_why_it_is_not_asked_something() -> None:
    """A comment stands above each check that is left out."""
    lines = (ROOT / "infra" / "checkov.yaml").read_text().split("skip-check:\n")[1].splitlines()
    for above, line in zip(["", *lines], lines, strict=False):
        if line.startswith("  - "):
            assert above.startswith("  # "), line
