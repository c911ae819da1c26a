"""Parse the options of each command. An option that belongs to another command is an error."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from infra import inputs
from infra.failed import Mistake

EDGE = ("edge", "domain", "certificate")
TAKES: dict[str, tuple[str, ...]] = {
    "deploy": ("alarm_email", "log_days", "boundary", "dry_run", *EDGE),
    "package": ("out", *EDGE),
    "status": (),
    "rotate-edge": (),
    "destroy": ("data",),
}
"""The options of each command besides the stage. The make variables have the same names in capitals."""
SWITCHES = ("dry_run", "edge")


def parsed(words: Sequence[str] | None) -> Namespace:
    """Return the options of one command. Raises Mistake, with the accepted options, for any other option."""
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
    given.stage = inputs.stage(given.command, given.stage)
    _check_belonging(given)
    for name in (name for name in TAKES[given.command] if name not in SWITCHES):
        setattr(given, name, inputs.given(name.upper(), getattr(given, name)))
    _check_edge(given)
    return given


def _check_belonging(given: Namespace) -> None:
    takes = TAKES[given.command]
    for name, value in vars(given).items():
        if value and name not in ("command", "stage", *takes):
            known = ", ".join(each.upper() for each in takes) or "STAGE alone"
            raise Mistake(f"make {given.command} takes no {name.upper()} (but {known}). Nothing was changed.")


def _check_edge(given: Namespace) -> None:
    if (given.domain or given.certificate) and not given.edge:
        raise Mistake("DOMAIN and CERTIFICATE are for CloudFront in front: give EDGE=1 with them, or neither.")
    if given.command == "deploy" and given.edge and not (given.domain and given.certificate):
        raise Mistake(
            f"EDGE=1 takes a domain and its certificate of us-east-1: make deploy STAGE={given.stage} EDGE=1"
            " DOMAIN=api.example.com CERTIFICATE=arn:aws:acm:us-east-1:123456789012:certificate/…"
        )
