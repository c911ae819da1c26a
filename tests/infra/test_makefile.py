"""A make variable reaches its program literally: make and the shell neither run nor expand it."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GIVEN_BY_MAKE = {"BIN", "DRY", "INSTALL", "LOCKED", "MAKECMDGOALS", "MAKEFILE_LIST", "MANAGE", "PYTHON"}
HOSTILE = (
    "`touch ran-backticks` $(touch ran-parentheses) $(shell touch ran-by-make) $5, $$5, $HOME, ${HOME}, $(TITLE); "
    """"quoted", 'apostrophe's', it's % # * ? ~ ! \\ \\n & | > ran-redirected < {a,b} — ü"""
)
ON_ACCOUNTS = ("tier", "suspend", "reinstate")
DEPLOYED = ("deploy", "package", "status", "rotate-edge", "destroy")
TOLD = """import json, os, sys
names = ("PORT", "CLIENT_ID", "CLIENT_SECRET", "STAGE", "URL", "ADMIN_KEY", "RECEIVER", "COLD")
print(json.dumps({"arguments": sys.argv[1:], "environment": {name: os.environ.get(name) for name in names}}))
"""


@dataclass(frozen=True, slots=True)
class Started:
    """The arguments and environment with which a program was started."""

    arguments: list[str]
    environment: dict[str, str | None]


class Make:
    """A copy of the Makefile, with an interpreter that prints its arguments and environment."""

    def __init__(self, folder: Path) -> None:
        """Copy the Makefile and mark its installation targets as up to date."""
        self.folder = folder
        (folder / "infra" / "requirements").mkdir(parents=True)
        for name in ("Makefile", "requirements-dev.txt", "infra/requirements/run.txt"):
            shutil.copy2(ROOT / name, folder / name)
        binaries = folder / ".venv" / "bin"
        binaries.mkdir(parents=True)
        (folder / "told.py").write_text(TOLD)
        (binaries / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "{folder}/told.py" "$@"\n')
        (binaries / "python").chmod(0o755)
        for name in (".run", ".dev"):
            (binaries / name).touch()

    def __call__(self, target: str, **given: str) -> Started:
        """Run a target and return the arguments and environment of its program."""
        done = self.run(target, **given)
        assert (done.returncode, done.stderr) == (0, "")
        return Started(**json.loads(done.stdout))

    def run(self, target: str, **given: str) -> "subprocess.CompletedProcess[str]":
        """Run a target and return the result; fail if text in a variable was run as a command."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "STAGE"}
        words = [f"{name}={value}" for name, value in given.items()]
        done = subprocess.run(
            ["make", target, *words], cwd=self.folder, env=kept, capture_output=True, text=True, check=False
        )
        assert list(self.folder.glob("ran*")) == []
        return done


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A copy of the Makefile in an empty folder."""
    return Make(tmp_path)


def options(started: Started) -> dict[str, str]:
    """Return the values of a program's options by name."""
    named = [each.partition("=") for each in started.arguments if each.startswith("--")]
    return {name: value for name, _, value in named}


@pytest.mark.parametrize("text", [HOSTILE, "Two lines:\nthe second `touch ran`.", "--close", "-1", "ends in \\", "$"])
@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("incident", ("TITLE", "ID", "TEXT", "COMPONENTS", "STATE", "STAGE", "REASON")),
        ("key", ("EMAIL", "ACCOUNT", "SCOPES", "STAGE", "REASON")),
        ("account", ("EMAIL", "TIER", "NAME", "STAGE", "REASON")),
        ("tier", ("EMAIL", "ACCOUNT", "TIER", "STAGE", "REASON")),
        ("suspend", ("EMAIL", "ACCOUNT", "STAGE", "REASON")),
        ("reinstate", ("EMAIL", "ACCOUNT", "STAGE", "REASON")),
        ("admin", ("EMAIL", "STAGE", "REASON")),
        ("admins", ("STAGE", "REASON")),
        ("password-link", ("EMAIL", "STAGE", "REASON")),
        ("leak-secret", ("STAGE", "REASON")),
        ("deploy", ("ALARM_EMAIL", "LOG_DAYS", "BOUNDARY", "DOMAIN", "CERTIFICATE")),
        ("package", ("OUT", "DOMAIN", "CERTIFICATE")),
        ("destroy", ("DATA",)),
        ("bench", ("ROUNDS", "OUT")),
    ],
)
def test_make_variable_arrives_literally(make: Make, target: str, names: tuple[str, ...], text: str) -> None:
    """Backticks, dollars, quotes, newlines and dashes in a variable arrive unchanged and aren't run."""
    stage = {"STAGE": "dev"} if target in DEPLOYED else {}
    told = options(make(target, **dict.fromkeys(names, text), **stage))
    assert told == {f"--{name.lower().replace('_', '-')}": text for name in names} | (stage and {"--stage": "dev"})


