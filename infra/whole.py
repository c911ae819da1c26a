"""A package is whole or not made: every requirement in it, every compiled part, and all of it for Lambda's processor.

Chalice warns of what it couldn't fetch, deploys without it, and takes the same package again the next time.
"""

import re
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path

import click
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

UNZIPPED_MAX_BYTES = 250_000_000
"""What Lambda takes of a function, layers included."""
_MACHINES = {"x86_64": (62, "x86_64"), "arm64": (183, "aarch64")}
"""What the header of an ELF file says of each of Lambda's processors (e_machine), and what Python calls it."""


def check(packages: Path, requirements: str, *, architecture: str, python: str) -> None:
    """Raise ClickException unless what was installed into `packages` is what `requirements` asks for.

    `architecture` is Lambda's word for the processor, `python` Chalice's for the runtime ("python3.13").
    """
    problems = [
        *_missing(packages, requirements, architecture, python),
        *_uncompiled(packages),
        *_foreign(packages, architecture),
    ]
    size = sum(file.stat().st_size for file in packages.rglob("*") if file.is_file())
    if size > UNZIPPED_MAX_BYTES:
        problems.append(f"it takes {size / 1e6:,.0f} MB unzipped, and Lambda takes {UNZIPPED_MAX_BYTES / 1e6:,.0f}")
    if problems:
        raise refused(problems)


def refused(problems: list[str]) -> click.ClickException:
    """Return what Chalice prints when a package can't be made."""
    listed = "\n".join(f"- {problem}" for problem in problems)
    return click.ClickException(
        f"The package is not whole, so nothing was packaged or deployed:\n{listed}\n"
        "Try again if the package index was out of reach; otherwise choose versions that have wheels for Lambda."
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
            yield f"{pinned.name} {wanted[1]} is not in it: no wheel of it for {architecture} and {python} came"


def _pins(requirements: str) -> Iterator[Requirement]:
    for line in requirements.replace("\\\n", " ").splitlines():
        pinned = re.sub(r"\s--hash=\S+", "", line.partition("#")[0]).strip()
        if pinned:
            yield Requirement(pinned)


def _installed(packages: Path) -> Iterator[tuple[str, str]]:
    for metadata in packages.glob("*.dist-info/METADATA"):
        told = HeaderParser().parsestr(metadata.read_text())
        yield told["Name"], told["Version"]


def _uncompiled(packages: Path) -> Iterator[str]:
    """Yield what its wheel says to be compiled and holds nothing that is."""
    for wheel in sorted(packages.glob("*.dist-info/WHEEL")):
        is_compiled = HeaderParser().parsestr(wheel.read_text())["Root-Is-Purelib"] == "false"
        files = [line.rsplit(",", 2)[0] for line in (wheel.parent / "RECORD").read_text().splitlines()]
        if is_compiled and not any(_machine(packages / file) for file in files):
            yield f"{wheel.parent.name.removesuffix('.dist-info')} came without its compiled part"


def _foreign(packages: Path, architecture: str) -> Iterator[str]:
    for file in sorted(packages.rglob("*")):
        machine = _machine(file)
        if machine not in (0, _MACHINES[architecture][0]):
            yield f"{file.relative_to(packages)} is for another processor than {architecture}"


def _machine(file: Path) -> int:
    """Return the processor for which an ELF file is made; 0 when it is none."""
    if not file.is_file():
        return 0
    with file.open("rb") as opened:
        head = opened.read(20)
    return int.from_bytes(head[18:20], "little") if head[:4] == b"\x7fELF" else 0
