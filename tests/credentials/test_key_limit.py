"""The account's active keys: the condition for adding a key, and detection of expired ones."""

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
from pynamodb.exceptions import TransactWriteError, UpdateError

from chalicelib.accounts.tables import Account
from chalicelib.core import errors
from chalicelib.core.dynamodb import models
from chalicelib.credentials import key_limit
from chalicelib.credentials.principal import Principal
from chalicelib.limits.tiers import FREE
from tests.support.harness import START_MS, TestApp

CREATOR = Principal(
    account_id="acc_1",
    user_id="usr_1",
    role="owner",
    credential_id="key_1",
    kind="key",
    scopes=frozenset({"keys"}),
    tier=FREE,
    client_id="",
    ends_at_ms=START_MS + 1,
    verified_at_ms=START_MS - 8_000,
)
SESSION = replace(CREATOR, credential_id="ses_1", kind="session", session_epoch=3)
TOKEN = replace(CREATOR, credential_id="tok_1", kind="token")


def account_item(*ends_at_ms: int, **more: int) -> dict[str, Any]:
    """Return an account item with active keys of these expiries, of which the first is the creator's."""
    ends = {f"key_{number}": {"N": str(end)} for number, end in enumerate(ends_at_ms, 1)}
    return {"live_keys": {"M": ends}} | {name: {"N": str(value)} for name, value in more.items()}


def test_expired_keys_are_found(latchkey: TestApp) -> None:
    """A key has expired once its expiry is reached; an expiry of 0 means never."""
    account = account_item(START_MS + 1, START_MS, 0, START_MS - 1, 1)
    assert key_limit.expired_keys(account, None) == {"key_2": START_MS, "key_4": START_MS - 1, "key_5": 1}
    assert key_limit.expired_keys({}, None) == {}


def test_account_has_at_most_twenty_active_keys(latchkey: TestApp) -> None:
    """An account can have twenty active keys; expired ones don't count."""
    assert len(key_limit.expired_keys(account_item(*[0] * 19, 1), None)) == 1
    for full in (account_item(*[0] * 20), account_item(*[0] * 20, 1), account_item(*[0] * 21)):
        with pytest.raises(errors.Conflict, match="at most 20 active keys"):
            key_limit.expired_keys(full, None)


@pytest.mark.parametrize(
    ("creator", "account", "may"),
    [
        (CREATOR, {"live_keys": {"key_1": START_MS + 1}}, True),
        (CREATOR, {"live_keys": {"key_1": START_MS + 2}}, False),
        (CREATOR, {"live_keys": {"key_1": 0}}, False),
        (CREATOR, {"live_keys": {"key_2": START_MS + 1}}, False),
        (replace(CREATOR, ends_at_ms=0), {"live_keys": {"key_1": 0}}, True),
        (CREATOR, {"live_keys": {"key_1": START_MS + 1}, "credentials_since": START_MS - 8_000}, True),
        (CREATOR, {"live_keys": {"key_1": START_MS + 1}, "credentials_since": START_MS - 7_999}, False),
        (SESSION, {}, True),
        (SESSION, {"credentials_since": START_MS}, False),
        (TOKEN, {}, True),
        (TOKEN, {"credentials_since": START_MS}, False),
    ],
)
def test_creator_may_create_keys_while_its_expiry_is_unchanged(
    latchkey: TestApp, creator: Principal, account: dict[str, Any], may: bool
) -> None:
    """The write condition and the check that explains its failure accept the same creators."""
    stored = latchkey.account().account
    for name, value in account.items():
        setattr(stored, name, value)
    stored.save()
    with nullcontext() if may else pytest.raises(UpdateError):
        stored.update(actions=[Account.name.set("Met")], condition=key_limit.creator_is_unchanged(creator))
    with nullcontext() if may else pytest.raises(errors.Conflict, match="has expired, or was revoked or rotated"):
        key_limit.expired_keys(stored.serialize(), creator)


def test_account_without_credentials_since_has_only_valid_credentials(latchkey: TestApp) -> None:
    """All credentials of an older account without the attribute `credentials_since` are valid."""
    stored = latchkey.account().account
    stored.update(actions=[Account.credentials_since.remove()])
    stored.update(actions=[Account.name.set("Met")], condition=key_limit.creator_is_unchanged(TOKEN))
    raw = {name: value for name, value in stored.serialize().items() if name != "credentials_since"}
    assert key_limit.expired_keys(raw, TOKEN) == {}


def test_key_is_removed_only_from_an_existing_account(latchkey: TestApp) -> None:
    """The removal of a key from the active keys doesn't recreate a deleted account."""
    deleted = latchkey.account()
    key = latchkey.key(deleted).key
    deleted.account.delete()
    with pytest.raises(TransactWriteError), models.transaction() as write:
        key_limit.remove_key(write, Account(deleted.id), key)
    assert Account.found(deleted.id) is None
