"""The format of secrets: kind, checksum and preview."""

import hashlib
import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.core import randomness, secrets, settings
from tests.support.harness import TestApp

PUBLISHED: dict[str, Any] = json.loads(Path(__file__).with_name("checksums.json").read_text())


@pytest.mark.parametrize("vector", PUBLISHED["vectors"], ids=lambda vector: vector["text"] or "empty")
def test_checksum_matches_published_vectors(vector: dict[str, str]) -> None:
    """The checksum is the standard CRC-32 in base 62, as in published vectors."""
    assert f"{zlib.crc32(vector['text'].encode()):08x}" == vector["crc32"]
    assert secrets.checksum(vector["text"]) == vector["base62"]


@pytest.mark.parametrize("vector", PUBLISHED["numbers"], ids=lambda vector: vector["base62"])
def test_base62_at_its_bounds(vector: dict[str, Any]) -> None:
    """Base 62 has digits, capitals and small letters, and is zero-padded."""
    assert PUBLISHED["alphabet"] == randomness.BASE62
    assert randomness.to_base62(vector["number"], 6) == vector["base62"]


@pytest.mark.parametrize("kind", secrets.KINDS)
def test_minted_secret_has_its_kind(latchkey: TestApp, kind: str) -> None:
    """A new secret of every kind has the name of its kind, 36 characters, and a valid checksum."""
    secret = secrets.mint(kind)
    assert secret.startswith(f"lk_{kind}_")
    assert len(secret) == len(f"lk_{kind}_") + 36
    assert secrets.kind_of(secret) == kind


def test_minted_secrets_differ(latchkey: TestApp) -> None:
    """No two secrets are equal."""
    assert len({secrets.mint("test") for _ in range(100)}) == 100


def test_every_single_typo_is_detected(latchkey: TestApp) -> None:
    """A secret with any one character changed is invalid."""
    secret = secrets.mint("live")
    for at, character in enumerate(secret):
        typo = secret[:at] + ("a" if character != "a" else "b") + secret[at + 1 :]
        assert secrets.kind_of(typo) is None, typo


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda secret: secret + "0", id="longer"),
        pytest.param(lambda secret: secret[:-1], id="shorter"),
        pytest.param(lambda secret: f" {secret}", id="space_before"),
        pytest.param(lambda secret: f"{secret}\n", id="newline_after"),
        pytest.param(lambda secret: secret.upper(), id="upper_case"),
        pytest.param(lambda secret: secret.replace("lk_", "xx_"), id="another_brand"),
        pytest.param(lambda secret: secret.replace("_test_", "_best_"), id="unknown_kind"),
        pytest.param(lambda secret: secret[:-1] + "é", id="not_ascii"),
        pytest.param(lambda secret: secret[:-1] + "\ud800", id="lone_surrogate"),
        pytest.param(lambda _: "", id="empty"),
    ],
)
def test_malformed_secret_has_no_kind(latchkey: TestApp, change: Any) -> None:
    """A text in any other form is rejected without a database call."""
    assert secrets.kind_of(change(secrets.mint("test"))) is None


def test_secret_of_another_brand_is_rejected_despite_its_checksum(latchkey: TestApp) -> None:
    """A secret of another deployment's brand is rejected, although its checksum is valid."""
    body = "xy_test_" + "0" * 30
    assert secrets.kind_of(body + secrets.checksum(body)) is None


def test_digest_is_sha256_in_hex() -> None:
    """The digest of a secret is its SHA-256 in hex, as the vector of FIPS 180-2 shows."""
    assert secrets.digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert secrets.digest("abc") == hashlib.sha256(b"abc").hexdigest()


def test_hint_shows_prefix_and_last_four(latchkey: TestApp) -> None:
    """A key preview has the prefix and the last four characters of a secret."""
    secret = secrets.mint("test")
    assert secrets.preview(secret) == f"lk_test_…{secret[-4:]}"


def test_longest_secret_has_the_longest_brand_and_kind(latchkey: TestApp) -> None:
    """The longest valid secret has 10 letters of brand, 4 of kind, 36 characters and two underscores."""
    with settings.override(replace(settings.current(), brand="abcdefghij")):
        secret = secrets.mint("live")
        assert len(secret) == secrets.LENGTH_MAX == 52
        assert secrets.kind_of(secret) == "live"


def test_kinds_are_those_of_the_format() -> None:
    """The kinds of secrets keep their names, because secret scanners search for them."""
    assert secrets.KINDS == ("live", "test", "at", "rt", "ac", "cs", "dc", "se", "ml", "ra")
    assert secrets.API_KEY_KINDS == ("live", "test")
    assert (secrets.ACCESS_TOKEN_KIND, secrets.SESSION_KIND, secrets.MAIL_LINK_KIND) == ("at", "se", "ml")


def test_random_part_has_thirty_characters(latchkey: TestApp) -> None:
    """A secret has thirty random characters, 178 bits, followed by a checksum over all characters before it."""
    with randomness.use_generator(lambda bound: bound - 1):
        secret = secrets.mint("test")
    body = "lk_test_" + "z" * 30
    assert secret == body + secrets.checksum(body)


def test_secrets_are_found_in_any_text_once(latchkey: TestApp) -> None:
    """Valid secrets are found in any text, even side by side, and returned once; invalid ones are ignored."""
    one, other = secrets.mint("live"), secrets.mint("at")
    text = f'KEY="{one}"\nAuthorization: Bearer {other}\r\n{one}{other} x{one}y lk_live_{"0" * 36}'
    assert secrets.find_secrets(text) == [one, other]
    assert secrets.find_secrets("nothing") == []
    with settings.override(replace(settings.current(), brand="acme")):
        assert secrets.find_secrets(text) == []
