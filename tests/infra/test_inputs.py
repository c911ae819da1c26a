"""Invalid input to each command: one line names the variable and its allowed values."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import boto3
import pytest

from infra import configuration, inputs, manage, rights
from infra.bench import __main__ as bench
from infra.deploy import command as deployment
from infra.deploy import options
from infra.failed import QUOTED_MAX, Mistake
from infra.mutate import __main__ as mutate
from infra.smoke import command as smoke

CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/1"
EDGE = {"DOMAIN": ("--edge", f"--certificate={CERTIFICATE}"), "CERTIFICATE": ("--edge", "--domain=api.example.com")}
ADA = "--email=ada@example.com"
OF_DEPLOYMENT = [
    (command, name.upper())
    for command, names in options.TAKES.items()
    for name in names
    if name not in options.SWITCHES and name != "out"
]
OF_MANAGE: dict[str, dict[str, tuple[str, ...]]] = {
    "key": {"EMAIL": (), "SCOPES": (ADA,), "NAME": (ADA,)},
    "account": {"EMAIL": (), "TIER": (ADA,), "NAME": (ADA,)},
    "tier": {"EMAIL": ("--tier=pro",), "TIER": (ADA,)},
    "suspend": {"EMAIL": ()},
    "reinstate": {"EMAIL": ()},
    "admin": {"EMAIL": ()},
    "password-link": {"EMAIL": ()},
    "application-end": {"CLIENT_ID": ()},
    "incident": dict.fromkeys(("TITLE", "TEXT", "ID", "STATE", "COMPONENTS"), ("--title=Slow", "--text=We look.")),
    "admins": {},
    "leak-secret": {},
}
OF_SMOKE = ("URL", "ADMIN_KEY", "RECEIVER")
TEXTS = ("NAME", "REASON", "TEXT", "TITLE")
"""Variables whose value may be nearly any text."""
RUBBISH = {
    "two lines": "a\nb",
    "long": "a" * 3_000,
    "a path": "../x",
    "letters": "ü€😀",
    "a dash": "-x",
    "two dashes": "--force",
    "no text": "\udcff",
    "a control": "a\x1b[31m",
}
Ran = Callable[..., tuple[int, str]]


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ran:
    """A function that runs a command whose calls can't reach AWS, and returns its status and error."""
    shipped = configuration.FILE.read_text()
    (tmp_path / ".chalice").mkdir()
    (tmp_path / configuration.FILE).write_text(shipped)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(boto3, "client", None)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    for name in ("STAGE", *OF_SMOKE):
        monkeypatch.delenv(name, raising=False)

    def run(main: Callable[..., int], *words: str, **environment: str) -> tuple[int, str]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["program", *words])
        status = main(list(words)) if main is deployment.main else main()
        return status, capsys.readouterr().err

    return run


def assert_rejected(name: str, value: str, done: tuple[int, str]) -> None:
    """Assert that one line names the rejected variable and quotes at most the beginning of the value."""
    status, error = done
    assert (status, error.count("\n")) == (1, 1)
    assert error.startswith((f"{name} takes ", f"{name} has an unprintable character: U+"))
    assert len(error) < 300
    assert "a" * (QUOTED_MAX + 1) not in error


def list_required(command: str) -> list[str]:
    """Return the required options of a command on accounts."""
    values = {"EMAIL": ADA, "TIER": "--tier=pro", "CLIENT_ID": "--client-id=app_00000000000000000000"}
    return [values[name] for name in manage.NEEDED[command].values()]


@pytest.mark.parametrize("rubbish", RUBBISH)
@pytest.mark.parametrize(("command", "name"), OF_DEPLOYMENT)
def test_invalid_variable_of_a_stage_command_is_rejected(ran: Ran, command: str, name: str, rubbish: str) -> None:
    """`make deploy`, `package` and `destroy` reject each invalid variable before any AWS call."""
    value = RUBBISH[rubbish]
    option = f"--{name.lower().replace('_', '-')}={value}"
    assert_rejected(name, value, ran(deployment.main, command, "--stage=dev", *EDGE.get(name, ()), option))


