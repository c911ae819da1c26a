"""The operator's commands for administrators, password links and reasons."""

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
    """`infra.manage`, as make calls it, on the test's stage."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        """Give it the stage's key and URL."""
        self._monkeypatch, self._capsys = monkeypatch, capsys
        monkeypatch.setenv("LATCHKEY_STAGE_KEY_FILE", stage_key_file())
        monkeypatch.setenv("LATCHKEY_PUBLIC_URL", URL)

    def __call__(self, *words: str, reason: str = "") -> str:
        """Return what a command prints that succeeds."""
        self._capsys.readouterr()
        assert self._run(words, reason) == 0
        return self._capsys.readouterr().out

    def run(self, *words: str) -> None:
        """Run a command that succeeds, and leave what it says where it says it."""
        assert self._run(words, "") == 0

    def refused(self, *words: str, reason: str = "", stage: str = "test") -> str:
        """Return what a command that can't be done says on standard error."""
        assert self._run(words, reason, stage) == 1
        return self._capsys.readouterr().err

    def _run(self, words: tuple[str, ...], reason: str, stage: str = "test") -> int:
        self._monkeypatch.setattr(sys, "argv", ["manage", f"--stage={stage}", f"--reason={reason}", *words])
        return manage.main((*inputs.STAGES, "test"))


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The operator's commands."""
    return Command(monkeypatch, capsys)


def test_existing_account_becomes_an_administrator_and_no_longer(latchkey: TestApp, command: Command) -> None:
    """Both take effect at the next request of its keys, whatever the gateway has cached; the list says who is one."""
    account = latchkey.account(name="Ada")
    command("admin", f"--email={account.email}")
    assert find.account_by_id(account.id).admin
    assert command("admins") == f"{account.id} {account.email} (active)\n"
    key = latchkey.key(account, "admin").secret
    assert latchkey.call("PATCH", f"/v1/users/{account.id}", key, json_body={"tier": "pro"}).status == 200
    command("admin", f"--email={account.email}", "--off")
    assert latchkey.call("PATCH", f"/v1/users/{account.id}", key, json_body={"tier": "free"}).status == 403
    assert command("admins") == ""


@pytest.mark.parametrize("deed", [["admin", "--off"], ["suspend"]], ids=["admin_off", "suspend"])
def test_last_active_administrator_is_not_taken_away_without_a_word(
    latchkey: TestApp, command: Command, capsys: pytest.CaptureFixture[str], deed: list[str]
) -> None:
    """While there is another one nothing is said; of the last one it is, and how to go on."""
    first, last = latchkey.account(name="Ada", admin=True), latchkey.account(name="Eve", admin=True)
    for account, warned in ((first, False), (last, True)):
        command.run(deed[0], f"--email={account.email}", *deed[1:])
        assert ("There is no active administrator now." in capsys.readouterr().err) is warned


def test_every_change_by_a_command_has_its_reason(latchkey: TestApp, command: Command) -> None:
    """What was given as REASON stands with the event, the operator as its actor."""
    reason = "Ticket 4711: asked by phone."
    command("account", "--email=ada@example.com", reason=reason)
    account = find.account_by_email("ada@example.com")
    for words in (["key"], ["tier", "--tier=pro"], ["suspend"], ["reinstate"], ["admin"], ["admin", "--off"]):
        command(words[0], "--email=ada@example.com", *words[1:], reason=reason)
    events = record.newest_first(account.id, 20)
    assert len(events) == 7
    assert {(event.actor, event.reason) for event in events} == {("operator", reason)}
    assert events[0].changed.as_dict() == {"admin": "no"}


