"""The operator's commands on accounts, users, incidents and secrets, for a local run or a deployed stage.

Every command accepts a reason, which administrators see in the audit log. Secrets go to standard output only.
"""

import argparse
import os
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from botocore.exceptions import BotoCoreError

from chalicelib.accounts import states
from chalicelib.core import errors, settings, telemetry
from chalicelib.events import actors
from chalicelib.limits import tiers
from infra import administrators, aws_errors, deployed, incidents, inputs, reachable, stage_settings
from infra.failed import DeployError, Mistake

OPERATOR = "operator"
OF_SECRETS = ("key", "leak-secret")
"""The commands that print nothing but a secret, so that scripts can read it."""
NEEDED: dict[str, dict[str, str]] = {
    "key": {"email": "EMAIL"},
    "account": {"email": "EMAIL"},
    "tier": {"email": "EMAIL", "tier": "TIER"},
    "suspend": {"email": "EMAIL"},
    "reinstate": {"email": "EMAIL"},
    "admin": {"email": "EMAIL"},
    "password-link": {"email": "EMAIL"},
    "application-end": {"client_id": "CLIENT_ID"},
    "incident": {},
    "admins": {},
    "leak-secret": {},
}
"""The required options of each command, and their names as make variables."""
ON_ACCOUNTS = ("tier", "suspend", "reinstate")
"""The commands that accept ACCOUNT instead of EMAIL."""
UNCONFIRMED = (
    "{email} isn't verified: this key works, but can't create other keys, and is revoked when the address is verified. "
    "The user should verify it first (Settings > Profile sends the link); create the key afterwards."
)
EXPECTED = (Mistake, DeployError, reachable.NotReachable, settings.SettingError, errors.LatchkeyError, BotoCoreError)
"""The errors that are printed as one sentence, without a traceback."""


def main(stages: Collection[str] = (*inputs.STAGES, inputs.LOCAL)) -> int:
    """Run one command. If it fails, print one sentence on standard error and return 1."""
    try:
        options = parsed(None, stages)
        stage = options.stage
        with (
            settings.override(stage_settings.settings_of(stage)),
            actors.act_as_operator(options.reason),
            no_log_lines(),
        ):
            reachable.check(stage)
            with settings.override(stage_settings.as_deployed(stage)), reachable.explain_errors(stage, options.command):
                options.run(options)
        if options.command not in OF_SECRETS:
            # Name the stage, because a missing STAGE= is easily overlooked.
            print(f"Done in the stage {stage}.", file=sys.stderr)
    except EXPECTED as error:
        print(aws_errors.in_words(error), file=sys.stderr)
        return 1
    return 0


def parsed(words: list[str] | None, stages: Collection[str] = (inputs.LOCAL,)) -> argparse.Namespace:
    """Return the parsed options of one command. Raises Mistake for a missing or invalid option."""
    options = _parser().parse_args(words)
    _must_be_complete(options)
    options.stage = inputs.stage(options.command, options.stage.strip() or inputs.LOCAL, known=stages)
    for name in sorted(vars(options).keys() & {each.lower() for each in inputs.TAKES}):
        setattr(options, name, inputs.given(name.upper(), getattr(options, name)))
    return options


def _must_be_complete(options: argparse.Namespace) -> None:
    """Raise Mistake, with the names of the variables, for required options that are empty."""
    can_be_account = options.command in ON_ACCOUNTS
    given = {"email"} if can_be_account and options.account.strip() else set()
    needed = [(name, variable) for name, variable in NEEDED[options.command].items() if name not in given]
    missing = [variable for name, variable in needed if not getattr(options, name).strip()]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        how = " ".join(f"{variable}=…" for variable in NEEDED[options.command].values())
        instead = " (or ACCOUNT=acc_…)" if can_be_account and "EMAIL" in missing else ""
        raise Mistake(f"{' and '.join(missing)} {verb} missing: make {options.command} {how}{instead}")


@contextmanager
def no_log_lines() -> Iterator[None]:
    """Discard log lines in a `with` block, because they would mix with the output that scripts parse."""
    with Path(os.devnull).open("w") as nowhere:
        telemetry.write_to(nowhere)
        try:
            yield
        finally:
            telemetry.write_to(None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="manage")
    parser.add_argument("--stage", default="local")
    parser.add_argument("--reason", default="")
    commands = parser.add_subparsers(required=True, dest="command")

    def command(name: str, run: Callable[[argparse.Namespace], None]) -> argparse.ArgumentParser:
        added = commands.add_parser(name)
        added.add_argument("--email", default="")
        if name == "key" or name in ON_ACCOUNTS:
            added.add_argument("--account", default="")
        added.set_defaults(run=run)
        return added

    key = command("key", _key)
    key.add_argument("--name", default="Made by the operator")
    key.add_argument("--scopes", default="read write keys")
    account = command("account", _account)
    account.add_argument("--name", default="")
    account.add_argument("--tier", default="free")
    account.add_argument("--admin", action="store_true")
    command("tier", _tier).add_argument("--tier", default="")
    command("suspend", _suspend)
    incident = commands.add_parser("incident")
    for name in ("title", "id", "text", "components", "state"):
        incident.add_argument(f"--{name}", default="")
    incident.add_argument("--close", action="store_true")
    incident.set_defaults(run=incidents.change)
    command("reinstate", _reinstate)
    command("admin", administrators.change).add_argument("--off", action="store_true")
    command("password-link", _password_link)
    commands.add_parser("admins").set_defaults(run=administrators.show)
    ended = commands.add_parser("application-end")
    ended.add_argument("--client-id", default="")
    ended.set_defaults(run=_application_end)
    commands.add_parser("leak-secret").set_defaults(run=_leak_secret)
    return parser


