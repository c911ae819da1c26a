"""What `chalice package` ships: our code, what it needs that Lambda lacks, and nothing else."""

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import botocore
import pytest

from infra import packaging
from infra.packaging import UNSHIPPED
from tests.deploy.checkout import copied

pytestmark = pytest.mark.xdist_group("deploy")
ROOT = Path(__file__).parents[2]
SIZE_MAX_BYTES = 12_000_000
"""Lambda takes 50 MB; a cold start fetches and unpacks all of it."""
SHIPPED = {"app.py", "chalice", "chalicelib"}
"""Of ours, and of Chalice's: its runtime alone."""
DEPENDENCIES = {
    "argon2", "_argon2_cffi_bindings", "aws_lambda_powertools", "cffi", "cryptography", "dateutil", "idna",
    "jinja2", "jmespath", "markupsafe", "pycparser", "pynamodb", "six.py", "typing_extensions.py", "urllib3",
    "zxcvbn",
}  # fmt: skip
"""What requirements.txt brings. Another name is looked at before it is added here."""


@pytest.fixture(scope="module")
def package(packaged: Path) -> Iterator[zipfile.ZipFile]:
    """The package, made as `make package` makes it, for arm64 Linux."""
    with zipfile.ZipFile(packaged / "deployment.zip") as opened:
        yield opened


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
import botocore.session, pynamodb.models, jinja2, zxcvbn
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


def test_same_checkout_gives_the_same_bytes(tmp_path: Path) -> None:
    """Whenever and wherever it is packaged, so that what runs can be compared with what was looked at."""
    packages = []
    for place, at_s in (("here", 1_000_000_000), ("elsewhere", 1_700_000_000)):
        (tmp_path / place).mkdir()
        files = {}
        names = ["app.py", "chalicelib/b.py", "chalicelib/a.py"]
        for name in names if place == "here" else reversed(names):
            files[name] = tmp_path / place / name.replace("/", "-")
            files[name].write_text(f"# {name}")
            files[name].chmod(0o600 if place == "here" else 0o755)
            os.utime(files[name], (at_s, at_s))
        packaging._zip(files, tmp_path / f"{place}.zip")
        packages.append((tmp_path / f"{place}.zip").read_bytes())
    assert packages[0] == packages[1]


def test_package_is_known_by_its_files_in_whatever_order_they_are_found(tmp_path: Path) -> None:
    """Chalice looks for one by a digest of them, and goes through folders as the file system has them."""
    for place in ("here", "elsewhere"):
        (tmp_path / place).mkdir()
    one, other = (copied(tmp_path / place, is_light=True) for place in ("here", "elsewhere"))
    assert [path.name for path in one.packages.iterdir()] == [path.name for path in other.packages.iterdir()]
