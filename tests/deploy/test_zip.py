"""`chalice package` packages our code and the dependencies that Lambda lacks, and no other files."""

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import botocore
import pytest
from chalice.deploy.packager import DependencyBuilder, LambdaDeploymentPackager, PipRunner, SubprocessPip
from chalice.utils import UI, OSUtils

from infra import packaging
from infra.packaging import UNSHIPPED
from tests.deploy.checkout import Checkout, copied

pytestmark = pytest.mark.xdist_group("deploy")
ROOT = Path(__file__).parents[2]
SIZE_MAX_BYTES = 12_000_000
"""The maximum size, below Lambda's 50 MB because a cold start downloads and unpacks the whole package."""
SHIPPED = {"app.py", "chalice", "chalicelib"}
"""Our code, and the runtime of Chalice."""
DEPENDENCIES = {
    "argon2", "_argon2_cffi_bindings", "aws_lambda_powertools", "cffi", "cryptography", "dateutil", "idna",
    "jinja2", "jmespath", "markupsafe", "pycparser", "pynamodb", "six.py", "typing_extensions.py", "urllib3",
    "zxcvbn",
}  # fmt: skip
"""The dependencies that requirements.txt may add to the package. Review a further dependency before adding it here."""


@pytest.fixture(scope="module")
def package(packaged: Path) -> Iterator[zipfile.ZipFile]:
    """The package that `make package` has created for Linux on arm64."""
    with zipfile.ZipFile(packaged / "deployment.zip") as opened:
        yield opened


def test_package_has_all_our_code(package: zipfile.ZipFile) -> None:
    """The package has every file of chalicelib, including templates and static files, and no cache files."""
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


def test_package_has_only_code_and_known_dependencies(package: zipfile.ZipFile) -> None:
    """The package has no tests, infra or docs, no package that Lambda provides, and no unlisted dependency."""
    roots = {name.split("/")[0] for name in package.namelist()}
    compiled = {root for root in roots if re.fullmatch(r"_\w+\.cpython-\d+-aarch64-linux-gnu\.so", root)}
    assert roots - compiled == SHIPPED | DEPENDENCIES
    assert len(compiled) == 1
    for name in package.namelist():
        parts = name.split("/")
        assert not {"tests", "__pycache__"} & set(parts[:-1]), name
        assert not any(fnmatch(parts[0], pattern) for pattern in UNSHIPPED), name


def test_compiled_files_are_for_arm64(package: zipfile.ZipFile) -> None:
    """Compiled files are for arm64, even if the package is created on a machine with another processor."""
    for name in package.namelist():
        if name.endswith(".so"):
            head = package.read(name)[:20]
            assert (head[:4], int.from_bytes(head[18:20], "little")) == (b"\x7fELF", 183), name


def test_package_size_is_limited(package: zipfile.ZipFile, capsys: pytest.CaptureFixture[str]) -> None:
    """The package is smaller than 12 MB, and its size is printed."""
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


def test_package_runs_beside_lambdas_botocore(package: zipfile.ZipFile, tmp_path: Path) -> None:
    """The package works with Lambda's own version of botocore and no other installed package."""
    package.extractall(tmp_path / "task")
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    for name in ("boto3", "botocore", "s3transfer"):
        (runtime / name).symlink_to(Path(botocore.__file__).parents[1] / name)
    program = [sys.executable, "-I", "-S", "-B", "-c", AS_LAMBDA_DOES, str(tmp_path / "task"), str(runtime)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "invalid_api_key"


def test_package_is_reproducible(tmp_path: Path) -> None:
    """The package has the same bytes whenever and wherever it is created."""
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


def test_package_has_the_contents_of_vendor(tmp_path: Path) -> None:
    """The files in `vendor/`, except caches, are at the root of the package, as Chalice documents."""
    checkout = copied(tmp_path, is_light=True)
    for name in ("vendor/tools/__init__.py", "vendor/tools/__pycache__/x.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    sources = packaging._sources(packager(checkout), str(tmp_path))
    assert sources["tools/__init__.py"] == tmp_path / "vendor" / "tools" / "__init__.py"
    assert [name for name in sources if "__pycache__" in name] == []


def test_package_digest_depends_on_names_and_contents(tmp_path: Path) -> None:
    """A renamed, added or changed file gives the package another name, so that no older package is deployed."""
    checkout = copied(tmp_path, is_light=True)
    module = tmp_path / "chalicelib" / "own" / "first.py"
    changes: list[Callable[[], object]] = [
        lambda: module.write_text(""),
        lambda: module.rename(module.with_name("second.py")),
        lambda: module.with_name("second.py").write_text("# changed"),
    ]
    digests = [digest(checkout, tmp_path)]
    for change in changes:
        change()
        digests.append(digest(checkout, tmp_path))
    assert len(set(digests)) == len(digests)


def digest(checkout: Checkout, path: Path) -> str:
    """Return the digest of a checkout's package."""
    return packaging._hash_sources(packager(checkout), str(path / "requirements.txt"), "", str(path))


def packager(checkout: Checkout) -> LambdaDeploymentPackager:
    """Return Chalice's packager for a checkout, with the functions of `infra.packaging`."""
    packaging.install()
    files = OSUtils()
    pip = DependencyBuilder(files, PipRunner(SubprocessPip(files), files))
    return LambdaDeploymentPackager(files, pip, UI(), checkout.architecture)


def test_package_digest_ignores_file_order(tmp_path: Path) -> None:
    """The name of the package, a digest of its files, doesn't depend on the order of files in the file system."""
    for place in ("here", "elsewhere"):
        (tmp_path / place).mkdir()
    one, other = (copied(tmp_path / place, is_light=True) for place in ("here", "elsewhere"))
    assert [path.name for path in one.packages.iterdir()] == [path.name for path in other.packages.iterdir()]