def _key(options: argparse.Namespace) -> None:
    from chalicelib.credentials import scopes
    from chalicelib.credentials.issue import new_key, store_key
    from infra import subjects

    chosen = subjects.membership(options)
    account_id, user = chosen.account.id, chosen.user
    wanted = options.scopes.replace(",", " ").split()
    if not wanted:
        raise Mistake("SCOPES must name one scope or more.")
    for scope in wanted:
        if scope not in scopes.effective(scopes.ALL, role=chosen.role, admin=user.admin):
            why = "it is for administrators" if scope in scopes.ADMIN_ONLY else f"the role {chosen.role} lacks it"
            raise Mistake(f"{user.email} can't have the scope {scope} in {account_id}: {why}.")
    issued = new_key(account_id, user.id, name=options.name, wanted=wanted, expires_at=None, made_by=None)
    store_key(issued)
    if not user.is_verified and _is_mail_read(options.stage):
        print(UNCONFIRMED.format(email=user.email), file=sys.stderr)
    print(issued.secret)


def _account(options: argparse.Namespace) -> None:
    from chalicelib.accounts.invite import invite

    invited = invite(
        email=options.email,
        name=options.name or options.email.partition("@")[0],
        tier=tiers.BY_NAME[options.tier or tiers.FREE.name],
        admin=options.admin,
    )
    account, user = invited.membership.account, invited.membership.user
    print(f"{account.id} {user.email} ({account.tier}{', admin' if user.admin else ''})")
    _print_link(invited.link, options.stage)
    if _is_mail_read(options.stage):
        said = "Then verify the address (Settings > Profile): before that, the user can't create keys."
        print(said, file=sys.stderr)


def _is_mail_read(stage: str) -> bool:
    """Return whether emails of a stage reach their users, so that addresses must be verified."""
    from chalicelib.accounts import email_sender

    return email_sender.is_configured() or stage == inputs.LOCAL


def _password_link(options: argparse.Namespace) -> None:
    from chalicelib.accounts import email_links, find

    _print_link(email_links.create_password_link(find.user_by_email(options.email)), options.stage)


def _print_link(ticket: str, stage: str) -> None:
    """Print a link for setting a user's password. It isn't sent by email, so using it verifies no address."""
    print(f"Set a password within the hour: {settings.current().public_url or _url_of(stage)}/password?ticket={ticket}")


def _url_of(stage: str) -> str:
    """Return the URL of a deployed stage, or a placeholder if AWS doesn't return it. The link is valid anyway."""
    try:
        api = deployed.api_of(stage)
    except (DeployError, *aws_errors.REFUSED, LookupError):
        api = None
    return api["rest_api_url"].rstrip("/") if api else "https://<the API's address>"


def _tier(options: argparse.Namespace) -> None:
    account = _change(options, tier=tiers.BY_NAME[options.tier], status=None)
    print(f"{account} is {options.tier} from the next request on.")


def _suspend(options: argparse.Namespace) -> None:
    account = _change(options, tier=None, status=states.SUSPENDED)
    print(f"{account} is suspended: its keys and tokens are refused from the next request on.")


def _reinstate(options: argparse.Namespace) -> None:
    account = _change(options, tier=None, status=states.ACTIVE)
    print(f"{account} is reinstated. A refusal that the gateway still remembers lasts up to 5 minutes more.")


def _change(options: argparse.Namespace, *, tier: tiers.Tier | None, status: str | None) -> str:
    """Set the tier or the status of the account, and return its description."""
    from chalicelib.accounts import change
    from infra import subjects

    account = subjects.account(options)
    change.set_tier_and_status(account.id, tier=tier, status=status, actor=OPERATOR)
    return subjects.described(account, options)


def _application_end(options: argparse.Namespace) -> None:
    from chalicelib.oauth import delete_any_client

    client = delete_any_client.delete(options.client_id, actor=OPERATOR, reason=options.reason or None)
    print(f"{client.client_id} is ended: nothing is issued to it, and its tokens are refused. A job deletes its")
    print("grants. API Gateway may accept tokens of users beyond the first 50 for up to 5 more minutes.")


def _leak_secret(_options: argparse.Namespace) -> None:
    from chalicelib.detection import hmac_signature

    print(hmac_signature.secret())


if __name__ == "__main__":
    sys.exit(main())
