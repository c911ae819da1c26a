"""A package that is incomplete or has files for another processor is not created."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from chalice.deploy.packager import BaseLambdaDeploymentPackager, MissingDependencyError

from infra import package_check, packaging

REQUIREMENTS = """
# written by a tool
pure==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
Compiled-Part==2.0 --hash=sha256:cc
old-one==1 ; python_version < '3.9'
windows-only==1 ; sys_platform == 'win32'
"""
ARM, X86 = 183, 62


def elf(machine: int) -> bytes:
    """Return the first bytes of an ELF file for a processor."""
    return b"\x7fELF" + bytes(14) + machine.to_bytes(2, "little") + bytes(40)


def install(into: Path, name: str, version: str, files: dict[str, bytes], *, pure: bool) -> None:
    """Install a wheel as pip does."""
    told = into / f"{name}-{version}.dist-info"
    told.mkdir(parents=True)
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nWords\n")
    (told / "WHEEL").write_text(f"Wheel-Version: 1.0\nRoot-Is-Purelib: {str(pure).lower()}\n")
    (told / "RECORD").write_text("".join(f"{file},sha256=x,1\n" for file in files))
    for file, held in files.items():
        (into / file).parent.mkdir(parents=True, exist_ok=True)
        (into / file).write_bytes(held)


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder in which all requirements are installed for arm64."""
    install(tmp_path, "pure", "1.0", {"pure/__init__.py": b""}, pure=True)
    install(tmp_path, "compiled_part", "2.0", {"part.cpython-313-aarch64-linux-gnu.so": elf(ARM)}, pure=False)
    return tmp_path


def find_error(packages: Path, requirements: str = REQUIREMENTS, architecture: str = "arm64") -> str:
    """Check a package that is rejected and return the error."""
    with pytest.raises(click.ClickException) as refused:
        package_check.check(packages, requirements, architecture=architecture, python="python3.13")
    return refused.value.message


def test_complete_package_passes(packages: Path) -> None:
    """A package passes without the requirements of other Python versions or operating systems."""
    package_check.check(packages, REQUIREMENTS, architecture="arm64", python="python3.13")


def test_missing_requirement_is_named(packages: Path) -> None:
    """The error for a missing requirement states the required version, even if another version is installed."""
    assert "extra 1.0 is missing" in find_error(packages, f"{REQUIREMENTS}extra==1.0\n")
    assert "pure 1.1 is missing" in find_error(packages, REQUIREMENTS.replace("pure==1.0", "pure==1.1"))


def test_wheel_without_its_extension_module_is_named(packages: Path) -> None:
    """A wheel for a specific platform must contain an extension module."""
    (packages / "part.cpython-313-aarch64-linux-gnu.so").unlink()
    assert "compiled_part-2.0 has no extension module" in find_error(packages)


def test_file_for_another_processor_is_named(packages: Path) -> None:
    """All files in the folder are checked, even those that no wheel lists."""
    (packages / "pure" / "odd.so").write_bytes(elf(X86))
    assert "pure/odd.so is for another processor than arm64" in find_error(packages)
    assert "part.cpython-313-aarch64-linux-gnu.so is for another" in find_error(packages, architecture="x86_64")


def test_package_over_lambdas_limit_is_rejected(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package whose files exceed Lambda's limit is rejected before the upload."""
    monkeypatch.setattr(package_check, "UNZIPPED_MAX_BYTES", 50)
    assert "Lambda's limit is" in find_error(packages)


def test_missing_wheel_fails_the_command(tmp_path: Path) -> None:
    """A missing wheel is an error, after which no zip file exists; Chalice itself would only print a warning."""
    missing: Any = [SimpleNamespace(identifier="cffi==2.0")]

    def build(*_: Any) -> None:
        raise MissingDependencyError(missing)

    packager: Any = SimpleNamespace(
        _RUNTIME_TO_ABI=BaseLambdaDeploymentPackager._RUNTIME_TO_ABI,
        _dependency_builder=SimpleNamespace(build_site_packages=build),
        _architecture="arm64",
        _get_requirements_filename=lambda folder: f"{folder}/requirements.txt",
    )
    with pytest.raises(click.ClickException, match=r"there was no wheel of cffi==2\.0"):
        packaging._install_dependencies(packager, str(tmp_path), "python3.13", tmp_path)
