"""A user, their email claim and their account are created together or not at all."""

import pytest
from pynamodb.exceptions import TransactWriteError

from chalicelib.accounts import members
from chalicelib.accounts.create import create_account, create_further_account, new_membership, new_user, store
from chalicelib.accounts.members import Membership
from chalicelib.accounts.tables import Account, EmailClaim, Member, User
from chalicelib.core import errors
from chalicelib.core.dynamodb import models
from chalicelib.events import record
from chalicelib.limits.tiers import FREE, PRO
from tests.support.harness import START_MS, TestApp
from tests.support.interleaving import fail_calls


def counts() -> tuple[int, int, int, int]:
    """Return the numbers of accounts, users, memberships and email claims."""
    return Account.count(), User.count(), Member.count(), EmailClaim.count()


def test_new_account_is_active_and_its_owner_no_admin(latchkey: TestApp) -> None:
    """A new account is active, and its owner is not an admin by default."""
    made = create_account(email="Ada@Example.com", name="Ada", tier=PRO)
    account, user = Account.get(made.account.id), User.get(made.user.id)
    assert (account.name, account.tier, account.status, account.created_at) == ("Ada", "pro", "active", START_MS)
    assert (account.created_by, account.owners, account.live_keys.as_dict()) == (user.id, 1, {})
    assert (user.email, user.name, user.status, user.admin) == ("ada@example.com", "Ada", "active", False)
    assert (user.created_at, user.account_ids) == (START_MS, {account.id})
    member = Member.get(account.id, user.id)
    assert [member.role, member.since, member.invited_by] == ["owner", START_MS, None]


def test_second_claim_on_an_address_fails_and_stores_nothing(latchkey: TestApp) -> None:
    """A second user with the same email address is rejected, and nothing of them is stored."""
    first = create_account(email="ada@example.com", name="Ada", tier=FREE)
    with pytest.raises(errors.Conflict):
        create_account(email="ADA@example.com", name="Eve", tier=FREE)
    assert counts() == (1, 1, 1, 1)
    assert EmailClaim.get("ada@example.com").user_id == first.user.id


def test_account_with_an_invalid_address_is_rejected(latchkey: TestApp) -> None:
    """An account with an invalid email address is rejected, and nothing is stored."""
    with pytest.raises(errors.InvalidRequest):
        create_account(email="nonsense", name="Ada", tier=FREE)
    assert counts() == (0, 0, 0, 0)


def test_new_account_and_user_are_stored_with_all_attributes_and_recorded(latchkey: TestApp) -> None:
    """A typed address is stored only if it differs from its normalised form. Account and user have an event each."""
    made = create_account(
        email="Ada@Example.com", name="Ada", tier=PRO, admin=True, password_hash="hash", verified_at_ms=5
    )
    user, account = User.get(made.user.id), Account.get(made.account.id)
    assert (user.typed_email, user.mailbox, user.listed) == ("Ada@example.com", "Ada@example.com", "listed")
    assert (user.admin, user.password_hash, user.email_verified_at) == (True, "hash", 5)
    assert [user.session_epoch, user.credentials_since] == [0, 0]
    assert [account.listed, account.credentials_since, account.applications] == ["listed", 0, None]
    assert [account.tier_changed_at] == [None]
    (event,) = record.newest_first(account.id, 9)
    assert (event.type, event.changed.as_dict()) == ("account.created", {"tier": "pro"})
    (event,) = record.newest_first(user.id, 9)
    assert (event.type, event.changed.as_dict()) == ("user.created", {})
    plain = User.get(create_account(email="eve@example.com", name="Eve", tier=FREE).user.id)
    assert [plain.typed_email, plain.mailbox] == [None, "eve@example.com"]
    assert [plain.password_hash, plain.email_verified_at, plain.is_verified] == [None, None, False]


def test_additional_write_is_stored_with_the_account_or_neither_is(latchkey: TestApp) -> None:
    """If another write of the transaction fails its condition, no account is created and a conflict is raised."""
    refused = EmailClaim("taken@example.com", user_id="usr_x")
    refused.save()

    def beside(write: models.Transaction, new: Membership) -> None:
        write.save(EmailClaim("taken@example.com", user_id=new.user.id), condition=EmailClaim.email.does_not_exist())

    with pytest.raises(errors.Conflict, match="A user with this email exists"):
        create_account(email="ada@example.com", name="Ada", tier=FREE, beside=beside)
    assert (counts(), [each.user_id for each in EmailClaim.scan()]) == ((0, 0, 0, 1), ["usr_x"])
    refused.delete()
    made = create_account(email="ada@example.com", name="Ada", tier=FREE, beside=beside)
    assert {each.user_id for each in EmailClaim.scan()} == {made.user.id}
    assert EmailClaim.count() == 2


@pytest.mark.parametrize("what", ["account", "user"])
def test_account_doesnt_overwrite_another_with_its_id(latchkey: TestApp, what: str) -> None:
    """A new account or user whose random id is already in use doesn't overwrite the existing one."""
    first = create_account(email="ada@example.com", name="Ada", tier=FREE)
    second = new_membership(new_user(email="eve@example.com", name="Eve"), "Eve", FREE)
    if what == "account":
        second.account.id = first.account.id
    else:
        second.user.id = first.user.id
    with pytest.raises(TransactWriteError):
        store(second)
    assert [*(each.name for each in Account.scan()), *(each.name for each in User.scan())] == ["Ada", "Ada"]
    assert counts() == (1, 1, 1, 1)


def test_database_error_is_not_reported_as_a_conflict(latchkey: TestApp) -> None:
    """A database error isn't reported as an address that already has a user."""
    with fail_calls("TransactWriteItems"), pytest.raises(TransactWriteError):
        create_account(email="ada@example.com", name="Ada", tier=FREE)


def test_further_account_belongs_to_the_user_who_creates_it(latchkey: TestApp) -> None:
    """A user who creates a further account is its owner and creator, and keeps their other memberships."""
    first = create_account(email="ada@example.com", name="Ada", tier=PRO)
    latchkey.clock.forward(1)
    second = create_further_account(first.user, name="Engines Ltd", tier=FREE)
    user = User.get(first.user.id)
    assert [(each.account.name, each.account.tier, each.role) for each in members.all_of(user)] == [
        ("Ada", "pro", "owner"),
        ("Engines Ltd", "free", "owner"),
    ]
    assert (second.account.created_by, second.account.owners) == (user.id, 1)
    assert [event.type for event in record.newest_first(second.account.id, 9)] == ["account.created"]
    assert [event.type for event in record.newest_first(user.id, 9)] == ["user.created"]


def test_deleted_user_gets_no_further_account(latchkey: TestApp) -> None:
    """A user who was deleted since the request was admitted gets no account."""
    first = create_account(email="ada@example.com", name="Ada", tier=PRO)
    User(first.user.id).update(actions=[User.listed.remove()])
    with pytest.raises(errors.Conflict):
        create_further_account(first.user, name="Engines Ltd", tier=FREE)
    assert counts() == (1, 1, 1, 1)