@pytest.mark.parametrize("rubbish", RUBBISH)
@pytest.mark.parametrize(("command", "name"), [(each, name) for each, names in OF_MANAGE.items() for name in names])
def test_invalid_variable_of_an_account_command_is_rejected(ran: Ran, command: str, name: str, rubbish: str) -> None:
    """Commands on accounts reject invalid variables before any call; a text is invalid if too long or unprintable."""
    value = RUBBISH[rubbish]
    taken = ("a path", "letters", "a dash", "two dashes", *(["two lines"] if name == "TEXT" else []))
    if name in TEXTS and rubbish in taken:
        assert inputs.given(name, value) == value
        return
    option = f"--{name.lower().replace('_', '-')}={value}"
    assert_rejected(name, value, ran(manage.main, "--stage=dev", command, *OF_MANAGE[command][name], option))


@pytest.mark.parametrize("command", OF_MANAGE)
@pytest.mark.parametrize("rubbish", ["two lines", "long", "no text", "a control"])
def test_invalid_reason_of_an_account_command_is_rejected(ran: Ran, command: str, rubbish: str) -> None:
    """Every command on accounts rejects a reason that the console couldn't show."""
    value = RUBBISH[rubbish]
    assert_rejected(
        "REASON", value, ran(manage.main, "--stage=dev", f"--reason={value}", command, *list_required(command))
    )


@pytest.mark.parametrize("rubbish", RUBBISH)
@pytest.mark.parametrize("name", OF_SMOKE)
def test_invalid_variable_of_a_smoke_run_is_rejected(ran: Ran, name: str, rubbish: str) -> None:
    """`make smoke` rejects an invalid variable before any request, and doesn't print the key."""
    value = RUBBISH[rubbish]
    if name == "ADMIN_KEY" and rubbish in ("a path", "a dash", "two dashes"):
        assert inputs.given(name, value) == value
        return
    status, error = ran(smoke.main, **{"URL": "http://127.0.0.1:9", name: value})
    assert_rejected(name, value, (status, error))
    assert (name == "ADMIN_KEY") is ("not '" not in error)


