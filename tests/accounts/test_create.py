"""An account and its email claim are created together or not at all."""

import pytest
from pynamodb.exceptions import TransactWriteError

from chalicelib.accounts.create import create_account, new_account, store
from chalicelib.accounts.tables import Account, EmailClaim
from chalicelib.core import errors
from chalicelib.core.dynamodb import models
from chalicelib.events import record
from chalicelib.limits.tiers import FREE, PRO
from tests.support.harness import START_MS, TestApp
from tests.support.interleaving import fail_calls


def test_new_account_is_active_and_no_admin(latchkey: TestApp) -> None:
    """A new account is active and not an admin by default."""
    account = Account.get(create_account(email="Ada@Example.com", name="Ada", tier=PRO).id)
    assert (account.email, account.name, account.tier) == ("ada@example.com", "Ada", "pro")
    assert (account.status, account.admin, account.created_at) == ("active", False, START_MS)
    assert account.live_keys.as_dict() == {}


def test_second_claim_on_an_address_fails_and_stores_nothing(latchkey: TestApp) -> None:
    """A second account with the same email address is rejected, and nothing of it is stored."""
    first = create_account(email="ada@example.com", name="Ada", tier=FREE)
    with pytest.raises(errors.Conflict):
        create_account(email="ADA@example.com", name="Eve", tier=FREE)
    assert [account.id for account in Account.scan()] == [first.id]
    assert EmailClaim.get("ada@example.com").account_id == first.id


def test_account_with_an_invalid_address_is_rejected(latchkey: TestApp) -> None:
    """An account with an invalid email address is rejected, and nothing is stored."""
    with pytest.raises(errors.InvalidRequest):
        create_account(email="nonsense", name="Ada", tier=FREE)
    assert Account.count() == 0


def test_new_account_is_stored_with_all_attributes_and_recorded(latchkey: TestApp) -> None:
    """A typed address is stored only if it differs from its normalised form.

    The event of a new account contains the tier.
    """
    made = create_account(
        email="Ada@Example.com", name="Ada", tier=PRO, admin=True, password_hash="hash", verified_at_ms=5
    )
    account = Account.get(made.id)
    assert (account.typed_email, account.mailbox, account.listed) == ("Ada@example.com", "Ada@example.com", "listed")
    assert (account.admin, account.password_hash, account.email_verified_at) == (True, "hash", 5)
    assert [account.session_epoch, account.credentials_since, account.applications] == [0, 0, None]
    (event,) = record.newest_first(made.id, 9)
    assert (event.type, event.changed.as_dict()) == ("account.created", {"tier": "pro"})
    plain = Account.get(create_account(email="eve@example.com", name="Eve", tier=FREE).id)
    assert [plain.typed_email, plain.mailbox] == [None, "eve@example.com"]
    assert [plain.password_hash, plain.email_verified_at, plain.is_verified] == [None, None, False]


def test_additional_write_is_stored_with_the_account_or_neither_is(latchkey: TestApp) -> None:
    """If another write of the transaction fails its condition, no account is created and a conflict is raised."""
    refused = EmailClaim("taken@example.com", account_id="acc_x")
    refused.save()

    def beside(write: models.Transaction, account: Account) -> None:
        write.save(EmailClaim("taken@example.com", account_id=account.id), condition=EmailClaim.email.does_not_exist())

    with pytest.raises(errors.Conflict, match="An account with this email exists"):
        create_account(email="ada@example.com", name="Ada", tier=FREE, beside=beside)
    assert (Account.count(), [each.account_id for each in EmailClaim.scan()]) == (0, ["acc_x"])
    refused.delete()
    made = create_account(email="ada@example.com", name="Ada", tier=FREE, beside=beside)
    assert {each.account_id for each in EmailClaim.scan()} == {made.id}
    assert EmailClaim.count() == 2


def test_account_doesnt_overwrite_another_with_its_id(latchkey: TestApp) -> None:
    """A new account whose random id is already in use doesn't overwrite the existing account."""
    first = create_account(email="ada@example.com", name="Ada", tier=FREE)
    second = new_account(email="eve@example.com", name="Eve", tier=FREE)
    second.id = first.id
    with pytest.raises(TransactWriteError):
        store(second)
    assert ([each.name for each in Account.scan()], EmailClaim.count()) == (["Ada"], 1)


def test_database_error_is_not_reported_as_a_conflict(latchkey: TestApp) -> None:
    """A database error isn't reported as an address that already has an account."""
    with fail_calls("TransactWriteItems"), pytest.raises(TransactWriteError):
        create_account(email="ada@example.com", name="Ada", tier=FREE)
