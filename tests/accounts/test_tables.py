"""Properties and defaults of the models of accounts and users."""

import pytest
from pynamodb.exceptions import AttributeNullError

from chalicelib.accounts.tables import Account, Session, User


@pytest.mark.parametrize(("typed", "mailbox"), [(None, "ada@example.com"), ("Ada@example.com", "Ada@example.com")])
def test_mailbox_is_the_typed_address_or_the_claim(typed: str | None, mailbox: str) -> None:
    """The mailbox of a user is the typed address if it is stored, otherwise the claim."""
    assert User("usr_x", email="ada@example.com", typed_email=typed).mailbox == mailbox


@pytest.mark.parametrize(("verified_at_ms", "is_verified"), [(None, False), (0, True), (1, True)])
def test_address_is_verified_once_it_has_a_time(verified_at_ms: int | None, is_verified: bool) -> None:
    """An address is verified if its time of verification is set, even if that time is 0."""
    assert User("usr_x", email_verified_at=verified_at_ms).is_verified is is_verified


@pytest.mark.parametrize(("made_at", "predates_verification"), [(4, True), (5, False), (6, False)])
def test_credentials_from_before_the_first_verification_are_invalid(made_at: int, predates_verification: bool) -> None:
    """Credentials created before the first verification are invalid; those created in the same millisecond or later are
    valid.
    """
    for item in (Account("acc_x", credentials_since=5), User("usr_x", credentials_since=5)):
        assert item.predates_verification(made_at) is predates_verification
    assert Account("acc_x").predates_verification(0) is False
    assert User("usr_x").predates_verification(0) is False


def test_new_account_and_user_have_the_defaults() -> None:
    """A new account is active, with one owner and no keys. A new user is active, not an admin, and has no account."""
    account, user = Account("acc_x"), User("usr_x")
    assert (account.status, account.owners, account.credentials_since) == ("active", 1, 0)
    assert account.live_keys.as_dict() == {}
    assert (user.status, user.admin, user.session_epoch, user.credentials_since) == ("active", False, 0, 0)
    assert user.account_ids is None


def test_session_without_a_ttl_cant_be_stored() -> None:
    """A session without a TTL can't be stored, because DynamoDB would never delete it."""
    session = Session("digest", id="ses_x", purpose="session", user_id="usr_x", epoch=0, created_at=0, seen_at=0)
    with pytest.raises(AttributeNullError, match="dies_at"):
        session.serialize()
