"""Every installed package and each of its dependencies has a pinned version and hash."""

import re
from pathlib import Path

import click
import pytest

from infra.packaging import check_hashes

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "infra" / "requirements"
LOCKED = {path.stem: REQUIREMENTS / f"{path.stem}.txt" for path in REQUIREMENTS.glob("*.in")} | {
    "ship": ROOT / "requirements.txt",
    "dev": ROOT / "requirements-dev.txt",
}
PIN = re.compile(r"^([\w.-]+)(?:\[[\w,]+\])?==(\S+)", re.MULTILINE)
RECIPES = [ROOT / "Makefile", *(ROOT / "infra").rglob("*.py"), *(ROOT / "tests").rglob("*.py"), ROOT / ".ci" / "run"]


@pytest.mark.parametrize("name", sorted(LOCKED))
def test_every_package_has_hashes(name: str) -> None:
    """Each entry of a lock file has an exact version and at least one SHA-256, so that pip rejects any other file."""
    entries = re.split(r"\n(?=\S)", LOCKED[name].read_text().strip())
    packages = [entry for entry in entries if not entry.startswith("#")]
    assert packages
    for entry in packages:
        assert PIN.match(entry), entry
        assert "--hash=sha256:" in entry, entry


@pytest.mark.parametrize("name", sorted(LOCKED))
def test_lock_matches_its_input(name: str) -> None:
    """Every lock file has the versions of its .in file, so a forgotten `make lock` is detected."""
    asked = dict(PIN.findall((REQUIREMENTS / f"{name}.in").read_text()))
    locked = dict(PIN.findall(LOCKED[name].read_text()))
    assert {package.lower(): version for package, version in asked.items()}.items() <= locked.items()


def test_lock_files_have_the_same_versions() -> None:
    """All lock files have the same version of a package, so local runs and tests use the deployed versions."""
    dev = dict(PIN.findall(LOCKED["dev"].read_text()))
    for name in ("ship", "run"):
        assert dict(PIN.findall(LOCKED[name].read_text())).items() <= dev.items()


def test_make_lock_writes_every_lock_file() -> None:
    """`make lock` writes all lock files."""
    (names,) = re.findall(r"^LOCKED := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(names.split()) == set(LOCKED)


def test_nothing_is_installed_without_hashes() -> None:
    """No recipe calls `pip install` without --require-hashes, or npm without a lock file."""
    for path in RECIPES:
        if path == Path(__file__):
            continue
        for line in path.read_text().splitlines():
            where = f"{path.relative_to(ROOT)}: {line.strip()}"
            if re.search(r"\bpip\b.*\binstall\b", line):
                assert "--require-hashes" in path.read_text(), where
            assert not re.search(r"npm[\"', ]+(install|i)\b(?! --package-lock-only)", line), where


def test_wheel_with_another_hash_is_rejected(tmp_path: Path) -> None:
    """A downloaded wheel is packaged only if requirements.txt has its hash."""
    (tmp_path / "good.whl").write_bytes(b"good")
    requirements = "good==1 \\\n    --hash=sha256:770e607624d689265ca6c44884d0807d9b054d23c473c106c72be9de08b7376c\n"
    check_hashes(tmp_path, requirements)
    (tmp_path / "swapped.whl").write_bytes(b"something else")
    with pytest.raises(click.ClickException, match=r"swapped\.whl is not a file"):
        check_hashes(tmp_path, requirements)
