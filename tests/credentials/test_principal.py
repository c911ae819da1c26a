"""The verdict travels through the gateway as flat strings and comes back as it was."""

import pytest

from chalicelib.credentials.principal import Principal, from_context, to_context
from chalicelib.credentials.verify import verify
from chalicelib.limits.tiers import ENTERPRISE, FREE
from tests.support.harness import NOON_MS, TestApp

VERDICT = Principal(
    account_id="acc_1",
    credential_id="tok_1",
    kind="token",
    scopes=frozenset({"write", "read"}),
    tier=FREE,
    client_id="app_1",
    ends_at_ms=NOON_MS,
    verified_at_ms=NOON_MS - 1,
    lineage="gra_1",
)
CONTEXT = {
    "account_id": "acc_1",
    "credential_id": "tok_1",
    "kind": "token",
    "scopes": "read write",
    "tier": "free",
    "client_id": "app_1",
    "ends_at_ms": str(NOON_MS),
    "verified_at_ms": str(NOON_MS - 1),
    "lineage": "gra_1",
}


def test_verdict_survives_the_authorizer_context(latchkey: TestApp) -> None:
    """API Gateway carries strings only; nothing is lost by it."""
    principal = verify(latchkey.key(latchkey.account(ENTERPRISE, admin=True), "read", "admin", expires_in_s=60).secret)
    context = to_context(principal)
    assert all(isinstance(value, str) for value in context.values())
    assert from_context(context) == principal


def test_context_names_are_those_that_the_last_deployment_wrote() -> None:
    """For 300 s after a deployment, the gateway hands one version what another wrote."""
    assert to_context(VERDICT) == CONTEXT
    assert from_context(CONTEXT) == VERDICT


@pytest.mark.parametrize("without", [{}, {"lineage": ""}])
def test_context_without_a_lineage_is_its_credentials_own(without: dict[str, str]) -> None:
    """It was written before there was one."""
    context = {name: value for name, value in CONTEXT.items() if name != "lineage"} | without
    assert from_context(context).lineage == "tok_1"


@pytest.mark.parametrize(
    ("ends_at_ms", "now_ms", "ended"), [(0, NOON_MS, False), (2, 1, False), (1, 1, True), (1, 2, True)]
)
def test_verdict_ends_at_its_end_and_0_is_never(ends_at_ms: int, now_ms: int, ended: bool) -> None:
    """From that very millisecond on."""
    principal = from_context(CONTEXT | {"ends_at_ms": str(ends_at_ms)})
    assert principal.is_expired(now_ms) == ended


def test_tokens_are_counted_by_their_client_and_keys_by_themselves() -> None:
    """A client that refreshes its token doesn't get another line in the account's usage."""
    key, other = (from_context(CONTEXT | {"client_id": "", "credential_id": each}) for each in ("key_1", "key_2"))
    refreshed = from_context(CONTEXT | {"credential_id": "tok_2"})
    assert key.counter != other.counter
    assert VERDICT.counter == refreshed.counter != key.counter


def test_verdict_that_has_seen_a_mark_is_otherwise_the_same() -> None:
    """Only its age changes, and a session's epoch is of the console alone."""
    assert to_context(VERDICT.verified_after(NOON_MS + 5)) == CONTEXT | {"verified_at_ms": str(NOON_MS + 5)}
    assert from_context(CONTEXT).session_epoch is None


def test_context_holds_no_secret(latchkey: TestApp) -> None:
    """What the gateway logs and caches is ids."""
    issued = latchkey.key(latchkey.account())
    assert issued.secret not in repr(to_context(verify(issued.secret)))