def test_reason_is_optional_and_bounded(latchkey: TestApp, command: Command) -> None:
    """Nothing given is no reason; what can't be shown on a page is refused before anything is done."""
    account = latchkey.account()
    command("suspend", f"--email={account.email}")
    assert record.newest_first(account.id, 1)[0].reason is None
    too_long = command.refused("reinstate", f"--email={account.email}", reason="x" * 201)
    assert too_long.startswith("REASON takes at most 200 characters, not 'xxx")
    assert "REASON has a character" in command.refused("reinstate", f"--email={account.email}", reason="a\x1b[31mb")
    assert find.account_by_id(account.id).status == "suspended"


def test_password_link_lets_a_locked_out_user_in(latchkey: TestApp, command: Command) -> None:
    """Without mail it is the way back: the page behind the printed link takes a new password, once."""
    account = latchkey.account()
    printed = command("password-link", f"--email={account.email}")
    (link,) = re.findall(rf"{URL}(/password\?ticket=\S+)", printed)
    assert latchkey.call("GET", link).status == 200
    assert command.refused("password-link", "--email=nobody@example.com") == "No account has this email.\n"
    command("suspend", f"--email={account.email}")
    assert "reinstate it first" in command.refused("password-link", f"--email={account.email}")


def test_password_link_is_an_event_of_its_account(latchkey: TestApp, command: Command) -> None:
    """Who can set somebody's password is written down with the link: the operator, for a reason that admins see."""
    account = latchkey.account()
    command("password-link", f"--email={account.email}", reason="Ticket 4711: locked out")
    (event,) = record.newest_first(account.id, 10, kind=kinds.PASSWORD_LINK_MADE)
    assert (event.actor, event.reason, event.changed.as_dict()) == ("operator", "Ticket 4711: locked out", {})


def test_printed_links_end_with_the_sessions(latchkey: TestApp, command: Command) -> None:
    """A link that was handed over sets no password after its user has set one, or logged out everywhere."""
    printed = command("account", "--email=ada@example.com", "--admin")
    account = find.account_by_email("ada@example.com")
    assert account.admin
    paths = re.findall(rf"{URL}(/password\?ticket=\S+)", printed + command("password-link", f"--email={account.email}"))
    assert [latchkey.call("GET", path).status for path in paths] == [200, 200]
    sessions.end_all(account.id)
    assert [latchkey.call("GET", path).status for path in paths] == [410, 410]


