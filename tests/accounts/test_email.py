"""What counts as one email address."""

import pytest

from chalicelib.accounts.email import LENGTH_MAX, normalised
from chalicelib.core.errors import InvalidRequest


@pytest.mark.parametrize(
    ("given", "claimed"),
    [
        ("ada@example.com", "ada@example.com"),
        ("  Ada@Example.COM\n", "ada@example.com"),
        ("ada+tag@example.com", "ada+tag@example.com"),
        ("ada@ｅxample.com", "ada@example.com"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@BÜCHER.example", "ada@xn--bcher-kva.example"),
        ("zoë@example.com", "zoë@example.com"),
        ("zoe\u0308@example.com", "zoë@example.com"),
    ],
)
def test_spellings_of_one_mailbox_are_one_claim(given: str, claimed: str) -> None:
    """Case, width, composition and the domain's script don't make another address."""
    assert normalised(given) == claimed
    assert normalised(claimed) == claimed


@pytest.mark.parametrize(
    "given",
    [
        "",
        "ada",
        "@example.com",
        "ada@",
        "ada@example",
        "ada@@example.com",
        "a b@example.com",
        "ada@example.com, bea@example.com",
        "Ada <ada@example.com>",
        '"ada"@example.com',
        "ada@[127.0.0.1]",
        "ada@-example.com",
        "ada@example..com",
        "ada\x00@example.com",
        "ada\u200b@example.com",
        "ada@\ud800.com",
        "ada\ud800@example.com",
        "a" * 65 + "@example.com",
        "a@" + "b" * 64 + ".com",
        "a@" + "b." * 130 + "com",
        "ada@example.com\r\nBcc: bea@example.com",
    ],
)
def test_text_that_is_no_address_is_refused(given: str) -> None:
    """Nothing is claimed, or written into a mail's head, that no mail would reach."""
    with pytest.raises(InvalidRequest, match="email must be an address"):
        normalised(given)


def test_longest_address_is_taken() -> None:
    """RFC 5321 §4.5.3.1.3 leaves 254 characters for an address."""
    label = "b" * 60
    address = f"{'a' * 64}@{label}.{label}.{label}.{'c' * (LENGTH_MAX - 64 - 1 - 3 * 61)}"
    assert len(address) == LENGTH_MAX
    assert normalised(address) == address
    with pytest.raises(InvalidRequest):
        normalised(f"{address}c")
