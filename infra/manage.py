"""The operator's commands on accounts, incidents and secrets, for the local stage or a deployed one.

Each takes a reason, which administrators see beside what was done.

Secrets go to standard output and nowhere else.
"""

import argparse
import os
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.accounts import states
from chalicelib.core import errors, settings, telemetry
from chalicelib.events import actors
from chalicelib.limits import tiers
from infra import chalice_cli, deployed, engine, reachable

OPERATOR = "operator"
REASON_MAX = 200
"""Characters, as on the console's pages for administrators."""


NEEDED = {
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
"""By command: the options that it can't do without, and how make spells them."""


UNCONFIRMED = (
    "{email} isn't confirmed: this key works, but can't make others, and ends when the address is confirmed. Let its "
    "owner confirm it first (Settings > Account sends the link), then make the key."
)


class Mistake(Exception):
    """What the operator got wrong, and how to go on."""


EXPECTED = (Mistake, reachable.NotReachable, settings.SettingError, errors.LatchkeyError, BotoCoreError)
"""What ends a command in one sentence instead of a traceback."""


def main() -> int:
    """Run one command; return 1 with one sentence on standard error when it can't be done."""
    options = _parser().parse_args()
    try:
        _must_be_complete(options)
        stage = options.stage or "local"
        with settings.in_use(settings_of(stage)), actors.operator_for(_reason(options.reason)), no_log_lines():
            reachable.must_answer(stage)
            with settings.in_use(as_deployed(stage)), reachable.until_the_end(stage, options.command):
                options.run(options)
    except EXPECTED as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _must_be_complete(options: argparse.Namespace) -> None:
    """Name the variables that weren't given: make hands them over empty."""
    needed = NEEDED[options.command].items()
    missing = [variable for name, variable in needed if not getattr(options, name).strip()]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        how = " ".join(f"{variable}=…" for variable in NEEDED[options.command].values())
        raise Mistake(f"{' and '.join(missing)} {verb} missing: make {options.command} {how}")


@contextmanager
def no_log_lines() -> Iterator[None]:
    """Keep log lines off the terminal, where a person reads and scripts take secrets from."""
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
    incident.set_defaults(run=_incident)
    command("reinstate", _reinstate)
    command("admin", _admin).add_argument("--off", action="store_true")
    command("password-link", _password_link)
    commands.add_parser("admins").set_defaults(run=_admins)
    ended = commands.add_parser("application-end")
    ended.add_argument("--client-id", default="")
    ended.set_defaults(run=_application_end)
    commands.add_parser("leak-secret").set_defaults(run=_leak_secret)
    return parser


def settings_of(stage: str) -> settings.Settings:
    """Choose the tables of a stage; for the local one, find the engine that `make run` started."""
    if stage != "local":
        return settings.from_environment(os.environ | {"LATCHKEY_STAGE": stage, "LATCHKEY_KEY_KIND": _kind_of(stage)})
    database, url = engine.running() or (os.environ.get("AWS_ENDPOINT_URL", ""), "http://127.0.0.1:8000")
    if not database:
        raise Mistake("Nothing runs locally: start it with `make run`, or choose a deployed stage with STAGE=.")
    os.environ["AWS_ENDPOINT_URL"] = database
    chalice_cli.prepare_environment(url)
    return settings.from_environment(os.environ)


def as_deployed(stage: str) -> settings.Settings:
    """Return the settings of a stage's functions: links and secrets are made by them, not by those of this shell.

    Those of this shell where there is no function yet. Raises Mistake where they may not be read.
    """
    if stage == "local":
        return settings.current()
    try:
        variables = deployed.variables(stage)
    except ClientError as error:
        raise Mistake(
            f"The settings of {stage} can't be read ({error}). Allow lambda:GetFunctionConfiguration."
        ) from None
    return settings.from_environment(variables) if variables else settings.current()


def _reason(given: str) -> str:
    reason = given.strip()
    if len(reason) > REASON_MAX:
        raise Mistake(f"REASON may have at most {REASON_MAX} characters.")
    _must_be_readable("REASON", reason)
    return reason


def _kind_of(stage: str) -> str:
    return "live" if stage == "prod" else "test"


def _key(options: argparse.Namespace) -> None:
    from chalicelib.accounts import email_sender, find
    from chalicelib.credentials import scopes
    from chalicelib.credentials.issue import new_key, put_beside_the_others

    account = find.account_by_email(options.email)
    wanted = options.scopes.replace(",", " ").split()
    if not wanted:
        raise Mistake("SCOPES must name one scope or more.")
    for scope in wanted:
        if scope not in scopes.ALL:
            raise Mistake(f"There is no scope {scope}. SCOPES takes {', '.join(scopes.ALL)}.")
        if scope not in scopes.held_by(scopes.ALL, admin=account.admin):
            raise Mistake(f"{account.email} can't have the scope {scope}: it is for administrators.")
    issued = new_key(account.id, name=options.name, wanted=wanted, expires_at=None, made_by=None)
    put_beside_the_others(issued)
    if account.email_verified_at is None and (email_sender.is_configured() or options.stage == "local"):
        print(UNCONFIRMED.format(email=account.email), file=sys.stderr)
    print(issued.secret)


def _account(options: argparse.Namespace) -> None:
    from chalicelib.accounts.invite import invite

    invited = invite(
        email=options.email,
        name=options.name or options.email.partition("@")[0],
        tier=_tier_named(options.tier),
        admin=options.admin,
    )
    account = invited.account
    print(f"{account.id} {account.email} ({account.tier}{', admin' if account.admin else ''})")
    _print_link(invited.link, options.stage)


def _password_link(options: argparse.Namespace) -> None:
    from chalicelib.accounts import email_links, find

    account = find.account_by_email(options.email)
    if account.status != states.ACTIVE:
        raise Mistake(f"{account.email} is {account.status}: reinstate it first.")
    _print_link(email_links.handed_over(account), options.stage)


def _print_link(ticket: str, stage: str) -> None:
    """Print a link that sets the password of an account. Handed over by hand, so it proves no address."""
    print(f"Set a password within the hour: {settings.current().public_url or _url_of(stage)}/password?ticket={ticket}")


def _url_of(stage: str) -> str:
    """Return where a deployed stage is reached, or a gap where AWS doesn't tell: the link itself is made already."""
    try:
        api = deployed.api_of(stage)
    except (ClientError, BotoCoreError, LookupError):
        api = None
    return api["rest_api_url"].rstrip("/") if api else "https://<the API's address>"


def _admin(options: argparse.Namespace) -> None:
    from chalicelib.accounts import change, find

    account = find.account_by_email(options.email)
    change.set_admin(account.id, not options.off)
    print(f"{account.email} is {'no administrator any more' if options.off else 'an administrator'}, as of now.")
    _warn_of_no_administrator(account.admin)


def _warn_of_no_administrator(was_one: bool) -> None:
    """Say on standard error when the last active administrator was taken away."""
    from chalicelib.accounts import find

    if was_one and not any(each.admin and each.status == states.ACTIVE for each in find.accounts_after("", limit=None)):
        print("There is no active administrator now. Make one: make admin EMAIL=…", file=sys.stderr)


def _admins(_options: argparse.Namespace) -> None:
    from chalicelib.accounts import find

    for account in find.accounts_after("", limit=None):
        if account.admin:
            print(f"{account.id} {account.email} ({account.status})")


def _tier(options: argparse.Namespace) -> None:
    from chalicelib.accounts import change, find

    account = find.account_by_email(options.email)
    change.set_standing(account.id, tier=_tier_named(options.tier), status=None, actor=OPERATOR)
    print(f"{account.email} is {options.tier} from the next request on.")


def _suspend(options: argparse.Namespace) -> None:
    from chalicelib.accounts import change, find

    account = find.account_by_email(options.email)
    change.set_standing(account.id, tier=None, status=states.SUSPENDED, actor=OPERATOR)
    print(f"{options.email} is suspended: its keys and tokens are refused from the next request on.")
    _warn_of_no_administrator(account.admin)


def _reinstate(options: argparse.Namespace) -> None:
    from chalicelib.accounts import change, find

    change.set_standing(find.account_by_email(options.email).id, tier=None, status=states.ACTIVE, actor=OPERATOR)
    print(f"{options.email} is reinstated. A refusal that the gateway still remembers lasts up to 5 minutes more.")


def _application_end(options: argparse.Namespace) -> None:
    from chalicelib.oauth import end_client

    client = end_client.end(options.client_id, actor=OPERATOR, reason=_reason(options.reason) or None)
    print(f"{client.client_id} is ended: nothing is issued to it, and its tokens are refused. The minute's function")
    print("reaches those of its users whom this command hasn't.")


def _incident(options: argparse.Namespace) -> None:
    from chalicelib.core import ids
    from chalicelib.uptime import incidents, states

    if not options.text.strip() or len(options.text) > incidents.TEXT_MAX:
        raise Mistake(f"TEXT must say what readers should know, in at most {incidents.TEXT_MAX} characters.")
    _must_be_readable("TEXT", options.text.replace("\n", ""))
    state = states.RESOLVED if options.close else options.state or states.INVESTIGATING
    if state not in states.OF_INCIDENTS:
        raise Mistake(f"STATE must be one of {', '.join(states.OF_INCIDENTS)}.")
    if options.id:
        if not ids.is_id(options.id, "inc"):
            raise Mistake("ID must be what opening the incident has printed: inc_…")
        incident = incidents.update(options.id, options.text.strip(), state)
    elif state == states.RESOLVED:
        raise Mistake('Which incident is over? Its ID is in /status.json: make incident ID=inc_… TEXT="…" CLOSE=1')
    else:
        incident = incidents.open_one(options.title.strip(), options.text.strip(), _components(options), state)
    print(f"{incident.at}  {incident.title}: {state}. Readers of /status see it within 15 seconds.")
    if incident.closed_at is None:
        print(f'Go on with: make incident ID={incident.at} TEXT="…" [STATE=identified|monitoring] [CLOSE=1]')


def _components(options: argparse.Namespace) -> list[str]:
    from chalicelib.uptime.states import COMPONENTS

    if not 0 < len(options.title.strip()) <= 100:
        raise Mistake("TITLE must be 1 to 100 characters; or give the ID of an open incident.")
    _must_be_readable("TITLE", options.title)
    chosen: list[str] = options.components.replace(",", " ").split()
    for name in chosen:
        if name not in COMPONENTS:
            raise Mistake(f"COMPONENTS must be some of {', '.join(COMPONENTS)}.")
    return chosen


def _must_be_readable(name: str, text: str) -> None:
    """Refuse what has no place on a page or in a feed, whose XML can't hold all of it; any kind of space is fine."""
    for character in text:
        if not character.isprintable() and unicodedata.category(character) != "Zs":
            raise Mistake(f"{name} has a character that can't be shown: U+{ord(character):04X}. Leave it out.")


def _leak_secret(_options: argparse.Namespace) -> None:
    from chalicelib.detection import hmac_signature

    print(hmac_signature.secret())


def _tier_named(name: str) -> tiers.Tier:
    known = {tier.name: tier for tier in tiers.OF_ACCOUNTS}
    if name not in known:
        raise Mistake(f"TIER must be one of {', '.join(known)}.")
    return known[name]


if __name__ == "__main__":
    sys.exit(main())
