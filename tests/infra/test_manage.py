"""The operator's commands on accounts and users: administrators, password links and reasons."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from chalicelib.accounts import find, sessions
from chalicelib.accounts.create import create_account
from chalicelib.core import settings
from chalicelib.events import kinds, record
from chalicelib.limits import tiers
from chalicelib.oauth import clients
from chalicelib.oauth.tables import Client
from infra import deployed, inputs, manage, stage_settings
from tests.oauth.flow import register_client
from tests.support.harness import TestApp, stage_key_file

URL = "https://api.example.com"
NOBODY = "app_00000000000000000000"


class Command:
    """The program `infra.manage`, called as make calls it, on the stage of the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        """Set the stage's root key and URL."""
        self._monkeypatch, self._capsys = monkeypatch, capsys
        monkeypatch.setenv("LATCHKEY_STAGE_KEY_FILE", stage_key_file())
        monkeypatch.setenv("LATCHKEY_PUBLIC_URL", URL)

    def __call__(self, *words: str, reason: str = "") -> str:
        """Run a command that succeeds and return its output."""
        self._capsys.readouterr()
        assert self._run(words, reason) == 0
        return self._capsys.readouterr().out

    def run(self, *words: str) -> None:
        """Run a command that succeeds, without capturing its output."""
        assert self._run(words, "") == 0

    def refused(self, *words: str, reason: str = "", stage: str = "test") -> str:
        """Run a command that fails and return its error."""
        assert self._run(words, reason, stage) == 1
        return self._capsys.readouterr().err

    def _run(self, words: tuple[str, ...], reason: str, stage: str = "test") -> int:
        self._monkeypatch.setattr(sys, "argv", ["manage", f"--stage={stage}", f"--reason={reason}", *words])
        return manage.main((*inputs.STAGES, "test"))


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The operator's commands on the stage of the test."""
    return Command(monkeypatch, capsys)


def test_user_becomes_admin_and_loses_it_again(latchkey: TestApp, command: Command) -> None:
    """Granting and removing the admin flag takes effect at the next request. `make admins` lists the admins."""
    account = latchkey.account(name="Ada")
    command("admin", f"--email={account.email}")
    assert find.user_by_id(account.user_id).admin
    assert command("admins") == f"{account.user_id} {account.email} (active)\n"
    key = latchkey.key(account, "admin").secret
    assert latchkey.call("PATCH", f"/v1/accounts/{account.id}", key, json_body={"tier": "pro"}).status == 200
    command("admin", f"--email={account.email}", "--off")
    assert latchkey.call("PATCH", f"/v1/accounts/{account.id}", key, json_body={"tier": "free"}).status == 403
    assert command("admins") == ""


