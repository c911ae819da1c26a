"""Unusable files in the checkout: each command names the file and the fix before it changes anything."""

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
    """Run a command on the stage `dev`."""
    rehearsed = ["deploy", "--dry-run"] if command == "rehearsal" else [command]
    return deployment.main([*rehearsed, "--stage=dev", *more])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose commands can't reach AWS."""
    (tmp_path / ".chalice").mkdir()
    for name in (".chalice/config.json", "requirements.txt", "pyproject.toml"):
        (tmp_path / name).write_bytes(Path(name).read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(boto3, "client", None)
    return tmp_path


def put(path: Path, content: bytes | str | None) -> None:
    """Create a file if `content` is bytes, a folder if it is a string, and nothing if it is None."""
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
def test_unusable_file_is_named_with_the_fix(
    here: Path, capsys: pytest.CaptureFixture[str], said: str, command: str
) -> None:
    """Every command that needs an unusable file names it and the fix in one line."""
    name, content, _ = WRONG[said]
    put(here / name, content)
    assert run(command) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith(said)


def test_unwritable_chalice_record_is_reported(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A command reports that it can't write Chalice's record of its stage; records of other stages don't matter."""
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
    """The path of the folder for local runs, which doesn't exist yet."""
    place = tmp_path / ".local"
    monkeypatch.setattr(checkout, "LOCAL", place)
    monkeypatch.setattr(engine, "LOCAL", place)
    monkeypatch.setattr(engine, "RUNNING", place / "running.json")
    monkeypatch.setattr(sys, "argv", ["manage", "--stage=local", "admins"])
    for name in ("STAGE", "URL", "PORT"):
        monkeypatch.delenv(name, raising=False)
    return place


@pytest.mark.parametrize("command", LOCALS)
def test_file_in_place_of_the_local_folder_is_reported(
    kept: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """A file at the path of the folder for local runs is reported by every command that needs the folder."""
    kept.touch()
    assert LOCALS[command]() == 1
    assert capsys.readouterr().err == ".local is a file, and takes a folder: move it away, then run this again.\n"


@pytest.mark.parametrize("noted", ["", "{", "[]", "{}", "null", '{"database": "http://[", "url": ""}'])
def test_invalid_record_of_a_local_run_is_ignored(kept: Path, noted: str) -> None:
    """A record of a local run is ignored if it is truncated or not in the expected format."""
    kept.mkdir()
    engine.RUNNING.write_text(noted)
    assert engine.running() is None


def test_command_without_a_local_run_names_make_run(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A command that needs a local run names the command that starts one."""
    assert manage.main() == 1
    assert capsys.readouterr().err.startswith("No local run was found. Start one with `make run`")


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
def test_unwritable_output_folder_is_reported_before_packaging(
    here: Path, capsys: pytest.CaptureFixture[str], said: str
) -> None:
    """`make package` reports an unwritable output folder before it packages anything."""
    out, prepare = OUTS[said]
    prepare(here)
    assert run("package", f"--out={out}", "--edge") == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("OUT takes a folder to write into; '")
    assert said in printed.err.replace("'", "")
    assert (printed.out, printed.err.count("\n")) == ("", 1)


def test_package_keeps_other_files_in_the_output_folder(tmp_path: Path) -> None:
    """`make package` can write to a folder of any name and keeps other files there."""
    made = copied(tmp_path, is_light=True, AWS_DEFAULT_REGION="us-east-1")
    folder = tmp_path / "-x"
    folder.mkdir()
    (folder / "data.json").write_text("mine")
    assert "-x/sam.yaml" in made.succeeds("package", "dev", "--out=-x")
    assert (folder / "data.json").read_text() == "mine"
    assert sorted(each.name for each in folder.iterdir()) == ["data.json", "deployment.zip", "sam.yaml"]
