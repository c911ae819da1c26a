"""Of several that make a key at once, or of one request sent twice, as many make one as may."""

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
from tests.support.harness import TestApp
from tests.support.interleaving import after, always_outrun, failing


def make(creator: Issued, **more: Any) -> Issued:
    """Make a key with another."""
    return issue_key(verify(creator.secret), name="Made", wanted=["read"], expires_in_s=None, **more)


def count(account: Account) -> int:
    """Return how many keys an account has."""
    return len(list(find.keys_of(account.id)))


def full(latchkey: TestApp) -> tuple[Account, list[Issued]]:
    """Return an account with as many live keys as it may have."""
    account = latchkey.account()
    return account, [latchkey.key(account) for _ in range(LIVE_MAX)]


def test_form_makes_one_key(latchkey: TestApp) -> None:
    """Reloaded, it says that it was used; another account's form of this name is another."""
    account, other = latchkey.account(), latchkey.account()
    creator = latchkey.key(account)
    make(creator, form="form 1")
    with pytest.raises(errors.Conflict, match="Its key is in the list"):
        make(creator, form="form 1")
    assert count(account) == 2
    make(creator, form="form 2")
    make(latchkey.key(other), form="form 1")


def test_request_under_an_idempotency_key_makes_one_key(latchkey: TestApp) -> None:
    """Sent again it is answered as before, whether it issues or rotates."""
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


def test_full_account_is_told_so_whatever_the_request_came_with(latchkey: TestApp) -> None:
    """A form that wasn't used, and a request that wasn't made before, are no reason."""
    account, keys = full(latchkey)
    for more in ({}, {"form": "form 1"}, {"once": once(keys[0])}):
        with pytest.raises(errors.Conflict, match="at most 20 active keys"):
            make(keys[0], **more)
    with pytest.raises(errors.Conflict, match="at most 20 active keys"):
        rotate(verify(keys[0].secret), keys[1].key.id, 60, once(keys[0]))
    with pytest.raises(errors.Conflict, match="at most 20 active keys"):
        latchkey.key(account)
    assert count(account) == LIVE_MAX


def with_two_places_to_free(latchkey: TestApp) -> tuple[Account, Issued]:
    """Return an account that holds as many keys as it may, of which two have ended, and a key that makes others."""
    account = latchkey.account()
    creator = latchkey.key(account)
    for _ in range(LIVE_MAX - 3):
        latchkey.key(account)
    for _ in range(2):
        latchkey.key(account, expires_in_s=60)
    latchkey.clock.forward(60)
    return account, creator


def test_places_that_another_maker_took_are_not_taken_again(latchkey: TestApp) -> None:
    """Two keys have ended; while one creator takes them out, others do and take their places."""
    account, creator = with_two_places_to_free(latchkey)
    with after("TransactWriteItems", lambda: [latchkey.key(account) for _ in range(2)]), pytest.raises(errors.Conflict):
        make(creator)
    assert len(Account.get(account.id).live_keys.as_dict()) == LIVE_MAX


def test_place_that_another_maker_left_is_taken(latchkey: TestApp) -> None:
    """What it took out on the way is out for both."""
    account, creator = with_two_places_to_free(latchkey)
    with after("TransactWriteItems", lambda: latchkey.key(account)):
        made = make(creator)
    assert made.key.id in Account.get(account.id).live_keys.as_dict()
    assert len(Account.get(account.id).live_keys.as_dict()) == LIVE_MAX


def test_maker_that_is_outrun_again_and_again_gives_up(latchkey: TestApp) -> None:
    """It says that asking again may help."""
    account = latchkey.account()
    creator, old = latchkey.key(account), latchkey.key(account)
    principal, item = verify(creator.secret), Account.get(account.id).serialize()
    with always_outrun("accounts", item) as calls:
        with pytest.raises(errors.Unavailable, match="Too many keys"):
            issue_key(principal, name="Made", wanted=["read"], expires_in_s=None)
        assert len(calls) == ROUNDS_MAX
        with pytest.raises(errors.Unavailable, match="changed too often"):
            rotate(principal, old.key.id, 60)
        assert len(calls) == 2 * ROUNDS_MAX


def test_fault_of_the_database_is_not_taken_for_a_refusal(latchkey: TestApp) -> None:
    """It is raised as it came."""
    creator = latchkey.key(latchkey.account())
    principal = verify(creator.secret)
    with failing("TransactWriteItems"):
        with pytest.raises(TransactWriteError):
            issue_key(principal, name="Made", wanted=["read"], expires_in_s=None, once=once(creator))
        with pytest.raises(TransactWriteError):
            rotate(principal, creator.key.id, 60, once(creator))


@pytest.mark.parametrize("configured", [True, False])
def test_address_must_be_verified_where_mail_is_sent(latchkey: TestApp, configured: bool) -> None:
    """Where none is nobody could verify one; and the operator may make a key for anyone."""
    account = create_account(email="ada@example.com", name="Ada", tier=FREE)
    with settings.in_use(replace(settings.current(), mail_from="keys@example.com" if configured else "")):
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


def test_verified_account_makes_keys_where_mail_is_sent(latchkey: TestApp) -> None:
    """Until it has enough of them, of which it is told as such."""
    with settings.in_use(replace(settings.current(), mail_from="keys@example.com")):
        account, keys = full(latchkey)
        with pytest.raises(errors.Conflict, match="at most 20 active keys"):
            make(keys[0])
        latchkey.clock.forward(1)
    assert count(account) == LIVE_MAX
