"""Files of the checkout that are wrong: each command says which, and what to do, before it changes anything."""

import sys
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest

from infra import checkout, engine, local, manage, oauth_demo
from infra.deploy import command as deployment
from infra.deploy import options
from infra.smoke import command as smoke
from tests.deploy.checkout import copied

COMMANDS = (*options.TAKES, "rehearsal")
NOTED, PACKAGES = Path(".chalice/deployed"), Path(".chalice/deployments")


def run(command: str, *more: str) -> int:
    """Run a command on a stage."""
    rehearsed = ["deploy", "--dry-run"] if command == "rehearsal" else [command]
    return deployment.main([*rehearsed, "--stage=dev", *more])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout, from which nothing reaches AWS."""
    (tmp_path / ".chalice").mkdir()
    for name in (".chalice/config.json", "requirements.txt", "pyproject.toml"):
        (tmp_path / name).write_bytes(Path(name).read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(boto3, "client", None)
    return tmp_path


def put(path: Path, content: bytes | str | None) -> None:
    """Put a file in a place, a folder (""), or nothing (None)."""
    path.unlink(missing_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.mkdir()


WRONG: dict[str, tuple[str, bytes | str | None, tuple[str, ...]]] = {
    ".chalice/deployed is a file, and takes a folder: move it": (
        ".chalice/deployed",
        b"",
        ("deploy", "rehearsal", "destroy"),
    ),
    ".chalice/deployments is a file, and takes a folder: move it": (
        ".chalice/deployments",
        b"",
        ("deploy", "rehearsal", "package"),
    ),
    "requirements.txt is missing. Take what was committed: git checkout requirements.txt": (
        "requirements.txt",
        None,
        ("deploy", "rehearsal", "package"),
    ),
    "requirements.txt can't be read (Is a directory). Take": (
        "requirements.txt",
        "",
        ("deploy", "rehearsal", "package"),
    ),
    "requirements.txt is not UTF-8. Take": ("requirements.txt", b"boto3==1\xff\n", ("deploy", "rehearsal", "package")),
    "pyproject.toml is missing. Take what was committed": ("pyproject.toml", None, ("status",)),
    ".chalice/config.json can't be read (Is a directory).": (".chalice/config.json", "", COMMANDS),
}


@pytest.mark.parametrize(
    ("said", "command"), [(said, command) for said, (_, _, commands) in WRONG.items() for command in commands]
)
def test_file_that_cannot_be_used_is_said_with_what_to_do(
    here: Path, capsys: pytest.CaptureFixture[str], said: str, command: str
) -> None:
    """By every command that would read or write it, in one sentence."""
    name, content, _ = WRONG[said]
    put(here / name, content)
    assert run(command) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith(said)


def test_note_that_cannot_be_written_is_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the stage that the command is about."""
    (NOTED / "dev.json").mkdir(parents=True)
    assert run("destroy") == 1
    assert capsys.readouterr().err == f"{NOTED}/dev.json is a folder, and a file is written there: move it away.\n"
    checkout.check("destroy", "prod")


LOCALS: dict[str, Callable[[], int]] = {
    "run": local.main,
    "oauth-demo": oauth_demo.main,
    "smoke": smoke.main,
    "admins": manage.main,
}


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place of the folder in which local runs keep their files, with nothing in it."""
    place = tmp_path / ".local"
    monkeypatch.setattr(checkout, "LOCAL", place)
    monkeypatch.setattr(engine, "LOCAL", place)
    monkeypatch.setattr(engine, "RUNNING", place / "running.json")
    monkeypatch.setattr(sys, "argv", ["manage", "--stage=local", "admins"])
    for name in ("STAGE", "URL", "PORT"):
        monkeypatch.delenv(name, raising=False)
    return place


@pytest.mark.parametrize("command", LOCALS)
def test_file_in_the_place_of_local_files_is_said(kept: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    """By every command that looks there for a local run, or begins one."""
    kept.touch()
    assert LOCALS[command]() == 1
    assert capsys.readouterr().err == ".local is a file, and takes a folder: move it away, then run this again.\n"


@pytest.mark.parametrize("noted", ["", "{", "[]", "{}", "null", '{"database": "http://[", "url": ""}'])
def test_note_of_a_run_that_was_killed_is_no_run(kept: Path, noted: str) -> None:
    """Cut off while it was written, or of something else."""
    kept.mkdir()
    engine.RUNNING.write_text(noted)
    assert engine.running() is None


def test_command_with_no_local_run_says_how_to_start_one(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not that the file in which it would be noted is missing."""
    assert manage.main() == 1
    assert capsys.readouterr().err.startswith("Nothing runs locally: start it with `make run`")


def _edge_that_is_a_file(here: Path) -> None:
    (here / "out").mkdir()
    (here / "out" / "edge").touch()


OUTS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "out is not one (out: File exists)": ("out", lambda here: (here / "out").touch()),
    "out/in is not one (out": ("out/in", lambda here: (here / "out").touch()),
    "/proc/latchkey is not one (": ("/proc/latchkey", lambda _: None),
    "is not one (": ("~nobody-of-this-name/out", lambda _: None),
    "out is not one (out/sam.yaml: Is a directory)": ("out", lambda here: (here / "out/sam.yaml").mkdir(parents=True)),
    "deployment.zip: Is a directory)": ("out", lambda here: (here / "out/deployment.zip").mkdir(parents=True)),
    "out is not one (out/edge: Not a directory)": ("out", _edge_that_is_a_file),
}


@pytest.mark.parametrize("said", OUTS)
def test_folder_that_cannot_be_written_into_is_said_before_anything_is_packaged(
    here: Path, capsys: pytest.CaptureFixture[str], said: str
) -> None:
    """A file, a part of the path that is one, a file system that takes none, a home that isn't there."""
    out, prepare = OUTS[said]
    prepare(here)
    assert run("package", f"--out={out}", "--edge") == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("OUT takes a folder to write into; '")
    assert said in printed.err.replace("'", "")
    assert (printed.out, printed.err.count("\n")) == ("", 1)


def test_package_goes_where_it_is_told_and_leaves_what_is_there(tmp_path: Path) -> None:
    """Into a folder whose name begins with a dash, beside a file that has a name of ours."""
    made = copied(tmp_path, is_light=True, AWS_DEFAULT_REGION="us-east-1")
    folder = tmp_path / "-x"
    folder.mkdir()
    (folder / "data.json").write_text("mine")
    assert "-x/sam.yaml" in made.succeeds("package", "dev", "--out=-x")
    assert (folder / "data.json").read_text() == "mine"
    assert sorted(each.name for each in folder.iterdir()) == ["data.json", "deployment.zip", "sam.yaml"]
