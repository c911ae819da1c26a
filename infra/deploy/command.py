"""`make deploy`, `package`, `status`, `rotate-edge`, `destroy`: one command of each name."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from infra.deploy import checks, deploy, destroy, package, status
from infra.failed import DeployError

STAGES = ("dev", "prod")


def main(words: list[str] | None = None) -> int:
    """Run one command; return 1 with one sentence on standard error when it can't be done."""
    parser = argparse.ArgumentParser(prog="deploy")
    parser.add_argument("command", choices=("deploy", "package", "status", "rotate-edge", "destroy"))
    parser.add_argument("--stage", required=True)
    parser.add_argument("--alarm-email", default="")
    parser.add_argument("--log-days", default="")
    parser.add_argument("--boundary", default="")
    parser.add_argument("--data", default="keep")
    parser.add_argument("--out", default=".local/package")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--edge", action="store_true")
    parser.add_argument("--domain", default="")
    parser.add_argument("--certificate", default="")
    options = parser.parse_args(words)
    if options.stage not in STAGES:
        print(f"Choose a stage: make {options.command} STAGE={'|'.join(STAGES)}", file=sys.stderr)
        return 1
    if options.data not in ("keep", "delete"):
        print(f"DATA takes keep or delete, not {options.data!r}.", file=sys.stderr)
        return 1
    chosen = {"AlarmEmail": options.alarm_email, "LogDays": options.log_days, "Boundary": options.boundary}
    wanted = (options.domain, options.certificate) if options.edge else None
    commands: dict[str, Callable[[], None]] = {
        "deploy": lambda: (deploy.plan if options.dry_run else deploy.deploy)(
            options.stage, chosen=chosen, edge=wanted
        ),
        "package": lambda: package.package(options.stage, Path(options.out), edge=wanted),
        "status": lambda: status.status(options.stage),
        "rotate-edge": lambda: deploy.rotate_edge(options.stage),
        "destroy": lambda: destroy.destroy(options.stage, delete_data=options.data == "delete"),
    }
    try:
        if options.command != "package":
            checks.check_region()
        commands[options.command]()
    except NoCredentialsError:
        print("No AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.", file=sys.stderr)
        return 1
    except (DeployError, ClientError, BotoCoreError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0