def test_removal_of_the_last_admin_prints_a_warning(
    latchkey: TestApp, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command that removes the last active admin prints a warning."""
    first, last = latchkey.account(name="Ada", admin=True), latchkey.account(name="Eve", admin=True)
    for account, warned in ((first, False), (last, True)):
        command.run("admin", f"--email={account.email}", "--off")
        assert ("There is no active administrator now." in capsys.readouterr().err) is warned


def test_every_change_by_a_command_records_its_reason(latchkey: TestApp, command: Command) -> None:
    """Every change by a command is recorded as an event, with REASON as the reason and the operator as the actor."""
    reason = "Ticket 4711: asked by phone."
    command("account", "--email=ada@example.com", reason=reason)
    user = find.user_by_email("ada@example.com")
    (account_id,) = sorted(user.account_ids or ())
    for words in (["key"], ["tier", "--tier=pro"], ["suspend"], ["reinstate"], ["admin"], ["admin", "--off"]):
        command(words[0], "--email=ada@example.com", *words[1:], reason=reason)
    of_account, of_user = record.newest_first(account_id, 20), record.newest_first(user.id, 20)
    assert (len(of_account), len(of_user)) == (5, 3)
    assert {(event.actor, event.reason) for event in [*of_account, *of_user]} == {("operator", reason)}
    assert of_user[0].changed.as_dict() == {"admin": "no"}


def test_reason_is_optional_and_bounded(latchkey: TestApp, command: Command) -> None:
    """REASON may be missing; if too long or unprintable it is rejected before any change."""
    account = latchkey.account()
    command("suspend", f"--email={account.email}")
    assert record.newest_first(account.id, 1)[0].reason is None
    too_long = command.refused("reinstate", f"--email={account.email}", reason="x" * 201)
    assert too_long.startswith("REASON takes at most 200 characters, not 'xxx")
    assert "REASON has an unprintable character" in command.refused(
        "reinstate", f"--email={account.email}", reason="a\x1b[31mb"
    )
    assert find.account_by_id(account.id).status == "suspended"


def test_password_link_works_for_every_user(latchkey: TestApp, command: Command) -> None:
    """The printed link opens the password page, so that deployments without email can reset passwords. A suspended
    account doesn't matter, because the user may belong to others.
    """
    account = latchkey.account()
    printed = command("password-link", f"--email={account.email}")
    (link,) = re.findall(rf"{URL}(/password\?ticket=\S+)", printed)
    assert latchkey.call("GET", link).status == 200
    assert command.refused("password-link", "--email=nobody@example.com") == "No user has this email.\n"
    command("suspend", f"--email={account.email}")
    assert f"{URL}/password?ticket=" in command("password-link", f"--email={account.email}")


def test_password_link_is_an_event_of_its_user(latchkey: TestApp, command: Command) -> None:
    """A password link is recorded as an event of its user, with the operator as actor and with the reason."""
    account = latchkey.account()
    command("password-link", f"--email={account.email}", reason="Ticket 4711: locked out")
    (event,) = record.newest_first(account.user_id, 10, kind=kinds.PASSWORD_LINK_MADE)
    assert (event.actor, event.reason, event.changed.as_dict()) == ("operator", "Ticket 4711: locked out", {})


def test_printed_links_expire_with_the_sessions(latchkey: TestApp, command: Command) -> None:
    """Ending the sessions of a user invalidates links that commands have printed for the user."""
    printed = command("account", "--email=ada@example.com", "--admin")
    user = find.user_by_email("ada@example.com")
    assert user.admin
    paths = re.findall(rf"{URL}(/password\?ticket=\S+)", printed + command("password-link", f"--email={user.email}"))
    assert [latchkey.call("GET", path).status for path in paths] == [200, 200]
    sessions.end_all(user.id)
    assert [latchkey.call("GET", path).status for path in paths] == [410, 410]


def test_password_link_without_a_known_url_has_a_placeholder(
    latchkey: TestApp, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password link has a placeholder if the stage's URL is unknown."""
    account = latchkey.account()
    monkeypatch.delenv("LATCHKEY_PUBLIC_URL")
    with settings.override(replace(settings.current(), public_url="")):
        assert "https://<the API's address>/password?ticket=" in command("password-link", f"--email={account.email}")


def test_application_is_revoked_with_a_reason(latchkey: TestApp, command: Command) -> None:
    """A command revokes an application of any account, and records the operator and the reason."""
    app = register_client(latchkey)
    out = command("application-end", f"--client-id={app.id}", reason="Ticket 4711: phishing")
    assert f"{app.id} is ended: nothing is issued to it" in out
    client = Client.get(app.id)
    assert (client.ended_by, client.ended_because) == ("operator", "Ticket 4711: phishing")
    assert clients.find(app.id) is None
    (event,) = record.newest_first(str(client.account_id), 10, kind=kinds.APPLICATION_DELETED)
    assert (event.actor, event.reason) == ("operator", "Ticket 4711: phishing")


def test_unknown_application_cannot_be_revoked(latchkey: TestApp, command: Command) -> None:
    """An unknown application is reported in one line, and nothing is stored."""
    assert "There is no such application." in command.refused("application-end", f"--client-id={NOBODY}")
    assert list(Client.scan()) == []


COMMANDS = [
    ["key", "--email=ada@example.com"],
    ["account", "--email=ada@example.com"],
    ["tier", "--email=ada@example.com", "--tier=pro"],
    ["suspend", "--email=ada@example.com"],
    ["reinstate", "--email=ada@example.com"],
    ["admin", "--email=ada@example.com"],
    ["admins"],
    ["password-link", "--email=ada@example.com"],
    ["application-end", "--client-id=app_00000000000000000000"],
    ["leak-secret"],
    ["incident", "--title=Slow", "--text=We look."],
]
NAMES = [words[0] for words in COMMANDS]


@pytest.mark.parametrize("words", COMMANDS, ids=NAMES)
def test_missing_stage_is_reported_in_one_line(latchkey: TestApp, command: Command, words: list[str]) -> None:
    """Every command names a stage that isn't deployed and the command that deploys it."""
    said = command.refused(*words, stage="prod")
    assert said.startswith("Nothing is deployed as prod in this account and region.")
    assert "make deploy STAGE=prod" in said
    assert said.count("\n") == 1


AWAY = [
    ({}, "No AWS region is set: set AWS_DEFAULT_REGION"),
    ({"AWS_DEFAULT_REGION": "eu-central-1"}, "No AWS credentials: set AWS_PROFILE"),
    ({"AWS_PROFILE": "nope"}, "AWS_PROFILE='nope' can't be used: "),
    (
        {
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "y",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        },
        "DynamoDB doesn't respond",
    ),
]


ONE_AFTER_ANOTHER = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from infra import manage
for words in json.loads(sys.argv[1]):
    sys.argv = ["manage", "--stage=prod", "--reason=", *words]
    with redirect_stdout(io.StringIO()) as said, redirect_stderr(io.StringIO()) as error:
        status = manage.main()
    print(json.dumps([status, said.getvalue(), error.getvalue()]))
"""
"""A program that runs all commands in one process, because starting Python takes most of the time."""


@pytest.mark.parametrize(("environment", "says"), AWAY, ids=["no-region", "no-credentials", "no-profile", "no-answer"])
def test_unreachable_stage_is_reported_in_one_line(environment: dict[str, str], says: str, tmp_path: Path) -> None:
    """Without AWS configuration, every command names what is missing in one line."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LATCHKEY_"))}
    none = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": str(tmp_path / "none"), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", ONE_AFTER_ANOTHER, json.dumps(COMMANDS)],
        env=kept | none | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    for words, line in zip(COMMANDS, done.stdout.splitlines(), strict=True):
        status, said, error = json.loads(line)
        assert (status, said, error.count("\n")) == (1, "", 1), words
        assert error.startswith(says), words
    alone = subprocess.run(
        [sys.executable, "-m", "infra.manage", "--stage=prod", "--reason=", *COMMANDS[0]],
        env=kept | none | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (alone.returncode, alone.stdout, alone.stderr.startswith(says)) == (1, "", True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        *((words[:1], "EMAIL is missing: make ") for words in COMMANDS if len(words) == 2 and "email" in words[1]),
        (["key", "--email= "], "EMAIL is missing: make key EMAIL=…"),
        (["suspend"], "EMAIL is missing: make suspend EMAIL=… (or ACCOUNT=acc_…)"),
        (["tier", "--email=", "--tier="], "EMAIL and TIER are missing: make tier EMAIL=… TIER=… (or ACCOUNT=acc_…)"),
        (["tier", "--account=acc_0", "--tier="], "TIER is missing: make tier EMAIL=… TIER=…"),
        (["tier", "--email=ada@example.com", "--tier="], "TIER is missing: make tier EMAIL=… TIER=…"),
        (["application-end", "--client-id="], "CLIENT_ID is missing: make application-end CLIENT_ID=…"),
    ],
)
def test_missing_variable_is_named(latchkey: TestApp, command: Command, words: list[str], says: str) -> None:
    """The error for a missing variable shows the complete make command."""
    assert command.refused(*words).startswith(says)