@pytest.mark.parametrize("stage", ["", " ", "production", *RUBBISH.values()])
def test_unknown_stage_is_rejected_by_every_command(ran: Ran, stage: str) -> None:
    """Every command rejects an unknown stage and lists the existing ones."""
    commands: list[tuple[str, Callable[..., int], tuple[str, ...]]] = [
        *((each, deployment.main, (each, f"--stage={stage}")) for each in options.TAKES),
        ("policy", rights.main, (f"--stage={stage}",)),
    ]
    if stage.strip():
        commands += [(each, manage.main, (f"--stage={stage}", each, *list_required(each))) for each in OF_MANAGE]
        commands.append(("smoke", smoke.main, ()))
    for command, main, words in commands:
        status, error = ran(main, *words, STAGE=stage)
        begins = "There is no stage '" if stage.strip() else "Choose a stage: "
        assert (status, error.count("\n"), error.startswith(begins)) == (1, 1, True), command
        assert error.endswith(f"make {command} STAGE=dev|prod\n")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("LOG_DAYS", each) for each in ("0", "2", "31", "-1", "30.0", "３")),
        *(
            ("ALARM_EMAIL", each)
            for each in ("you", "you@", "@example.com", "you@example", "a b@example.com", "a@@b.com")
        ),
        *(("EMAIL", each) for each in ("you", "you@", "@example.com", "you@example", "a b@example.com")),
        *(("CERTIFICATE", CERTIFICATE.replace(*each)) for each in (("us-east-1", "eu-west-1"), ("acm", "iam"))),
        *(
            ("DOMAIN", each)
            for each in ("API.example.com", "https://api.example.com", "localhost", "1.2.3.4", "a..b.com")
        ),
        *(("BOUNDARY", each) for each in ("latchkey-boundary", "arn:aws:iam::1:policy/x", "arn:aws:iam::aws:role/x")),
        *(("MINUTES", each) for each in ("0", "0.0", "-1", "nan", "inf", "1e9", "ten")),
        *(("ROUNDS", each) for each in ("0", "-1", "1.5", "x")),
        *(("SEED", each) for each in ("-1", "x")),
        *(
            ("URL", each)
            for each in ("http://", "http://x:0", "http://x:99999", "http://a@b", f"http://{'a' * 64}.example")
        ),
        *(("URL", each) for each in ("http://x?y", "http://x#y", "ftp://x", "http://[::1", "http://..", "http://a b")),
        *(("ID", each) for each in ("inc_1", "acc_00000000000000000000", "7")),
        *(("CLIENT_ID", each) for each in ("nonsense", "http://app.example", "app_1")),
        *(("DATA", each) for each in ("all", "Delete", "1")),
    ],
)
def test_nearly_valid_value_is_rejected(name: str, value: str) -> None:
    """A value that AWS would reject during the deployment, or interpret differently, is rejected."""
    with pytest.raises(Mistake, match=f"{name} takes "):
        inputs.given(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("LOG_DAYS", str(each)) for each in inputs.LOG_DAYS),
        *(("ALARM_EMAIL", each) for each in ("you@example.com", "you+alarms@mail.example.co.uk")),
        *(("EMAIL", each) for each in ("you@example.com", "jörg@example.com")),
        *(("CERTIFICATE", CERTIFICATE), ("CERTIFICATE", CERTIFICATE.replace("arn:aws:", "arn:aws-cn:"))),
        *(("DOMAIN", each) for each in ("api.example.com", "xn--bcher-kva.example")),
        *(
            ("URL", each)
            for each in ("http://127.0.0.1:8000", "http://[::1]:80", "https://x.amazonaws.com/api", "http://a/")
        ),
        *(("RECEIVER", each) for each in ("https://example.com/hook", "https://example.com/hook?token=1")),
        *(("MINUTES", each) for each in ("10", "0.5")),
        *(("CLIENT_ID", each) for each in ("app_00000000000000000000", "https://app.example/client.json")),
        *(("SCOPES", "read, write keys"), ("COMPONENTS", "api database"), ("STATE", "monitoring"), ("TIER", "pro")),
        *(("BOUNDARY", "arn:aws:iam::aws:policy/PowerUserAccess"), ("DATA", "keep"), ("OUT", "~/my package")),
        *((name, "") for name in inputs.TAKES),
    ],
)
def test_valid_value_is_stripped_and_accepted(name: str, value: str) -> None:
    """Whitespace around a valid value is removed, and an empty value is accepted."""
    assert inputs.given(name, f" {value}\n") == value


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("destroy", "--dry-run"), "make destroy takes no DRY_RUN (but DATA). Nothing was changed."),
        (("rotate-edge", "--dry-run"), "make rotate-edge takes no DRY_RUN (but STAGE alone). Nothing was changed."),
        (("status", "--data", "delete"), "make status takes no DATA"),
        (("package", "--boundary", "arn"), "make package takes no BOUNDARY"),
        (("deploy", f"--certificate={CERTIFICATE}"), "DOMAIN and CERTIFICATE are for CloudFront in front: give EDGE=1"),
        (
            ("deploy", "--edge"),
            "EDGE=1 takes a domain and its certificate of us-east-1: make deploy STAGE=prod EDGE=1 ",
        ),
        (("deploy", "--edge", "--domain=api.example.com"), "EDGE=1 takes a domain and its certificate"),
        (("package", "--domain=api.example.com"), "DOMAIN and CERTIFICATE are for CloudFront in front: give EDGE=1"),
    ],
)
def test_variable_of_another_command_is_rejected(ran: Ran, words: tuple[str, ...], said: str) -> None:
    """A command rejects variables that it doesn't use, and incomplete combinations of the edge's variables."""
    status, error = ran(deployment.main, *words, "--stage=prod")
    assert (status, error.count("\n"), error.startswith(said)) == (1, 1, True)


def test_two_policies_at_once_are_rejected(ran: Ran) -> None:
    """`make policy` prints one policy at a time."""
    status, error = ran(rights.main, "--stage=dev", "--edge", "--operate")
    assert (status, error.count("\n"), error.startswith("make policy takes EDGE=1 or OPERATE=1, not both")) == (
        1,
        1,
        True,
    )


@pytest.mark.parametrize("program", [mutate, bench])
@pytest.mark.parametrize("rubbish", RUBBISH.values())
def test_invalid_number_of_a_long_run_is_rejected(
    monkeypatch: pytest.MonkeyPatch, program: ModuleType, rubbish: str
) -> None:
    """`make mutate` and `make bench` reject an invalid number in one line before they start."""
    given = {mutate: ("MINUTES", ["--python=python"]), bench: ("ROUNDS", [])}
    name, words = given[program]
    monkeypatch.setattr(sys, "argv", ["program", *words, f"--{name.lower()}={rubbish}"])
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert_rejected(name, rubbish, (1, f"{ended.value}\n"))


def test_every_account_command_is_tested() -> None:
    """These tests cover every command on accounts with all its required variables."""
    assert sorted(OF_MANAGE) == sorted(manage.NEEDED)
    for command, needed in manage.NEEDED.items():
        assert {*needed.values()} <= {*OF_MANAGE[command]}
