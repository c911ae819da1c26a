"""Sealed data can be decrypted, even by later versions, only with the same secret and for the same purpose."""

import pytest

from chalicelib.core import sealed

BOX = bytes.fromhex("000102030405060708090a0b2b88e2ae801077234425b58f1ddb642708883ec9ae")


def test_box_opens_with_its_secret_purpose_and_binding() -> None:
    """Sealed data is decrypted only with its secret, purpose and binding; otherwise the result is None."""
    box = sealed.seal(b"plain", "secret", purpose="one", bound_to="here")
    assert sealed.unseal(box, "secret", purpose="one", bound_to="here") == b"plain"
    assert sealed.unseal(box, "other", purpose="one", bound_to="here") is None
    assert sealed.unseal(box, "secret", purpose="two", bound_to="here") is None
    assert sealed.unseal(box, "secret", purpose="one", bound_to="there") is None
    assert sealed.unseal(box, "secret", purpose="one") is None


def test_unbound_box_opens_without_a_binding() -> None:
    """Data that was sealed without a binding is decrypted without one."""
    box = sealed.seal(b"plain", "secret", purpose="one")
    assert sealed.unseal(box, "secret", purpose="one") == b"plain"
    assert sealed.unseal(box, "secret", purpose="one", bound_to="here") is None


def test_box_of_an_earlier_deployment_opens() -> None:
    """The stored format never changes: a 12-byte nonce, AES-256-GCM, and HKDF-SHA-256 of the secret."""
    assert sealed.unseal(BOX, "secret", purpose="one", bound_to="here") == b"plain"


@pytest.mark.parametrize("at", [0, 11, 12, -1])
def test_modified_or_truncated_box_does_not_open(at: int) -> None:
    """Sealed data that was changed or truncated isn't decrypted."""
    changed = bytearray(BOX)
    changed[at] ^= 1
    assert sealed.unseal(bytes(changed), "secret", purpose="one", bound_to="here") is None
    assert sealed.unseal(BOX[:-1], "secret", purpose="one", bound_to="here") is None


def test_no_two_boxes_are_equal() -> None:
    """Sealing the same data twice gives different results, because a nonce is never used twice."""
    boxes = {sealed.seal(b"plain", "secret", purpose="one")[:12] for _ in range(50)}
    assert len(boxes) == 50
    assert len(sealed.seal(b"plain", "secret", purpose="one")) == 12 + 5 + 16