@pytest.mark.parametrize("target", DEPLOYED)
@pytest.mark.parametrize("stage", [None, "", "local", "prd", "dev prod", "%", "dev\n", HOSTILE])
def test_invalid_stage_is_rejected_before_installation(make: Make, target: str, stage: str | None) -> None:
    """A missing or unknown stage is rejected in one line, before anything is installed."""
    installed = make.folder / ".venv" / "bin" / ".dev"
    installed.unlink()
    done = make.run(target, **({} if stage is None else {"STAGE": stage}))
    assert done.returncode != 0
    assert done.stdout == ""
    assert f"make {target} STAGE=dev|prod" in done.stderr
    assert not installed.exists()


@pytest.mark.parametrize(
    ("target", "given", "missing"),
    [
        *((target, {}, "EMAIL") for target in ("key", "account", "suspend", "reinstate", "admin", "password-link")),
        *(("key", {"EMAIL": " "}, "EMAIL"), ("tier", {}, "EMAIL"), ("tier", {"EMAIL": "a@b.example"}, "TIER")),
        ("application-end", {"CLIENT_ID": ""}, "CLIENT_ID"),
    ],
)
def test_missing_variable_is_rejected_before_installation(
    make: Make, target: str, given: dict[str, str], missing: str
) -> None:
    """A missing variable is named with an example, before anything is installed."""
    installed = make.folder / ".venv" / "bin" / ".run"
    installed.unlink()
    done = make.run(target, **given)
    instead = " (or ACCOUNT=acc_\u2026)" if missing == "EMAIL" and target in ON_ACCOUNTS else ""
    assert done.stderr.startswith(f"{missing} is missing: make {target} {missing}=\u2026{instead}\n")
    assert (done.stdout, installed.exists()) == ("", False)


def test_account_is_enough_for_a_command_on_accounts(make: Make) -> None:
    """Commands on accounts take ACCOUNT without EMAIL."""
    for target in ON_ACCOUNTS:
        given = options(make(target, ACCOUNT="acc_1", **({"TIER": "pro"} if target == "tier" else {})))
        assert (given["--email"], given["--account"]) == ("", "acc_1")


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("run", "PORT"),
        *(("oauth-demo", name) for name in ("CLIENT_ID", "CLIENT_SECRET")),
        *(("smoke", name) for name in ("STAGE", "URL", "ADMIN_KEY", "RECEIVER", "COLD")),
    ],
)
def test_variable_passed_by_environment_arrives_literally(make: Make, target: str, name: str) -> None:
    """Secrets are passed in the environment, and never in a command line."""
    assert make(target, **{name: HOSTILE}).environment[name] == HOSTILE


def test_absent_variable_has_its_default(make: Make) -> None:
    """A switch that isn't set is omitted, and any other variable has the default that `make help` lists."""
    assert options(make("account", EMAIL="ada@example.com")) == {
        "--stage": "local",
        "--reason": "",
        "--email": "ada@example.com",
        "--tier": "free",
        "--name": "",
    }
    assert options(make("account", EMAIL="ada@example.com", ADMIN="1", TIER=""))["--tier"] == "free"
    assert "--admin" in make("account", EMAIL="ada@example.com", ADMIN="1").arguments
    assert "--off" in make("admin", EMAIL="ada@example.com", OFF="1").arguments
    assert "--off" not in make("admin", EMAIL="ada@example.com").arguments
    assert "--close" in make("incident", ID="inc_1", TEXT="Fast again.", CLOSE="1").arguments
    assert "--close" not in make("incident", ID="inc_1", TEXT="Fast again.", CLOSE="").arguments
    edge = {"STAGE": "prod", "DOMAIN": "api.example.com", "CERTIFICATE": "arn:1"}
    assert "--edge" not in make("deploy", **edge).arguments
    told = make("deploy", **edge, EDGE="1")
    assert "--edge" in told.arguments
    assert options(told) | {"--domain": "api.example.com", "--certificate": "arn:1"} == options(told)
    assert options(make("package", STAGE="prod"))["--out"] == ".local/package"
    assert "--edge" not in make("package", **edge).arguments
    assert "--edge" in make("package", STAGE="prod", EDGE="1").arguments
    assert options(make("destroy", STAGE="prod"))["--data"] == "keep"
    assert "--scopes" not in options(make("key", EMAIL="ada@example.com"))
    assert make("bench").arguments == ["-m", "infra.bench"]
    assert make("run").environment["PORT"] == "8000"


