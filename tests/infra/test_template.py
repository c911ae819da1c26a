"""The CloudFormation templates pass cfn-lint; `make audit` also runs checkov, whose installation takes minutes."""

import subprocess
import sys
from pathlib import Path

from infra import template

ROOT = Path(__file__).parents[2]


def test_cfn_lint_reports_nothing(tmp_path: Path) -> None:
    """cfn-lint reports no error, warning or remark for the data stack and the edge."""
    data = tmp_path / "data.json"
    data.write_text(template.as_text(template.composed("keys@example.com")))
    edge = sorted((ROOT / "infra" / "edge").glob("*.yaml"))
    program = str(Path(sys.executable).with_name("cfn-lint"))
    command = [program, "--include-checks", "I", "--", str(data), "infra/waf.yaml", *map(str, edge)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_rate_rules_send_the_same_429() -> None:
    """The web ACL of a stage without CloudFront rejects a flood with the response that CloudFront's sends."""
    alone, edge = (
        template.read(ROOT / "infra" / name)["Resources"]["WebAcl"]["Properties"]
        for name in ("waf.yaml", "edge/distribution.yaml")
    )
    assert alone["CustomResponseBodies"] == edge["CustomResponseBodies"]
    assert alone["Rules"][0]["Action"] == edge["Rules"][0]["Action"]
    assert alone["Rules"][0]["Action"]["Block"]["CustomResponse"]["ResponseCode"] == 429


def test_skipped_checkov_check_has_a_reason() -> None:
    """Every skipped checkov check has a comment with its reason."""
    lines = (ROOT / "infra" / "checkov.yaml").read_text().split("skip-check:\n")[1].splitlines()
    for above, line in zip(["", *lines], lines, strict=False):
        if line.startswith("  - "):
            assert above.startswith("  # "), line
