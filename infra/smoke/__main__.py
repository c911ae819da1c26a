"""`make smoke`: the public contract and what lies behind it, against a deployed stage or `make run`, from outside.

It prints a line a check, cleans up after itself, writes a report without secrets, and exits with 1 where anything
differs from what the code and the local stand-in say.
"""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.core import errors, settings, wire
from chalicelib.events import actors
from infra import manage
from infra.smoke import (
    alarms,
    burst,
    clocks,
    contract,
    credentials,
    latency,
    logs,
    mail,
    oauth,
    outcomes,
    report,
    revocation,
    target,
    throwaway,
    webhook,
)
from infra.smoke.redaction import Redaction
from infra.smoke.run import Failed, Run

UNREACHABLE = (OSError, HTTPException)
UNEXPECTED = (
    *UNREACHABLE,
    Failed,
    LookupError,
    ValueError,
    errors.LatchkeyError,
    wire.WireError,
    ClientError,
    BotoCoreError,
)
"""What a check can end with when something answers otherwise than it should."""
NO_TARGET = (target.NoTarget, settings.SettingError, manage.Mistake)
INTERRUPTED = 130
OF_ACCOUNT: dict[str, Callable[[Run, throwaway.Account], None]] = {
    "credentials": credentials.check,
    "revocation": revocation.check,
    "burst": burst.check,
    "OAuth": oauth.check,
    "webhooks": webhook.check,
    "latency": latency.check,
}
UNCONFIRMED = "mail is on, so an account that ADMIN_KEY makes must confirm its address first: STAGE= makes one that has"
NO_ACCOUNT = "it takes an account: give STAGE=, or ADMIN_KEY= with the key of an administrator"


def main() -> int:
    """Run every check that the target allows; return 1 when something differs or nothing could be reached."""
    signal.signal(signal.SIGTERM, _interrupt)
    given = target.environment()
    redaction = Redaction()
    redaction.hide(given.get("ADMIN_KEY", "").strip())
    try:
        chosen = target.chosen(given)
    except UNREACHABLE as error:
        print(f"Nothing answers there: {error}", file=sys.stderr)
        return 1
    except (ClientError, BotoCoreError, *NO_TARGET) as error:
        print(error, file=sys.stderr)
        return 1
    run = Run(chosen, outcomes.Outcomes(redaction, lambda line: print(line, flush=True)))
    return smoke(run, report.FILE)


def smoke(run: Run, file: Path) -> int:
    """Make every check, write the report, and return the status to exit with."""
    began_s = time.monotonic()
    status = 0
    try:
        with settings.in_use(run.target.settings), actors.operator_for("make smoke"), manage.no_log_lines():
            _check(run)
    except KeyboardInterrupt:
        run.outcomes.differs("the whole run", expected="its end", got="an interruption")
        status = INTERRUPTED
    took_s = time.monotonic() - began_s
    report.write(run, file, took_s=took_s)
    differing = len(run.outcomes.of(outcomes.DIFFERS))
    print(f"\n{differing or 'Nothing'} differs after {took_s:.0f} s. The report, without secrets: {file}", flush=True)
    return status or int(differing > 0)


def _check(run: Run) -> None:
    with _noted(run, "the contract without an account"):
        contract.check(run)
    if run.target.has_accounts:
        with _noted(run, "the run's account"):
            _check_with_account(run)
    else:
        _leave_out(run, NO_ACCOUNT)
    with _noted(run, mail.CHECK):
        mail.check(run)
    if run.target.is_deployed:
        with _noted(run, "alarms"):
            alarms.check(run)
        with _noted(run, "logs"):
            logs.check(run)


def _check_with_account(run: Run) -> None:
    try:
        with throwaway.account(run) as account:
            _check_account(run, account)
    except throwaway.Unconfirmed:
        _leave_out(run, UNCONFIRMED)


def _leave_out(run: Run, why: str) -> None:
    for name in OF_ACCOUNT:
        run.outcomes.left_out(name, why)


def _check_account(run: Run, account: throwaway.Account) -> None:
    logs.send_traced(run, account)
    for name, check in OF_ACCOUNT.items():
        with _noted(run, name):
            check(run, account)
    if run.target.stage:
        with _noted(run, clocks.CHECK):
            clocks.check(run, account)


@contextmanager
def _noted(run: Run, name: str) -> Iterator[None]:
    """Note what a `with` block ends with, and go on: one check that fails says nothing of the next."""
    try:
        yield
    except UNEXPECTED as error:
        run.outcomes.differs(name, expected="to come to its end", got=f"{type(error).__name__}: {error}")


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
