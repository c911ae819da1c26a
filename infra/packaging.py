"""Build the deployment package of `chalice deploy` and `package`: the code, and the wheels in `requirements.txt`.

Builds are reproducible: the same checkout always results in the same bytes. A package is created atomically, because
Chalice reuses an existing package file.
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

from infra import package_check

UNSHIPPED = ("boto3", "botocore", "s3transfer", "*.dist-info", "*.data", "**/tests", "**/__pycache__")
"""Files that pip installs and the package omits. The first three are two thirds of the size, but Lambda provides them,
and AWS keeps them up to date. The others are used only for installation and development."""

LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The modification time of every file in a package, constant for reproducible builds."""
READABLE = 0o644 << 16
"""The permissions of every file in a package: readable by all, since Lambda's user doesn't own the files."""

REQUIREMENTS = Path(__file__).parent.parent / "requirements.txt"

_download_wheels = PipRunner.download_manylinux_wheels
_own_files = BaseLambdaDeploymentPackager._iter_chalice_lib_if_needed


def install() -> None:
    """Make Chalice use the functions of this module to build packages."""
    PipRunner.download_manylinux_wheels = _download_pinned_wheels  # type: ignore[method-assign]  # Chalice has no hook
    BaseLambdaDeploymentPackager._iter_chalice_lib_if_needed = _own_sources  # type: ignore[method-assign]  # as above
    LambdaDeploymentPackager.create_deployment_package = _packaged  # type: ignore[method-assign]  # as above
    LambdaDeploymentPackager._hash_project_dir = _hash_sources  # type: ignore[assignment]  # as above


def check_hashes(downloads: Path, requirements: str) -> None:
    """Raise ClickException, which Chalice prints, if the hash of a file in `downloads` isn't in `requirements`."""
    pinned = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", requirements))
    for file in sorted(downloads.iterdir()):
        if hashlib.sha256(file.read_bytes()).hexdigest() not in pinned:
            raise click.ClickException(
                f"{file.name} is not a file that requirements.txt pins, so no package was created."
                " If the pins are out of date, run `make lock`."
            )


def _packaged(self: LambdaDeploymentPackager, project_dir: str, python_version: str) -> str:
    """Return the path of a checkout's package file, after creating it if necessary."""
    package = Path(self.deployment_package_filename(project_dir, python_version))
    if package.exists():
        return str(package)
    self._ui.write("Creating deployment package.\n")
    package.parent.mkdir(parents=True, exist_ok=True)
    part = package.with_suffix(f".{os.getpid()}.part")
    with tempfile.TemporaryDirectory() as folder:
        _install_dependencies(self, project_dir, python_version, Path(folder))
        files = dict(_dependencies(Path(folder)))
        _zip(files | _sources(self, project_dir), part)
    part.replace(package)
    return str(package)


def _hash_sources(
    self: LambdaDeploymentPackager, requirements_filename: str, _vendor_dir: str, project_dir: str
) -> str:
    """Return a digest of the package's sources, which is part of its file name.

    Chalice's digest ignores file names: after a rename, the older package would be deployed.
    """
    digest = hashlib.sha256(Path(requirements_filename).read_bytes())
    for name, file in sorted(_sources(self, project_dir).items()):
        digest.update(f"{name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\0".encode())
    return digest.hexdigest()[:32]


def _sources(self: BaseLambdaDeploymentPackager, project_dir: str) -> dict[str, Path]:
    """Return the files of the checkout that a package contains, by name: the code, and the contents of `vendor/`."""
    vendor = Path(project_dir, "vendor")
    files = (file for file in vendor.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    own = {name: Path(file) for file, name in self._iter_app_filenames(project_dir)}
    return own | {file.relative_to(vendor).as_posix(): file for file in files}


def _install_dependencies(self: LambdaDeploymentPackager, project_dir: str, python_version: str, folder: Path) -> None:
    """Install the dependencies. Raises ClickException if one is missing, since Chalice would deploy without it."""
    requirements = self._get_requirements_filename(project_dir)
    try:
        self._dependency_builder.build_site_packages(self._RUNTIME_TO_ABI[python_version], requirements, str(folder))
    except MissingDependencyError as error:
        missing = sorted(str(package.identifier) for package in error.missing)
        raise package_check.refused([f"there was no wheel of {package}" for package in missing]) from error
    text = Path(requirements).read_text()
    package_check.check(folder, text, architecture=self._architecture, python=python_version)


def _dependencies(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the installed files that the package needs. Chalice's runtime is packaged with Latchkey's own code."""
    for pattern in ("chalice", *UNSHIPPED):
        for unneeded in sorted(folder.glob(pattern)):
            shutil.rmtree(unneeded, ignore_errors=True)  # the folder may have been deleted already, with its parent
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
    """Download the wheels for Lambda's processor, and reject a wheel whose hash isn't in `requirements.txt`.

    Chalice passes only versions to pip, so pip can't check the hashes.
    """
    _download_wheels(self, abi, packages, directory, platforms)
    check_hashes(Path(directory), REQUIREMENTS.read_text())


def _own_sources(self: BaseLambdaDeploymentPackager, project_dir: str) -> Iterator[tuple[str, str]]:
    """Yield chalicelib's files in alphabetical order, without bytecode caches, so that packages are reproducible."""
    for path, name in sorted(_own_files(self, project_dir)):
        if "__pycache__" not in Path(name).parts:
            yield path, name