def test_password_link_is_for_the_deployed_url(
    latchkey: TestApp, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stage that was not deployed from this checkout, and has no public URL here, is named as such."""
    account = latchkey.account()
    monkeypatch.delenv("LATCHKEY_PUBLIC_URL")
    with settings.override(replace(settings.current(), public_url="")):
        assert "https://<the API's address>/password?ticket=" in command("password-link", f"--email={account.email}")


def test_any_application_is_ended_by_a_command_with_its_reason(latchkey: TestApp, command: Command) -> None:
    """Nothing is issued to it any more; who ended it and why stands with it and in its owner's events."""
    app = register_client(latchkey)
    out = command("application-end", f"--client-id={app.id}", reason="Ticket 4711: phishing")
    assert f"{app.id} is ended: nothing is issued to it" in out
    client = Client.get(app.id)
    assert (client.ended_by, client.ended_because) == ("operator", "Ticket 4711: phishing")
    assert clients.find(app.id) is None
    (event,) = record.newest_first(str(client.account_id), 10, kind=kinds.APPLICATION_DELETED)
    assert (event.actor, event.reason) == ("operator", "Ticket 4711: phishing")


def test_unknown_application_can_not_be_ended_by_a_command(latchkey: TestApp, command: Command) -> None:
    """One sentence says so, and nothing is stored."""
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
def test_stage_that_is_not_deployed_is_one_sentence(latchkey: TestApp, command: Command, words: list[str]) -> None:
    """It names the stage and the command that deploys it; nothing of a traceback."""
    said = command.refused(*words, stage="prod")
    assert said.startswith("Nothing is deployed as prod in this account and region.")
    assert "make deploy STAGE=prod" in said
    assert said.count("\n") == 1


AWAY = [
    ({}, "No AWS region: set AWS_DEFAULT_REGION"),
    ({"AWS_DEFAULT_REGION": "eu-central-1"}, "No AWS credentials: set AWS_PROFILE"),
    ({"AWS_PROFILE": "nope"}, "AWS_PROFILE='nope' can't be used: "),
    (
        {
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "y",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        },
        "DynamoDB doesn't answer",
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
"""Runs commands, which refuse alike, in one process: its start is most of what each takes."""


@pytest.mark.parametrize(("environment", "says"), AWAY, ids=["no-region", "no-credentials", "no-profile", "no-answer"])
def test_machine_that_cannot_reach_the_stage_is_one_sentence(
    environment: dict[str, str], says: str, tmp_path: Path
) -> None:
    """It says what to set, whichever command is given; in a process that knows nothing of the tests' own account."""
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
        (["tier", "--email=", "--tier="], "EMAIL and TIER are missing: make tier EMAIL=… TIER=…"),
        (["tier", "--email=ada@example.com", "--tier="], "TIER is missing: make tier EMAIL=… TIER=…"),
        (["application-end", "--client-id="], "CLIENT_ID is missing: make application-end CLIENT_ID=…"),
    ],
)
def test_variable_that_was_not_given_is_named(latchkey: TestApp, command: Command, words: list[str], says: str) -> None:
    """By the name that make knows it by, with the whole command."""
    assert command.refused(*words).startswith(says)


def test_every_command_says_what_it_needs() -> None:
    """One added later is listed, too."""
    assert sorted(manage.NEEDED) == sorted(NAMES)


def test_commands_print_no_log_line(latchkey: TestApp, command: Command) -> None:
    """What ends an application is logged as a warning, yet the terminal has the sentence alone."""
    app = register_client(latchkey)
    assert command("application-end", f"--client-id={app.id}").startswith(f"{app.id} is ended")


def test_unknown_scope_is_answered_with_those_there_are(latchkey: TestApp, command: Command) -> None:
    """And one that is for administrators says so."""
    email = f"--email={latchkey.account().email}"
    said = command.refused("key", email, "--scopes=read foo")
    assert said == "SCOPES takes some of read, write, keys, events, webhooks, admin, verify, not 'read foo'.\n"
    assert "it is for administrators" in command.refused("key", email, "--scopes=admin")


def test_key_of_an_unconfirmed_account_comes_with_a_warning(
    latchkey: TestApp, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where mail is sent; beside the key, on standard error, so that a script still takes the key alone."""
    account = create_account(email="ada@example.com", name="Ada", tier=tiers.FREE)
    assert command._run(("key", f"--email={account.email}"), "") == 0
    assert capsys.readouterr().err == ""
    with settings.override(replace(settings.current(), mail_from="api@example.com")):
        command._monkeypatch.setenv("LATCHKEY_MAIL_FROM", "api@example.com")
        assert command._run(("key", f"--email={account.email}"), "") == 0
    printed = capsys.readouterr()
    assert "ada@example.com isn't confirmed" in printed.err
    assert printed.out.count("\n") == 1


def test_settings_of_a_deployed_stage_are_its_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A link leads to its domain, whatever the shell has set; before there is a function, the shell's are taken."""
    theirs = {"LATCHKEY_STAGE": "dev", "LATCHKEY_PUBLIC_URL": "https://api.example.com", "LATCHKEY_BRAND": "acme"}
    monkeypatch.setattr(deployed, "variables", lambda _stage: theirs)
    with settings.override(settings.Settings(stage="dev", public_url="https://shell.example.com")):
        found = stage_settings.as_deployed("dev")
        assert (found.public_url, found.brand) == ("https://api.example.com", "acme")
        monkeypatch.setattr(deployed, "variables", lambda _stage: None)
        assert stage_settings.as_deployed("dev").public_url == "https://shell.example.com"
