"""The principal is passed in the authorizer's context as strings and parsed without loss."""

import pytest

from chalicelib.credentials.principal import Principal, from_context, to_context
from chalicelib.credentials.verify import verify
from chalicelib.limits.tiers import ENTERPRISE, FREE
from tests.support.harness import START_MS, TestApp

PRINCIPAL = Principal(
    account_id="acc_1",
    user_id="usr_1",
    role="developer",
    credential_id="tok_1",
    kind="token",
    scopes=frozenset({"write", "read"}),
    tier=FREE,
    client_id="app_1",
    ends_at_ms=START_MS,
    verified_at_ms=START_MS - 1,
    lineage="gra_1",
)
CONTEXT = {
    "account_id": "acc_1",
    "user_id": "usr_1",
    "role": "developer",
    "credential_id": "tok_1",
    "kind": "token",
    "scopes": "read write",
    "tier": "free",
    "client_id": "app_1",
    "ends_at_ms": str(START_MS),
    "verified_at_ms": str(START_MS - 1),
    "lineage": "gra_1",
}


def test_principal_survives_the_authorizer_context(latchkey: TestApp) -> None:
    """A principal is unchanged after it passes through the authorizer's context, which allows only strings."""
    principal = verify(latchkey.key(latchkey.account(ENTERPRISE, admin=True), "read", "admin", expires_in_s=60).secret)
    context = to_context(principal)
    assert all(isinstance(value, str) for value in context.values())
    assert from_context(context) == principal


def test_context_has_the_names_of_the_last_release() -> None:
    """The names in the context don't change, because after an upgrade API Gateway still caches old contexts."""
    assert to_context(PRINCIPAL) == CONTEXT
    assert from_context(CONTEXT) == PRINCIPAL


@pytest.mark.parametrize("without", [{}, {"lineage": ""}])
def test_context_without_a_lineage_has_that_of_the_credential(without: dict[str, str]) -> None:
    """A context without a lineage, from an older version, is read with the credential's id instead."""
    context = {name: value for name, value in CONTEXT.items() if name != "lineage"} | without
    assert from_context(context).lineage == "tok_1"


@pytest.mark.parametrize(
    ("ends_at_ms", "now_ms", "ended"), [(0, START_MS, False), (2, 1, False), (1, 1, True), (1, 2, True)]
)
def test_principal_expires_at_its_expiry(ends_at_ms: int, now_ms: int, ended: bool) -> None:
    """A principal expires at its expiry, to the millisecond; 0 means never."""
    principal = from_context(CONTEXT | {"ends_at_ms": str(ends_at_ms)})
    assert principal.is_expired(now_ms) == ended


def test_tokens_are_counted_by_client_and_keys_by_key() -> None:
    """Usage of tokens is counted by client and that of keys by key, so a refreshed token adds no counter."""
    key, other = (from_context(CONTEXT | {"client_id": "", "credential_id": each}) for each in ("key_1", "key_2"))
    refreshed = from_context(CONTEXT | {"credential_id": "tok_2"})
    assert key.counter != other.counter
    assert PRINCIPAL.counter == refreshed.counter != key.counter


def test_reverified_principal_differs_only_in_its_verification_time() -> None:
    """A principal that was verified again differs only in its verification time."""
    assert to_context(PRINCIPAL.verified_after(START_MS + 5)) == CONTEXT | {"verified_at_ms": str(START_MS + 5)}
    assert from_context(CONTEXT).session_epoch is None


def test_context_has_no_secret(latchkey: TestApp) -> None:
    """The context contains ids and no secret, because API Gateway logs and caches it."""
    issued = latchkey.key(latchkey.account())
    assert issued.secret not in repr(to_context(verify(issued.secret)))