@pytest.mark.parametrize(
    ("target", "name"),
    [
        *(("destroy", name) for name in ("DRY_RUN", "EDGE", "ALARM_MAIL")),
        *(("rotate-edge", "DRY_RUN"), ("status", "DATA"), ("deploy", "DRYRUN"), ("deploy", "ALARM_MAIL")),
        *(("suspend", "TIER"), ("run", "EMAIL"), ("check", "STAGE")),
    ],
)
def test_unknown_variable_of_a_target_is_rejected(make: Make, target: str, name: str) -> None:
    """A misspelt variable is rejected, because an ignored DRY_RUN would destroy a stage."""
    done = make.run(target, **{"STAGE": "dev", name: "1"} if target in DEPLOYED else {name: "1"})
    assert (done.returncode, done.stdout) == (2, "")
    assert f"make {target} takes no {name}; it takes: " in done.stderr


def test_dry_run_from_the_environment_reaches_the_program(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """DRY_RUN from the environment is passed to every command on a stage, so that a command without a dry run can
    reject it.
    """
    monkeypatch.setenv("DRY_RUN", "1")
    for target in DEPLOYED:
        assert "--dry-run" in make(target, STAGE="dev").arguments


def test_variable_of_the_shell_changes_no_account(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """EMAIL, NAME or STATE in the shell's environment is ignored.

    Apart from a few such as PORT, variables must follow the command.
    """
    for name in ("EMAIL", "ACCOUNT", "NAME", "STATE", "URL", "DATA", "CLIENT_ID"):
        monkeypatch.setenv(name, "shell")
    assert make.run("suspend").stderr.startswith("EMAIL is missing: ")
    assert options(make("account", EMAIL="ada@example.com"))["--name"] == ""
    assert not options(make("incident", TITLE="Slow", TEXT="It is slow.")).get("--state")
    assert options(make("destroy", STAGE="dev"))["--data"] == "keep"
    assert make("smoke").environment["URL"] == ""
    assert make("oauth-demo").environment["CLIENT_ID"] == ""
    monkeypatch.setenv("PORT", "9000")
    assert make("run").environment["PORT"] == "9000"


@pytest.mark.parametrize("off", ["0", "no", "false", ""])
def test_false_switch_is_off(make: Make, off: str) -> None:
    """A switch set to 0, no, false or an empty text is off."""
    told = make("deploy", STAGE="dev", DRY_RUN=off, EDGE=off).arguments
    assert ("--dry-run" in told, "--edge" in told) == (False, False)
    assert "--edge" not in make("policy", STAGE="dev", EDGE=off, OPERATE=off).arguments
    assert "--admin" not in make("account", EMAIL="ada@example.com", ADMIN=off).arguments
    assert make("smoke", COLD=off).environment["COLD"] == ""


def test_help_lists_every_target() -> None:
    """`make help` lists every target with its description, and every target is phony."""
    text = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    targets = re.findall(r"^([a-z][a-z-]*):", text, re.MULTILINE)
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    lines = shown.stdout.splitlines()
    assert sorted(phony.split()) == sorted(targets) == sorted(line.split()[0] for line in lines)
    assert len({len(line) - len(line.split(maxsplit=1)[1]) for line in lines}) == 1


def test_recipes_pass_variables_by_the_environment() -> None:
    """No recipe expands a variable of the user in make, and each such variable is exported."""
    lines = (ROOT / "Makefile").read_text().splitlines()
    recipes = re.sub(r"\$\(if \$\(\w+\),", "", "\n".join(line for line in lines if line.startswith("\t")))
    assert set(re.findall(r"\$\((\w+)\)", recipes)) == GIVEN_BY_MAKE
    (given,) = [line.partition(":=")[2].split() for line in lines if line.startswith("GIVEN :=")]
    assert set(re.findall(r"\$\$\{?([A-Z_]+)", recipes)) <= set(given)