def test_every_command_lists_its_required_variables() -> None:
    """The list of required variables contains every command, so the tests of this list cover every command."""
    assert sorted(manage.NEEDED) == sorted(NAMES)


def test_commands_print_no_log_line(latchkey: TestApp, command: Command) -> None:
    """Commands print their message without the log lines of the functions that they call."""
    app = register_client(latchkey)
    assert command("application-end", f"--client-id={app.id}").startswith(f"{app.id} is ended")


def test_unknown_scope_is_rejected_with_the_known_ones(latchkey: TestApp, command: Command) -> None:
    """The error for an unknown scope lists the scopes; an admin scope has a different error."""
    email = f"--email={latchkey.account().email}"
    said = command.refused("key", email, "--scopes=read foo")
    assert said == "SCOPES takes some of read, write, keys, events, webhooks, members, admin, verify, not 'read foo'.\n"
    assert "it is for administrators" in command.refused("key", email, "--scopes=admin")


def test_key_of_an_unverified_user_prints_a_warning(
    latchkey: TestApp, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """The warning about an unverified email is on standard error, so that scripts read the key only."""
    email = create_account(email="ada@example.com", name="Ada", tier=tiers.FREE).user.email
    assert command._run(("key", f"--email={email}"), "") == 0
    assert capsys.readouterr().err == ""
    with settings.override(replace(settings.current(), mail_from="api@example.com")):
        command._monkeypatch.setenv("LATCHKEY_MAIL_FROM", "api@example.com")
        assert command._run(("key", f"--email={email}"), "") == 0
    printed = capsys.readouterr()
    assert "ada@example.com isn't verified" in printed.err
    assert printed.out.count("\n") == 1


def test_settings_of_a_deployed_stage_come_from_its_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of the deployed functions take precedence over variables of the shell."""
    theirs = {"LATCHKEY_STAGE": "dev", "LATCHKEY_PUBLIC_URL": "https://api.example.com", "LATCHKEY_BRAND": "acme"}
    monkeypatch.setattr(deployed, "variables", lambda _stage: theirs)
    with settings.override(settings.Settings(stage="dev", public_url="https://shell.example.com")):
        found = stage_settings.as_deployed("dev")
        assert (found.public_url, found.brand) == ("https://api.example.com", "acme")
        monkeypatch.setattr(deployed, "variables", lambda _stage: None)
        assert stage_settings.as_deployed("dev").public_url == "https://shell.example.com"
