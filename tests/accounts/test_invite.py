"""An invited account and the link to set its password are created together or not at all."""

import pytest

from chalicelib.accounts import email_links, quota_inheritance
from chalicelib.accounts.invite import Invited, invite
from chalicelib.accounts.tables import Account, OneTimeToken, User
from chalicelib.core import clock, errors
from chalicelib.idempotency import record
from chalicelib.idempotency.record import Recording, Replayed, StoredResponse
from chalicelib.limits import tiers
from tests.support.console_client import hash_of
from tests.support.harness import TestApp
from tests.support.interleaving import run_before

EMAIL = "ada@example.com"


@pytest.mark.parametrize("admin", [False, True])
def test_invited_user_has_no_password(latchkey: TestApp, admin: bool) -> None:
    """The owner of an invited account has no password, and their address isn't verified."""
    invited = invite(email="Ada@Example.com", name="Ada", tier=tiers.PRO, admin=admin)
    stored, account = User.get(invited.membership.user.id), Account.get(invited.membership.account.id)
    assert (stored.email, stored.mailbox, stored.name) == (EMAIL, "Ada@example.com", "Ada")
    assert (account.name, account.tier, account.created_by) == ("Ada", "pro", stored.id)
    assert [stored.admin, stored.password_hash, stored.is_verified] == [admin, None, False]
    assert "lk_ml_" not in repr(invited)


def test_invited_user_is_admin_only_if_requested(latchkey: TestApp) -> None:
    """The owner of an invited account is an admin only if the invitation says so."""
    assert not User.get(invite(email=EMAIL, name="Ada", tier=tiers.FREE).membership.user.id).admin


def test_link_of_an_invitation_sets_the_password_without_verifying_the_address(latchkey: TestApp) -> None:
    """The link of an invitation sets the password. It doesn't verify the address, because it wasn't sent by email."""
    invited = invite(email=EMAIL, name="Ada", tier=tiers.FREE)
    token = email_links.find_link(invited.link, email_links.SET_PASSWORD)
    assert email_links.set_password(token, email_links.user_of_link(token), hash_of("x")) is None
    stored = User.get(invited.membership.user.id)
    assert (stored.password_hash, stored.is_verified, stored.session_epoch) == (hash_of("x"), False, 1)


def test_invitation_to_a_known_address_creates_no_link(latchkey: TestApp) -> None:
    """An invitation to an address that has a user creates no link."""
    invite(email=EMAIL, name="Ada", tier=tiers.FREE)
    with pytest.raises(errors.Conflict):
        invite(email=EMAIL, name="Eve", tier=tiers.FREE)
    assert (Account.count(), User.count(), OneTimeToken.count()) == (1, 1, 1)


def test_returned_link_is_the_stored_one(latchkey: TestApp) -> None:
    """If the transaction is retried with a new link, the response contains the link that was stored."""

    def somebody_leaves() -> None:
        digest, at_s = quota_inheritance._digest(EMAIL), clock.now_s() + 9
        OneTimeToken(digest, kind="left", account_id="acc_other", expires_at=at_s * 1000, dies_at=at_s).save()

    with run_before("TransactWriteItems", somebody_leaves):
        invited = invite(email=EMAIL, name="Ada", tier=tiers.FREE)
    assert email_links.find_link(invited.link, email_links.SET_PASSWORD).user_id == invited.membership.user.id


def test_invitation_with_an_idempotency_key_is_recorded_with_its_account(latchkey: TestApp) -> None:
    """A repeated invitation with the same idempotency key gets the stored link."""
    once = record.once(account_id="acc_x", lineage="x", place="POST /x", key="key", content=b"", secret="lk_live_x")
    recording: Recording[Invited] = Recording(
        once, lambda made: StoredResponse(201, {}, made.link, made.membership.account.id)
    )
    invited = invite(email=EMAIL, name="Ada", tier=tiers.FREE, once=recording)
    with pytest.raises(Replayed) as replayed:
        once.raise_if_recorded()
    assert (replayed.value.answer.body, replayed.value.answer.made) == (invited.link, invited.membership.account.id)
