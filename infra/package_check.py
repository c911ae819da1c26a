"""Check that a deployment package has every required distribution and extension module for Lambda's processor.

Chalice only warns about wheels that it couldn't download. It deploys without them, and reuses the incomplete package.
"""

import re
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path

import click
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

UNZIPPED_MAX_BYTES = 250_000_000
"""Lambda's size limit for a function, including layers."""
_MACHINES = {"x86_64": (62, "x86_64"), "arm64": (183, "aarch64")}
"""The `e_machine` in ELF headers and Python's name for each of Lambda's processors."""


def check(packages: Path, requirements: str, *, architecture: str, python: str) -> None:
    """Raise ClickException unless the distributions in `packages` are those that `requirements` pins.

    `architecture` is Lambda's name of the processor, and `python` Chalice's name of the runtime ("python3.13").
    """
    problems = [
        *_missing(packages, requirements, architecture, python),
        *_uncompiled(packages),
        *_foreign(packages, architecture),
    ]
    size = sum(file.stat().st_size for file in packages.rglob("*") if file.is_file())
    if size > UNZIPPED_MAX_BYTES:
        problems.append(f"it has {size / 1e6:,.0f} MB unzipped; Lambda's limit is {UNZIPPED_MAX_BYTES / 1e6:,.0f}")
    if problems:
        raise refused(problems)


def refused(problems: list[str]) -> click.ClickException:
    """Return the error for an incomplete package, which Chalice prints."""
    listed = "\n".join(f"- {problem}" for problem in problems)
    return click.ClickException(
        f"The package is incomplete, so nothing was packaged or deployed:\n{listed}\n"
        "If the package index was unreachable, try again; otherwise choose versions that have wheels for Lambda."
    )


def _missing(packages: Path, requirements: str, architecture: str, python: str) -> Iterator[str]:
    version = python.removeprefix("python")
    lambdas = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": _MACHINES[architecture][1],
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{version}.0",
        "python_version": version,
        "sys_platform": "linux",
    }
    installed = {(canonicalize_name(name), version) for name, version in _installed(packages)}
    for pinned in _pins(requirements):
        wanted = canonicalize_name(pinned.name), next(iter(pinned.specifier)).version
        if (pinned.marker is None or pinned.marker.evaluate(lambdas)) and wanted not in installed:
            yield f"{pinned.name} {wanted[1]} is missing: there was no wheel for {architecture} and {python}"


def _pins(requirements: str) -> Iterator[Requirement]:
    for line in requirements.replace("\\\n", " ").splitlines():
        pinned = re.sub(r"\s--hash=\S+", "", line.partition("#")[0]).strip()
        if pinned:
            yield Requirement(pinned)


def _installed(packages: Path) -> Iterator[tuple[str, str]]:
    for metadata in packages.glob("*.dist-info/METADATA"):
        headers = HeaderParser().parsestr(metadata.read_text())
        yield headers["Name"], headers["Version"]


def _uncompiled(packages: Path) -> Iterator[str]:
    """Yield distributions with a platform-specific wheel that lacks its extension module."""
    for wheel in sorted(packages.glob("*.dist-info/WHEEL")):
        is_compiled = HeaderParser().parsestr(wheel.read_text())["Root-Is-Purelib"] == "false"
        files = [line.rsplit(",", 2)[0] for line in (wheel.parent / "RECORD").read_text().splitlines()]
        if is_compiled and not any(_machine(packages / file) for file in files):
            yield f"{wheel.parent.name.removesuffix('.dist-info')} has no extension module"


def _foreign(packages: Path, architecture: str) -> Iterator[str]:
    for file in sorted(packages.rglob("*")):
        machine = _machine(file)
        if machine not in (0, _MACHINES[architecture][0]):
            yield f"{file.relative_to(packages)} is for another processor than {architecture}"


def _machine(file: Path) -> int:
    """Return the `e_machine` of an ELF file; 0 for other files."""
    if not file.is_file():
        return 0
    with file.open("rb") as opened:
        head = opened.read(20)
    return int.from_bytes(head[18:20], "little") if head[:4] == b"\x7fELF" else 0
