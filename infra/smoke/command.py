"""`make smoke`: check a deployed stage or a local run: the public contract, the log, the alarms and more.

It prints one line per check, cleans up, and writes a report without secrets. It exits with 1 if a result differs from
the expected one. Expected responses are computed with the product's code and the local gateway.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from chalicelib.core import settings
from chalicelib.events import actors
from infra import aws_errors, manage
from infra.failed import DeployError, Mistake
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
from infra.smoke.run import UNREACHABLE, Run, undisturbed

NO_TARGET = (target.NoTarget, settings.SettingError, Mistake, DeployError)
INTERRUPTED = 130
OF_ACCOUNT: dict[str, Callable[[Run, throwaway.Account], None]] = {
    "credentials": credentials.check,
    "revocation": revocation.check,
    "burst": burst.check,
    "OAuth": oauth.check,
    "webhooks": webhook.check,
    "latency": latency.check,
}
ACCOUNT = "the run's account"
UNCONFIRMED = (
    "the stage sends emails, so an account created with ADMIN_KEY= has an unverified address: set STAGE= instead"
    " (locally: make smoke alone)"
)
NO_ACCOUNT = "it requires an account: set STAGE=, or ADMIN_KEY= to an administrator's key"
NOT_MADE = f"{ACCOUNT} couldn't be created (see above)"


def main() -> int:
    """Run all checks that the target allows; return 1 if a result differs or the target can't be reached."""
    signal.signal(signal.SIGTERM, _interrupt)
    given = target.environment()
    redaction = Redaction()
    redaction.hide(given.get("ADMIN_KEY", "").strip())
    try:
        selected = target.select(given)
    except KeyboardInterrupt:
        print("Interrupted before the first check.", file=sys.stderr)
        return INTERRUPTED
    except (*aws_errors.REFUSED, *NO_TARGET) as error:
        print(aws_errors.in_words(error), file=sys.stderr)
        return 1
    except (*UNREACHABLE, ValueError) as error:  # ValueError: the host name is invalid
        print(f"The target can't be reached: {error}", file=sys.stderr)
        return 1
    return smoke(Run(selected, outcomes.Outcomes(redaction, _print)), report.FILE)


def smoke(run: Run, file: Path) -> int:
    """Run all checks, write the report, and return the exit status."""
    began_s = time.monotonic()
    status = 0
    try:
        with settings.override(run.target.settings), actors.act_as_operator("make smoke"), manage.no_log_lines():
            _check(run)
    except KeyboardInterrupt:
        run.outcomes.differs("the whole run", expected="to complete", got="an interruption")
        status = INTERRUPTED
    with undisturbed():
        took_s = time.monotonic() - began_s
        count = len(run.outcomes.of(outcomes.DIFFERS))
        differing = {0: "Nothing differs", 1: "1 difference"}.get(count, f"{count} differences")
        status = status or int(count > 0)
        try:
            report.write(run, file, took_s=took_s)
        except OSError as error:
            run.outcomes.say(f"\n{differing} after {took_s:.0f} s. The report can't be written: {error}")
            return status or 1
        run.outcomes.say(f"\n{differing} after {took_s:.0f} s. The report, without secrets: {file}")
    return status


def _check(run: Run) -> None:
    with run.record_errors("the contract without an account"):
        contract.check(run)
    if run.target.has_accounts:
        _check_with_account(run)
    else:
        _leave_out(run, NO_ACCOUNT)
    with run.record_errors(mail.CHECK):
        mail.check(run)
    if run.target.is_deployed:
        with run.record_errors("alarms"):
            alarms.check(run)
        with run.record_errors("logs"):
            logs.check(run)


def _check_with_account(run: Run) -> None:
    why = NOT_MADE
    with run.record_errors(ACCOUNT):
        try:
            with throwaway.account(run) as account:
                why = ""
                _check_account(run, account)
        except throwaway.Unconfirmed:
            why = UNCONFIRMED
    if why:
        _leave_out(run, why)


def _leave_out(run: Run, why: str) -> None:
    for name in OF_ACCOUNT:
        run.outcomes.left_out(name, why)


def _check_account(run: Run, account: throwaway.Account) -> None:
    with run.record_errors(logs.TRACE):
        logs.send_traced(run, account)
    for name, check in OF_ACCOUNT.items():
        with run.record_errors(name):
            check(run, account)
    if run.target.stage:
        with run.record_errors(clocks.CHECK):
            clocks.check(run, account)


def _print(line: str) -> None:
    """Print a line, or discard it if the reader has closed the output, so that the run still cleans up."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
