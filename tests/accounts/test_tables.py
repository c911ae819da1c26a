"""What an account says of itself."""

import pytest
from pynamodb.exceptions import AttributeNullError

from chalicelib.accounts.tables import Account, Session


@pytest.mark.parametrize(("typed", "mailbox"), [(None, "ada@example.com"), ("Ada@example.com", "Ada@example.com")])
def test_mail_goes_to_the_address_as_it_was_typed_where_that_is_another_spelling(
    typed: str | None, mailbox: str
) -> None:
    """Else to the address itself."""
    assert Account("acc_x", email="ada@example.com", typed_email=typed).mailbox == mailbox


@pytest.mark.parametrize(("verified_at_ms", "is_verified"), [(None, False), (0, True), (1, True)])
def test_address_is_verified_once_a_moment_is_known(verified_at_ms: int | None, is_verified: bool) -> None:
    """Whichever that was."""
    assert Account("acc_x", email_verified_at=verified_at_ms).is_verified is is_verified


@pytest.mark.parametrize(("made_at", "has_ended"), [(4, True), (5, False), (6, False)])
def test_what_was_made_before_the_address_was_verified_has_ended(made_at: int, has_ended: bool) -> None:
    """Not what was made in the very millisecond; of an account without such a moment nothing has."""
    assert Account("acc_x", credentials_since=5).has_ended(made_at) is has_ended
    assert Account("acc_x").has_ended(0) is False


def test_account_is_nothing_more_than_it_was_made_to_be() -> None:
    """Active, no administrator, with sessions and credentials from the beginning on and no key."""
    account = Account("acc_x")
    assert (account.status, account.admin, account.session_epoch, account.credentials_since) == ("active", False, 0, 0)
    assert account.live_keys.as_dict() == {}


def test_session_without_a_time_of_deletion_cannot_be_stored() -> None:
    """DynamoDB would keep it forever."""
    session = Session("digest", id="ses_x", purpose="session", account_id="acc_x", epoch=0, created_at=0, seen_at=0)
    with pytest.raises(AttributeNullError, match="dies_at"):
        session.serialize()
