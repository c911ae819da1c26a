"""What `chalice package` ships: our code, what it needs that Lambda lacks, and nothing else."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import botocore
import pytest

from infra.chalice_cli import UNSHIPPED
from tests.copies import copy_part

ROOT = Path(__file__).parents[2]
COPY = ROOT / ".local" / "package-test"
"""A checkout of its own, kept: Chalice asks for the dependencies again only when they or the code have changed."""
PARTS = ("app.py", "requirements.txt", "chalicelib", "infra", "tests", "docs", ".chalice/config.json")
SIZE_MAX_BYTES = 12_000_000
"""Lambda takes 50 MB; a cold start fetches and unpacks all of it."""
SHIPPED = {"app.py", "chalice", "chalicelib"}
"""Of ours, and of Chalice's: its runtime alone."""
DEPENDENCIES = {
    "argon2", "_argon2_cffi_bindings", "authlib", "aws_lambda_powertools", "cffi", "cryptography", "dateutil", "idna",
    "jinja2", "jmespath", "joserfc", "markupsafe", "pycparser", "pynamodb", "six.py", "typing_extensions.py", "urllib3",
    "zxcvbn",
}  # fmt: skip
"""What requirements.txt brings. Another name is looked at before it is added here."""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The package, made as `make package` makes it, for arm64 Linux."""
    COPY.mkdir(parents=True, exist_ok=True)
    made = tmp_path_factory.mktemp("package") / "deployment.zip"
    # One at a time, whoever else runs these tests in this checkout.
    with (COPY / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _package(made)
    with zipfile.ZipFile(made) as opened:
        yield opened


def _package(made: Path) -> None:
    _copy_checkout()
    out = COPY / "out"
    command = [
        sys.executable,
        "-c",
        "import sys; from chalice.cli import main; sys.exit(main())",
        "package",
        "--stage",
        "prod",
        str(out),
    ]
    environment = os.environ | {"PYTHONPATH": str(COPY), "AWS_DEFAULT_REGION": "us-east-1"}
    done = subprocess.run(command, cwd=COPY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    shutil.copy(out / "deployment.zip", made)


def _copy_checkout() -> None:
    """Copy what a checkout has and a cache that one collects; drop a package that an older hook made."""
    for part in PARTS:
        source, copy = ROOT / part, COPY / part
        shutil.rmtree(copy, ignore_errors=True)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy_part(source, copy)
    for policy in (ROOT / ".chalice").glob("policy-*.json"):
        shutil.copy(policy, COPY / ".chalice")
    cache = COPY / "chalicelib" / "__pycache__"
    cache.mkdir(exist_ok=True)
    (cache / "stray.pyc").touch()
    for made in (COPY / ".chalice" / "deployments").glob("*.zip"):
        if made.stat().st_mtime < (ROOT / "infra" / "chalice_cli.py").stat().st_mtime:
            made.unlink()


pytestmark = pytest.mark.xdist_group("package")


def test_our_code_is_in_whole(package: zipfile.ZipFile) -> None:
    """Every file of chalicelib, templates and static files too, and no cache."""
    ours = {name for name in package.namelist() if name.startswith("chalicelib/")}
    on_disk = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "chalicelib").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert ours == on_disk
    assert {name for name in package.namelist() if name.startswith("chalice/")} == {
        "chalice/__init__.py",
        "chalice/app.py",
    }


def test_nothing_else_is_in(package: zipfile.ZipFile) -> None:
    """No tests, infra or docs; nothing that Lambda has itself; no dependency that nobody meant to ship."""
    roots = {name.split("/")[0] for name in package.namelist()}
    compiled = {root for root in roots if re.fullmatch(r"_\w+\.cpython-\d+-aarch64-linux-gnu\.so", root)}
    assert roots - compiled == SHIPPED | DEPENDENCIES
    assert len(compiled) == 1
    for name in package.namelist():
        parts = name.split("/")
        assert not {"tests", "__pycache__"} & set(parts[:-1]), name
        assert not any(fnmatch(parts[0], pattern) for pattern in UNSHIPPED), name


def test_compiled_files_are_for_the_processor_that_is_configured(package: zipfile.ZipFile) -> None:
    """arm64, whatever the machine that packages."""
    for name in package.namelist():
        if name.endswith(".so"):
            head = package.read(name)[:20]
            assert (head[:4], int.from_bytes(head[18:20], "little")) == (b"\x7fELF", 183), name


def test_package_is_small(package: zipfile.ZipFile, capsys: pytest.CaptureFixture[str]) -> None:
    """Its size is printed, and has a limit."""
    size_bytes = Path(str(package.filename)).stat().st_size
    with capsys.disabled():
        print(f"\ndeployment.zip: {size_bytes / 1e6:.1f} MB, {len(package.namelist())} files")
    assert size_bytes < SIZE_MAX_BYTES


AS_LAMBDA_DOES = """
import sys
sys.path[:0] = sys.argv[1:]
import botocore.session, pynamodb.models, authlib.oauth2.rfc6749, jinja2, zxcvbn
import app
from chalicelib.api.authorizer import authorizer
call = {"type": "TOKEN", "authorizationToken": "Bearer nonsense", "methodArn": "arn:aws:execute-api:r:1:a/api/GET/v1"}
print(authorizer(call, None)["context"]["refusal"])
"""


def test_package_runs_on_what_lambda_has(package: zipfile.ZipFile, tmp_path: Path) -> None:
    """Unpacked beside Lambda's own botocore and nothing else, it starts: nothing that was left out is missed."""
    package.extractall(tmp_path / "task")
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    for name in ("boto3", "botocore", "s3transfer"):
        (runtime / name).symlink_to(Path(botocore.__file__).parents[1] / name)
    program = [sys.executable, "-I", "-S", "-B", "-c", AS_LAMBDA_DOES, str(tmp_path / "task"), str(runtime)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "invalid_api_key"
