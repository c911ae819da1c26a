"""Properties and defaults of the models of accounts."""

import pytest
from pynamodb.exceptions import AttributeNullError

from chalicelib.accounts.tables import Account, Session


@pytest.mark.parametrize(("typed", "mailbox"), [(None, "ada@example.com"), ("Ada@example.com", "Ada@example.com")])
def test_mailbox_is_the_typed_address_or_the_claim(typed: str | None, mailbox: str) -> None:
    """The mailbox of an account is the typed address if it is stored, otherwise the claim."""
    assert Account("acc_x", email="ada@example.com", typed_email=typed).mailbox == mailbox


@pytest.mark.parametrize(("verified_at_ms", "is_verified"), [(None, False), (0, True), (1, True)])
def test_address_is_verified_once_it_has_a_time(verified_at_ms: int | None, is_verified: bool) -> None:
    """An address is verified if its time of verification is set, even if that time is 0."""
    assert Account("acc_x", email_verified_at=verified_at_ms).is_verified is is_verified


@pytest.mark.parametrize(("made_at", "predates_verification"), [(4, True), (5, False), (6, False)])
def test_credentials_from_before_the_first_verification_are_invalid(made_at: int, predates_verification: bool) -> None:
    """Credentials created before the first verification are invalid; those created in the same millisecond or later are
    valid.
    """
    assert Account("acc_x", credentials_since=5).predates_verification(made_at) is predates_verification
    assert Account("acc_x").predates_verification(0) is False


def test_new_account_has_the_defaults() -> None:
    """A new account is active, not an admin, without keys, and its epochs are 0."""
    account = Account("acc_x")
    assert (account.status, account.admin, account.session_epoch, account.credentials_since) == ("active", False, 0, 0)
    assert account.live_keys.as_dict() == {}


def test_session_without_a_ttl_cant_be_stored() -> None:
    """A session without a TTL can't be stored, because DynamoDB would never delete it."""
    session = Session("digest", id="ses_x", purpose="session", account_id="acc_x", epoch=0, created_at=0, seen_at=0)
    with pytest.raises(AttributeNullError, match="dies_at"):
        session.serialize()
