"""A sealed box opens with its caller's secret alone, for its own purpose, however long it is kept."""

import pytest

from chalicelib.core import sealed

BOX = bytes.fromhex("000102030405060708090a0b2b88e2ae801077234425b58f1ddb642708883ec9ae")


def test_box_opens_with_its_secret_for_its_purpose_beside_what_it_is_bound_to() -> None:
    """Anything else finds nothing."""
    box = sealed.seal(b"plain", "secret", purpose="one", bound_to="here")
    assert sealed.opened(box, "secret", purpose="one", bound_to="here") == b"plain"
    assert sealed.opened(box, "other", purpose="one", bound_to="here") is None
    assert sealed.opened(box, "secret", purpose="two", bound_to="here") is None
    assert sealed.opened(box, "secret", purpose="one", bound_to="there") is None
    assert sealed.opened(box, "secret", purpose="one") is None


def test_box_that_is_bound_to_nothing_opens_without_a_place() -> None:
    """Empty is no place."""
    box = sealed.seal(b"plain", "secret", purpose="one")
    assert sealed.opened(box, "secret", purpose="one") == b"plain"
    assert sealed.opened(box, "secret", purpose="one", bound_to="here") is None


def test_box_that_was_sealed_before_a_deployment_opens_after_it() -> None:
    """Twelve bytes of nonce, AES-256-GCM under HKDF-SHA-256 of the secret: what is stored outlives the code."""
    assert sealed.opened(BOX, "secret", purpose="one", bound_to="here") == b"plain"


@pytest.mark.parametrize("at", [0, 11, 12, -1])
def test_box_that_was_changed_or_cut_opens_for_nobody(at: int) -> None:
    """Whichever byte of it."""
    changed = bytearray(BOX)
    changed[at] ^= 1
    assert sealed.opened(bytes(changed), "secret", purpose="one", bound_to="here") is None
    assert sealed.opened(BOX[:-1], "secret", purpose="one", bound_to="here") is None


def test_no_two_boxes_are_alike() -> None:
    """A nonce is never used twice."""
    boxes = {sealed.seal(b"plain", "secret", purpose="one")[:12] for _ in range(50)}
    assert len(boxes) == 50
    assert len(sealed.seal(b"plain", "secret", purpose="one")) == 12 + 5 + 16
