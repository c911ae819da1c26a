"""What `chalice package` and `deploy` put into a package: the code, and exactly the files that `requirements.txt` pins.

The same checkout gives the same bytes, and a package is there whole or not at all: Chalice takes one that it finds.
"""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import click
from chalice.deploy.packager import (
    BaseLambdaDeploymentPackager,
    LambdaDeploymentPackager,
    MissingDependencyError,
    PipRunner,
)

from infra import whole

UNSHIPPED = ("boto3", "botocore", "s3transfer", "*.dist-info", "*.data", "**/tests", "**/__pycache__")
"""What pip brings along and the package leaves out. The first three are Lambda's own, which AWS keeps up to date, and
two thirds of what a cold start would fetch; the rest is for installing and developing, and read by nothing here."""

LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""When every file of a package was written, as far as the package says."""
READABLE = 0o644 << 16
"""Lambda runs functions as somebody who owns none of the files."""

REQUIREMENTS = Path(__file__).parent.parent / "requirements.txt"

_download_wheels = PipRunner.download_manylinux_wheels
_own_files = BaseLambdaDeploymentPackager._iter_chalice_lib_if_needed


def install() -> None:
    """Teach Chalice to package so."""
    PipRunner.download_manylinux_wheels = _download_pinned_wheels  # type: ignore[method-assign]  # Chalice has no hook
    BaseLambdaDeploymentPackager._iter_chalice_lib_if_needed = _own_sources  # type: ignore[method-assign]  # as above
    LambdaDeploymentPackager.create_deployment_package = _packaged  # type: ignore[method-assign]  # as above


def check_hashes(downloads: Path, requirements: str) -> None:
    """Raise ClickException, for Chalice to print, when a file in `downloads` has no hash in `requirements`."""
    pinned = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", requirements))
    for file in sorted(downloads.iterdir()):
        if hashlib.sha256(file.read_bytes()).hexdigest() not in pinned:
            raise click.ClickException(
                f"{file.name} is not a file that requirements.txt pins, so nothing was packaged."
                " If the pins are out of date, `make lock` writes them anew."
            )


def _packaged(self: LambdaDeploymentPackager, project_dir: str, python_version: str) -> str:
    """Return the file with the package of a checkout, made if it isn't there yet."""
    package = Path(self.deployment_package_filename(project_dir, python_version))
    if package.exists():
        return str(package)
    self._ui.write("Creating deployment package.\n")
    package.parent.mkdir(parents=True, exist_ok=True)
    part = package.with_suffix(f".{os.getpid()}.part")
    with tempfile.TemporaryDirectory() as folder:
        _install_dependencies(self, project_dir, python_version, Path(folder))
        files = dict(_dependencies(Path(folder)))
        files |= {name: Path(file) for file, name in self._iter_app_filenames(project_dir)}
        _zip(files, part)
    part.replace(package)
    return str(package)


def _install_dependencies(self: LambdaDeploymentPackager, project_dir: str, python_version: str, folder: Path) -> None:
    """Install the dependencies, or raise ClickException before there is a package: Chalice would go on without some."""
    requirements = self._get_requirements_filename(project_dir)
    try:
        self._dependency_builder.build_site_packages(self._RUNTIME_TO_ABI[python_version], requirements, str(folder))
    except MissingDependencyError as error:
        missing = sorted(str(package.identifier) for package in error.missing)
        raise whole.refused([f"no wheel of {package} came" for package in missing]) from error
    text = Path(requirements).read_text()
    whole.check(folder, text, architecture=self._architecture, python=python_version)


def _dependencies(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield what is used of what was installed; of Chalice, its runtime alone is shipped, with our own files."""
    for pattern in ("chalice", *UNSHIPPED):
        for unneeded in sorted(folder.glob(pattern)):
            shutil.rmtree(unneeded, ignore_errors=True)  # a cache may have gone with its package
    for file in folder.rglob("*"):
        if file.is_file():
            yield file.relative_to(folder).as_posix(), file


def _zip(files: dict[str, Path], package: Path) -> None:
    with ZipFile(package, "w") as made:
        for name, file in sorted(files.items()):
            entry = ZipInfo(name, LONG_AGO)
            entry.compress_type, entry.external_attr = ZIP_DEFLATED, READABLE
            made.writestr(entry, file.read_bytes())


def _download_pinned_wheels(
    self: PipRunner, abi: str, packages: list[str], directory: str, platforms: list[str] | None = None
) -> None:
    """Download the wheels for Lambda's processor, and refuse one whose hash `requirements.txt` doesn't have.

    Chalice names them to pip by version alone, so pip can't check them itself.
    """
    _download_wheels(self, abi, packages, directory, platforms)
    check_hashes(Path(directory), REQUIREMENTS.read_text())


def _own_sources(self: BaseLambdaDeploymentPackager, project_dir: str) -> Iterator[tuple[str, str]]:
    """Yield the files of chalicelib in order, without caches: the same code is the same package each time."""
    for path, name in sorted(_own_files(self, project_dir)):
        if "__pycache__" not in Path(name).parts:
            yield path, name
