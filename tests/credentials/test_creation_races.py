"""Concurrent and repeated creations of keys never exceed the limit, and each request creates one key."""

from dataclasses import replace
from typing import Any

import pytest
from pynamodb.exceptions import TransactWriteError

from chalicelib.accounts.create import create_account
from chalicelib.accounts.tables import Account
from chalicelib.core import errors, settings
from chalicelib.credentials import find
from chalicelib.credentials.issue import Issued, issue_key
from chalicelib.credentials.key_limit import LIVE_MAX, ROUNDS_MAX
from chalicelib.credentials.rotate import rotate
from chalicelib.credentials.verify import verify
from chalicelib.idempotency.record import Replayed
from chalicelib.limits.tiers import FREE
from tests.credentials.once import once
from tests.support.harness import AccountOfTest, TestApp
from tests.support.interleaving import cancel_transactions, fail_calls, run_after


def make(creator: Issued, **more: Any) -> Issued:
    """Create a key with the key `creator`."""
    return issue_key(verify(creator.secret), name="Made", wanted=["read"], expires_in_s=None, **more)


def count(account: AccountOfTest) -> int:
    """Return the number of keys of an account."""
    return len(list(find.keys_of(account.id)))


def full(latchkey: TestApp) -> tuple[AccountOfTest, list[Issued]]:
    """Return an account with the maximum number of active keys."""
    account = latchkey.account()
    return account, [latchkey.key(account) for _ in range(LIVE_MAX)]


def test_form_creates_one_key(latchkey: TestApp) -> None:
    """A form that is submitted twice creates one key; another account may use the same form token."""
    account, other = latchkey.account(), latchkey.account()
    creator = latchkey.key(account)
    make(creator, form="form 1")
    with pytest.raises(errors.Conflict, match="Its key is in the list"):
        make(creator, form="form 1")
    assert count(account) == 2
    make(creator, form="form 2")
    make(latchkey.key(other), form="form 1")


def test_request_with_an_idempotency_key_creates_one_key(latchkey: TestApp) -> None:
    """A retry with the same idempotency key gets the first response, for an issued and for a rotated key."""
    account = latchkey.account()
    creator, old = latchkey.key(account), latchkey.key(account)
    made = make(creator, once=once(creator))
    rotated = rotate(verify(creator.secret), old.key.id, 60, once(creator, "order 2"))
    with pytest.raises(Replayed) as again:
        make(creator, once=once(creator))
    assert again.value.answer.body == made.key.id
    with pytest.raises(Replayed) as again:
        rotate(verify(creator.secret), old.key.id, 60, once(creator, "order 2"))
    assert again.value.answer.body == rotated.key.id
    assert count(account) == 4


def test_full_account_is_reported_with_an_unused_form_or_idempotency_key(latchkey: TestApp) -> None:
    """For an account at its limit, the error is about the limit, even with a form or idempotency key."""
    account, keys = full(latchkey)
    for more in ({}, {"form": "form 1"}, {"once": once(keys[0])}):
        with pytest.raises(errors.Conflict, match="at most 20 active keys"):
            make(keys[0], **more)
    with pytest.raises(errors.Conflict, match="at most 20 active keys"):
        rotate(verify(keys[0].secret), keys[1].key.id, 60, once(keys[0]))
    with pytest.raises(errors.Conflict, match="at most 20 active keys"):
        latchkey.key(account)
    assert count(account) == LIVE_MAX


def with_two_expired_keys(latchkey: TestApp) -> tuple[AccountOfTest, Issued]:
    """Return an account at its limit, two of whose keys have expired, and a key that creates others."""
    account = latchkey.account()
    creator = latchkey.key(account)
    for _ in range(LIVE_MAX - 3):
        latchkey.key(account)
    for _ in range(2):
        latchkey.key(account, expires_in_s=60)
    latchkey.clock.forward(60)
    return account, creator


def test_concurrently_replaced_expired_keys_are_not_replaced_again(latchkey: TestApp) -> None:
    """If concurrent creations have replaced all expired keys, a further creation is rejected."""
    account, creator = with_two_expired_keys(latchkey)
    with (
        run_after("TransactWriteItems", lambda: [latchkey.key(account) for _ in range(2)]),
        pytest.raises(errors.Conflict),
    ):
        make(creator)
    assert len(Account.get(account.id).live_keys.as_dict()) == LIVE_MAX


def test_room_that_a_concurrent_creation_leaves_is_used(latchkey: TestApp) -> None:
    """Of two expired keys, a concurrent creation replaces one, and this creation replaces the other."""
    account, creator = with_two_expired_keys(latchkey)
    with run_after("TransactWriteItems", lambda: latchkey.key(account)):
        made = make(creator)
    assert made.key.id in Account.get(account.id).live_keys.as_dict()
    assert len(Account.get(account.id).live_keys.as_dict()) == LIVE_MAX


def test_creation_that_loses_every_race_raises_unavailable(latchkey: TestApp) -> None:
    """A creation that loses every race raises Unavailable and asks the caller to try again."""
    account = latchkey.account()
    creator, old = latchkey.key(account), latchkey.key(account)
    principal, item = verify(creator.secret), Account.get(account.id).serialize()
    with cancel_transactions("accounts", item) as calls:
        with pytest.raises(errors.Unavailable, match="Too many keys"):
            issue_key(principal, name="Made", wanted=["read"], expires_in_s=None)
        assert len(calls) == ROUNDS_MAX
        with pytest.raises(errors.Unavailable, match="changed too often"):
            rotate(principal, old.key.id, 60)
        assert len(calls) == 2 * ROUNDS_MAX


def test_database_error_of_a_creation_is_raised(latchkey: TestApp) -> None:
    """A database error during a creation is raised unchanged, not reported as a rejected creation."""
    creator = latchkey.key(latchkey.account())
    principal = verify(creator.secret)
    with fail_calls("TransactWriteItems"):
        with pytest.raises(TransactWriteError):
            issue_key(principal, name="Made", wanted=["read"], expires_in_s=None, once=once(creator))
        with pytest.raises(TransactWriteError):
            rotate(principal, creator.key.id, 60, once(creator))


@pytest.mark.parametrize("configured", [True, False])
def test_email_address_must_be_verified_if_email_is_configured(latchkey: TestApp, configured: bool) -> None:
    """If email is configured, only users with a verified address can create keys; the operator always can."""
    account = AccountOfTest(create_account(email="ada@example.com", name="Ada", tier=FREE))
    with settings.override(replace(settings.current(), mail_from="keys@example.com" if configured else "")):
        creator = latchkey.key(account)
        if configured:
            with pytest.raises(errors.Conflict, match="Confirm your email address first"):
                make(creator)
        else:
            make(creator)
        for _ in range(LIVE_MAX - count(account)):
            latchkey.key(account)
        with pytest.raises(errors.Conflict, match="at most 20 active keys"):
            latchkey.key(account)
        with pytest.raises(errors.Conflict, match="Confirm your email" if configured else "at most 20 active keys"):
            make(creator)


def test_verified_user_creates_keys_if_email_is_configured(latchkey: TestApp) -> None:
    """If email is configured, a user with a verified address can create keys up to the limit."""
    with settings.override(replace(settings.current(), mail_from="keys@example.com")):
        account, keys = full(latchkey)
        with pytest.raises(errors.Conflict, match="at most 20 active keys"):
            make(keys[0])
        latchkey.clock.forward(1)
    assert count(account) == LIVE_MAX
