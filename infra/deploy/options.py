"""What each command takes. What belongs to another command, or can't be used, is refused and never ignored."""

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from infra.failed import DeployError

STAGES = ("dev", "prod")
EDGE = ("edge", "domain", "certificate")
TAKES: dict[str, tuple[str, ...]] = {
    "deploy": ("alarm_email", "log_days", "boundary", "dry_run", *EDGE),
    "package": ("out", *EDGE),
    "status": (),
    "rotate-edge": (),
    "destroy": ("data",),
}
"""By command what it takes besides a stage, as make calls it in capitals."""
SWITCHES = ("dry_run", "edge")
LOG_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
"""What CloudWatch Logs takes."""
BOUNDARY = re.compile(r"arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def parsed(words: Sequence[str] | None) -> Namespace:
    """Return what was given to one command; raise DeployError, with what it takes, for what it can't use."""
    parser = ArgumentParser(prog="deploy", allow_abbrev=False)
    parser.add_argument("command", choices=tuple(TAKES))
    parser.add_argument("--stage", required=True)
    for name in sorted({name for names in TAKES.values() for name in names}):
        option = f"--{name.replace('_', '-')}"
        if name in SWITCHES:
            parser.add_argument(option, action="store_true")
        else:
            parser.add_argument(option, default="")
    given = parser.parse_args(words)
    if given.stage not in STAGES:
        raise DeployError(f"Choose a stage: make {given.command} STAGE={'|'.join(STAGES)}")
    _check_belonging(given)
    _check_values(given)
    return given


def _check_belonging(given: Namespace) -> None:
    takes = TAKES[given.command]
    for name, value in vars(given).items():
        if value and name not in ("command", "stage", *takes):
            known = ", ".join(each.upper() for each in takes) or "STAGE alone"
            raise DeployError(f"make {given.command} takes no {name.upper()} (but {known}). Nothing was changed.")
    if (given.domain or given.certificate) and not given.edge:
        raise DeployError("DOMAIN and CERTIFICATE are for CloudFront in front: give EDGE=1 with them, or neither.")


def _check_values(given: Namespace) -> None:
    if given.data not in ("", "keep", "delete"):
        raise DeployError(f"DATA takes keep or delete, not {given.data!r}.")
    if given.log_days and given.log_days not in map(str, LOG_DAYS):
        raise DeployError(f"LOG_DAYS takes {', '.join(map(str, LOG_DAYS))}, not {given.log_days!r}.")
    if given.boundary and not BOUNDARY.fullmatch(given.boundary):
        example = "arn:aws:iam::123456789012:policy/latchkey-boundary"
        raise DeployError(f"BOUNDARY takes the ARN of a policy, like {example}, not {given.boundary!r}.")
    if given.alarm_email and not EMAIL.fullmatch(given.alarm_email):
        raise DeployError(f"ALARM_EMAIL takes an address, like you@example.com, not {given.alarm_email!r}.")
