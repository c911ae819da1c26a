"""What counts as one email address."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.accounts.email_address import LENGTH_MAX, claim_prefix, hash_claim, normalised, parsed, pseudo_claim
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
        ("ZOË@example.com", "zoë@example.com"),
        ("ada@xn--fa-hia.example", "ada@xn--fa-hia.example"),
        ("ada@faß.example", "ada@xn--fa-hia.example"),
        ("ada@XN--FA-HIA.Example", "ada@xn--fa-hia.example"),
        ("ada@example。com", "ada@example.com"),
        ("ada@exa\u00admple.com", "ada@example.com"),
        ("\u212aate@example.com", "kate@example.com"),
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
        "ada@example.com.",
        ".ada@example.com",
        "ada.@example.com",
        "a..da@example.com",
        "ada\u2026@example.com",
        "ada@192.0.2.1",
        "ada＠example.com",
        "ada＠evil.example.net@example.com",
        "ada\u3000b@example.com",
        "ada\u00ad@example.com",
        "ada\u200d@example.com",
        "ada\u202e@example.com",
        "ada\u034f@example.com",
        "ada\u3164@example.com",
        "ada\ufe0f@example.com",
        "\u0301ada@example.com",
        "ada@xn--a.com",
        "ada@xn--.com",
        "ada@xn--example-.com",
        "ada@a_b.example",
        "ada@ex\u200dample.com",
        "é" * 33 + "@example.com",
        "a" * 5_000 + "@example.com",
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


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada@faß.example", "ada@fass.example"),
        ("weiß@firma.example", "weiss@firma.example"),
        ("mıke@example.com", "mike@example.com"),
        ("ada@ıstanbul.example", "ada@istanbul.example"),
        ("ﬁona@example.com", "fiona@example.com"),
        ("ａda@example.com", "ada@example.com"),
        ("a.da@example.com", "ada@example.com"),
        ("ada+x@example.com", "ada@example.com"),
        ("аda@example.com", "ada@example.com"),
        ("ada@example.com", "ada@exаmple.com"),
        ("ς@example.com", "σ@example.com"),
    ],
)
def test_addresses_of_different_people_are_different_claims(one: str, other: str) -> None:
    """What a mail server may deliver to two people is never one account: nobody has an account by another's mailbox."""
    assert normalised(one) != normalised(other)


@pytest.mark.parametrize(
    ("typed", "mailbox"),
    [
        (" Jörg@faß.example ", "Jörg@xn--fa-hia.example"),
        ("weiß@Firma.example", "weiß@firma.example"),
        ("ADA@Example.com", "ADA@example.com"),
        ("\u212aate@example.com", "Kate@example.com"),
    ],
)
def test_mail_goes_to_the_address_as_it_was_typed(typed: str, mailbox: str) -> None:
    """The local part in its own letters, the domain as DNS knows it; a letter that looks like another is that one."""
    assert parsed(typed).mailbox == mailbox


@given(st.text(max_size=12), st.text(max_size=12))
def test_claim_and_mailbox_claim_the_same(local: str, domain: str) -> None:
    """Of whatever is taken, claim and mailbox are spellings of one address: who gets the mail has the claim."""
    try:
        address = parsed(f"{local}@{domain}.example")
    except InvalidRequest:
        return
    assert normalised(address.claim) == normalised(address.mailbox) == address.claim


@pytest.mark.parametrize("typed", ["wei", "weiß", "WEIß@", "weiß@ex", "jo\u0308rg", "claim@faß.example", "claim@fa"])
def test_what_an_address_begins_with_is_found_as_it_is_claimed(typed: str) -> None:
    """Whoever looks for an account types the beginning of its address."""
    claims = [
        normalised(each) for each in ("weiß@ex.example", "jörg@ex.example", "claim@faß.example", "claim@far.example")
    ]
    assert any(claim.startswith(claim_prefix(typed)) for claim in claims)


@pytest.mark.parametrize("length", [254, 255])
def test_limits_of_an_address_are_those_of_smtp(length: int) -> None:
    """RFC 5321 §4.5.3.1: 254 octets in all, 64 of them before the @, counted as they are sent."""
    domain = ".".join(("b" * 60, "b" * 60, "b" * 60, "c" * (length - 64 - 1 - 183)))
    address = f"{'é' * 32}@{domain}"
    assert len(address.encode()) == length
    if length == 254:
        assert normalised(address) == address
    else:
        with pytest.raises(InvalidRequest):
            normalised(address)


def test_address_is_measured_as_it_was_typed_before_anything_else() -> None:
    """What would be short enough once it is written otherwise is refused all the same: nobody pays for its length."""
    with pytest.raises(InvalidRequest) as refused:
        normalised("ada@exam" + "\u00ad" * 250 + "ple.com")
    assert (refused.value.status, refused.value.field) == (400, "email")
    assert normalised("ada@exam" + "\u00ad" * 200 + "ple.com") == "ada@example.com"


def test_text_that_is_no_address_is_counted_by_its_first_254_characters() -> None:
    """In lower case and without the spaces around it; never with an address, which holds no space."""
    assert pseudo_claim(" Bob@Gmial ") == "no address bob@gmial"
    assert pseudo_claim("x" * 254 + "y") == "no address " + "x" * 254


def test_address_is_stood_for_by_its_digest() -> None:
    """Nothing of it can be read on a counter; half a surrogate pair has a digest too."""
    assert hash_claim("ada@example.com") == hashlib.sha256(b"ada@example.com").hexdigest()[:32]
    assert len(hash_claim("\ud800")) == 32


@pytest.mark.parametrize("character", '@<>"(),:;\\[]')
def test_delimiter_stands_in_no_local_part_however_it_is_drawn(character: str) -> None:
    """A mail server that folds a full-width one would read two addresses, or none."""
    wide = chr(ord(character) + 0xFEE0)
    for local in (f"a{character}b", f"a{wide}b"):
        with pytest.raises(InvalidRequest):
            normalised(f"{local}@example.com")


@pytest.mark.parametrize("typed", ["Ada", "ada@", "ADA@Exa", "ada@example.com"])
def test_beginning_of_an_address_is_exactly_what_its_claim_begins_with(typed: str) -> None:
    """No less of it: whoever typed more is shown fewer."""
    assert claim_prefix(f" {typed} ") == typed.lower()
    assert claim_prefix("ada@faß.example") == "ada@xn--fa-hia.example"
